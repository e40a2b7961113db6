"""Strategies that fail, leave or roll dice are refused by name and interval."""

from __future__ import annotations

import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cosim.errors import ScenarioError
from cosim.plugins import STRATEGIES
from cosim.prosumers.asking import AskedStrategy
from cosim.prosumers.strategies import BidContext, LimitOrders, Strategy, StrategySetup
from cosim.scenario.prosumers import StrategySettings

N = 3


class Odd(Strategy):
    """Answers with what a test wants."""

    def __init__(self, setup, how="well") -> None:
        super().__init__(setup)
        self.how = how
        self.generator = np.random.default_rng()
        if how == "made with a global draw":
            self.first = np.random.random()  # noqa: NPY002
        if how == "not made":
            raise ZeroDivisionError("no data")

    def bid(self, context):
        price = np.full(N, 100_000)
        if self.how == "raises":
            raise RuntimeError("forecast diverged")
        if self.how == "leaves":
            sys.exit(0)
        answers = {
            "None": None,
            "a tuple": (context.energy_wh, price),
            "floats": LimitOrders(context.energy_wh, price * 1.0),
            "NaN": LimitOrders(context.energy_wh, np.full(N, np.nan)),
            "masked": LimitOrders(context.energy_wh, np.ma.masked_array(price, [True] * N)),
            "a list": LimitOrders(context.energy_wh, [100_000] * N),
        }
        if self.how in answers:
            return answers[self.how]
        if self.how == "writes to the context":
            context.energy_wh[0] = 0
        draws = {
            "numpy": lambda: np.random.randint(0, 9, N),  # noqa: NPY002
            "random": lambda: random.randrange(9),
            "seeds numpy": lambda: np.random.seed(1) or 0,  # noqa: NPY002
            "fresh generator": lambda: np.random.default_rng().integers(0, 2**20, N),
            "kept generator": lambda: self.generator.integers(0, 2**20, N),
            "system": lambda: random.SystemRandom().randrange(2**20),
            "clock": lambda: time.perf_counter_ns() % 2**20,
            "given": lambda: context.rng.integers(0, 2**20, N),
        }
        return LimitOrders(context.energy_wh, price + draws.get(self.how, lambda: 0)())

    def state(self):
        return {"learnt": np.array([1])} if self.how == "well" else {"learnt": 1 / 0}


@pytest.fixture
def asked(tariff, monkeypatch):
    monkeypatch.setattr(STRATEGIES, "load", lambda name: Odd)

    def make(how: str) -> AskedStrategy:
        share = StrategySettings(name="truthful", options={"how": how})
        names = tuple("abc")
        return AskedStrategy(
            share, lambda: StrategySetup(names, 900, tariff, np.random.default_rng(2))
        )

    return make


def context(interval: int = 0) -> BidContext:
    nothing = np.zeros(N, dtype=np.int64)
    energy_wh = np.full(N, 1000)
    energy_wh.setflags(write=False)
    return BidContext(
        interval=interval,
        is_sell=np.ones(N, dtype=bool),
        energy_wh=energy_wh,
        battery_wh=nothing,
        battery_price_ueur_per_kwh=nothing,
        expected_price_ueur_per_kwh=190_000.0,
        last_price_ueur_per_kwh=None,
        rng=np.random.default_rng(5),
    )


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raises", "failed: RuntimeError: forecast diverged (File "),
        ("leaves", "failed: it ended the program, sys.exit(0) (File "),
        ("writes to the context", "failed: ValueError: assignment destination is read-only"),
        ("None", "bid answered with None, not with LimitOrders"),
        ("a tuple", "bid answered with a tuple, not with LimitOrders"),
        ("floats", "price_ueur_per_kwh is no array of integers but ndarray of float64"),
        ("NaN", "is no array of integers but ndarray of float64 with NaN"),
        ("masked", "is no array of integers but MaskedArray of int64"),
        ("a list", "is no array of integers but a list"),
        ("numpy", "draws from the global generator of numpy.random"),
        ("seeds numpy", "draws from the global generator of numpy.random"),
        ("random", "draws from the global generator of random"),
    ],
)
@pytest.mark.parametrize("interval", [0, 7])
def test_a_fault_is_told_with_name_and_interval(asked, how, words, interval):
    with pytest.raises(ScenarioError) as caught:
        asked(how).bid(context(interval))
    assert f"strategy 'truthful' in interval {interval}: " in caught.value.problem
    assert words in caught.value.problem
    assert "docs/strategies.md" in caught.value.remedy or "context.rng" in caught.value.remedy


@pytest.mark.parametrize("how", ["fresh generator", "kept generator", "system", "clock"])
def test_draws_that_no_seed_governs_show_in_the_first_interval(asked, how):
    with pytest.raises(ScenarioError, match=r"interval 0: asked the same twice") as caught:
        asked(how).bid(context())
    assert "context.rng" in caught.value.remedy


def test_draws_from_the_given_generator_are_the_same_for_all(asked):
    prices = [asked("given").bid(context(k)).price_ueur_per_kwh.tolist() for k in (0, 0, 1)]
    drawn = np.random.default_rng(5).integers(0, 2**20, N) + 100_000
    assert prices == [drawn.tolist()] * 3


@pytest.mark.parametrize(
    ("how", "words"),
    [("not made", "ZeroDivisionError: no data"), ("made with a global draw", "numpy.random")],
)
def test_one_that_cannot_be_made_is_named(asked, how, words):
    with pytest.raises(ScenarioError, match=r"strategy 'truthful' as it is made: ") as caught:
        asked(how)
    assert words in caught.value.problem


def test_its_state_is_asked_with_its_name_too(asked):
    assert asked("well").state()["learnt"].tolist() == [1]
    with pytest.raises(ScenarioError, match=r"'truthful' in state\(\): failed: ZeroDivision"):
        asked("given").state()


def test_strategies_of_runs_in_two_threads_are_not_taken_for_draws_of_each_other(asked):
    def many(_: int) -> int:
        return sum(len(asked("well").state()) for _ in range(300))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(many, range(2))) == [300, 300]
    finally:
        sys.setswitchinterval(before)
