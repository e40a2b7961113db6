"""The supplier says ahead what it takes out, so that it pays for what was ordered before that."""

from __future__ import annotations

import pytest
from local_market_world import opened, three
from market_world import (
    FEED_IN,
    FIRST_DELIVERY_S,
    METERING_S,
    ORDER_LEAD_S,
    RICH,
    STEP_S,
    SUPPLIER,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.pricing import ClearingForm

NOTICE_S = ORDER_LEAD_S + 2 * STEP_S + METERING_S
EARLY = r"local market: withdrawal not announced"


@pytest.fixture
def world() -> MarketWorld:
    """A market whose supplier has announced nothing, at the opening of the first order window."""
    found = MarketWorld("revm", notice=False)
    found.join("seller")
    found.fund(SUPPLIER, found.market, RICH)
    found.open_window(0)
    return found


def test_a_supplier_does_not_leave_before_delivery(world: MarketWorld) -> None:
    """It withdrew all between gate closure and the readings, and feed-in was left unpaid."""
    world.order("seller", True, 1_000, FEED_IN + 1)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    for amount in (1, RICH):
        with pytest.raises(ContractRevert, match=EARLY):
            world.market.send(SUPPLIER, "withdraw", amount)
    world.market.send(SUPPLIER, "announceWithdrawal", RICH)
    world.deliver(0)
    with pytest.raises(ContractRevert, match=EARLY):
        world.market.send(SUPPLIER, "withdraw", RICH)
    world.report("seller", 1_000)
    assert world.free("seller") == RICH + FEED_IN
    assert world.market.get("claimOf", address("seller")) == 0


def test_a_notice_ends_when_all_that_was_open_is_metered(world: MarketWorld) -> None:
    done = world.market.send(SUPPLIER, "announceWithdrawal", 700)
    until = FIRST_DELIVERY_S - ORDER_LEAD_S + NOTICE_S
    # the last reading of interval 0, and a step to settle whoever did not report
    assert until == FIRST_DELIVERY_S + STEP_S + METERING_S + STEP_S
    assert done.events == [("WithdrawalAnnounced", {"amount_ueur": 700, "until_s": until})]
    assert world.market.get("withdrawalNotice") == (700, until)
    world.at(until)
    with pytest.raises(ContractRevert, match=EARLY):
        world.market.send(SUPPLIER, "withdraw", 1)
    world.at(until + 1)
    with pytest.raises(ContractRevert, match=EARLY):
        world.market.send(SUPPLIER, "withdraw", 701)
    world.market.send(SUPPLIER, "withdraw", 300)
    world.market.send(SUPPLIER, "withdraw", 400)
    with pytest.raises(ContractRevert, match=EARLY):
        world.market.send(SUPPLIER, "withdraw", 1)
    assert world.free(SUPPLIER) == RICH - 700
    assert world.backed()


def test_who_did_not_claim_is_settled_before_the_supplier_leaves() -> None:
    """The notice ended in the second in which the first unclaimed order could be settled."""
    world = opened(form=ClearingForm.COMMITTED)
    case = three()
    case.place(world)
    world.open_window(0)
    world.market.send(SUPPLIER, "announceWithdrawal", RICH)
    world.close_gate(0)
    case.commit(world)
    world.deliver(0)
    world.report("seller", 1_000)
    world.end_metering(0)
    with pytest.raises(ContractRevert, match=EARLY):
        world.market.send(SUPPLIER, "withdraw", RICH)
    world.market.send("anyone", "settleSilent", 0, address("seller"))
    assert world.free("seller") == RICH + FEED_IN
    assert world.market.get("claimOf", address("seller")) == 0


def test_another_notice_takes_the_place_of_the_first(world: MarketWorld) -> None:
    world.market.send(SUPPLIER, "announceWithdrawal", 700)
    world.at(FIRST_DELIVERY_S)
    world.market.send(SUPPLIER, "announceWithdrawal", 2**256 - 1)
    world.at(FIRST_DELIVERY_S + NOTICE_S)
    with pytest.raises(ContractRevert, match=EARLY):
        world.market.send(SUPPLIER, "withdraw", 1)
    world.at(FIRST_DELIVERY_S + NOTICE_S + 1)
    world.market.send(SUPPLIER, "withdraw", RICH)
    with pytest.raises(ContractRevert, match="local market: balance too low"):
        world.market.send(SUPPLIER, "withdraw", 1)


@pytest.mark.parametrize("sender", ["seller", "anyone"])
def test_nobody_else_needs_or_gives_notice(world: MarketWorld, sender: str) -> None:
    with pytest.raises(ContractRevert, match="local market: not the supplier"):
        world.market.send(sender, "announceWithdrawal", 1)
    world.market.send("seller", "withdraw", RICH)
