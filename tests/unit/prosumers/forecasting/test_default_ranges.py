"""The default forecast errs as much as published ones do, on two weeks of SimBench's grids.

Published figures, with their sources in docs/forecasts.md: MAPE of single households 40 % on
average for networks trained on a short horizon; RMSE of PV plants, day ahead, 5.4 to 14.0 % of the
rating, with a skill of 0.13 to 0.23 over persistence.
"""

from __future__ import annotations

from datetime import datetime

import pytest

from cosim.prosumers.forecasting.model import ReportedModel, load_model
from cosim.report.forecast_quality import measures
from cosim.runs.preparation import prepare_grid, prepare_prosumers
from cosim.scenario import Scenario
from cosim.scenario.prosumers import ForecastSettings

Found = dict[str, dict[str, float | None]]


@pytest.fixture(scope="module")
def found() -> Found:
    """Day-ahead measures by class on the grid of congested_feeder; ``load now`` at gate closure."""
    scenario = Scenario(
        name="ranges",
        seed=1,
        time={"start": datetime(2016, 5, 1), "intervals": 14 * 96},
        grid={"network": "1-LV-rural3--2-sw"},
    )
    _, bidders = prepare_prosumers(scenario, prepare_grid(scenario))
    found: Found = {}
    for each in bidders.forecasts.classes:
        rated_mw = each.rated_mw if each.name == "pv" else None
        found[each.name] = measures(each.actual_mw, each.day_ahead_mw, each.day_before_mw, rated_mw)
        found[f"{each.name} now"] = measures(
            each.actual_mw, each.gate_closure_mw, each.persistence_mw, rated_mw
        )
    return found


def test_the_default_knows_reports_alone() -> None:
    settings = ForecastSettings()
    assert issubclass(load_model(settings.model.name, "prosumers.forecast.model"), ReportedModel)
    assert settings.by_class == {}


def test_single_loads_are_as_hard_to_forecast_as_households(found: Found) -> None:
    day_ahead, now = found["load"], found["load now"]
    assert 0.40 < day_ahead["nmae"] < 0.65
    assert 0.40 < now["nmae"] < day_ahead["nmae"]
    # and better than the day before, or persistence, repeated
    assert day_ahead["skill"] > 0.1
    assert now["skill"] > 0.05


def test_their_sum_is_easier_and_still_no_nowcast(found: Found) -> None:
    assert 0.15 < found["load"]["nrmse_all"] < 0.5 * found["load"]["nrmse"]


def test_pv_plants_are_within_what_is_published(found: Found) -> None:
    assert 0.054 < found["pv"]["nrmse"] < 0.140
    assert 0.05 < found["pv"]["skill"] < 0.23
    assert found["pv now"]["nrmse"] < found["pv"]["nrmse"]
