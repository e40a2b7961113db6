"""Meters report and contracts pay: times, residuals, debts, claims, silent and foreign meters."""

import pytest
from market_world import (
    FEED_IN,
    FIRST_DELIVERY_S,
    METERING_S,
    OPERATOR,
    RETAIL,
    RICH,
    SILENT_ESTIMATE_WH,
    STEP_S,
    SUPPLIER,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert

PRICE = 200_000


@pytest.fixture
def traded(world: MarketWorld) -> MarketWorld:
    """Seller sold 1 000 Wh to buyer at 0.20 EUR/kWh in interval 0, and delivery is over."""
    world.open_window(0)
    world.order("seller", True, 1_000, PRICE)
    world.order("buyer", False, 1_000, PRICE)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    return world


def test_exact_delivery_pays_the_trade_only(traded: MarketWorld) -> None:
    supplier = traded.free(SUPPLIER)
    done = traded.report("seller", 1_000)  # settled before its buyer
    assert traded.free("seller") == RICH + PRICE
    assert traded.locked("seller") == 0
    assert traded.backed()
    traded.report("buyer", -1_000)
    assert traded.free("buyer") == RICH - PRICE
    assert traded.free(SUPPLIER) == supplier
    assert traded.backed()
    settled = {
        "interval": 0,
        "account": address("seller"),
        "contracted_wh": 1_000,
        "metered_wh": 1_000,
        "trade_ueur": PRICE,
        "supplier_ueur": 0,
    }
    reported = {"interval": 0, "account": address("seller"), "net_wh": 1_000, "estimated": False}
    assert done.events == [("MeterReported", reported), ("IntervalSettled", settled)]


@pytest.mark.parametrize(
    ("account", "net_wh", "trade", "residual"),
    [
        ("seller", 1_003, PRICE, 3 * FEED_IN // 1_000),
        ("seller", 0, PRICE, -1_000 * RETAIL // 1_000),
        ("seller", -5, PRICE, -1_005 * RETAIL // 1_000),
        ("buyer", -1_007, -PRICE, -7 * RETAIL // 1_000),
        ("buyer", 0, -PRICE, 1_000 * FEED_IN // 1_000),
        ("neighbour", -700, 0, -700 * RETAIL // 1_000),
        ("neighbour", 700, 0, 700 * FEED_IN // 1_000),
    ],
)
def test_residual_with_the_supplier(
    traded: MarketWorld, account: str, net_wh: int, trade: int, residual: int
) -> None:
    supplier = traded.free(SUPPLIER)
    done = traded.report(account, net_wh)
    assert traded.free(account) == RICH + trade + residual
    assert traded.free(SUPPLIER) == supplier - residual
    assert done.events[-1][1]["trade_ueur"] == trade
    assert done.events[-1][1]["supplier_ueur"] == residual
    assert traded.backed()


def test_rounding_favours_the_supplier() -> None:
    world = MarketWorld("py-evm", retail=300_001, feed_in=80_001)
    world.join("buyer")
    world.join("seller")
    world.fund(SUPPLIER, world.market, 1_000)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    assert world.report("buyer", -1).events[-1][1]["supplier_ueur"] == -301
    assert world.report("seller", 1).events[-1][1]["supplier_ueur"] == 80
    assert world.backed()


def test_unfilled_escrow_comes_back(world: MarketWorld) -> None:
    world.open_window(0)
    world.order("buyer", False, 1_000, PRICE)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    world.report("buyer", 0)
    assert world.free("buyer") == RICH


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (STEP_S - 1, "local market: not yet delivered"),
        (STEP_S, None),
        (STEP_S + METERING_S, None),
        (STEP_S + METERING_S + 1, "local market: too late to report"),
    ],
)
def test_reporting_window(traded: MarketWorld, time_s: int, text: str | None) -> None:
    traded.at(FIRST_DELIVERY_S + time_s)
    if text is None:
        traded.report("seller", 1_000)
        assert traded.market.get("readingOf", 0, address("seller")) == (True, False, 1_000)
        return
    with pytest.raises(ContractRevert, match=text):
        traded.report("seller", 1_000)


def test_an_interval_that_nobody_cleared_is_settled_without_trades(world: MarketWorld) -> None:
    world.open_window(0)
    world.order("seller", True, 1_000, PRICE)
    world.order("buyer", False, 1_000, PRICE)
    world.deliver(0)
    assert world.locked("buyer") == PRICE
    done = world.report("buyer", -1_000)
    assert done.events[-1][1]["contracted_wh"] == done.events[-1][1]["trade_ueur"] == 0
    assert world.free("buyer") == RICH - RETAIL
    with pytest.raises(ContractRevert, match="local market: too late to clear"):
        world.market.send("anyone", "clear", 0)
    world.report("seller", 1_000)
    assert world.free("seller") == RICH + FEED_IN
    assert world.backed()


def test_clearing_ends_with_delivery(world: MarketWorld) -> None:
    world.at(FIRST_DELIVERY_S + STEP_S - 1)
    world.market.send("anyone", "clear", 0)
    world.at(FIRST_DELIVERY_S + 2 * STEP_S)
    with pytest.raises(ContractRevert, match="local market: too late to clear"):
        world.market.send("anyone", "clear", 1)


def test_reading_counts_once(traded: MarketWorld) -> None:
    traded.report("buyer", -1_000)
    with pytest.raises(ContractRevert, match="local market: already reported"):
        traded.report("buyer", -900)
    traded.end_metering(0)
    with pytest.raises(ContractRevert, match="local market: already reported"):
        traded.market.send("anyone", "settleSilent", 0, address("buyer"))


@pytest.mark.parametrize("net_wh", [2**32, -(2**32), 2**255 - 1, -(2**255) + 1])
def test_reading_that_no_meter_can_show(traded: MarketWorld, net_wh: int) -> None:
    with pytest.raises(ContractRevert, match="local market: energy out of range"):
        traded.report("buyer", net_wh)


@pytest.mark.parametrize("sender", ["stranger", "buyer", SUPPLIER])
def test_only_a_members_meter_reports(traded: MarketWorld, sender: str) -> None:
    with pytest.raises(ContractRevert, match="local market: unknown meter"):
        traded.market.send(sender, "report", 0, 0)


def test_second_meter_of_a_member_is_unknown(traded: MarketWorld) -> None:
    meter = traded.register("buyer", "second meter")
    with pytest.raises(ContractRevert, match="local market: unknown meter"):
        traded.market.send(meter, "report", 0, -1_000)


def test_order_of_who_lost_its_meter_is_settled_without_an_estimate(traded: MarketWorld) -> None:
    traded.meters.send(OPERATOR, "unregisterMeter", address("meter of seller"))
    with pytest.raises(ContractRevert, match="local market: unknown meter"):
        traded.report("seller", 1_000)
    traded.end_metering(0)
    traded.market.send("anyone", "settleSilent", 0, address("seller"))
    assert traded.market.get("readingOf", 0, address("seller")) == (True, True, 0)
    assert traded.free("seller") == RICH + PRICE - 1_000 * RETAIL // 1_000
    assert traded.backed()


def test_meter_of_the_next_tenant_does_not_settle_the_last_one(traded: MarketWorld) -> None:
    meter = address("meter of buyer")
    traded.meters.send(OPERATOR, "unregisterMeter", meter)
    traded.meters.send(OPERATOR, "registerMeter", meter, address("next tenant"))
    traded.market.send("next tenant", "join", meter)
    with pytest.raises(ContractRevert, match="local market: not a member"):
        traded.report("buyer", -1_000)  # joined after this delivery began
    assert traded.market.get("readingOf", 0, address("buyer")) == (False, False, 0)


def test_silent_meter_is_settled_by_estimate(traded: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match="local market: meter may still report"):
        traded.market.send("anyone", "settleSilent", 0, address("neighbour"))
    traded.end_metering(0)
    done = traded.market.send("anyone", "settleSilent", 0, address("neighbour"))
    assert done.events[0][1]["estimated"] is True
    assert traded.market.get("readingOf", 0, address("neighbour")) == (
        True,
        True,
        -SILENT_ESTIMATE_WH,
    )
    assert traded.free("neighbour") == RICH - SILENT_ESTIMATE_WH * RETAIL // 1_000


@pytest.mark.parametrize("account", ["stranger", SUPPLIER])
def test_who_is_no_member_is_not_estimated(traded: MarketWorld, account: str) -> None:
    traded.end_metering(0)
    with pytest.raises(ContractRevert, match="local market: not a member"):
        traded.market.send("anyone", "settleSilent", 0, address(account))


def test_no_estimate_before_joining_or_after_moving_out(traded: MarketWorld) -> None:
    traded.join("tenant")
    traded.meters.send(OPERATOR, "unregisterMeter", address("meter of neighbour"))
    traded.end_metering(0)
    for account in ("tenant", "neighbour"):
        with pytest.raises(ContractRevert, match="local market: not a member"):
            traded.market.send("anyone", "settleSilent", 0, address(account))


def test_account_that_cannot_pay_owes_and_repays_first(traded: MarketWorld) -> None:
    traded.market.send("neighbour", "withdraw", RICH - 50)
    supplier = traded.free(SUPPLIER)
    done = traded.report("neighbour", -1_000)  # 300 000 due, 50 there
    assert traded.free("neighbour") == 0
    assert traded.market.get("debtOf", address("neighbour")) == 299_950
    assert traded.free(SUPPLIER) == supplier + 50
    dues = {"account": address("neighbour"), "dues_ueur": 299_950}
    assert ("DuesChanged", dues) in done.events
    assert traded.backed()

    traded.fund("neighbour", traded.market, 300_000)
    assert traded.market.get("debtOf", address("neighbour")) == 0
    assert traded.free("neighbour") == 50
    assert traded.free(SUPPLIER) == supplier + 300_000
    assert traded.backed()


def test_debt_is_repaid_out_of_the_next_sale(traded: MarketWorld) -> None:
    traded.market.send("neighbour", "withdraw", RICH)
    traded.report("neighbour", -1_000)
    traded.market.send(SUPPLIER, "grantCredit", address("neighbour"), RETAIL)
    traded.open_window(5)
    traded.order("neighbour", True, 1_000, RETAIL, interval=5)
    traded.order("buyer", False, 1_000, RETAIL, interval=5)
    traded.close_gate(5)
    traded.market.send("anyone", "clear", 5)
    traded.deliver(5)
    traded.report("neighbour", 1_100, interval=5)
    assert traded.market.get("debtOf", address("neighbour")) == 0
    assert traded.free("neighbour") == 100 * FEED_IN // 1_000
    assert traded.backed(range(6))


def test_supplier_that_cannot_pay_leaves_a_claim(traded: MarketWorld) -> None:
    traded.market.send(SUPPLIER, "withdraw", RICH - 30)
    done = traded.report("neighbour", 1_000)  # 80 000 due, 30 there
    assert traded.free("neighbour") == RICH + 30
    assert traded.market.get("claimOf", address("neighbour")) == 79_970
    assert traded.market.get("claimsTotal") == 79_970
    dues = {"account": address("neighbour"), "dues_ueur": -79_970}
    assert ("DuesChanged", dues) in done.events
    traded.report("buyer", -1_001)  # nobody else is held up: the supplier earns 300
    assert traded.free(SUPPLIER) == 300

    with pytest.raises(ContractRevert, match="local market: balance too low"):
        traded.market.send(SUPPLIER, "withdraw", 1)  # it owes more than it has
    traded.market.send("neighbour", "collectClaim")
    assert traded.market.get("claimOf", address("neighbour")) == 79_670
    traded.fund(SUPPLIER, traded.market, 100_000)
    traded.market.send("neighbour", "collectClaim")
    assert traded.free("neighbour") == RICH + 80_000
    assert traded.market.get("claimsTotal") == 0
    traded.market.send(SUPPLIER, "withdraw", traded.free(SUPPLIER))
    assert traded.backed()
    with pytest.raises(ContractRevert, match="local market: no claim"):
        traded.market.send("neighbour", "collectClaim")


def test_claim_and_later_dues_cancel(traded: MarketWorld) -> None:
    traded.market.send(SUPPLIER, "withdraw", RICH)
    traded.report("neighbour", 1_000)
    assert traded.market.get("claimOf", address("neighbour")) == 80_000
    traded.close_gate(1)
    traded.market.send("anyone", "clear", 1)
    traded.deliver(1)
    traded.report("neighbour", -1_000, interval=1)
    assert traded.market.get("claimOf", address("neighbour")) == 0
    assert traded.free("neighbour") == RICH - 220_000
    assert traded.free(SUPPLIER) == 220_000
    assert traded.market.get("claimsTotal") == 0
