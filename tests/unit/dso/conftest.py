"""The grids that come with cosim, opened once per worker, and a noon on one of them."""

from __future__ import annotations

import pytest
from market_side import STEP_S
from published_injections import published_injections

from cosim.grid.catalogue import open_grid
from cosim.grid.fixed_point import FixedPointEngine
from cosim.units import energy_wh_from_mw

RURAL1, RURAL3 = "1-LV-rural1--1-sw", "1-LV-rural3--2-sw"


@pytest.fixture(scope="session")
def rural1():
    return open_grid(RURAL1)


@pytest.fixture(scope="session")
def rural3():
    return open_grid(RURAL3)


@pytest.fixture(scope="module")
def village(rural1):
    """Engine of the feeder whose transformer PV overloads, and a noon at which it does. [Wh]"""
    year = published_injections(rural1)
    k = year.step("2016-05-24T12:00")
    return (
        FixedPointEngine(rural1.net),
        energy_wh_from_mw(year.p_inject_mw[k], STEP_S),
        year.q_inject_mvar[k],
    )
