"""Several local markets asked as one: who is enrolled where, and whose readings are given."""

from __future__ import annotations

import pytest
from deployed import ESTIMATE_WH, deployed, scenario_of

from cosim.errors import ContractRevert
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.areas import MarketArea
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.deploying import NOBODY, deploy_market
from cosim.mechanisms.local_market.joined import JoinedMarkets
from cosim.mechanisms.local_market.markets import LocalMarketsPlay
from cosim.mechanisms.local_market.terms import MarketTerms

PREFIX = "joined markets: "
EAST, WEST, ABOVE = (
    MarketArea("east", (0, 3)),
    MarketArea("west", (1, 4)),
    MarketArea("supplier", (2,), trades=False),
)


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    """Three markets, whose first interval was settled by estimate."""
    scenario = scenario_of(intervals=2)
    made = deployed(scenario, tuple("abcde"), n_mechanisms=0, areas=(EAST, WEST, ABOVE))
    chain, clock = made.chain, scenario.clock()
    chain.mine_until(clock.delivery_start_s(1) + clock.metering_s)
    for part in made.play(LocalMarketsPlay).parts:
        for i in part.area.points:
            account = made.prosumers[i].address
            part.play.settlement.settle_silent(made.operator.address, 0, account)
    chain.mine_blocks()
    return made


def joined_of(deployment: Deployment) -> tuple[JoinedMarkets, list[bytes]]:
    """The contract that joins the markets, and these."""
    markets = [one.address for one in deployment.clients if isinstance(one, LocalMarket)]
    return deployment.client(JoinedMarkets), markets


def test_members_are_asked_for_in_their_own_market(deployment) -> None:
    joined, markets = joined_of(deployment)
    for place, area in enumerate((EAST, WEST, ABOVE)):
        for i in area.points:
            account = deployment.prosumers[i].address
            assert joined.market_of(account) == markets[place]
            assert joined.is_member(account)
            market = LocalMarket.at(deployment.chain, markets[place])
            asked = [joined.view("readingOf", 0, account), market.view("readingOf", 0, account)]
            assert asked == [[True, True, -ESTIMATE_WH]] * 2
    stranger = deployment.dso.address
    assert joined.view("readingOf", 0, stranger) == [False, False, 0]
    assert not joined.is_member(stranger)


def test_enrolment_passes_over_strangers_and_those_enrolled_elsewhere(deployment) -> None:
    joined, markets = joined_of(deployment)
    east = deployment.prosumers[0].address
    handle = joined.enrol(deployment.dso.address, 1, [east, deployment.dso.address])
    deployment.chain.mine_blocks()
    assert joined.check(handle) is not None
    assert joined.events(joined.check(handle)) == []
    assert joined.market_of(east) == markets[0]
    handle = joined.enrol(deployment.dso.address, 3, [east])
    deployment.chain.mine_blocks()
    with pytest.raises(ContractRevert) as caught:
        joined.check(handle)
    assert caught.value.text == PREFIX + "unknown market"


def test_markets_of_other_times_are_not_joined(deployment) -> None:
    chain, operator = deployment.chain, deployment.operator.address
    with pytest.raises(ContractRevert) as caught:
        JoinedMarkets.deploy(chain, operator, markets=[])
    assert caught.value.text == PREFIX + "no market"
    scenario = scenario_of(market={"metering_s": 120})
    other, _ = deploy_market(
        chain,
        operator,
        MarketTerms.of(scenario),
        scenario.clock(),
        token=deployment.token.address,
        meters=deployment.meter_registry.address,
        supplier=deployment.supplier.address,
        first_delivery_s=scenario.clock().start_s,
        dso=NOBODY,
        state=NOBODY,
    )
    _, markets = joined_of(deployment)
    with pytest.raises(ContractRevert) as caught:
        JoinedMarkets.deploy(chain, operator, markets=[*markets, other.address])
    assert caught.value.text == PREFIX + "times differ"
