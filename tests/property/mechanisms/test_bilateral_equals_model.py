"""Whole intervals of bilateral trades: contract and model hold the same money, all of it."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from bilateral_world import BilateralWorld
from hypothesis import given, settings
from hypothesis import strategies as st
from market_world import RICH, SUPPLIER

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.bilateral.certificate import most_gain_mueur
from cosim.mechanisms.local_market.bilateral.client import pair_words
from cosim.mechanisms.local_market.bilateral.graph import EdgeTerms, TradingGraph
from cosim.mechanisms.local_market.bilateral.matching import Matching, match
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.surplus import largest_surplus

MEMBERS = ("ann", "bob", "cem", "dee", "eve")
PAIRS = [(one, other) for one in MEMBERS for other in MEMBERS if one != other]
AMOUNTS = st.sampled_from([0, 0, 1, 5_000, 30_001])

GRAPHS = st.one_of(
    st.builds(TradingGraph, st.none(), st.builds(EdgeTerms, AMOUNTS, AMOUNTS)),
    st.builds(
        TradingGraph,
        st.dictionaries(st.sampled_from(PAIRS), st.builds(EdgeTerms, AMOUNTS, AMOUNTS), min_size=1),
    ),
)
ORDERS = st.fixed_dictionaries(
    {
        name: st.none()
        | st.tuples(st.booleans(), st.integers(1, 1_500), st.integers(140_000, 160_000))
        for name in MEMBERS
    }
)


@functools.lru_cache(maxsize=4)
def opened(everybody: EdgeTerms, edges: Any) -> BilateralWorld:
    graph = TradingGraph(None if edges is None else dict(edges), everybody)
    return BilateralWorld("revm", graph, MEMBERS)


def book_of(orders: dict[str, Any]) -> list[Order]:
    return [Order(name, *terms) for name, terms in orders.items() if terms is not None]


@settings(max_examples=60, deadline=None)
@given(
    graph=GRAPHS, orders=ORDERS, nets=st.lists(st.integers(-2_000, 2_000), min_size=5, max_size=5)
)
def test_an_interval_moves_the_same_money_on_the_ledger(
    graph: TradingGraph, orders: dict[str, Any], nets: list[int]
) -> None:
    edges = None if graph.edges is None else tuple(sorted(graph.edges.items()))
    world = opened(graph.everybody, edges)
    snapshot = world.engine.snapshot()
    try:
        _play(world, graph, book_of(orders), dict(zip(MEMBERS, nets, strict=True)))
    finally:
        world.engine.restore(snapshot)


def _play(
    world: BilateralWorld, graph: TradingGraph, book: list[Order], nets: dict[str, int]
) -> None:
    model = LocalMarketModel(SUPPLIER, world.terms)
    for name in (*MEMBERS, SUPPLIER):
        model.deposit(name, RICH)
    world.open_window(0)
    for order in book:
        model.place_order(0, order)
        world.order(order.account, order.is_sell, order.energy_wh, order.price_ueur_per_kwh)
    world.close_gate(0)
    matching = model.match(0)
    if len(matching.pairs) > 1:  # somebody proposes a part of it first
        world.propose_pairs(matching.pairs[1:])
    if matching.pairs:
        world.propose_pairs(matching.pairs)
        with pytest.raises(ContractRevert, match="no better than before"):
            world.propose(*pair_words(matching.pairs))
    number, gain, volume_wh = world.trades.get("matchingOf", 0)
    assert (gain, volume_wh) == (matching.gain_mueur, matching.volume_wh)
    assert number == min(len(matching.pairs), 2)
    assert gain == most_gain_mueur(book, graph)
    _same(world, model)
    world.deliver(0)
    for name, net in nets.items():
        settlement = model.report(0, name, net)
        events = dict(world.report(name, net).events)
        said = events["IntervalSettled"]
        assert said["contracted_wh"] == settlement.contracted_wh
        assert said["trade_ueur"] == settlement.trade_ueur
        assert said["supplier_ueur"] == settlement.supplier_ueur
        _same(world, model)
    assert model.locked_total_ueur() == 0


def _same(world: BilateralWorld, model: LocalMarketModel) -> None:
    for name in MEMBERS:
        assert world.free(name) == model.balance_of(name)
        assert world.locked(name) == model.locked_of(0, name)
    assert world.free(SUPPLIER) == model.balance_of(SUPPLIER)
    assert world.held(world.market) == model.held_total_ueur()
    assert world.backed()


@settings(max_examples=300, deadline=None)
@given(graph=GRAPHS, orders=ORDERS)
def test_matchings_keep_to_graph_and_limits_and_lose_nothing(
    graph: TradingGraph, orders: dict[str, Any]
) -> None:
    book = book_of(orders)
    found: Matching = match(book, graph)
    assert len(found.pairs) <= max(len(book) - 1, 0)
    for pair in found.pairs:
        ask, bid = book[pair.ask], book[pair.bid]
        assert graph.terms_of(ask.account, bid.account) == pair.terms
        assert ask.price_ueur_per_kwh <= pair.price_ueur_per_kwh
        assert (
            pair.buy_price_ueur_per_kwh + pair.terms.penalty_ueur_per_kwh <= bid.price_ueur_per_kwh
        )
    for k, order in enumerate(book):
        side = [p.energy_wh for p in found.pairs if k in (p.ask, p.bid)]
        assert sum(side) == found.fills_wh[k] <= order.energy_wh
    paid = -sum(found.account(o.account).proceeds_ueur for o in book if not o.is_sell)
    earned = sum(found.account(o.account).proceeds_ueur for o in book if o.is_sell)
    assert paid - earned == found.surplus_ueur >= 0
    assert found.gain_mueur == most_gain_mueur(book, graph)
    if graph.edges is None and not any(graph.everybody):
        sides = ([o.is_sell for o in book], [o.energy_wh for o in book])
        assert found.gain_mueur == largest_surplus(*sides, [o.price_ueur_per_kwh for o in book])
