"""Credit lines: what the supplier lends an order, who is paid of it, and how it is repaid."""

from __future__ import annotations

import pytest
from local_market_world import DEPOSIT, commit, opened, reveal
from market_world import (
    FEED_IN,
    FIRST_DELIVERY_S,
    METERING_S,
    ORDER_LEAD_S,
    RETAIL,
    RICH,
    STEP_S,
    SUPPLIER,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import ClearingForm

PRICE, LIMIT = 200_000, 250_000


@pytest.fixture
def lending() -> MarketWorld:
    """A market with a buyer who has nothing but a credit line, a seller and a supplier."""
    world = MarketWorld("revm")
    world.join("buyer", amount=0)
    world.join("seller")
    world.fund(SUPPLIER, world.market, RICH)
    world.market.send(SUPPLIER, "grantCredit", address("buyer"), LIMIT)
    world.open_window(0)
    return world


def debt(world: MarketWorld, account: str = "buyer") -> int:
    return int(world.market.get("debtOf", address(account)))


def test_who_sells_to_a_debtor_is_paid_by_the_supplier(lending: MarketWorld) -> None:
    done = lending.order("buyer", False, 1_000, PRICE)
    assert ("DuesChanged", {"account": address("buyer"), "dues_ueur": PRICE}) in done.events
    assert ("CreditLent", {"account": address("buyer"), "amount_ueur": PRICE}) in done.events
    assert (debt(lending), lending.free("buyer")) == (PRICE, 0)
    assert lending.free(SUPPLIER) == RICH - PRICE
    assert lending.locked("buyer") == PRICE
    lending.order("seller", True, 1_000, PRICE)
    lending.close_gate(0)
    lending.market.send("anyone", "clear", 0)
    lending.deliver(0)
    lending.report("seller", 1_000)
    assert lending.free("seller") == RICH + PRICE  # in tokens, before the buyer paid anything
    lending.report("buyer", -1_000)
    assert debt(lending) == PRICE
    assert lending.backed()
    # a deposit repays it first
    lending.fund("buyer", lending.market, PRICE + 7)
    assert (debt(lending), lending.free("buyer"), lending.free(SUPPLIER)) == (0, 7, RICH)
    assert lending.backed()


def test_what_was_not_bought_repays_what_was_lent(lending: MarketWorld) -> None:
    lending.order("buyer", False, 1_000, PRICE)
    lending.close_gate(0)
    lending.market.send("anyone", "clear", 0)
    lending.deliver(0)
    lending.report("buyer", 0)
    assert (debt(lending), lending.free("buyer"), lending.free(SUPPLIER)) == (0, 0, RICH)


def test_proceeds_repay_what_was_lent(lending: MarketWorld) -> None:
    # sold at 0.10, so that 0.20 EUR/kWh are locked for what might not be delivered
    lending.order("buyer", True, 1_000, RETAIL - PRICE)
    lending.order("seller", False, 1_000, RETAIL - PRICE)
    assert debt(lending) == PRICE
    lending.close_gate(0)
    lending.market.send("anyone", "clear", 0)
    lending.deliver(0)
    lending.report("buyer", 1_000)
    assert (debt(lending), lending.free("buyer")) == (0, RETAIL - PRICE)
    assert lending.backed([0])


@pytest.mark.parametrize("energy", [1_251, 2**32 - 1])
def test_beyond_the_limit_an_order_is_refused(lending: MarketWorld, energy: int) -> None:
    with pytest.raises(ContractRevert, match=r"local market: credit limit reached"):
        lending.order("buyer", False, energy, PRICE)
    assert debt(lending) == 0
    lending.order("buyer", False, 1_250, PRICE)
    assert debt(lending) == LIMIT


def test_a_bill_above_the_limit_is_a_debt_and_stops_trading(lending: MarketWorld) -> None:
    lending.close_gate(0)
    lending.market.send("anyone", "clear", 0)
    lending.deliver(0)
    lending.report("buyer", -2_000)
    assert debt(lending) == 2 * RETAIL > LIMIT
    lending.open_window(2)
    with pytest.raises(ContractRevert, match=r"local market: credit limit reached"):
        lending.order("buyer", False, 1, 1_000, interval=2)
    with pytest.raises(ContractRevert, match=r"local market: credit limit reached"):
        lending.order("buyer", True, 1, RETAIL - 1_000, interval=2)
    # what needs no cover neither: who owes too much trades no more
    with pytest.raises(ContractRevert, match=r"local market: credit limit reached"):
        lending.order("buyer", True, 1, RETAIL, interval=2)
    lending.fund("buyer", lending.market, 2 * RETAIL - LIMIT)
    lending.order("buyer", True, 1, RETAIL, interval=2)
    assert lending.backed([0, 2])


def test_a_debt_without_a_credit_line_stops_trading() -> None:
    """A member without any balance ran up debts, and went on trading where that needs no cover."""
    world = MarketWorld("revm")
    world.join("drawing", amount=0)
    world.fund(SUPPLIER, world.market, RICH)
    world.open_window(0)
    world.order("drawing", True, 1_000, RETAIL)  # owes nothing yet
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    world.report("drawing", -1)
    assert debt(world, "drawing") == 300
    world.open_window(2)
    for is_sell in (False, True):
        with pytest.raises(ContractRevert, match=r"local market: (credit limit|balance too low)"):
            world.order("drawing", is_sell, 1_000, RETAIL, interval=2)
    world.fund("drawing", world.market, 300)
    world.order("drawing", True, 1_000, RETAIL, interval=2)


def test_without_a_credit_line_the_balance_is_too_low(lending: MarketWorld) -> None:
    lending.join("poor", amount=0)
    with pytest.raises(ContractRevert, match=r"local market: balance too low"):
        lending.order("poor", False, 1, 1_000)
    lending.market.send(SUPPLIER, "grantCredit", address("buyer"), 0)
    with pytest.raises(ContractRevert, match=r"local market: balance too low"):
        lending.order("buyer", False, 1, 1_000)


def test_a_supplier_lends_what_it_has_and_owes_nobody(lending: MarketWorld) -> None:
    lending.market.send(SUPPLIER, "withdraw", RICH - 1_000)
    with pytest.raises(ContractRevert, match=r"local market: supplier cannot lend"):
        lending.order("buyer", False, 10, PRICE)
    lending.order("buyer", False, 5, PRICE)
    assert lending.free(SUPPLIER) == 0
    assert lending.backed()


def test_a_raise_holds_after_the_notice_of_a_withdrawal(lending: MarketWorld) -> None:
    opened_s = FIRST_DELIVERY_S - ORDER_LEAD_S
    from_s = opened_s + ORDER_LEAD_S + 2 * STEP_S + METERING_S
    done = lending.market.send(SUPPLIER, "grantCredit", address("buyer"), RICH)
    granted = {"account": address("buyer"), "limit_ueur": RICH, "from_s": from_s}
    assert done.events == [("CreditGranted", granted)]
    for time_s, limit in ((opened_s + 1, LIMIT), (from_s, LIMIT), (from_s + 1, RICH)):
        lending.at(time_s)
        assert lending.market.get("creditLimitOf", address("buyer")) == limit
    # a cut holds at once, and takes the place of a raise that was to come
    lending.market.send(SUPPLIER, "grantCredit", address("buyer"), 2 * RICH)
    done = lending.market.send(SUPPLIER, "grantCredit", address("buyer"), 7)
    assert done.events[0][1]["from_s"] == from_s + 1
    lending.at(2 * from_s)
    assert lending.market.get("creditLimitOf", address("buyer")) == 7
    lending.market.send(SUPPLIER, "grantCredit", address("buyer"), 2**256 - 1)
    lending.at(3 * from_s)
    assert lending.market.get("creditLimitOf", address("buyer")) == 2**104 - 1


def test_a_limit_of_before_the_first_order_window_holds_at_once() -> None:
    world = MarketWorld("revm")
    for time_s, limit in ((FIRST_DELIVERY_S - ORDER_LEAD_S - 1, 5), (0, 5)):
        world.at(time_s or FIRST_DELIVERY_S - ORDER_LEAD_S)
        world.market.send(SUPPLIER, "grantCredit", address("buyer"), limit + (time_s == 0))
        assert world.market.get("creditLimitOf", address("buyer")) == 5


def test_what_feeds_in_is_paid_though_the_supplier_would_lend_it_away(lending: MarketWorld) -> None:
    """It sees an order, and lends its balance to an accomplice who trades with another."""
    lending.join("accomplice", amount=0)
    lending.order("seller", True, 1_000, PRICE)
    lending.market.send(SUPPLIER, "grantCredit", address("accomplice"), RICH)
    with pytest.raises(ContractRevert, match=r"local market: balance too low"):
        lending.order("accomplice", False, 4_000_000, PRICE)
    lending.deliver(0)
    lending.report("seller", 1_000)
    assert lending.free("seller") == RICH + FEED_IN
    assert lending.market.get("claimsTotal") == 0


def test_nobody_but_the_supplier_lends(lending: MarketWorld) -> None:
    for sender in ("buyer", "seller", "anyone"):
        with pytest.raises(ContractRevert, match=r"local market: not the supplier"):
            lending.market.send(sender, "grantCredit", address("buyer"), 2**255)
    assert lending.market.get("creditLimitOf", address("buyer")) == LIMIT


def test_credit_does_not_leave_the_market(lending: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match=r"local market: balance too low"):
        lending.market.send("buyer", "withdraw", 1)


def test_a_bond_is_not_lent() -> None:
    world = opened(form=ClearingForm.COMMITTED)
    world.market.send(SUPPLIER, "grantCredit", address("liar"), RICH)
    world.open_window(0)
    world.order("buyer", False, 1_000, PRICE)
    world.order("seller", True, 1_000, PRICE)
    world.close_gate(0)
    with pytest.raises(ContractRevert, match=r"local market: balance too low"):
        world.market.send("liar", "commitClearing", 0, bytes(32), PRICE, PRICE, 1_000)


def test_a_sealed_deposit_is_lent_and_repaid_when_it_is_revealed() -> None:
    world = opened(sealed=True, members=("seller",))
    world.join("buyer", amount=0)
    world.market.send(SUPPLIER, "grantCredit", address("buyer"), 200_000)
    world.open_window(0)
    order = Order("buyer", False, 1_000, 200_000)
    commit(world, order)
    assert debt(world) == DEPOSIT
    world.close_gate(0)
    reveal(world, order)
    assert debt(world) == 200_000
    assert world.backed()
