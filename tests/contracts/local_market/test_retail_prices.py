"""Prices that the supplier announces, and charges that it passes on to DSO and state."""

from __future__ import annotations

from typing import Any

import pytest
from market_world import (
    DSO,
    FIRST_DELIVERY_S,
    GENESIS_S,
    ORDER_LEAD_S,
    RICH,
    STEP_S,
    SUPPLIER,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert

BASE = {
    "retail": 400_000,
    "base_retail": 300_000,
    "feed_in": 80_000,
    "network": 90_000,
    "taxes": 60_000,
    "local_network_ppm": 430_000,
    "local_taxes_ppm": 1_000_000,
    "prices_change": True,
    "dso": address(DSO),
    "state": address("state"),
}


@pytest.fixture
def priced() -> MarketWorld:
    """A market with charges, two members and a supplier with money, before any window."""
    world = MarketWorld("revm", **BASE)
    world.names[address("state")] = "state"
    for account in ("buyer", "seller"):
        world.join(account)
    world.fund(SUPPLIER, world.market, RICH)
    return world


def announce(world: MarketWorld, first: int, *prices: int, sender: str = SUPPLIER) -> Any:
    """Announce retail, feed-in, network and taxes."""
    return world.market.send(sender, "announcePrices", first, *prices)


def traded(world: MarketWorld, interval: int, wh: int = 1_000) -> None:
    """Have the buyer buy locally, at 0.15 EUR/kWh."""
    world.open_window(interval)
    world.order("buyer", False, wh, 150_000, interval)
    world.order("seller", True, wh, 150_000, interval)
    world.close_gate(interval)
    world.market.send("anyone", "clear", interval)
    world.deliver(interval)


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ({"base_retail": 400_001}, "local market: price out of range"),
        ({"network": 2**31, "local_network_ppm": 0}, "local market: price out of range"),
        ({"local_taxes_ppm": 1_000_001}, "local market: share above one"),
        # 0.43 * 90 000 + 60 000 are charged on local trades
        ({"feed_in": 300_000 - 98_700 + 1}, "local market: feed-in above retail"),
        ({"dso": bytes(20)}, "local market: nobody to pass charges to"),
        ({"state": bytes(20)}, "local market: nobody to pass charges to"),
    ],
)
def test_prices_that_no_market_begins_with(override: dict[str, Any], text: str) -> None:
    with pytest.raises(ContractRevert, match=text):
        MarketWorld("revm", **(BASE | override))


def test_prices_stand_until_a_change(priced: MarketWorld) -> None:
    """Each interval has the last change that begins no later, of 40."""
    world = priced
    changes = {3 * k + 2: (300_000 + k, 80_000 - k, 90_000 + k, 60_000 - k) for k in range(40)}
    base = (300_000, 80_000, 90_000, 60_000)
    assert world.market.get("pricesAt", 0) == world.market.get("pricesAt", 10**9) == base
    for first, prices in changes.items():
        done = announce(world, first, *prices)
        assert done.events[0][0] == "PricesAnnounced"
        assert done.events[0][1]["from_interval"] == first
    for interval in range(130):
        begun = [first for first in changes if first <= interval]
        expected = changes[begun[-1]] if begun else base
        assert world.market.get("pricesAt", interval) == expected
    retail, feed_in, network, taxes = changes[2]
    limit = retail - network * 430_000 // 10**6 - taxes
    assert world.market.get("localLimitsAt", 4) == (limit, feed_in)


@pytest.mark.parametrize(
    ("prices", "text"),
    [
        ((400_001, 0, 0, 0), "price out of range"),
        ((300_000, 300_001, 0, 0), "price out of range"),
        ((300_000, 0, 2**31, 0), "price out of range"),
        ((300_000, 0, 0, 2**31), "price out of range"),
        ((300_000, 201_301, 90_000, 60_000), "feed-in above retail"),
    ],
)
def test_prices_that_cannot_be_announced(
    priced: MarketWorld, prices: tuple[int, ...], text: str
) -> None:
    with pytest.raises(ContractRevert, match=f"local market: {text}"):
        announce(priced, 5, *prices)
    assert priced.market.get("pricesAt", 5) == (300_000, 80_000, 90_000, 60_000)


def test_highest_prices_are_taken(priced: MarketWorld) -> None:
    announce(priced, 5, 400_000, 301_300, 90_000, 60_000)
    assert priced.market.get("localLimitsAt", 5) == (301_300, 301_300)


def test_only_the_supplier_announces_and_in_order(priced: MarketWorld) -> None:
    same = (300_000, 80_000, 90_000, 60_000)
    for sender in ("buyer", DSO, "state", "anyone", "deployer"):
        with pytest.raises(ContractRevert, match="local market: not the supplier"):
            announce(priced, 5, *same, sender=sender)
    with pytest.raises(ContractRevert, match="local market: announced already"):
        announce(priced, 0, *same)
    announce(priced, 5, *same)
    for first in (4, 5):
        with pytest.raises(ContractRevert, match="local market: announced already"):
            announce(priced, first, *same)


def test_prices_are_known_before_the_first_order(priced: MarketWorld) -> None:
    """The last second before the window opens is in time, the first of the window is not."""
    opens_s = FIRST_DELIVERY_S + 3 * STEP_S - ORDER_LEAD_S
    priced.at(opens_s)
    with pytest.raises(ContractRevert, match="local market: order window is open"):
        announce(priced, 3, 310_000, 80_000, 90_000, 60_000)
    late = MarketWorld("revm", **BASE)
    late.at(opens_s - 1)
    announce(late, 3, 310_000, 80_000, 90_000, 60_000)
    assert late.market.get("pricesAt", 3)[0] == 310_000
    assert opens_s > GENESIS_S


def test_fixed_prices_stay() -> None:
    world = MarketWorld("revm", **(BASE | {"prices_change": False}))
    with pytest.raises(ContractRevert, match="local market: prices are fixed"):
        announce(world, 5, 300_000, 80_000, 0, 0)


def test_without_anybody_to_pay_no_charge_is_announced() -> None:
    nobody = {"network": 0, "taxes": 0, "dso": bytes(20), "state": bytes(20)}
    world = MarketWorld("revm", **(BASE | nobody))
    for charges in ((1, 0), (0, 1)):
        with pytest.raises(ContractRevert, match="local market: nobody to pass charges to"):
            announce(world, 5, 300_000, 80_000, *charges)
    announce(world, 5, 310_000, 80_000, 0, 0)
    assert world.market.get("pricesAt", 5) == (310_000, 80_000, 0, 0)


def test_what_is_charged_by_hand(priced: MarketWorld) -> None:
    """1 kWh bought locally and 0.345 kWh of the supplier; amounts worked out by hand."""
    traded(priced, 0)
    free = {name: priced.free(name) for name in ("buyer", SUPPLIER)}
    done = priced.report("buyer", -1_345)
    events = {name: said for name, said in done.events if name != "DuesChanged"}
    # 0.345 at 0.30; on 1 kWh traded 0.43 * 0.09 + 0.06; of the bill 0.345 * (0.09, 0.06)
    assert events["IntervalSettled"]["supplier_ueur"] == -103_500
    charges = events["ChargesSettled"]
    assert charges["local_ueur"] == 98_700
    assert charges["network_ueur"] == 38_700 + 31_050
    assert charges["taxes_ueur"] == 60_000 + 20_700
    # it bid what it pays, so nothing of the escrow comes back
    assert priced.free("buyer") == free["buyer"] - 103_500 - 98_700
    assert priced.free(SUPPLIER) == free[SUPPLIER] + 103_500 + 98_700
    assert priced.market.get("owedCharges") == (69_750, 80_700, 150_450)
    before = priced.free(SUPPLIER)
    passed = priced.market.send("anyone", "passOnCharges")
    assert passed.events == [("ChargesPassedOn", {"network_ueur": 69_750, "taxes_ueur": 80_700})]
    assert (priced.free(DSO), priced.free("state")) == (69_750, 80_700)
    assert priced.free(SUPPLIER) == before - 69_750 - 80_700
    assert priced.market.get("owedCharges") == (0, 0, 0)
    priced.market.send("state", "withdraw", 80_700)
    assert priced.token.get("balanceOf", address("state")) == 80_700
    assert priced.backed()


def test_only_what_is_drawn_of_a_local_purchase_is_charged(priced: MarketWorld) -> None:
    """Who buys 1 kWh and draws 0.4 sells 0.6 to the supplier, and uses the network for 0.4."""
    traded(priced, 0)
    events = dict(priced.report("buyer", -400).events)
    assert events["IntervalSettled"]["supplier_ueur"] == 48_000  # 0.6 kWh at 0.08
    assert events["ChargesSettled"]["local_ueur"] == 39_480  # 0.4 of 98 700
    assert events["ChargesSettled"]["network_ueur"] == 15_480
    # who feeds in what it sold is charged nothing, and no event says so
    assert "ChargesSettled" not in dict(priced.report("seller", 1_000).events)
    assert priced.backed()


def test_a_seller_that_falls_short_buys_with_all_charges(priced: MarketWorld) -> None:
    traded(priced, 0)
    events = dict(priced.report("seller", 600).events)
    assert events["IntervalSettled"]["supplier_ueur"] == -120_000
    assert events["ChargesSettled"]["local_ueur"] == 0
    assert events["ChargesSettled"]["network_ueur"] == 36_000
    assert events["ChargesSettled"]["taxes_ueur"] == 24_000


def test_an_interval_is_settled_at_its_own_prices(priced: MarketWorld) -> None:
    """Also when later prices are known by then, and by estimate."""
    announce(priced, 1, 350_000, 70_000, 100_000, 0)
    announce(priced, 2, 400_000, 60_000, 0, 0)
    priced.close_gate(1)
    priced.market.send("anyone", "clear", 1)
    priced.deliver(1)
    events = dict(priced.report("buyer", -1_000, 1).events)
    assert events["IntervalSettled"]["supplier_ueur"] == -350_000
    assert events["ChargesSettled"]["network_ueur"] == 100_000
    priced.end_metering(1)
    done = priced.market.send("anyone", "settleSilent", 1, address("seller"))
    assert dict(done.events)["IntervalSettled"]["supplier_ueur"] == -700_000
    assert priced.backed(range(2))


def test_the_mid_market_rate_follows_the_interval_s_prices() -> None:
    world = MarketWorld("revm", **(BASE | {"rule": 3}))
    for account in ("buyer", "seller"):
        world.join(account)
    announce(world, 1, 400_000, 50_000, 0, 0)
    for interval, price in ((0, (300_000 - 98_700 + 80_000) // 2), (1, 225_000)):
        world.open_window(interval)
        world.order("buyer", False, 1_000, 400_000, interval)
        world.order("seller", True, 1_000, 0, interval)
        world.close_gate(interval)
        world.market.send("anyone", "clear", interval)
        assert world.market.get("clearingOf", interval)[1:4] == (price, price, 1_000)


def test_a_supplier_without_money_owes_charges(priced: MarketWorld) -> None:
    """It pays what it has, DSO first; nobody else's settlement waits for it."""
    with pytest.raises(ContractRevert, match="local market: no charges to pass on"):
        priced.market.send("anyone", "passOnCharges")
    traded(priced, 0)
    priced.report("buyer", -1_345)
    priced.market.send(SUPPLIER, "withdraw", priced.free(SUPPLIER) - 70_000)
    priced.market.send("anyone", "passOnCharges")
    assert (priced.free(DSO), priced.free("state"), priced.free(SUPPLIER)) == (69_750, 250, 0)
    assert priced.market.get("owedCharges") == (0, 80_450, 80_450)
    priced.report("seller", 1_000)
    priced.fund(SUPPLIER, priced.market, 90_000)
    priced.market.send("anyone", "passOnCharges")
    assert priced.free("state") == 80_700
    assert priced.backed()


def drawn(world: MarketWorld, interval: int, wh: int) -> None:
    """Have the buyer draw energy that it did not order."""
    world.deliver(interval)
    world.report("buyer", -wh, interval)


def test_a_supplier_cannot_pass_on_what_it_billed_nobody_for() -> None:
    """A supplier that is one with the DSO announces the highest charge there is.

    An accomplice draws 1 kWh at it, so that 2 147 EUR are owed. What the supplier has in the market
    stays, for the seller who was promised the feed-in price of an interval that was open by then.
    """
    world = MarketWorld("revm", **(BASE | {"local_network_ppm": 0, "local_taxes_ppm": 0}))
    for account in ("buyer", "seller"):
        world.join(account)
    world.fund(SUPPLIER, world.market, 500_000)
    announce(world, 1, 300_000, 80_000, 2**31 - 1, 2**31 - 1)
    drawn(world, 1, 1_000)
    world.market.send(DSO, "passOnCharges")
    assert (world.free(DSO), world.free("state")) == (300_000, 0)
    assert world.free(SUPPLIER) == 500_000
    assert world.market.get("owedCharges") == (2**31 - 1 - 300_000, 2**31 - 1, 0)
    with pytest.raises(ContractRevert, match="local market: no charges to pass on"):
        world.market.send(DSO, "passOnCharges")
    before = world.free("seller")
    world.report("seller", 6_000, 1)
    assert world.free("seller") == before + 480_000
    assert world.market.get("claimOf", address("seller")) == 0
    assert world.backed(range(2))


def test_charges_above_a_bill_are_covered_by_later_bills(priced: MarketWorld) -> None:
    """Of an interval whose energy costs less than nothing; amounts worked out by hand.

    1 kWh at 0.10 EUR with charges of 0.15 leaves 0.05 uncovered. The next bill of 0.30 with charges
    of 0.15 covers those, too, and of what it leaves nothing is kept for later charges.
    """
    announce(priced, 1, 100_000, 0, 90_000, 60_000)
    announce(priced, 2, 300_000, 80_000, 90_000, 60_000)
    announce(priced, 3, 100_000, 0, 90_000, 60_000)
    announce(priced, 4, 300_000, 80_000, 0, 0)
    drawn(priced, 1, 1_000)
    assert priced.market.get("owedCharges") == (90_000, 60_000, 100_000)
    priced.market.send("anyone", "passOnCharges")
    assert (priced.free(DSO), priced.free("state")) == (90_000, 10_000)
    assert priced.market.get("owedCharges") == (0, 50_000, 0)
    drawn(priced, 2, 1_000)
    assert priced.market.get("owedCharges") == (90_000, 110_000, 200_000)
    drawn(priced, 3, 1_000)
    assert priced.market.get("owedCharges") == (180_000, 170_000, 300_000)
    # without charges of its own
    drawn(priced, 4, 100)
    assert priced.market.get("owedCharges") == (180_000, 170_000, 330_000)
    drawn(priced, 4 + 1, 1_000)
    assert priced.market.get("owedCharges") == (180_000, 170_000, 350_000)
    priced.market.send("anyone", "passOnCharges")
    assert (priced.free(DSO), priced.free("state")) == (270_000, 180_000)
    assert priced.market.get("owedCharges") == (0, 0, 0)


@pytest.mark.parametrize("caller", ["buyer", SUPPLIER, DSO, "state", "anyone"])
def test_nobody_but_the_settlement_passes_on(priced: MarketWorld, caller: str) -> None:
    with pytest.raises(ContractRevert, match="local market: not the settlement"):
        priced.market.send(caller, "passOn", address(caller), 1)
    assert priced.backed()
