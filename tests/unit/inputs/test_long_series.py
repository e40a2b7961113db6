"""Long time series lie in a file, and nobody can tell."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from cosim.inputs.long_series import LEAST_BYTES, kept_outside, let_go


def test_a_long_series_has_its_values_and_is_read_only() -> None:
    values = np.random.default_rng(1).normal(size=(LEAST_BYTES // 32, 5))[:, ::-1]
    kept = kept_outside(values)
    let_go()
    np.testing.assert_array_equal(kept, values)
    assert kept.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1.0


def test_it_is_kept_once_and_a_short_one_stays_in_memory() -> None:
    long = kept_outside(np.zeros(LEAST_BYTES // 8))
    assert kept_outside(long) is long
    base = long
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, mmap.mmap | memoryview)
    short = np.zeros(10)
    assert kept_outside(short) is short
