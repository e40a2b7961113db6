"""Races of an attacker's branch: as often won as the formulae say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cosim.chain.consensus import Consensus, block_waits_s
from cosim.chain.finality import nakamoto_probability, reversal_probability
from cosim.chain.reversal import Estimate, race

N_RACES = 40_000
GRID = [
    (share, confirmations)
    for share in (0.1, 0.2, 0.3, 0.4)
    for confirmations in (1, 2, 4, 6)
]  # fmt: skip


def standard_errors(estimate: Estimate, probability: float) -> float:
    """Distance of an estimate from a probability, in the standard errors that it implies."""
    error = math.sqrt(probability * (1 - probability) / estimate.n_races)
    return abs(estimate.probability - probability) / error


@pytest.mark.parametrize(("share", "confirmations"), GRID)
def test_races_agree_with_the_exact_formula(share: float, confirmations: int) -> None:
    estimate = race(share, confirmations, N_RACES, np.random.default_rng([3, confirmations]))
    assert standard_errors(estimate, reversal_probability(share, confirmations)) < 4


@pytest.mark.parametrize(("share", "confirmations"), GRID)
def test_races_at_mean_time_agree_with_nakamoto(share: float, confirmations: int) -> None:
    rng = np.random.default_rng([4, confirmations])
    estimate = race(share, confirmations, N_RACES, rng, mean_time=True)
    assert standard_errors(estimate, nakamoto_probability(share, confirmations)) < 4


def test_the_two_kinds_of_races_are_told_apart() -> None:
    rng = np.random.default_rng(5)
    as_it_is = race(0.3, 6, N_RACES, rng)
    mean_time = race(0.3, 6, N_RACES, rng, mean_time=True)
    assert standard_errors(as_it_is, nakamoto_probability(0.3, 6)) > 10
    assert standard_errors(mean_time, reversal_probability(0.3, 6)) > 10


def test_without_confirmations_every_race_is_won() -> None:
    assert race(0.05, 0, 1_000, np.random.default_rng(1)) == Estimate(1_000, 1_000)


def test_the_block_time_does_not_matter() -> None:
    one, other = (
        race(0.25, 3, 5_000, np.random.default_rng(6), block_time_s=block_time_s)
        for block_time_s in (12.0, 600.0)
    )
    assert abs(one.n_reverted - other.n_reverted) <= 2  # rounding of sums of times


def test_races_draw_as_the_chain_does() -> None:
    """Timestamps under proof of work are the rounded sums of the same waits."""
    schedule = Consensus("proof_of_work", block_time_s=600).schedule(0, np.random.default_rng(8))
    stamps = [0]
    for _ in range(50):
        stamps.append(schedule.following(stamps[-1]).timestamp_s)
    rng = np.random.default_rng(8)
    found_s = np.cumsum([block_waits_s(rng, 600.0) for _ in range(50)])
    # a block within the same second as the one before it is dated one later
    assert np.abs(np.array(stamps[1:]) - found_s).max() <= 1.0


def test_confidence_intervals_against_published_figures() -> None:
    # Clopper and Pearson's interval of 95 %: 10 of 100, and by its formula for none and all
    assert Estimate(100, 10).interval() == pytest.approx((0.0490, 0.1762), abs=5e-5)
    assert Estimate(50, 0).interval() == pytest.approx((0.0, 1 - 0.025 ** (1 / 50)))
    assert Estimate(50, 50).interval() == pytest.approx((0.025 ** (1 / 50), 1.0))
    assert Estimate(400, 100).standard_error == pytest.approx(math.sqrt(0.25 * 0.75 / 400))


@pytest.mark.parametrize(
    ("share", "confirmations", "n_races"),
    [(0.0, 1, 10), (0.5, 1, 10), (math.nan, 1, 10), (0.1, -1, 10), (0.1, 1, 0)],
)
def test_races_that_would_not_end_are_refused(
    share: float, confirmations: int, n_races: int
) -> None:
    with pytest.raises(ValueError, match="race"):
        race(share, confirmations, n_races, np.random.default_rng(1))
