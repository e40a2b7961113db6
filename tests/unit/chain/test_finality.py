"""Probability of a reversal: against published figures, and against the sums written out."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from cosim.chain.finality import confirmations_needed, nakamoto_probability, reversal_probability

# Nakamoto 2008, section 11, as printed
PUBLISHED = {
    0.1: {
        0: 1.0, 1: 0.2045873, 2: 0.0509779, 3: 0.0131722, 4: 0.0034552, 5: 0.0009137,
        6: 0.0002428, 7: 0.0000647, 8: 0.0000173, 9: 0.0000046, 10: 0.0000012,
    },
    0.3: {
        0: 1.0, 5: 0.1773523, 10: 0.0416605, 15: 0.0101008, 20: 0.0024804, 25: 0.0006132,
        30: 0.0001522, 35: 0.0000379, 40: 0.0000095, 45: 0.0000024, 50: 0.0000006,
    },
}  # fmt: skip
PUBLISHED_NEEDED = {
    0.10: 5, 0.15: 8, 0.20: 11, 0.25: 15, 0.30: 24, 0.35: 41, 0.40: 89, 0.45: 340
}  # fmt: skip


@pytest.mark.parametrize(
    ("share", "confirmations"), [(q, z) for q, row in PUBLISHED.items() for z in row]
)
def test_nakamotos_table(share: float, confirmations: int) -> None:
    printed = PUBLISHED[share][confirmations]
    assert nakamoto_probability(share, confirmations) == pytest.approx(printed, abs=5.1e-8)


@pytest.mark.parametrize(("share", "needed"), PUBLISHED_NEEDED.items())
def test_nakamotos_confirmations_for_a_risk_of_a_thousandth(share: float, needed: int) -> None:
    assert confirmations_needed(share, 1e-3, nakamoto_probability) == needed


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.4, 0.49])
@pytest.mark.parametrize("confirmations", [1, 2, 3, 6, 12, 40])
def test_the_closed_form_is_the_negative_binomial_sum(share: float, confirmations: int) -> None:
    q, p, z = share, 1 - share, confirmations
    # attacker found k blocks before the z-th honest one, then makes up z - k
    caught_up = math.fsum(
        math.comb(k + z - 1, k) * p**z * q**k * (1 - (q / p) ** (z - k)) for k in range(z)
    )
    assert reversal_probability(q, z) == pytest.approx(1 - caught_up, abs=1e-13)


def test_one_confirmation_by_hand() -> None:
    # the attacker finds the next block (q), or the honest miners do (p) and it makes up one (q/p)
    assert reversal_probability(0.2, 1) == pytest.approx(0.4)
    # Poisson with mean 1/4: none found, and one made up; or some found
    assert nakamoto_probability(0.2, 1) == pytest.approx(1 - 0.75 * math.exp(-0.25))


def test_small_probabilities_keep_their_digits() -> None:
    # a difference from 1 would leave nothing of them
    assert 0 < nakamoto_probability(0.1, 30) < 1e-16
    falls = nakamoto_probability(0.1, 31) / nakamoto_probability(0.1, 30)
    assert falls == pytest.approx(
        nakamoto_probability(0.1, 11) / nakamoto_probability(0.1, 10), rel=0.02
    )
    assert reversal_probability(0.1, 60) == pytest.approx(
        reversal_probability(0.1, 59) * 4 * 0.1 * 0.9, rel=0.02
    )


def test_exact_needs_more_confirmations_than_nakamoto() -> None:
    for share, published in PUBLISHED_NEEDED.items():
        needed = confirmations_needed(share, 1e-3)
        assert needed is not None
        assert needed > published
        assert reversal_probability(share, needed) < 1e-3 <= reversal_probability(share, needed - 1)


@pytest.mark.parametrize("formula", [reversal_probability, nakamoto_probability])
def test_ends_of_the_range(formula: Callable[[float, int], float]) -> None:
    assert formula(0.0, 0) == formula(0.0, 6) == 0.0
    assert formula(1e-9, 0) == 1.0
    assert formula(0.5, 1000) == formula(0.9, 1) == formula(1.0, 3) == 1.0
    for share, confirmations in ((-0.1, 1), (1.1, 1), (0.1, -1), (math.nan, 1)):
        with pytest.raises(ValueError, match=r"must lie between|cannot be fewer"):
            formula(share, confirmations)


def test_no_number_of_confirmations_helps_against_half_of_the_hash_power() -> None:
    assert confirmations_needed(0.5, 1e-3) is None
    assert confirmations_needed(0.499999, 1e-3) is None
    assert confirmations_needed(0.0, 1e-3) == 0
    assert confirmations_needed(0.3, 1.5) == 0
    with pytest.raises(ValueError, match="risk"):
        confirmations_needed(0.3, 0.0)
