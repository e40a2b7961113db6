"""Measures of forecasts, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.report.forecast_quality import MEASURES, measures, quality_table

ACTUAL = np.array([[1.0, 4.0], [3.0, 4.0], [2.0, 4.0], [2.0, 4.0]])
FORECAST = np.array([[2.0, 4.0], [2.0, 6.0], [3.0, 4.0], [1.0, 4.0]])
REFERENCE = np.array([[np.nan, np.nan], [1.0, 4.0], [3.0, 5.0], [2.0, 4.0]])


def test_errors_are_relative_to_the_mean_power() -> None:
    found = measures(ACTUAL, FORECAST, REFERENCE)
    # errors 1, -1, 1, -1 on a mean of 2, and 0, 2, 0, 0 on a mean of 4
    assert found["nrmse"] == pytest.approx((0.5 + 0.25) / 2)
    assert found["nmae"] == pytest.approx((0.5 + 0.125) / 2)
    # of the sum: 1, 1, 1, -1 on 6
    assert found["nrmse_all"] == pytest.approx(1 / 6)
    assert found["bias"] == pytest.approx(2 / 24)


def test_skill_counts_the_intervals_that_have_the_reference() -> None:
    found = measures(ACTUAL, FORECAST, REFERENCE)
    # rms over the last three: errors 1 and sqrt(4/3); references sqrt(5/3) and sqrt(1/3)
    first, second = 1 - 1 / np.sqrt(5 / 3), 1 - np.sqrt(4 / 3) / np.sqrt(1 / 3)
    assert found["skill"] == pytest.approx((first + second) / 2)
    # of the sum: 1, 1, -1 against -2, 2, 0
    assert found["skill_all"] == pytest.approx(1 - 1 / np.sqrt(8 / 3))


def test_memory_is_the_correlation_of_successive_errors() -> None:
    found = measures(ACTUAL, FORECAST, REFERENCE)
    # 1, -1, 1, -1: three products of -1 over four squares; 0, 2, 0, 0 less 0.5: -0.75, -0.75, 0.25
    assert found["autocorrelation"] == pytest.approx((-0.75 + -1.25 / 3) / 2)


def test_generation_is_relative_to_its_rating() -> None:
    found = measures(ACTUAL, FORECAST, REFERENCE, np.array([10.0, 20.0]))
    assert found["nrmse"] == pytest.approx((0.1 + 0.05) / 2)
    assert found["nmae"] == pytest.approx((0.5 + 0.125) / 2)
    assert found["nrmse_all"] == pytest.approx(1 / 30)


def test_a_model_without_the_horizon_has_no_measure() -> None:
    assert measures(ACTUAL, np.full_like(ACTUAL, np.nan), REFERENCE) == dict.fromkeys(MEASURES)


def test_perfect_forecasts_have_full_skill_and_no_memory() -> None:
    found = measures(ACTUAL, ACTUAL, REFERENCE)
    assert (found["nrmse"], found["skill"], found["autocorrelation"]) == (0.0, 1.0, None)


def test_the_table_has_a_row_for_each_horizon_that_there_is() -> None:
    none = dict.fromkeys(MEASURES)
    some = measures(ACTUAL, FORECAST, REFERENCE)
    table = quality_table({"load": {"gate_closure": some, "day_ahead": none}}).tables[0]
    assert [row[0] for row in table.rows] == ["load, gate closure"]
    assert table.rows[0][1] == "0.38"
