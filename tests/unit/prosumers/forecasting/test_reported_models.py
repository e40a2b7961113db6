"""Models that use reports: what each expects, and that no later value changes it."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.errors import ScenarioError
from cosim.plugins import FORECASTS
from cosim.prosumers.forecasting.model import ForecastSetup, ReportedModel, load_model, make_model
from cosim.prosumers.forecasting.reports import Horizon
from cosim.scenario.prosumers import ForecastModelSettings

SETUP = ForecastSetup("prosumers.forecast.model", np.random.SeedSequence(0))
GATE = Horizon("gate_closure", 600, 240, 12.0)
DAY_AHEAD = Horizon("day_ahead", 600, 240, 12.0)
PLACE = {"latitude_degree": 53.6, "longitude_degree": 11.4, "utc_offset_h": 1.0}
OPTIONS = {"clear_sky": PLACE}


def make(name: str, **options: object) -> ReportedModel:
    options = options or OPTIONS.get(name, {})
    model = make_model(ForecastModelSettings(name=name, options=options), SETUP)
    assert isinstance(model, ReportedModel)
    return model


REPORTED = [n for n, m in FORECASTS.every().items() if issubclass(m, ReportedModel)]


@pytest.mark.parametrize("horizon", [GATE, DAY_AHEAD], ids=lambda h: h.name)
@pytest.mark.parametrize("name", REPORTED)
def test_changing_what_is_not_reported_yet_changes_no_forecast(
    name, horizon, make_reports, powers
) -> None:
    reports = make_reports(powers, generates=True)
    expected = make(name).expect(reports, horizon)
    last = horizon.last_known(reports.rows)
    assert expected.shape == (48, 2)
    for k in (0, 1, 7, 23, 24, 30, 47):
        changed = powers.copy()
        changed[last[k] + 1 :] = 100.0 + changed[last[k] + 1 :] ** 2
        again = make(name).expect(make_reports(changed, generates=True), horizon)
        np.testing.assert_array_equal(again[k], expected[k])
    earlier = powers.copy()
    earlier[: last[-1] + 1] += 0.5
    shifted = make(name).expect(make_reports(earlier, generates=True), horizon)
    assert (shifted[-1] != expected[-1]).any() or name == "clear_sky"


def test_reports_are_in_after_their_interval_and_the_meters_delay(make_reports, powers) -> None:
    rows = make_reports(powers).rows
    # the window of 01:00 opens at 00:50, when the hour from 23:00 on has been reported
    assert GATE.last_known(rows)[:2].tolist() == [190, 191]
    assert Horizon("gate_closure", 0, 0, 12.0).last_known(rows)[0] == 191
    # at noon on Sunday, the hour from 10:00 on; that from 11:00 on is reported at 12:04
    assert set(DAY_AHEAD.last_known(rows)[:24]) == {7 * 24 + 10}
    assert DAY_AHEAD.last_known(rows)[24] == 8 * 24 + 10


def test_persistence_repeats_the_last_report(make_reports, powers) -> None:
    expected = make("persistence").expect(make_reports(powers), GATE)
    np.testing.assert_array_equal(expected[5], powers[192 + 5 - 2])
    expected = make("persistence").expect(make_reports(powers), DAY_AHEAD)
    np.testing.assert_array_equal(expected[20], powers[7 * 24 + 10])


def test_yesterday_is_the_last_day_that_is_reported(make_reports, powers) -> None:
    expected = make("yesterday").expect(make_reports(powers), DAY_AHEAD)
    np.testing.assert_array_equal(expected[10], powers[192 + 10 - 24])
    np.testing.assert_array_equal(expected[11], powers[192 + 11 - 48])


def test_last_week_is_the_same_weekday(make_reports, powers) -> None:
    for horizon in (GATE, DAY_AHEAD):
        expected = make("last_week").expect(make_reports(powers), horizon)
        np.testing.assert_array_equal(expected[30], powers[192 + 30 - 168])


def test_without_a_week_of_reports_it_is_yesterday_and_before_that_the_last_value(
    make_reports, powers
) -> None:
    reports = make_reports(powers[100:], before=30)
    np.testing.assert_array_equal(
        make("last_week").expect(reports, GATE), make("yesterday").expect(reports, GATE)
    )
    reports = make_reports(powers[180:], before=10)
    np.testing.assert_array_equal(make("yesterday").expect(reports, GATE)[0], reports.p_mw[10 - 2])


@pytest.mark.parametrize("name", REPORTED)
def test_from_no_report_nothing_is_expected(name, make_reports, powers) -> None:
    expected = make(name).expect(make_reports(powers, generates=True, before=0), GATE)
    assert not expected[:2].any()
    assert expected[2:].shape == (238, 2)


def test_a_trained_model_finds_day_types_and_the_residuals_memory(make_reports) -> None:
    # 9 days from Sunday 15 May on; working days 2 MW at noon, Sundays 5 MW, else 1 MW
    rows = np.arange(240)
    hour, day = rows % 24, rows // 24
    p_mw = np.where(hour == 12, np.where(day % 7 == 0, 5.0, 2.0), 1.0)[:, np.newaxis]
    expected = make("trained").expect(make_reports(p_mw), DAY_AHEAD)
    np.testing.assert_allclose(expected[:24, 0], np.where(np.arange(24) == 12, 2.0, 1.0))
    # a constant memory: residuals halve from hour to hour, but for what comes new
    rng, left = np.random.default_rng(0), np.zeros(240)
    for k in range(1, 240):
        left[k] = 0.5 * left[k - 1] + rng.standard_normal()
    p_mw = (50.0 + left)[:, np.newaxis]
    one = make("trained", days=7).expect(make_reports(p_mw, generates=True), GATE)
    learnt = p_mw[24:192, 0].reshape(7, 24)
    residuals = (learnt - learnt.mean(axis=0)).ravel()
    memory = (residuals[1:] @ residuals[:-1]) / (residuals @ residuals)
    mean = learnt.mean(axis=0)
    # interval 1 is made at 00:50: the last report is of 23:00
    assert one[1, 0] == pytest.approx(mean[1] + memory**2 * (p_mw[191, 0] - mean[23]))


def test_a_clear_sky_index_persists(make_reports) -> None:
    clear = make("clear_sky")
    flat = make_reports(np.ones((240, 1)), generates=True)
    clear.expect(flat, GATE)
    sky = clear._clear[:, np.newaxis]
    p_mw = 0.001 * sky * np.where(np.arange(240) < 192 + 10, 1.0, 0.4)[:, np.newaxis]
    expected = make("clear_sky").expect(make_reports(p_mw, generates=True), GATE)
    # clouds came at 10:00 and are reported when 12:00 is forecast
    np.testing.assert_allclose(expected[11], 0.001 * sky[192 + 11])
    np.testing.assert_allclose(expected[13], 0.0004 * sky[192 + 13])
    assert not expected[0].any()


@pytest.mark.parametrize(
    ("name", "options", "field"),
    [
        ("trained", {"days": 0}, "days"),
        ("trained", {"days": 2.5}, "days"),
        ("clear_sky", PLACE | {"latitude_degree": 91}, "latitude_degree"),
        ("clear_sky", PLACE | {"utc_offset_h": "CET"}, "utc_offset_h"),
        ("nowcast", {"noise": -0.1}, "noise"),
        ("nowcast", {"persistence": float("nan")}, "persistence"),
        ("nowcast", {"autocorrelation": True}, "autocorrelation"),
        ("file", {"path": 3}, "path"),
    ],
)
def test_an_option_out_of_range_is_refused(name, options, field) -> None:
    with pytest.raises(ScenarioError) as caught:
        make_model(ForecastModelSettings(name=name, options=options), SETUP)
    assert caught.value.field == f"prosumers.forecast.model.options.{field}"


def test_options_and_names_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ScenarioError, match="unknown forecast model 'oracle'"):
        load_model("oracle", "prosumers.forecast.model")
    with pytest.raises(ScenarioError, match="options of 'persistence' do not fit"):
        make_model(ForecastModelSettings(name="persistence", options={"noise": 1}), SETUP)
    with pytest.raises(ScenarioError, match="is true, not a number") as caught:
        make_model(ForecastModelSettings(name="nowcast", options={"noise": True}), SETUP)
    assert caught.value.field == f"{SETUP.field}.options.noise"
    with pytest.raises(ScenarioError, match="options of 'clear_sky' do not fit"):
        make_model(ForecastModelSettings(name="clear_sky"), SETUP)


def test_a_clear_sky_says_nothing_of_loads(make_reports, powers) -> None:
    with pytest.raises(ScenarioError, match="'load' consumes"):
        make("clear_sky").expect(make_reports(powers), GATE)
