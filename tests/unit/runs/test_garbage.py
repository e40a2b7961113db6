"""What the garbage collector passes over while a run is played, and afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from cosim.runs.playing import _seldom_collected


@pytest.fixture
def unfrozen() -> Iterator[None]:
    """A process that froze nothing; the tests' own did."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_a_run_freezes_what_its_set_up_built_and_gives_it_back(unfrozen: None) -> None:
    thresholds, seen = gc.get_threshold(), []

    def fail() -> None:
        with _seldom_collected():
            seen.append((gc.get_freeze_count() > 10_000, gc.get_threshold() != thresholds))
            raise ValueError("in the run")

    with pytest.raises(ValueError, match="in the run"):
        fail()
    assert seen == [(True, True)]
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == thresholds


def test_what_the_process_froze_stays_frozen() -> None:
    before, thresholds = gc.get_freeze_count(), gc.get_threshold()
    assert before > 10_000
    with _seldom_collected():
        assert gc.get_freeze_count() == before
        assert gc.get_threshold() != thresholds
    assert gc.get_freeze_count() == before
    assert gc.get_threshold() == thresholds
