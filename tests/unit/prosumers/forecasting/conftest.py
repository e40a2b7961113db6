"""Ten days of one class of devices, hour by hour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pytest

from cosim.devices.profiled import Series
from cosim.prosumers.forecasting.reports import Reports, Rows

START = datetime(2016, 5, 23)  # a Monday
STEP_S = 3600
BEFORE, INTERVALS = 8 * 24, 48


@pytest.fixture
def make_reports() -> Callable[..., Reports]:
    """Reports of powers of all rows; those of the run begin on Monday, 23 May 2016."""

    def make(p_mw: np.ndarray, generates: bool = False, before: int = BEFORE) -> Reports:
        run = Series(p_mw[before:], 0.5 * p_mw[before:], np.full(p_mw.shape[1], 10.0))
        rows = Rows(START, STEP_S, before, len(p_mw) - before)
        names = tuple(f"point {i}" for i in range(p_mw.shape[1]))
        return Reports("pv" if generates else "load", names, rows, p_mw, 0.5 * p_mw, run, generates)

    return make


@pytest.fixture
def powers() -> np.ndarray:
    """Powers of two prosumers over all rows, (240, 2). [MW]"""
    return np.random.default_rng(3).gamma(2.0, 1.0, (BEFORE + INTERVALS, 2))
