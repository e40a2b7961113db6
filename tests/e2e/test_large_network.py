"""A run on several low-voltage areas along a cable, large enough for sparse factors."""

from __future__ import annotations

import json

import pytest

from benchmarks.areas import write_areas
from cosim.grid.catalogue import open_grid
from cosim.grid.response import LARGEST_DENSE
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario

AREAS = 12


@pytest.fixture(scope="module")
def result(short_scenario, tmp_path_factory):
    folder = tmp_path_factory.mktemp("areas")
    grid = write_areas(open_grid("1-LV-rural1--1-sw"), AREAS, folder / "grid")
    scenario = short_scenario(1, "2016-05-24T12:00:00", grid={"network": str(grid)})
    return run_scenario(scenario, folder / "scenario.yaml", folder / "out").folder


def test_every_area_is_relieved_and_delivered_within_its_limit(result):
    tables = Results(result)
    assert len(tables.table("prosumers")) == AREAS * 13 > LARGEST_DENSE
    checks = tables.table("grid_checks")
    trafos = checks[checks.element == "trafo"]
    before = trafos[(trafos.stage == "scheduled") & (trafos["round"] == 0)]
    assert before.violated.sum() == AREAS
    after = checks[checks.stage == "delivered"]
    assert not after.violated.any()
    schedules = tables.table("schedules")
    assert (schedules.curtailed_wh == 0).all()
    area = schedules.prosumer.str.split(" ").str[0]
    activated = schedules.groupby(area).activated_wh.sum()
    assert len(activated) == AREAS
    assert (activated < 0).all()


def test_the_reference_solves_the_same(result):
    manifest = json.loads((result / "manifest.json").read_text(encoding="utf-8"))
    flow = manifest["power_flow"]
    assert flow["reference_intervals"]
    assert flow["largest_difference_vm_pu"] < 1e-9
