"""Every pricing rule on random order books: money, energy, limits; under McAfee's no lie pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from clearing_welfare import largest_volume_wh, largest_welfare_ueur, welfare_ueur
from hypothesis import event, given, settings
from hypothesis import strategies as st

from cosim.mechanisms.local_market.clearing import Clearing, clear
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH, MAX_PRICE_UEUR_PER_KWH, Order
from cosim.mechanisms.local_market.pricing import PricingRule, taker_price_ueur_per_kwh
from cosim.mechanisms.local_market.trades import pair_trades
from cosim.units import amount_due_ueur, amount_earned_ueur

RETAIL, FEED_IN = 300_007, 80_001
RULES = st.sampled_from(PricingRule)

FEW = st.tuples(st.booleans(), st.integers(1, 4), st.integers(0, 6))
USUAL = st.tuples(st.booleans(), st.integers(1, 5_000), st.integers(70_000, 310_000))
EXTREME = st.tuples(
    st.booleans(),
    st.sampled_from([1, MAX_ENERGY_WH]),
    st.sampled_from([0, 1, MAX_PRICE_UEUR_PER_KWH]),
)
SMALL_ORDER_BOOKS = st.lists(FEW, max_size=9)
PRICES = st.integers(0, 6)
ALIVE = st.tuples(  # bids and asks of both sides, often crossing and often of the same energy
    st.lists(st.tuples(st.just(False), st.sampled_from([1, 1, 2, 3]), PRICES), min_size=2),
    st.lists(st.tuples(st.just(True), st.sampled_from([1, 1, 2, 3]), PRICES), min_size=2),
).flatmap(lambda sides: st.permutations(sides[0][:5] + sides[1][:5]))
ORDER_BOOKS = st.one_of(
    SMALL_ORDER_BOOKS, st.lists(USUAL, max_size=40), st.lists(FEW | USUAL | EXTREME)
)


def orders_of(fields: Sequence[tuple[bool, int, int]], rule: PricingRule) -> list[Order]:
    """A book; where the rule sets the price, one of price takers."""
    orders = [Order(f"a{k}", *order) for k, order in enumerate(fields)]
    if not rule.sets_price:
        return orders
    return [
        o._replace(price_ueur_per_kwh=taker_price_ueur_per_kwh(o.is_sell, RETAIL)) for o in orders
    ]


def cleared(orders: Sequence[Order], rule: PricingRule) -> Clearing:
    return clear(orders, rule, retail_price_ueur_per_kwh=RETAIL, feed_in_price_ueur_per_kwh=FEED_IN)


def outcome(clearing: Clearing) -> str:
    """Name the outcome of a clearing, for the statistics."""
    if clearing.volume_wh == 0:
        return "no trade"
    one_price = clearing.buy_price_ueur_per_kwh == clearing.sell_price_ueur_per_kwh
    return "one price" if one_price else "two prices"


def units_of(orders: Sequence[Order], is_sell: bool) -> list[int]:
    """Owner of every single Wh of one side, best price first, then first come first served."""
    owners = [k for k, o in enumerate(orders) if o.is_sell == is_sell for _ in range(o.energy_wh)]
    sign = 1 if is_sell else -1
    return sorted(owners, key=lambda k: (sign * orders[k].price_ueur_per_kwh, k))


def dealt(orders: Sequence[Order], among: set[int], volume_wh: int) -> dict[int, int]:
    """Shares in proportion to energy: whole Wh first, then one each by arrival."""
    total_wh = sum(orders[k].energy_wh for k in among)
    shares = {k: int(Fraction(orders[k].energy_wh, total_wh) * volume_wh) for k in among}
    waiting = sorted(among)
    while sum(shares.values()) < volume_wh:
        shares[waiting.pop(0)] += 1
    return shares


def reference(orders: Sequence[Order], rule: PricingRule) -> tuple[int, int, int, list[int]]:
    """Buy price, sell price, volume and fills, Wh by Wh, with nothing shared with ``clear``."""
    bids, asks = units_of(orders, is_sell=False), units_of(orders, is_sell=True)
    price = [order.price_ueur_per_kwh for order in orders]
    volume = 0
    while volume < min(len(bids), len(asks)) and price[bids[volume]] >= price[asks[volume]]:
        volume += 1
    nothing = 0, 0, 0, [0] * len(orders)
    if volume == 0:
        return nothing
    last_bid, last_ask = bids[volume - 1], asks[volume - 1]
    fills: dict[int, int] = {}
    if rule is PricingRule.MCAFEE:
        in_bids, in_asks = bids.index(last_bid), asks.index(last_ask)
        ends = (
            in_bids + orders[last_bid].energy_wh == volume == in_asks + orders[last_ask].energy_wh
        )
        if ends and len(bids) > volume and len(asks) > volume:
            middle = (price[bids[volume]] + price[asks[volume]]) // 2
            if price[last_ask] <= middle <= price[last_bid]:
                whole = {*bids[:volume], *asks[:volume]}
                filled = [o.energy_wh if k in whole else 0 for k, o in enumerate(orders)]
                return middle, middle, volume, filled
        volume = min(in_bids, in_asks)
        if volume == 0:
            return nothing
        fills |= dealt(orders, set(bids[:in_bids]), volume)
        fills |= dealt(orders, set(asks[:in_asks]), volume)
        buy, sell = price[last_bid], price[last_ask]
    else:
        for side, last in ((bids, last_bid), (asks, last_ask)):
            margin = {k for k in side if price[k] == price[last]}
            better = [k for k in side[:volume] if k not in margin]
            fills |= {k: better.count(k) for k in set(better)}
            fills |= dealt(orders, margin, volume - len(better))
        supply, demand = len(asks), len(bids)
        buy, sell = price[last_bid], price[last_ask]
        if rule is PricingRule.MIDPOINT:
            buy = sell = int(Fraction(buy + sell, 2))
        elif rule is PricingRule.MID_MARKET_RATE:
            buy = sell = int(Fraction(RETAIL + FEED_IN, 2))
        elif rule is PricingRule.SUPPLY_DEMAND_RATIO:
            ratio = min(Fraction(supply, demand), 1)
            buy = sell = int(FEED_IN * RETAIL / ((RETAIL - FEED_IN) * ratio + FEED_IN))
        elif rule is PricingRule.BILL_SHARING:
            buy = sell = 0
    return buy, sell, volume, [fills.get(k, 0) for k in range(len(orders))]


@settings(max_examples=300, deadline=None)
@given(SMALL_ORDER_BOOKS | ALIVE, RULES | st.just(PricingRule.MCAFEE))
def test_clearing_equals_a_slow_reference(
    book: list[tuple[bool, int, int]], rule: PricingRule
) -> None:
    orders = orders_of(book, rule)
    clearing = cleared(orders, rule)
    assert reference(orders, rule) == (
        clearing.buy_price_ueur_per_kwh,
        clearing.sell_price_ueur_per_kwh,
        clearing.volume_wh,
        list(clearing.fills_wh),
    )
    event(f"{rule.value}: {outcome(clearing)}")


@settings(max_examples=300, deadline=None)
@given(ORDER_BOOKS, RULES)
def test_energy_money_and_limits(book: list[tuple[bool, int, int]], rule: PricingRule) -> None:
    orders = orders_of(book, rule)
    clearing = cleared(orders, rule)
    bought = sold = paid = earned = 0
    for order, fill in zip(orders, clearing.fills_wh, strict=True):
        assert 0 <= fill <= order.energy_wh
        price = clearing.price_of(order)
        if order.is_sell:
            assert fill == 0 or price >= order.price_ueur_per_kwh or rule.sets_price
            sold += fill
            earned += amount_earned_ueur(fill, price)
        else:
            assert fill == 0 or price <= order.price_ueur_per_kwh
            limit = amount_due_ueur(order.energy_wh, order.price_ueur_per_kwh)
            assert amount_due_ueur(fill, price) <= limit  # what the escrow holds
            bought += fill
            paid += amount_due_ueur(fill, price)
    assert bought == sold == clearing.volume_wh
    assert clearing.surplus_ueur == paid - earned >= 0
    if clearing.volume_wh == 0:
        assert (clearing.buy_price_ueur_per_kwh, clearing.sell_price_ueur_per_kwh) == (0, 0)
    if clearing.buy_price_ueur_per_kwh == clearing.sell_price_ueur_per_kwh:
        if rule is not PricingRule.PAY_AS_BID:
            assert clearing.surplus_ueur <= len(orders)  # rounding, below 1 µEUR per order
    elif rule is not PricingRule.PAY_AS_BID:
        assert rule is PricingRule.MCAFEE


@settings(max_examples=200, deadline=None)
@given(ORDER_BOOKS, RULES)
def test_trades_add_up_on_both_sides(book: list[tuple[bool, int, int]], rule: PricingRule) -> None:
    orders = orders_of(book, rule)
    clearing = cleared(orders, rule)
    trades = pair_trades(orders, clearing)
    for order, fill in zip(orders, clearing.fills_wh, strict=True):
        own = [t for t in trades if order.account == (t.seller if order.is_sell else t.buyer)]
        assert sum(trade.energy_wh for trade in own) == fill
        price = clearing.price_of(order)
        if order.is_sell:
            assert sum(trade.earned_ueur for trade in own) == amount_earned_ueur(fill, price)
            assert {trade.sell_price_ueur_per_kwh for trade in own} <= {price}
        else:
            assert sum(trade.amount_ueur for trade in own) == amount_due_ueur(fill, price)
            assert {trade.price_ueur_per_kwh for trade in own} <= {price}
    surplus = sum(trade.amount_ueur - trade.earned_ueur for trade in trades)
    assert surplus == clearing.surplus_ueur


@settings(max_examples=200, deadline=None)
@given(ORDER_BOOKS, RULES)
def test_sealed_and_unrevealed_orders_change_nothing(
    book: list[tuple[bool, int, int]], rule: PricingRule
) -> None:
    orders = orders_of(book, rule)
    gaps: list[Order | None] = [entry for order in orders for entry in (None, order, None)]
    with_gaps, without = cleared(gaps, rule), cleared(orders, rule)  # type: ignore[arg-type]
    assert with_gaps.fills_wh[1::3] == without.fills_wh
    assert sum(with_gaps.fills_wh) == sum(without.fills_wh)
    assert replace(with_gaps, fills_wh=()) == replace(without, fills_wh=())


@settings(max_examples=200, deadline=None)
@given(st.lists(FEW, max_size=12))
def test_nothing_beats_the_bounds(book: list[tuple[bool, int, int]]) -> None:
    orders = orders_of(book, PricingRule.MIDPOINT)
    most_wh, most_ueur = largest_volume_wh(orders), largest_welfare_ueur(orders)
    for rule in (PricingRule.MIDPOINT, PricingRule.PAY_AS_BID, PricingRule.MCAFEE):
        clearing = clear(orders, rule)
        assert clearing.volume_wh <= most_wh
        assert welfare_ueur(orders, clearing.fills_wh) <= most_ueur + 1e-9
    # every Wh apart, bid by bid from below, each takes the dearest ask that it can pay
    asks = sorted(
        (o.price_ueur_per_kwh for o in orders if o.is_sell for _ in range(o.energy_wh)),
        reverse=True,
    )
    matched = 0
    for bid in sorted(
        o.price_ueur_per_kwh for o in orders if not o.is_sell for _ in range(o.energy_wh)
    ):
        affordable = [ask for ask in asks if ask <= bid]
        if affordable:
            asks.remove(affordable[0])
            matched += 1
    assert most_wh == matched


def gain(orders: list[Order], k: int, value: int, price: int, rule: PricingRule) -> int:
    """Gain of order k, worth ``value`` per kWh to its owner, when it names a price."""
    told = [*orders[:k], orders[k]._replace(price_ueur_per_kwh=price), *orders[k + 1 :]]
    clearing = clear(told, rule)
    margin = clearing.price_of(told[k]) - value
    return clearing.fills_wh[k] * (margin if orders[k].is_sell else -margin)


@settings(max_examples=400, deadline=None)
@given(ALIVE)
def test_no_lie_about_a_price_pays_under_mcafee(book: list[tuple[bool, int, int]]) -> None:
    orders = [Order(f"a{k}", *fields) for k, fields in enumerate(book)]
    event(outcome(clear(orders, PricingRule.MCAFEE)))
    for k, order in enumerate(orders):
        value = order.price_ueur_per_kwh
        honest = gain(orders, k, value, value, PricingRule.MCAFEE)
        assert honest >= 0
        for price in range(8):  # 0 to beyond the highest price of the book
            assert gain(orders, k, value, price, PricingRule.MCAFEE) <= honest


@pytest.mark.parametrize("rule", [PricingRule.MIDPOINT, PricingRule.PAY_AS_BID])
def test_a_lie_pays_under_other_rules(rule: PricingRule) -> None:
    orders = [Order("buyer", False, 1, 6), Order("seller", True, 1, 2)]
    assert gain(orders, 0, 6, 2, rule) > gain(orders, 0, 6, 6, rule)
