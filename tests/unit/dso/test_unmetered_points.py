"""What a DSO takes unmetered connection points for, and which points are drawn as such."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.dso.metering import as_seen_mvar, as_seen_wh
from cosim.grid.unmetered import Metering, drawn_metering

NAMES = [f"home {i}" for i in range(9)]
BATTERY = "battery"


def drawn(names: list[str], share: float, seed: int = 3) -> Metering:
    metering = drawn_metering(names, share, seed, (BATTERY,))
    assert metering is not None
    return metering


@pytest.mark.parametrize("share", [0.25, 0.5, 0.99])
def test_a_shared_battery_is_metered_and_changes_no_draw(share: float) -> None:
    """For any seed, wherever its point stands; the share is of the other points."""
    for seed in range(20):
        without, at_the_end = drawn(NAMES, share, seed), drawn([*NAMES, BATTERY], share, seed)
        first = drawn([BATTERY, *NAMES], share, seed)
        assert without.unmetered.sum() == min(round(share * 9), 8)
        assert at_the_end.unmetered.tolist() == [*without.unmetered.tolist(), False]
        assert first.unmetered.tolist() == [False, *without.unmetered.tolist()]
        assert at_the_end.typical.tolist() == [*(~without.unmetered).tolist(), False]


def test_a_larger_share_keeps_those_of_a_smaller_one() -> None:
    few, many = drawn([*NAMES, BATTERY], 0.3), drawn([*NAMES, BATTERY], 0.6)
    assert (few.unmetered <= many.unmetered).all()
    assert few.unmetered.sum() < many.unmetered.sum()


@pytest.mark.parametrize(("names", "share"), [(NAMES, 0.0), (NAMES, 0.05), ([BATTERY], 0.9)])
def test_where_none_is_drawn_the_dso_sees_all(names: list[str], share: float) -> None:
    assert drawn_metering(names, share, 3, (BATTERY,)) is None


def test_the_mean_is_that_of_metered_homes() -> None:
    """Of 100 and 300 Wh it is 200, whatever the battery does; its own schedule is seen."""
    metering = Metering(np.array([False, True, False, False]), np.array([True, False, True, False]))
    wh = np.array([100, -900, 300, -12_000])
    assert as_seen_wh(wh, metering).tolist() == [100, 200, 300, -12_000]
    assert as_seen_wh(wh, None).tolist() == wh.tolist()
    mvar = np.array([0.01, 0.5, 0.03, 0.7])
    assert as_seen_mvar(mvar, metering) == pytest.approx([0.01, 0.02, 0.03, 0.7])
    assert as_seen_mvar(mvar, None) is mvar
