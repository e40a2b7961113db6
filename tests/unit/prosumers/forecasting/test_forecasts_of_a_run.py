"""Forecasts of a population: models by class, horizons, references, the user's own file."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cosim.errors import ProfileError, ScenarioError
from cosim.prosumers.elements import Element
from cosim.prosumers.forecasting.reports import Known
from cosim.prosumers.forecasts import forecast_rows, make_forecasts, make_models
from cosim.prosumers.population import build_population
from cosim.scenario.prosumers import ForecastSettings, ProsumerSettings

NAMES = ("a", "b")
START = datetime(2016, 5, 24)
SEED = np.random.SeedSequence(4)
ELEMENTS = (
    Element("a", "load", "h0", 0.004, 0.001),
    Element("b", "load", "h0", 0.002, 0.0),
    Element("b", "pv", "sun", 0.010, 0.0),
)
SHAPE = 0.1 + np.random.default_rng(1).random(5 * 24)
SUN = np.tile(np.maximum(np.sin((np.arange(24) - 6) * np.pi / 12), 0.0), 5)


def build(rows: slice, shape: np.ndarray = SHAPE):
    profiles = {"h0_p": shape[rows], "h0_q": shape[rows], "sun_p": SUN[rows]}
    return build_population(
        ELEMENTS, NAMES, ProsumerSettings(), profiles, 3600, np.random.SeedSequence(0)
    )


def forecasts(settings: ForecastSettings, shape: np.ndarray = SHAPE):
    known = Known(START, 600, 240, build(slice(0, 72), shape))
    return make_forecasts(build(slice(72, 120), shape), settings, SEED, known)


def settings(name: str, **fields: object) -> ForecastSettings:
    return ForecastSettings(model={"name": name}, **fields)


def test_orders_come_from_the_chosen_horizon() -> None:
    load_mw = 0.006 * SHAPE
    own = forecasts(settings("yesterday"))
    np.testing.assert_allclose(own.consumed_mw.sum(axis=1)[:20], load_mw[48:68])
    day_ahead = forecasts(settings("yesterday", horizon="day_ahead"))
    # the forecast made at noon knows hours up to the one from 10:00 on
    np.testing.assert_allclose(day_ahead.consumed_mw.sum(axis=1)[11], load_mw[72 + 11 - 48])
    np.testing.assert_allclose(own.community_demand_mw, day_ahead.consumed_mw.sum(axis=1))


def test_what_is_not_reported_changes_no_order_not_even_its_reactive_power() -> None:
    changed = SHAPE.copy()
    changed[72 + 10 :] *= 7.0
    for horizon in ("gate_closure", "day_ahead"):
        first, again = (
            forecasts(settings("yesterday", horizon=horizon), s) for s in (SHAPE, changed)
        )
        for name in ("consumed_mw", "generated_mw", "q_inject_mvar", "community_demand_mw"):
            left, right = getattr(first, name), getattr(again, name)
            np.testing.assert_array_equal(left[:12], right[:12])
        assert (first.consumed_mw[12:] != again.consumed_mw[12:]).any()


def test_reactive_power_has_the_power_factor_of_what_was_reported() -> None:
    own = forecasts(settings("persistence"))
    np.testing.assert_allclose(own.q_inject_mvar[:, 0], -0.25 * own.consumed_mw[:, 0])


def test_a_class_may_have_a_model_of_its_own() -> None:
    own = forecasts(settings("persistence", by_class={"pv": {"name": "perfect"}}))
    np.testing.assert_allclose(own.generated_mw[:, 1], 0.010 * SUN[72:])
    models = {each.name: (each.model, each.sees_future) for each in own.classes}
    assert models == {
        "pv": ("perfect", True),
        "load": ("persistence", False),
        "deferrable": ("persistence", False),
    }


def test_a_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ScenarioError, match="'wind' is no class") as caught:
        forecasts(settings("persistence", by_class={"wind": {"name": "perfect"}}))
    assert caught.value.field == "prosumers.forecast.by_class.wind"


def test_a_nowcast_is_no_day_ahead_forecast() -> None:
    with pytest.raises(ScenarioError, match="'nowcast' has none"):
        forecasts(settings("nowcast", horizon="day_ahead"))
    own = forecasts(settings("nowcast"))
    assert np.isnan(own.classes[0].day_ahead_mw).all()
    np.testing.assert_allclose(own.community_supply_mw, 0.010 * SUN[72:])


def test_references_are_reports_and_missing_before_the_first() -> None:
    load = {each.name: each for each in forecasts(settings("perfect")).classes}["load"]
    np.testing.assert_allclose(load.persistence_mw[0], [0.004 * SHAPE[70], 0.002 * SHAPE[70]])
    np.testing.assert_allclose(load.day_before_mw[5, 0], 0.004 * SHAPE[72 + 5 - 24])
    alone = make_forecasts(build(slice(72, 120)), settings("perfect"), SEED)
    load = {each.name: each for each in alone.classes}["load"]
    assert np.isnan(load.persistence_mw[0]).all()
    assert np.isfinite(load.persistence_mw[1:]).all()


def test_rows_are_by_interval_class_and_prosumer() -> None:
    own = forecasts(settings("perfect"))
    frame = pd.concat([pd.DataFrame(rows) for rows in forecast_rows(own, NAMES, 3)])
    assert frame["interval"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    labels = list(zip(frame["device_class"], frame["prosumer"], strict=True))
    assert labels[:3] == [("pv", "b"), ("load", "a"), ("load", "b")]
    np.testing.assert_allclose(frame["actual_mw"].iloc[4], 0.004 * SHAPE[73])
    assert frame["rated_mw"].iloc[0] == 0.010
    assert "published_mw" not in frame


def file_of(tmp_path: Path, **columns: object) -> ForecastSettings:
    times = pd.date_range(START - timedelta(hours=1), periods=50, freq="1h")
    pd.DataFrame({"time": times, **columns}).to_parquet(tmp_path / "own.parquet")
    options = {"path": "own.parquet"}
    return settings("perfect", by_class={"load": {"name": "file", "options": options}})


def from_file(tmp_path: Path, chosen: ForecastSettings):
    population = build(slice(72, 120))
    models = make_models(chosen, population, SEED, tmp_path)
    return make_forecasts(population, chosen, SEED, Known(START, 600, 240), models)


def test_the_users_own_forecasts_are_read_by_class_and_connection_point(tmp_path: Path) -> None:
    chosen = file_of(tmp_path, **{"load/a": np.arange(50.0), "load/b": np.full(50, 2.0)})
    own = from_file(tmp_path, chosen)
    np.testing.assert_array_equal(own.consumed_mw[:, 0], np.arange(1.0, 49.0))
    np.testing.assert_array_equal(own.consumed_mw[:, 1], 2.0)


def test_a_file_that_lacks_somebody_or_is_negative_or_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        from_file(tmp_path, file_of(tmp_path, **{"load/a": np.ones(50)}))
    assert caught.value.field == "load/b"
    values = np.ones(50)
    values[4] = -1.0
    with pytest.raises(ProfileError, match="negative in interval 3"):
        from_file(tmp_path, file_of(tmp_path, **{"load/a": np.ones(50), "load/b": values}))
    (tmp_path / "own.parquet").unlink()
    chosen = settings(
        "perfect", by_class={"load": {"name": "file", "options": {"path": "own.parquet"}}}
    )
    with pytest.raises(ScenarioError, match="does not exist") as missing:
        from_file(tmp_path, chosen)
    assert missing.value.field == "prosumers.forecast.by_class.load.options.path"
