"""Awards with a charge for taking an offer: against the best of all subsets of offers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.dso.fixed_costs import cost_of, with_fixed_costs
from cosim.units import FloatArray


@dataclass(frozen=True)
class Merit:
    """The cheapest blocks first, until a need is covered."""

    awarded_mw: FloatArray
    curtailed_mw: FloatArray
    margins_kept: bool


def merit_order(need_mw: float, energy_mw: FloatArray, price: FloatArray) -> Merit:
    awarded, left = np.zeros_like(energy_mw), need_mw
    for block in np.argsort(price, kind="stable"):
        awarded[block] = min(energy_mw[block], left)
        left -= awarded[block]
    return Merit(awarded, np.array([left]), left < 1e-9)


def awards(
    need_mw: float, energy: list[float], price: list[float], offer: list[int], fixed: list[float]
) -> tuple[list[float], float]:
    arrays = (np.array(energy), np.array(price), np.array(offer), np.array(fixed))
    found = with_fixed_costs(lambda mw, own: merit_order(need_mw, mw, own), *arrays)
    return found.awarded_mw.tolist(), cost_of(found, arrays[1], arrays[2], arrays[3])


def test_an_offer_whose_charge_is_spread_over_little_is_left_out() -> None:
    # by price alone the first goes first; its charge makes it dearer than all of the second
    awarded, cost = awards(5.0, [10.0, 10.0], [1.0, 1.5], [0, 1], [20.0, 0.0])
    assert (awarded, cost) == ([0.0, 5.0], 7.5)
    # over 10 MW instead of 5 it is spread further, and it is needed
    awarded, cost = awards(15.0, [10.0, 10.0], [1.0, 1.5], [0, 1], [20.0, 0.0])
    assert (awarded, cost) == ([5.0, 10.0], 40.0)


def test_one_charge_for_all_blocks_of_an_offer() -> None:
    awarded, cost = awards(6.0, [4.0, 4.0, 6.0], [1.0, 2.0, 3.0], [0, 0, 1], [5.0, 5.0, 0.0])
    assert (awarded, cost) == ([4.0, 2.0, 0.0], 4.0 + 4.0 + 5.0)


def test_the_same_as_without_charges() -> None:
    awarded, cost = awards(5.0, [3.0, 3.0], [2.0, 1.0], [0, 1], [0.0, 0.0])
    assert (awarded, cost) == ([2.0, 3.0], 7.0)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    offers=st.lists(
        st.tuples(st.integers(1, 10), st.integers(0, 9), st.integers(0, 30)),
        min_size=1,
        max_size=5,
    ),
    share=st.floats(0.1, 1.0),
)
def test_no_more_than_a_quarter_above_the_best_subset(
    offers: list[tuple[int, int, int]], share: float
) -> None:
    energy, price, fixed = (np.array(column, dtype=float) for column in zip(*offers, strict=True))
    offer, need = np.arange(len(offers)), share * energy.sum()
    found = with_fixed_costs(
        lambda mw, own: merit_order(need, mw, own), energy, price, offer, fixed
    )
    assert found.margins_kept
    best = min(
        cost_of(
            merit_order(need, np.where(np.isin(offer, some), energy, 0.0), price),
            price,
            offer,
            fixed,
        )
        for size in range(1, len(offers) + 1)
        for some in combinations(range(len(offers)), size)
        if energy[list(some)].sum() >= need - 1e-9
    )
    assert cost_of(found, price, offer, fixed) <= 1.25 * best + 1e-9


def test_costs_are_compared_where_limits_are_kept() -> None:
    # without the dear offer the need is not covered: it stays
    awarded, cost = awards(12.0, [10.0, 10.0], [1.0, 1.0], [0, 1], [0.0, 100.0])
    assert sum(awarded) == pytest.approx(12.0)
    assert cost == pytest.approx(112.0)
