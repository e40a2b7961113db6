"""The door between the local market and its settlement: who may use it, once, and when not."""

from __future__ import annotations

import pytest
from eth_abi import encode
from local_market_world import opened
from market_world import (
    DSO,
    OPERATOR,
    RETAIL,
    SILENT_ESTIMATE_WH,
    SUPPLIER,
    Contract,
    MarketWorld,
    address,
    double,
)

from cosim.errors import ContractRevert
from cosim.evm.abi import pack_mixed
from cosim.evm.contracts import compile_contract

KNOWN, CLAIMED, SETTLED = 1 << 10, 1 << 45, 1 << 78


@pytest.fixture
def cleared() -> MarketWorld:
    """A buyer's and a seller's order of interval 0, cleared and delivered."""
    world = opened()
    world.open_window(0)
    world.order("buyer", False, 1_000, 200_000)
    world.order("seller", True, 1_000, 100_000)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    return world


def record(
    contract: Contract, sender: str | bytes, noted: int = KNOWN, released: int = 0, due: int = 0
) -> None:
    """Use the door for the buyer's position of interval 0."""
    contract.send(sender, "record", 0, address("buyer"), noted, released, 0, due)


@pytest.mark.parametrize(
    "caller", ["buyer", "seller", SUPPLIER, DSO, OPERATOR, "deployer", "meter of buyer", "anyone"]
)
def test_nobody_but_the_settlement_uses_the_door(cleared: MarketWorld, caller: str) -> None:
    """Whoever could would credit itself, and close positions without a meter."""
    before = cleared.engine.storage_root(cleared.market.address)
    with pytest.raises(ContractRevert, match="local market: not the settlement"):
        record(cleared.market, caller, released=1_000_000)
    assert cleared.engine.storage_root(cleared.market.address) == before


def test_a_position_is_recorded_once(world: MarketWorld) -> None:
    """Said by the market itself, whatever its settlement says."""
    market = world.deploy_unsettled("settler")
    record(market, "settler", CLAIMED)
    with pytest.raises(ContractRevert, match="local market: already recorded"):
        record(market, "settler", CLAIMED)
    record(market, "settler")
    with pytest.raises(ContractRevert, match="local market: already recorded"):
        record(market, "settler", KNOWN)
    record(market, "settler", SETTLED)
    for noted in (KNOWN, CLAIMED, SETTLED, 0):
        with pytest.raises(ContractRevert, match="local market: already recorded"):
            record(market, "settler", noted)


def test_claims_and_readings_leave_debts_alone_and_the_settlement_pays_them(
    world: MarketWorld,
) -> None:
    market = world.deploy_unsettled("settler")
    world.fund("buyer", market, 100)
    record(market, "settler", CLAIMED, due=30)
    assert market.get("balanceOf", address("buyer")) == 100
    record(market, "settler", KNOWN, due=30)
    assert market.get("balanceOf", address("buyer")) == 100
    record(market, "settler", SETTLED, released=5, due=110)
    assert market.get("balanceOf", address("buyer")) == 0
    assert market.get("debtOf", address("buyer")) == 5
    assert market.get("balanceOf", address(SUPPLIER)) == 105


def test_a_settlement_refuses_a_market_that_names_another(world: MarketWorld) -> None:
    kind = compile_contract("MarketSettlement")
    with pytest.raises(ContractRevert, match="local market: settled elsewhere"):
        Contract(world.engine, kind, world.market.address, 0, deployer="copycat")
    assert world.market.get("SETTLEMENT") == world.market.settlement.address
    assert world.market.get("LOCAL_MARKET") == world.market.address


def test_bilateral_trades_go_with_a_market_of_that_form_alone(world: MarketWorld) -> None:
    for override in ({"form": 3}, {"bilateral": address("somebody")}):
        with pytest.raises(ContractRevert) as caught:
            world.deploy_market(**override)
        assert caught.value.text.removeprefix("local market: ") == "cleared otherwise"
    with pytest.raises(ContractRevert, match="local market: no such form"):
        world.deploy_market(form=4)
    pairs = world.deploy_market(form=3, bilateral=address("somebody"))
    world.close_gate(0)
    for call in (("clear", 0), ("clearVerified", 0, [], 0, 0, 0)):
        with pytest.raises(ContractRevert) as caught:
            pairs.send("anyone", *call)
        assert caught.value.text.removeprefix("local market: ") == "clearing is bilateral"
    with pytest.raises(ContractRevert, match="clearing is bilateral"):
        pairs.send("anyone", "commitClearing", 0, bytes(32), 1, 1, 1)


def test_a_settlement_takes_its_terms_from_its_market(world: MarketWorld) -> None:
    """Another retail price, step and metering time than the usual ones."""
    other = world.deploy_market(retail=2 * RETAIL, step_s=1_800, metering_s=60)
    other.send("buyer", "join", address("meter of buyer"))
    world.market = other
    world.close_gate(0)
    other.send("anyone", "clear", 0)
    world.deliver(0)  # at the usual step
    with pytest.raises(ContractRevert, match="not yet delivered"):
        world.report("buyer", -1_000)
    world.at(other.get("deliveryStartOf", 1))
    world.report("buyer", -1_000)
    assert other.get("debtOf", address("buyer")) == 2 * RETAIL
    world.at(other.get("reportDeadlineOf", 0) + 1)
    with pytest.raises(ContractRevert, match="already reported"):
        other.send("anyone", "settleSilent", 0, address("buyer"))


@pytest.mark.parametrize("function", ["deposit", "withdraw"])
def test_the_settlement_cannot_be_used_while_tokens_move(function: str) -> None:
    """What anybody may have settled at other times: the market's lock holds for both contracts."""
    world = MarketWorld("revm")
    token = Contract(world.engine, double("HostileToken"))
    market = world.market = world.deploy_market(token=token.address)
    market.send("buyer", "join", address(world.register("buyer")))
    market.send("saver", "deposit", 100)
    world.close_gate(0)
    market.send("anyone", "clear", 0)
    world.end_metering(0)
    selector = market.settlement.artifact.selectors["settleSilent"]
    data = selector + pack_mixed(0, address("buyer"))
    load = token.artifact.selectors["load"] + encode(["bytes"], [data])
    assert world.engine.transact(address("anyone"), token.address, load, 10**6).status == 1
    token.send("anyone", "aim", market.settlement.address)
    token.send("anyone", "arm")
    market.send("saver", function, 10)
    assert token.get("outcome", 0) == (False, False)
    assert market.get("debtOf", address("buyer")) == 0
    market.send("anyone", "settleSilent", 0, address("buyer"))
    assert market.get("debtOf", address("buyer")) == SILENT_ESTIMATE_WH * RETAIL // 1_000


def test_the_settlement_holds_no_tokens(cleared: MarketWorld) -> None:
    cleared.report("buyer", -1_200)
    cleared.report("seller", 900)
    assert cleared.held(cleared.market.settlement) == 0
    assert cleared.backed()


@pytest.mark.parametrize(("function", "entries"), [("placeOrders", [1]), ("reportAll", [1])])
def test_a_market_without_submissions_takes_no_batch(
    world: MarketWorld, function: str, entries: list[int]
) -> None:
    """Not from the zero address either, whose key nobody has."""
    assert world.market.get("SUBMISSIONS") == bytes(20)
    for caller in ("anyone", SUPPLIER, world.market.address, world.market.settlement.address):
        with pytest.raises(ContractRevert, match="local market: not the submissions"):
            world.market.send(caller, function, 0, entries)
