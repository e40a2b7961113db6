"""Prices of the rules, by hand-worked cases; clearing under them."""

import pytest
from clearing_welfare import largest_volume_wh, largest_welfare_ueur, welfare_ueur

from cosim.mechanisms.local_market.clearing import clear, ranking
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import (
    ClearingForm,
    PricingRule,
    midpoint_ueur_per_kwh,
    set_price_ueur_per_kwh,
    supply_demand_price_ueur_per_kwh,
    taker_price_ueur_per_kwh,
)
from cosim.mechanisms.local_market.trades import Trade, pair_trades

RETAIL, FEED_IN = 200_000, 50_000
BOOK = [
    Order("low bid", False, 3_000, 150_000),
    Order("dear ask", True, 2_000, 140_000),
    Order("high bid", False, 2_000, 190_000),
    Order("cheap ask", True, 1_000, 60_000),
]


def test_numbers_on_chain() -> None:
    assert [rule.value for rule in PricingRule] == [
        "midpoint",
        "pay_as_bid",
        "mcafee",
        "mid_market_rate",
        "supply_demand_ratio",
        "bill_sharing",
    ]
    assert [rule.number for rule in PricingRule] == [0, 1, 2, 3, 4, 5]
    assert [rule.sets_price for rule in PricingRule] == [False] * 3 + [True] * 3
    assert [(form.value, form.number) for form in ClearingForm] == [
        ("on_chain", 0),
        ("verified", 1),
        ("committed", 2),
        ("bilateral", 3),
    ]


def test_midpoint_rounds_down() -> None:
    assert midpoint_ueur_per_kwh(15, 20) == 17


@pytest.mark.parametrize(
    ("supply", "demand", "price"),
    [
        (0, 1, RETAIL),  # nothing of one's own: the supplier's price
        (1, 4, 114_285),  # 0.05 · 0.2 / (0.15 / 4 + 0.05) = 0.1142857…
        (1, 2, 80_000),
        (3, 3, FEED_IN),
        (9, 3, FEED_IN),
        (0, 0, FEED_IN),
    ],
)
def test_price_falls_from_retail_to_feed_in_as_supply_grows(
    supply: int, demand: int, price: int
) -> None:
    assert supply_demand_price_ueur_per_kwh(supply, demand, RETAIL, FEED_IN) == price


def test_energy_that_the_supplier_gives_away_is_free() -> None:
    assert supply_demand_price_ueur_per_kwh(1, 2, 0, 0) == 0
    assert supply_demand_price_ueur_per_kwh(0, 2, RETAIL, 0) == 0
    assert supply_demand_price_ueur_per_kwh(1, 2, RETAIL, 0) == 0


def test_prices_that_rules_set() -> None:
    def price(rule: PricingRule) -> int:
        return set_price_ueur_per_kwh(rule, 1, 2, RETAIL, FEED_IN)

    assert price(PricingRule.MID_MARKET_RATE) == 125_000
    assert price(PricingRule.SUPPLY_DEMAND_RATIO) == 80_000
    assert price(PricingRule.BILL_SHARING) == 0
    with pytest.raises(ValueError, match="pay_as_bid leaves prices to the orders"):
        price(PricingRule.PAY_AS_BID)


def test_price_takers() -> None:
    assert taker_price_ueur_per_kwh(True, RETAIL) == 0
    assert taker_price_ueur_per_kwh(False, RETAIL) == RETAIL
    with pytest.raises(ValueError, match="order of low bid: the rule sets the price, so that"):
        clear(BOOK, PricingRule.BILL_SHARING, retail_price_ueur_per_kwh=RETAIL)
    with pytest.raises(ValueError, match="must name 0 µEUR/kWh, not 1"):
        clear([Order("s", True, 1, 1)], PricingRule.MID_MARKET_RATE)


def test_pay_as_bid_leaves_the_difference_to_the_supplier() -> None:
    clearing = clear(BOOK, PricingRule.PAY_AS_BID)
    assert clearing.volume_wh == 3_000
    assert clearing.fills_wh == (1_000, 2_000, 2_000, 1_000)
    assert (clearing.buy_price_ueur_per_kwh, clearing.sell_price_ueur_per_kwh) == (150_000, 140_000)
    assert [clearing.price_of(order) for order in BOOK] == [150_000, 140_000, 190_000, 60_000]
    assert clearing.surplus_ueur == 150_000 + 2 * 190_000 - 2 * 140_000 - 60_000
    assert pair_trades(BOOK, clearing) == (
        Trade("high bid", "cheap ask", 1_000, 190_000, 190_000, 60_000, 60_000),
        Trade("high bid", "dear ask", 1_000, 190_000, 190_000, 140_000, 140_000),
        Trade("low bid", "dear ask", 1_000, 150_000, 150_000, 140_000, 140_000),
    )


def test_mcafee_leaves_out_the_pair_that_sets_the_prices() -> None:
    clearing = clear(BOOK, PricingRule.MCAFEE)
    # the low bid and the dear ask set the prices; high bid and cheap ask trade the lesser energy
    assert clearing.fills_wh == (0, 0, 1_000, 1_000)
    assert (clearing.buy_price_ueur_per_kwh, clearing.sell_price_ueur_per_kwh) == (150_000, 140_000)
    assert clearing.price_ueur_per_kwh == 150_000
    assert clearing.surplus_ueur == 10_000


def test_mcafee_rations_the_long_side_whatever_the_prices() -> None:
    book = [
        Order("late", False, 2, 10),
        Order("early", False, 2, 9),
        Order("marginal bid", False, 9, 8),
        Order("seller", True, 3, 1),
        Order("marginal ask", True, 9, 2),
    ]
    assert clear(book, PricingRule.MCAFEE).fills_wh == (2, 1, 0, 3, 0)
    assert clear([book[1], book[0], *book[2:]], PricingRule.MCAFEE).fills_wh == (2, 1, 0, 3, 0)


@pytest.mark.parametrize(
    ("next_bid", "next_ask", "price"),
    [(4, 7, 5), (6, 6, 6), (0, 7, None), (5, 13, None)],
)
def test_mcafee_takes_the_next_pair_s_midpoint_if_it_suits(
    next_bid: int, next_ask: int, price: int | None
) -> None:
    book = [
        Order("b1", False, 2, 9),
        Order("b2", False, 3, 8),
        Order("b3", False, 1, next_bid),
        Order("s1", True, 4, 1),
        Order("s2", True, 1, 4),
        Order("s3", True, 1, next_ask),
    ]
    if next_bid >= next_ask:
        book[5] = Order("s3", True, 1, next_bid + 1)
    clearing = clear(book, PricingRule.MCAFEE)
    if price is None:
        assert clearing.fills_wh == (2, 0, 0, 2, 0, 0)
        assert (clearing.buy_price_ueur_per_kwh, clearing.sell_price_ueur_per_kwh) == (8, 4)
    else:
        assert clearing.fills_wh == (2, 3, 0, 4, 1, 0)
        assert (clearing.buy_price_ueur_per_kwh, clearing.sell_price_ueur_per_kwh) == (price, price)


def test_one_pair_alone_does_not_trade_under_mcafee() -> None:
    clearing = clear([Order("b", False, 5, 9), Order("s", True, 5, 1)], PricingRule.MCAFEE)
    assert (clearing.volume_wh, clearing.price_ueur_per_kwh, clearing.fills_wh) == (0, 0, (0, 0))


@pytest.mark.parametrize("rule", PricingRule)
def test_no_price_without_a_trade(rule: PricingRule) -> None:
    price = taker_price_ueur_per_kwh(False, RETAIL)
    clearing = clear(
        [Order("b", False, 5, price), None],
        rule,
        retail_price_ueur_per_kwh=RETAIL,
        feed_in_price_ueur_per_kwh=FEED_IN,
    )
    assert (clearing.buy_price_ueur_per_kwh, clearing.sell_price_ueur_per_kwh) == (0, 0)
    assert (clearing.volume_wh, clearing.fills_wh, clearing.surplus_ueur) == (0, (0, 0), 0)
    assert clearing.rule is rule


def test_ranking_names_every_revealed_order_bids_first() -> None:
    assert ranking([*BOOK[:2], None, *BOOK[2:]]) == [3, 0, 4, 1]


def test_welfare_and_its_bounds() -> None:
    clearing = clear(BOOK)
    assert welfare_ueur(BOOK, clearing.fills_wh) == 2 * 190_000 + 150_000 - 60_000 - 2 * 140_000
    assert largest_welfare_ueur(BOOK) == 190_000
    assert largest_volume_wh(BOOK) == 3_000
    # apart, a low bid can take the cheap ask and a high bid the dear one: twice the energy
    apart = [
        Order("b1", False, 1, 90),
        Order("b2", False, 1, 40),
        Order("s1", True, 1, 30),
        Order("s2", True, 1, 80),
    ]
    assert clear(apart).volume_wh == 1
    assert largest_volume_wh(apart) == 2
    assert largest_volume_wh([None, *apart, None]) == 2
