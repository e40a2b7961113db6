"""The contract clears every book as the Python model does, fill by fill, and money is conserved."""

from __future__ import annotations

import functools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from market_world import FEED_IN, RETAIL, SUPPLIER, MarketWorld, address

from cosim.mechanisms.local_market.clearing import clear, ranking
from cosim.mechanisms.local_market.client import pack_ranking
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH, MAX_PRICE_UEUR_PER_KWH, Order
from cosim.mechanisms.local_market.pricing import (
    AUCTION_FORMS,
    ClearingForm,
    PricingRule,
    taker_price_ueur_per_kwh,
)
from cosim.mechanisms.local_market.trades import pair_trades
from cosim.units import amount_due_ueur

MOST = 40
BOND = 50_000


@functools.cache
def market(engine: str, rule: PricingRule, form: ClearingForm) -> MarketWorld:
    """Forty members who can pay any order."""
    world = MarketWorld(
        engine, rule=rule.number, form=form.number, challenge_s=60, clearing_bond=BOND
    )
    world.fund("anyone", world.market, BOND)
    for k in range(MOST):
        world.join(f"a{k}", amount=MAX_ENERGY_WH * MAX_PRICE_UEUR_PER_KWH)
    return world


def order_books(max_size: int = MOST) -> st.SearchStrategy[list[tuple[bool, int, int]]]:
    """Order books of few prices (ties), of any price, and of extreme fields."""
    few = st.tuples(st.booleans(), st.integers(1, 6), st.integers(0, 4))
    usual = st.tuples(st.booleans(), st.integers(1, 5_000), st.integers(70_000, 310_000))
    extreme = st.tuples(
        st.booleans(),
        st.sampled_from([1, 2, MAX_ENERGY_WH - 1, MAX_ENERGY_WH]),
        st.sampled_from([0, 1, MAX_PRICE_UEUR_PER_KWH - 1, MAX_PRICE_UEUR_PER_KWH]),
    )
    return st.one_of(
        st.lists(few, max_size=max_size),
        st.lists(usual, max_size=max_size),
        st.lists(few | usual | extreme, max_size=max_size),
    )


def compare(
    engine: str,
    book: list[tuple[bool, int, int]],
    rule: PricingRule = PricingRule.MIDPOINT,
    form: ClearingForm = ClearingForm.ON_CHAIN,
) -> None:
    """Clear a book on chain and off chain."""
    orders = [Order(f"a{k}", *fields) for k, fields in enumerate(book)]
    if rule.sets_price:
        orders = [
            order._replace(price_ueur_per_kwh=taker_price_ueur_per_kwh(order.is_sell, RETAIL))
            for order in orders
        ]
    expected = clear(
        orders, rule, retail_price_ueur_per_kwh=RETAIL, feed_in_price_ueur_per_kwh=FEED_IN
    )
    prices = expected.buy_price_ueur_per_kwh, expected.sell_price_ueur_per_kwh
    world = market(engine, rule, form)
    snapshot = world.engine.snapshot()
    try:
        world.open_window(0)
        for order in orders:
            world.order(order.account, order.is_sell, order.energy_wh, order.price_ueur_per_kwh)
        world.close_gate(0)
        dust = -world.free(SUPPLIER)
        if form is ClearingForm.ON_CHAIN:
            events = world.market.send("anyone", "clear", 0).events
        elif form is ClearingForm.VERIFIED:
            words = pack_ranking(ranking(orders))
            events = world.market.send(
                "anyone", "clearVerified", 0, words, *prices, expected.volume_wh
            ).events
        else:
            # a root that is wrong for certain: the challenge puts the clearing in its place
            root = bytes(31) + b"1"
            events = world.market.send(
                "anyone", "commitClearing", 0, root, *prices, expected.volume_wh
            ).events
            if best_price(orders, True) <= best_price(orders, False):
                words = pack_ranking(ranking(orders))
                events = world.market.send("anyone", "challengeClearing", 0, words).events
        dust += world.free(SUPPLIER)
        assert world.market.get("clearingOf", 0) == (
            True,
            *prices,
            expected.volume_wh,
            len(orders),
        )
        fills = [world.market.get("orderOf", 0, address(order.account))[3] for order in orders]
        assert tuple(fills) == expected.fills_wh
        assert dust == expected.surplus_ueur
        logged = {e["account"]: e["energy_wh"] for name, e in events if name == "OrderFilled"}
        filled = {address(o.account): f for o, f in zip(orders, fills, strict=True) if f}
        assert logged == filled
        assert world.backed()
    finally:
        world.engine.restore(snapshot)


def best_price(orders: list[Order], is_sell: bool) -> int:
    """Best price of a side; of an empty one, a price that nothing crosses."""
    prices = [order.price_ueur_per_kwh for order in orders if order.is_sell == is_sell]
    if is_sell:
        return min(prices, default=MAX_PRICE_UEUR_PER_KWH + 1)
    return max(prices, default=-1)


@settings(max_examples=120, deadline=None)
@given(order_books())
@example([(False, MAX_ENERGY_WH, MAX_PRICE_UEUR_PER_KWH)] * 20 + [(True, MAX_ENERGY_WH, 0)] * 20)
@example([(True, 1, 0)] * 13 + [(False, 5, 0)] * 7)
@example([(k % 2 == 0, 1 + k, 100) for k in range(40)])
def test_contract_clears_as_the_model(book: list[tuple[bool, int, int]]) -> None:
    compare("revm", book)


@pytest.mark.parametrize("form", AUCTION_FORMS)
@pytest.mark.parametrize("rule", PricingRule)
@settings(max_examples=40, deadline=None)
@given(book=order_books())
@example(book=[(False, MAX_ENERGY_WH, MAX_PRICE_UEUR_PER_KWH), (True, MAX_ENERGY_WH, 0)] * 20)
@example(
    book=[(False, 3, 9), (True, 3, 1), (False, 2, 7), (True, 2, 4), (False, 1, 5), (True, 1, 6)]
)
@example(
    book=[(False, 7, 9), (True, 11, 1), (True, 7, 1), (False, 7, 8), (False, 7, 7), (True, 9, 7)]
)
@example(book=[(False, 3, 10), (True, 3, 1), (False, 2, 5), (True, 2, 100)])  # midpoint too high
@example(book=[(False, 3, 10), (True, 3, 8), (False, 2, 0), (True, 2, 9)])  # and too low
@example(book=[(False, 3, 10), (True, 3, 8), (False, 2, 7), (True, 2, 9)])  # and between
@example(
    book=[(False, 3, 9), (True, 2, 1), (True, 2, 1), (False, 2, 7), (False, 1, 6), (True, 1, 8)]
)
def test_every_rule_in_every_form(
    form: ClearingForm, rule: PricingRule, book: list[tuple[bool, int, int]]
) -> None:
    compare("revm", book, rule, form)


@settings(max_examples=8, deadline=None)
@given(book=order_books(max_size=12), rule=st.sampled_from(PricingRule))
def test_contract_clears_as_the_model_on_the_reference_engine(
    book: list[tuple[bool, int, int]], rule: PricingRule
) -> None:
    compare("py-evm", book, rule)


@settings(max_examples=200, deadline=None)
@given(order_books())
def test_clearing_is_a_fair_equilibrium(book: list[tuple[bool, int, int]]) -> None:
    orders = [Order(f"a{k}", *fields) for k, fields in enumerate(book)]
    clearing = clear(orders)
    price = clearing.price_ueur_per_kwh
    for is_sell in (False, True):
        side = [
            (o, f) for o, f in zip(orders, clearing.fills_wh, strict=True) if o.is_sell == is_sell
        ]
        assert sum(fill for _, fill in side) == clearing.volume_wh
        sign = 1 if is_sell else -1
        for order, fill in side:
            assert 0 <= fill <= order.energy_wh
            if fill:  # nobody trades at a loss
                assert sign * order.price_ueur_per_kwh <= sign * price
            for other, other_fill in side:  # a better price is filled first, wholly
                if sign * other.price_ueur_per_kwh < sign * order.price_ueur_per_kwh and fill:
                    assert other_fill == other.energy_wh
                if other.price_ueur_per_kwh == order.price_ueur_per_kwh:  # equal shares
                    share = fill * other.energy_wh - other_fill * order.energy_wh
                    assert abs(share) < order.energy_wh + other.energy_wh
    assert 0 <= clearing.surplus_ueur <= len(orders)
    # nothing that crosses is left: no unfilled bid reaches an unfilled ask
    left = [
        (o.price_ueur_per_kwh, o.is_sell)
        for o, f in zip(orders, clearing.fills_wh, strict=True)
        if f < o.energy_wh
    ]
    bids = [p for p, is_sell in left if not is_sell]
    asks = [p for p, is_sell in left if is_sell]
    assert not bids or not asks or max(bids) < min(asks)


@settings(max_examples=100, deadline=None)
@given(order_books())
def test_trades_add_up_to_fills_and_payments(book: list[tuple[bool, int, int]]) -> None:
    orders = [Order(f"a{k}", *fields) for k, fields in enumerate(book)]
    clearing = clear(orders)
    trades = pair_trades(orders, clearing)
    for order, fill in zip(orders, clearing.fills_wh, strict=True):
        own = [t for t in trades if order.account == (t.seller if order.is_sell else t.buyer)]
        assert sum(trade.energy_wh for trade in own) == fill
        if not order.is_sell:
            due = amount_due_ueur(fill, clearing.price_ueur_per_kwh)
            assert sum(trade.amount_ueur for trade in own) == due
    assert len(trades) <= max(len(orders) - 1, 0)
