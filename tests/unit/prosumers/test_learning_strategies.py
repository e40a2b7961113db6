"""Learning strategies: told their own fills and money, they find what pays in the market.

Two sellers of 6 and 5 kWh meet buyers of 4, 2.5 and 2.5 kWh at 0.30, 0.245 and 0.15 EUR/kWh. The
market's own clearing says what each pair of asks earns; of the 25 pairs, two are equilibria.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from cosim.errors import ScenarioError
from cosim.mechanisms.local_market.clearing import clear
from cosim.mechanisms.local_market.orders import Order
from cosim.plugins import STRATEGIES
from cosim.prosumers.flexibility import FlexibilityContext, Outcomes
from cosim.prosumers.learning.strategies import (
    SELLING,
    LearningStrategy,
    QLearningStrategy,
    RothErevStrategy,
)
from cosim.prosumers.strategies import BidContext, StrategySetup
from cosim.scenario.tariff import Tariff

RETAIL, FEED_IN = 300_000, 80_000
TARIFF = Tariff(RETAIL, FEED_IN)
SOLD_WH = (6_000, 5_000)
BIDS = ((4_000, RETAIL), (2_500, 245_000), (2_500, 150_000))
LEVELS = 5
ASKS = [FEED_IN + (RETAIL - FEED_IN) * k // (LEVELS - 1) for k in range(LEVELS)]
SEEDS = 100
EQUILIBRIA = {(0, 1), (1, 0)}


def outcomes_by_asks() -> tuple[np.ndarray, np.ndarray]:
    """Fills and money of both sellers for every pair of asks, (2, 5, 5) each. [Wh, µEUR]"""
    filled, money = (np.zeros((2, LEVELS, LEVELS), dtype=np.int64) for _ in range(2))
    for pair in product(range(LEVELS), repeat=2):
        orders = [Order(f"seller-{s}", True, SOLD_WH[s], ASKS[pair[s]]) for s in (0, 1)]
        orders += [Order(f"buyer-{b}", False, wh, price) for b, (wh, price) in enumerate(BIDS)]
        cleared = clear(orders)
        for s in (0, 1):
            filled[(s, *pair)] = cleared.fills_wh[s]
            money[(s, *pair)] = cleared.fills_wh[s] * cleared.price_ueur_per_kwh // 1_000
    return filled, money


FILLED_WH, MONEY_UEUR = outcomes_by_asks()


def equilibria() -> set[tuple[int, int]]:
    """Pairs of asks from which no seller alone would move, by trying them all."""
    gain = [MONEY_UEUR[s] - FILLED_WH[s] * FEED_IN / 1_000 for s in (0, 1)]
    return {
        (a, b)
        for a, b in product(range(LEVELS), repeat=2)
        if gain[0][a, b] >= gain[0][:, b].max() and gain[1][a, b] >= gain[1][a, :].max()
    }


def made(kind: type[LearningStrategy], n: int = SEEDS, **options: Any) -> LearningStrategy:
    names = tuple(f"p{i}" for i in range(n))
    return kind(StrategySetup(names, 900, TARIFF, np.random.default_rng(1)), **options)


def bid_context(interval: int, energy_wh: int, n: int, seed: int, **other: Any) -> BidContext:
    nothing = np.zeros(n, dtype=np.int64)
    given: dict[str, Any] = {
        "is_sell": np.ones(n, dtype=bool),
        "energy_wh": np.full(n, energy_wh),
        "battery_wh": nothing,
        "battery_price_ueur_per_kwh": nothing,
        "expected_price_ueur_per_kwh": 150_000.0,
        "last_price_ueur_per_kwh": None,
    } | other
    return BidContext(interval=interval, rng=np.random.default_rng([seed, interval, 0]), **given)


def flexibility_context(
    interval: int, n: int, seed: int, outcomes: Outcomes, **blocks: Any
) -> FlexibilityContext:
    none = np.zeros(0, dtype=np.int64)
    given: dict[str, Any] = {
        "follower": none,
        "lowers": none.astype(bool),
        "energy_wh": none,
        "cost_ueur_per_kwh": none,
        "cost_if_traded_ueur_per_kwh": none,
    } | blocks
    nothing = np.zeros(n, dtype=np.int64)
    return FlexibilityContext(
        interval=interval,
        planned_wh=nothing,
        firm_wh=nothing,
        state_of_charge=np.full(n, np.nan),
        expected_price_ueur_per_kwh=150_000.0,
        outcomes=outcomes,
        rng=np.random.default_rng([seed, interval, 1]),
        **given,
    )


def played(sellers: list[LearningStrategy], rounds: int, first: int = 0) -> None:
    """Let every seed's two sellers meet in the market, told what they got as in a run."""
    known: list[list[np.ndarray]] = [[], []]
    nothing = np.zeros(SEEDS, dtype=np.int64)
    for interval in range(first, first + rounds):
        levels = []
        for s, seller in enumerate(sellers):
            orders = seller.bid(bid_context(interval, SOLD_WH[s], SEEDS, seed=s))
            levels.append(np.searchsorted(ASKS, orders.price_ueur_per_kwh))
            outcomes = replace(
                Outcomes.none(SEEDS),
                contracted_wh=FILLED_WH[s][*known[0][-1]] if known[0] else nothing,
                traded_ueur=MONEY_UEUR[s][*known[0][-2]] if len(known[0]) > 1 else nothing,
            )
            seller.price_flexibility(flexibility_context(interval, SEEDS, s, outcomes))
        known[0].append(np.array(levels))


def test_the_market_has_two_equilibria_among_the_pairs() -> None:
    assert equilibria() == EQUILIBRIA


@pytest.mark.parametrize(
    ("kind", "share"), [(RothErevStrategy, 0.6), (QLearningStrategy, 0.9)], ids=lambda v: str(v)
)
def test_sellers_find_an_equilibrium(kind: type[LearningStrategy], share: float) -> None:
    """By chance 8 of 100 would; 70 and 96 do, as docs/strategies.md says."""
    sellers = [made(kind), made(kind)]
    played(sellers, 600)
    selling = np.full(SEEDS, SELLING)
    ends = zip(*(seller.of_orders.best(selling).tolist() for seller in sellers), strict=True)
    found = sum(end in EQUILIBRIA for end in ends) / SEEDS
    assert found >= share


def test_rewards_are_shares_of_what_could_be_earned_and_come_two_intervals_later() -> None:
    seller = made(QLearningStrategy, n=2, learning_rate=1.0, initial=0.0, exploration=0.0)
    told = Outcomes.none(2)
    for interval, outcomes in enumerate(
        [
            told,
            replace(told, contracted_wh=np.array([4_000, 0])),
            # 4 kWh at 0.25 EUR/kWh, of 6 kWh at a spread of 0.22 at most
            replace(told, traded_ueur=np.array([1_000_000, 0])),
        ]
    ):
        assert not seller.of_orders.worth.any()
        seller.bid(bid_context(interval, 6_000, 2, seed=3))
        seller.price_flexibility(flexibility_context(interval, 2, 3, outcomes))
    expected = (1_000_000 - 4 * FEED_IN) / (6 * (RETAIL - FEED_IN))
    assert seller.of_orders.worth[0, SELLING, 0] == pytest.approx(expected)
    assert seller.of_orders.worth[1].tolist() == np.zeros((2, LEVELS)).tolist()


def test_prices_lie_between_value_and_the_other_end_of_the_spread() -> None:
    strategy = made(QLearningStrategy, n=2, exploration=0.0)
    strategy.of_orders.worth[:, :, 2] = 9.0  # half of the way
    orders = strategy.bid(
        bid_context(
            0,
            1_000,
            2,
            seed=4,
            is_sell=np.array([True, False]),
            battery_wh=np.array([1_000, 0]),
            battery_price_ueur_per_kwh=np.array([200_000, 0]),
        )
    )
    assert orders.price_ueur_per_kwh.tolist() == [250_000, 190_000]
    assert orders.energy_wh.tolist() == [1_000, 1_000]


BLOCKS = {
    "follower": np.array([0, 0, 1]),
    "lowers": np.array([True, True, True]),
    "energy_wh": np.array([1_000, 1_000, 2_000]),
    "cost_ueur_per_kwh": np.array([100_000, 60_000, 80_000]),
    "cost_if_traded_ueur_per_kwh": np.array([300_000, 300_000, 300_000]),
}


def test_flexibility_learns_the_highest_mark_up_that_is_still_bought() -> None:
    """The DSO buys everything up to 0.13 EUR/kWh: of mark-ups of 0 to 100 % on 0.08, half."""
    strategy = made(QLearningStrategy, n=2, highest_mark_up=1.0)
    told, asked = Outcomes.none(2), []
    for interval in range(300):
        strategy.bid(bid_context(interval, 0, 2, seed=5))
        own = told
        if len(asked) > 0:
            bought = asked[-1] <= 130_000
            own = replace(
                own,
                requested_down_wh=2_000,
                offered_down_wh=np.array([0, 2_000]),
                awarded_wh=np.array([0, -2_000 if bought else 0]),
            )
        if len(asked) > 1:
            paid = 2 * asked[-2] if asked[-2] <= 130_000 else 0
            own = replace(own, flexibility_ueur=np.array([0, paid]))
        prices = strategy.price_flexibility(flexibility_context(interval, 2, 5, own, **BLOCKS))
        asked.append(int(prices.price_ueur_per_kwh[2]))
    assert strategy.of_flexibility.best(np.array([0, 0])).tolist()[1] == 2
    assert asked[-20:].count(120_000) > 10
    # follower 0 was never asked, and learnt nothing
    assert (strategy.of_flexibility.worth[0] == 1.0).all()


def test_awards_are_paid_for_from_the_cheapest_block() -> None:
    strategy = made(QLearningStrategy, n=2, learning_rate=1.0, initial=0.0, exploration=0.0)
    told = Outcomes.none(2)
    for interval, outcomes in enumerate(
        [
            told,
            replace(
                told,
                requested_down_wh=9,
                offered_down_wh=np.array([2_000, 2_000]),
                awarded_wh=np.array([-1_500, -1_000]),
            ),
            replace(told, flexibility_ueur=np.array([300_000, 50_000])),
        ]
    ):
        strategy.bid(bid_context(interval, 0, 2, seed=6))
        strategy.price_flexibility(flexibility_context(interval, 2, 6, outcomes, **BLOCKS))
    # (0.30 - 1 kWh x 0.06 - 0.5 kWh x 0.10) / (2 x 0.16), and a loss where penalties were due
    expected = [(300_000 - 110_000) / (2.0 * 160_000), (50_000 - 80_000) / (2.0 * 160_000)]
    assert strategy.of_flexibility.worth[:, 0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("kind", [RothErevStrategy, QLearningStrategy])
def test_what_was_learnt_survives_a_checkpoint(kind: type[LearningStrategy]) -> None:
    one = [made(kind), made(kind)]
    played(one, 10)
    other = [made(kind), made(kind)]
    for before, after in zip(one, other, strict=True):
        after.restore(before.state())
    played(one, 10, first=10)
    played(other, 10, first=10)
    for before, after in zip(one, other, strict=True):
        assert_same(before.state(), after.state())
    assert not np.array_equal(other[0].of_orders.worth, made(kind).of_orders.worth)


def assert_same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


@pytest.mark.parametrize(
    ("kind", "options", "field"),
    [
        (RothErevStrategy, {"experimentation": 1.5}, "experimentation"),
        (RothErevStrategy, {"form": "newest"}, "form"),
        (RothErevStrategy, {"levels": 1}, "levels"),
        # propensities of what is never chosen would grow without bound
        (RothErevStrategy, {"experimentation": 0.4, "recency": 0.05}, "recency"),
        (QLearningStrategy, {"discount": 1.0}, "discount"),
        (QLearningStrategy, {"highest_mark_up": 0.0}, "highest_mark_up"),
    ],
)
def test_options_out_of_range_are_refused(
    kind: type[LearningStrategy], options: dict[str, Any], field: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        made(kind, **options)
    assert caught.value.field == f"prosumers.strategies.options.{field}"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "kind"), [("roth_erev", RothErevStrategy), ("q_learning", QLearningStrategy)]
)
def test_scenarios_find_them_by_name(name: str, kind: type[LearningStrategy]) -> None:
    assert STRATEGIES.load(name) is kind
