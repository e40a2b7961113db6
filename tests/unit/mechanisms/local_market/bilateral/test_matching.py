"""Matchings of published examples, and against a linear programme of scipy's."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.optimize import linprog

from cosim.mechanisms.local_market.bilateral.graph import EdgeTerms, TradingGraph
from cosim.mechanisms.local_market.bilateral.matching import best_flow, match
from cosim.mechanisms.local_market.clearing import clear
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.surplus import largest_surplus
from cosim.units import IntArray


def programme_gain(gains: IntArray, supply: IntArray, demand: IntArray) -> float:
    """Most that the transport problem gains, as HiGHS finds it."""
    n, m = gains.shape
    rows = np.zeros((n + m, n * m))
    for i in range(n):
        rows[i, i * m : (i + 1) * m] = 1
    for j in range(m):
        rows[n + j, j::m] = 1
    bounds = [(0, None) if gain >= 0 else (0, 0) for gain in gains.ravel()]
    found = linprog(-gains.ravel(), A_ub=rows, b_ub=[*supply, *demand], bounds=bounds)
    assert found.status == 0
    return float(-found.fun)


def test_assignment_game_of_shapley_and_shubik() -> None:
    # The Assignment Game I (1971), section 2: three sellers who ask 18, 15 and 19, and what their
    # goods are worth to three buyers; the best assignment gains 16. A bid is the worth of the
    # favourite, and what another is worth less is the penalty of the edge.
    # The inputs are not verified against a copy of the paper (docs/bilateral.md).
    asks = {"s1": 18, "s2": 15, "s3": 19}
    worth = {"b1": (23, 22, 21), "b2": (26, 24, 22), "b3": (20, 21, 17)}
    book = [Order(name, True, 1, price) for name, price in asks.items()]
    book += [Order(name, False, 1, max(own)) for name, own in worth.items()]
    edges = {
        (seller, buyer): EdgeTerms(0, max(own) - own[k])
        for buyer, own in worth.items()
        for k, seller in enumerate(asks)
    }
    found = match(book, TradingGraph(edges))
    assert found.gain_mueur == 16
    assert {(p.seller, p.buyer) for p in found.pairs} == {("s1", "b2"), ("s2", "b3"), ("s3", "b1")}


def test_horse_market_of_boehm_bawerk() -> None:
    # Positive Theorie des Kapitals (1889): five horses change hands, between 21 and 21.5 florins;
    # prices in tenths. Pairs of their own share the same surplus of 57 florins at other prices.
    # The inputs are not verified against a copy of it (docs/bilateral.md).
    bids = (300, 280, 260, 240, 220, 210, 200, 180, 170, 150)
    asks = (100, 110, 150, 170, 200, 215, 250, 260)
    book = [Order(f"b{k}", False, 1, price) for k, price in enumerate(bids)]
    book += [Order(f"s{k}", True, 1, price) for k, price in enumerate(asks)]
    found = match(book, TradingGraph(None))
    assert (found.volume_wh, found.gain_mueur) == (5, 570)
    assert {p.buyer for p in found.pairs} == {f"b{k}" for k in range(5)}
    assert {p.seller for p in found.pairs} == {f"s{k}" for k in range(5)}
    assert clear(book).volume_wh == 5


def test_pair_trades_between_its_limits_and_the_buyer_pays_the_fee_on_top() -> None:
    book = [Order("a", True, 1_500, 100_000), Order("b", False, 1_001, 200_001)]
    found = match(book, TradingGraph({("a", "b"): EdgeTerms(30_000, 20_000)}))
    (pair,) = found.pairs
    # ⌊(100 000 + 150 001) / 2⌋ to the seller
    assert (pair.energy_wh, pair.price_ueur_per_kwh) == (1_001, 125_000)
    assert pair.buy_price_ueur_per_kwh == 155_000
    assert found.account("a").proceeds_ueur == 125_125
    assert found.account("b").proceeds_ueur == -155_155
    assert found.account("b").kept_ueur == 30_030 == found.surplus_ueur
    assert found.fills_wh == (1_001, 1_001)
    assert found.outcome == (155_000, 125_000, 1_001)


def test_no_trade_against_the_direction_of_an_edge_or_beyond_a_limit() -> None:
    book = [Order("a", True, 10, 100), Order("b", False, 10, 200)]
    assert match(book, TradingGraph({("b", "a"): EdgeTerms()})).pairs == ()
    assert match(book, TradingGraph({("a", "b"): EdgeTerms(101, 0)})).pairs == ()
    assert match(book, TradingGraph({("a", "b"): EdgeTerms(50, 50)})).volume_wh == 10
    assert match([], TradingGraph(None)).outcome == (0, 0, 0)
    assert match([None, *book], TradingGraph(None)).fills_wh == (0, 10, 10)


def test_of_equal_gains_most_energy_and_then_first_come_first_served() -> None:
    book = [
        Order("s", True, 10, 100),
        Order("first", False, 6, 150),
        Order("second", False, 6, 150),
        Order("at the limit", False, 5, 100),
        Order("late", True, 4, 100),
    ]
    found = match(book, TradingGraph(None))
    # 12 Wh gain 50 each; 2 more gain nothing and trade all the same
    assert found.volume_wh == 14
    assert found.gain_mueur == 600
    assert found.fills_wh[:4] == (10, 6, 6, 2)


def test_buyer_pays_its_cumulated_sum_rounded_up_once() -> None:
    book = [Order(f"s{k}", True, 1, 333) for k in range(3)] + [Order("b", False, 3, 333)]
    found = match(book, TradingGraph(None))
    assert len(found.pairs) == 3
    assert found.account("b").proceeds_ueur == -1  # ⌈0.999⌉, and not one a pair
    assert [found.account(f"s{k}").proceeds_ueur for k in range(3)] == [0, 0, 0]
    assert found.surplus_ueur == 1


@pytest.mark.parametrize("seed", range(60))
def test_best_flow_gains_as_much_as_a_linear_programme(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = (int(k) for k in rng.integers(1, 9, 2))
    gains = rng.integers(-40, 60 if seed % 2 else 4, (n, m))
    supply, demand = (rng.integers(1, 30, k) for k in (n, m))
    flow = best_flow(gains, supply, demand)
    assert (flow >= 0).all()
    assert (flow.sum(axis=1) <= supply).all()
    assert (flow.sum(axis=0) <= demand).all()
    assert not flow[gains < 0].any()
    assert int((flow * gains).sum()) == round(programme_gain(gains, supply, demand))
    assert np.count_nonzero(flow) <= n + m - 1
    # and among these the most energy: weighted so that energy decides between equal gains only
    scale = int(min(supply.sum(), demand.sum())) + 1
    weighted = np.where(gains >= 0, gains * scale + 1, -1)
    total = int((flow * weighted).sum())
    assert total == round(programme_gain(weighted, supply, demand))


@pytest.mark.parametrize("seed", range(40))
def test_complete_graph_reaches_the_surplus_of_the_double_auction(seed: int) -> None:
    rng = random.Random(seed)
    book = [
        Order(f"a{k}", rng.random() < 0.5, rng.randint(1, 2_000), rng.randint(80, 300) * 1_000)
        for k in range(rng.randint(0, 25))
    ]
    found = match(book, TradingGraph(None))
    sides = ([o.is_sell for o in book], [o.energy_wh for o in book])
    assert found.gain_mueur == largest_surplus(*sides, [o.price_ueur_per_kwh for o in book])
    assert found.volume_wh == clear(book).volume_wh
    sold = sum(p.energy_wh for p in found.pairs)
    assert sold == sum(w for w, o in zip(found.fills_wh, book, strict=True) if o.is_sell)
    for pair in found.pairs:
        ask, bid = book[pair.ask], book[pair.bid]
        assert ask.price_ueur_per_kwh <= pair.price_ueur_per_kwh <= bid.price_ueur_per_kwh


def test_large_market_in_a_bounded_time_and_beyond_31_bits() -> None:
    rng = np.random.default_rng(7)
    gains = rng.integers(-(2**30), 2**31, (40, 60))
    supply, demand = (rng.integers(1, 2**32, k) for k in (40, 60))
    flow = best_flow(gains, supply, demand)
    exact = sum(int(g) * int(f) for g, f in zip(gains.ravel(), flow.ravel(), strict=True))
    assert exact == pytest.approx(programme_gain(gains, supply, demand), rel=1e-12)
