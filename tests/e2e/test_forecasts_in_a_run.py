"""A run with loads of their own and trained forecasts: its table, indicators, report and check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.verification import verify

FILE = Path(__file__).parents[2] / "scenarios" / "quickstart.yaml"


@pytest.fixture(scope="module")
def folder(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    forecast = {"model": {"name": "trained", "options": {"days": 7}}, "horizon": "day_ahead"}
    scenario = short_scenario(3, prosumers={"variation": {}, "forecast": forecast})
    return run_scenario(scenario, FILE, tmp_path_factory.mktemp("varied") / "run").folder


def test_the_table_holds_both_horizons_and_the_published_loads(folder: Path) -> None:
    table = pd.read_parquet(folder / "tables" / "forecasts.parquet")
    assert table.groupby("interval").size().nunique() == 1
    assert table.notna().all().all()
    loads = table[table.device_class == "load"]
    assert (loads.actual_mw != loads.published_mw).all()
    sums = loads.groupby("prosumer")[["actual_mw", "published_mw"]].sum()
    pd.testing.assert_series_equal(sums.actual_mw, sums.published_mw, check_names=False)
    pv = table[table.device_class == "pv"]
    assert (pv.actual_mw == pv.published_mw).all()


def test_report_and_indicators_say_how_good_they_were(folder: Path) -> None:
    done = verify(folder, every=3, parts=("files", "grid", "indicators"))
    assert done.failed == []
    assert next(check for check in done.checks if check.name == "forecasts").compared > 0
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "load: trained" in report
    assert "orders at day ahead" in report
    assert "sees the future" not in report
