"""The grids that come with cosim, opened once per worker."""

from __future__ import annotations

import shutil

import pytest

from cosim.grid.catalogue import open_grid

RURAL1, RURAL3 = "1-LV-rural1--1-sw", "1-LV-rural3--2-sw"


@pytest.fixture(scope="session")
def rural1():
    return open_grid(RURAL1)


@pytest.fixture(scope="session")
def rural3():
    return open_grid(RURAL3)


@pytest.fixture
def grid_folder(rural1, tmp_path):
    """A copy of a grid folder that a test may spoil."""
    return shutil.copytree(rural1.folder, tmp_path / "spoilt")
