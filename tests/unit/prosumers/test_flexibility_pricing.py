"""Strategies price flexibility: at cost, with a mark-up that learns, or less than there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cosim.errors import ScenarioError
from cosim.messages import BlocksMessage
from cosim.plugins import STRATEGIES
from cosim.prosumers.asking import AskedStrategy
from cosim.prosumers.flexibility import FlexibilityContext, FlexibilityPrices, Outcomes
from cosim.prosumers.followers import Followers
from cosim.prosumers.mark_up import MarkUp
from cosim.prosumers.strategies import LimitOrders, Strategy, StrategySetup, Truthful
from cosim.scenario.prosumers import StrategySettings, Tariff

TARIFF = Tariff(300_000, 80_000)
N = 3


def setup() -> StrategySetup:
    return StrategySetup(("a", "b", "c"), 900, TARIFF, np.random.default_rng(5))


def context(interval: int = 1, **outcomes: object) -> FlexibilityContext:
    """Followers 0 and 2 can lower, follower 2 can raise too."""
    return FlexibilityContext(
        interval=interval,
        follower=np.array([0, 2, 2]),
        lowers=np.array([True, True, False]),
        energy_wh=np.array([1_001, 500, 300]),
        cost_ueur_per_kwh=np.array([80_000, 110_001, 0]),
        cost_if_traded_ueur_per_kwh=np.array([300_000, 330_000, 270_000]),
        planned_wh=np.array([1_200, 0, 400]),
        firm_wh=np.array([1_200, 0, 400]),
        state_of_charge=np.array([0.5, np.nan, 1.0]),
        expected_price_ueur_per_kwh=120_000.0,
        outcomes=replace(Outcomes.none(N), **outcomes),
        rng=np.random.default_rng(1),
    )


def test_by_default_all_is_offered_at_cost() -> None:
    given = context()
    prices = Truthful(setup()).price_flexibility(given)
    assert prices.energy_wh.tolist() == [1_001, 500, 300]
    assert prices.price_ueur_per_kwh is given.cost_ueur_per_kwh
    assert prices.price_if_traded_ueur_per_kwh is given.cost_if_traded_ueur_per_kwh


def test_mark_up_adder_and_withheld_energy() -> None:
    strategy = MarkUp(setup(), mark_up=0.25, adder_eur_per_kwh=0.01, withheld=0.1)
    prices = strategy.price_flexibility(context())
    assert prices.energy_wh.tolist() == [900, 450, 270]
    assert prices.price_ueur_per_kwh.tolist() == [110_000, 147_502, 10_000]  # rounded up
    assert prices.price_if_traded_ueur_per_kwh.tolist() == [385_000, 422_500, 347_500]
    # its orders are those of the truthful
    truthful = Truthful(setup())
    np.testing.assert_array_equal(strategy._given_up, truthful._given_up)


@pytest.mark.parametrize(
    ("outcomes", "mark_ups"),
    [
        ({}, [0.5, 0.5, 0.5]),  # the DSO asked for nothing
        # sold out, nothing offered, out-competed
        (
            {
                "requested_down_wh": 9,
                "offered_down_wh": np.array([5, 0, 5]),
                "awarded_wh": np.array([-5, 0, 0]),
            },
            [0.6, 0.5, 0.4],
        ),
        # a part of it tells nothing
        (
            {
                "requested_up_wh": 9,
                "offered_up_wh": np.array([5, 5, 5]),
                "awarded_wh": np.array([4, 5, 6]),
            },
            [0.5, 0.6, 0.6],
        ),
    ],
)
def test_mark_ups_learn_from_awards(outcomes: dict[str, object], mark_ups: list[float]) -> None:
    strategy = MarkUp(setup(), mark_up=0.5, step=0.1)
    strategy.price_flexibility(context(**outcomes))
    assert strategy.state()["mark_up"] == pytest.approx(mark_ups)
    other = MarkUp(setup(), mark_up=0.5, step=0.1)
    other.restore(strategy.state())
    assert other.state()["mark_up"] == pytest.approx(mark_ups)


def test_mark_ups_stay_between_nothing_and_the_highest() -> None:
    strategy = MarkUp(setup(), mark_up=0.1, step=0.3, highest=0.3)
    out = {"requested_down_wh": 9, "offered_down_wh": np.array([5, 5, 5])}
    strategy.price_flexibility(context(**out, awarded_wh=np.array([-5, 0, -2])))
    assert strategy.state()["mark_up"] == pytest.approx([0.3, 0.0, 0.1])


@pytest.mark.parametrize(
    "options",
    [
        {"mark_up": -0.1},
        {"mark_up": 6.0},
        {"withheld": 1.1},
        {"adder_eur_per_kwh": -1.0},
        {"step": float("nan")},
        {"highest": -1.0},
    ],
)
def test_options_have_ranges(options: dict[str, float]) -> None:
    with pytest.raises(ScenarioError, match=f"{next(iter(options))} is"):
        MarkUp(setup(), **options)


class Odd(Strategy):
    """Prices flexibility as a test wants."""

    def __init__(self, setup: StrategySetup, how: str = "well") -> None:
        super().__init__(setup)
        self.how = how
        self.seen = 0

    def bid(self, context):
        self.seen += 1
        return LimitOrders(context.energy_wh, np.zeros_like(context.energy_wh))

    def price_flexibility(self, context):
        own = vars(FlexibilityPrices.at_cost(context))
        energy = own["energy_wh"]
        if self.how == "raises":
            raise RuntimeError("no idea")
        if self.how == "writes":
            context.outcomes.awarded_wh[0] = 1
        if self.how == "depends on the bid":
            return FlexibilityPrices(**own | {"energy_wh": np.minimum(energy, self.seen)})
        if self.how == "draws":
            return FlexibilityPrices(**own | {"price_ueur_per_kwh": np.random.randint(0, 9, 3)})  # noqa: NPY002
        changes = {
            "more": {"energy_wh": energy + 1},
            "negative": {"price_if_traded_ueur_per_kwh": -1 - energy},
            "floats": {"price_ueur_per_kwh": energy * 1.0},
            "short": {"price_ueur_per_kwh": energy[:2]},
        }
        if self.how == "orders":
            return LimitOrders(energy, energy)
        return FlexibilityPrices(**own | changes.get(self.how, {}))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(STRATEGIES._points, "odd", None)
    monkeypatch.setitem(STRATEGIES._loaded, "odd", Odd)
    return lambda how: AskedStrategy(StrategySettings(name="odd", options={"how": how}), setup)


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("raises", "in interval 0, pricing flexibility: failed: RuntimeError: no idea"),
        ("writes", "in interval 0, pricing flexibility: failed: ValueError"),
        ("draws", "draws from the global generator of numpy.random"),
        ("more", "energy_wh is not between 0 and the energy of the block"),
        ("negative", "a price is negative"),
        ("floats", "price_ueur_per_kwh is no array of integers"),
        ("short", r"price_ueur_per_kwh has shape \(2,\), not \(3,\)"),
        ("orders", "answered with a LimitOrders, not with FlexibilityPrices"),
    ],
)
def test_a_strategy_that_prices_badly_is_refused_by_name(asked, how: str, text: str) -> None:
    given = context(0)
    given.outcomes.awarded_wh.setflags(write=False)
    with pytest.raises(ScenarioError, match=f"strategy 'odd'.*{text}"):
        asked(how).price_flexibility(given)


def test_what_a_strategy_saw_when_it_bid_may_count(asked) -> None:
    from test_asked_strategies import context as bid_context

    strategy = asked("depends on the bid")
    strategy.bid(bid_context(0))
    assert strategy.price_flexibility(context(0)).energy_wh.tolist() == [1, 1, 1]


def test_each_strategy_prices_the_blocks_of_its_followers() -> None:
    shares = (
        StrategySettings(name="mark_up", share=0.5, options={"mark_up": 1.0, "withheld": 0.5}),
        StrategySettings(name="truthful", share=0.5),
    )
    names = ("a", "b", "c", "d")
    followers = Followers(names, shares, 900, TARIFF, np.random.SeedSequence(3))
    prosumer = np.array([3, 2, 1, 0, 3])
    blocks = BlocksMessage(
        prosumer=prosumer,
        direction=np.array([-1, -1, -1, -1, 1]),
        energy_wh=np.array([100, 200, 300, 400, 500]),
        withheld_wh=np.zeros(5, dtype=np.int64),
        price_ueur_per_kwh=np.full(5, 80_000),
        price_if_traded_ueur_per_kwh=np.full(5, 300_000),
    )
    n = np.zeros(4, dtype=np.int64)
    asked = followers.flexibility(1, blocks, n, n, np.full(4, np.nan), 0.0, None)
    marked = followers.strategy_of[prosumer] == 0
    assert 0 < marked.sum() < 5
    np.testing.assert_array_equal(asked.price_ueur_per_kwh, np.where(marked, 160_000, 80_000))
    np.testing.assert_array_equal(
        asked.price_if_traded_ueur_per_kwh, np.where(marked, 600_000, 300_000)
    )
    np.testing.assert_array_equal(
        asked.withheld_wh, np.where(marked, np.array([50, 100, 150, 200, 250]), 0)
    )
    assert asked.energy_wh is blocks.energy_wh
