"""The grids that come with cosim, opened once per worker."""

from __future__ import annotations

import pytest

from cosim.grid.catalogue import open_grid

RURAL1, RURAL3 = "1-LV-rural1--1-sw", "1-LV-rural3--2-sw"


@pytest.fixture(scope="session")
def rural1():
    return open_grid(RURAL1)


@pytest.fixture(scope="session")
def rural3():
    return open_grid(RURAL3)
