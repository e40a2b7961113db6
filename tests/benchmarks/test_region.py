"""Scenario ``region``, and what of a run counts as an interval's time; no test plays it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.region import WEEK, per_interval_s
from benchmarks.run_growth import _with_network
from cosim.scenario import load_scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def test_the_region_is_a_week_with_a_market_for_each_area() -> None:
    scenario = load_scenario(SCENARIOS / "region.yaml")
    assert (scenario.market.areas, scenario.time.intervals) == ("each", WEEK)
    assert scenario.metering.submission == "batched"


def test_what_every_run_has_once_is_no_interval() -> None:
    spent = {"set-up": 50.0, "ledger": 3.0, "indicators": 2.0, "power flow": 1.0}
    assert per_interval_s(spent, 4) == 1.0


def test_copies_of_a_grid_are_shared_out_to_markets(tmp_path: Path) -> None:
    plain = SCENARIOS / "quickstart.yaml"
    file = _with_network(plain, "1-LV-rural1--1-sw", 4, 2, tmp_path)
    areas = load_scenario(file).market.areas
    assert isinstance(areas, dict)
    assert {key: {name[:2] for name in own} for key, own in areas.items()} == {
        "M1": {"A1", "A2"},
        "M2": {"A3", "A4"},
    }
    assert {len(own) for own in areas.values()} == {26}
