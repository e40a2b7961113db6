"""Prices of a scenario as series: windows, files, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from cosim.errors import ProfileError, ScenarioError
from cosim.inputs.prices import PriceFile, PriceValues, PriceWindow, TimesOfUse, price_series

FRIDAY = datetime(2016, 5, 27)
EVENING = {"begins": "17:00", "ends": "21:00", "days": "workdays", "eur_per_kwh": 0.30}
NIGHT = {"begins": "23:00", "ends": "05:00", "eur_per_kwh": 0.06}
TIMES = TimesOfUse(windows=(EVENING, NIGHT), otherwise_eur_per_kwh=0.15)


def test_times_of_use_by_hour_and_day() -> None:
    """Friday and Saturday, hour by hour."""
    prices = price_series(TIMES, FRIDAY, 48, 3600, None, "market.feed_in")
    friday, saturday = prices[:24], prices[24:]
    assert friday[[0, 4, 5, 16, 17, 20, 21, 22, 23]].tolist() == [
        0.06, 0.06, 0.15, 0.15, 0.30, 0.30, 0.15, 0.15, 0.06,
    ]  # fmt: skip
    assert saturday[[4, 17, 20, 23]].tolist() == [0.06, 0.15, 0.15, 0.06]
    assert (friday == 0.30).sum() == 4
    assert (saturday == 0.30).sum() == 0


def test_a_window_within_an_interval_counts_as_long_as_it_holds() -> None:
    short = PriceWindow(begins="10:07", ends="10:22", eur_per_kwh=1.0)
    times = TimesOfUse(windows=(short,), otherwise_eur_per_kwh=0.1)
    found = price_series(times, FRIDAY.replace(hour=10), 3, 900, None, "market.feed_in")
    assert found == pytest.approx([(7 * 0.1 + 8) / 15, (7 + 8 * 0.1) / 15, 0.1])
    assert found[2] == 0.1


def test_the_first_window_counts() -> None:
    whole = {"eur_per_kwh": 0.2}
    first = TimesOfUse(windows=(NIGHT, whole), otherwise_eur_per_kwh=9)
    assert price_series(first, FRIDAY, 24, 3600, None, "market.feed_in")[[4, 5]].tolist() == [
        0.06,
        0.2,
    ]
    second = TimesOfUse(windows=(whole, NIGHT), otherwise_eur_per_kwh=9)
    assert set(price_series(second, FRIDAY, 24, 3600, None, "market.feed_in")) == {0.2}


@pytest.mark.parametrize("clock", ["6:00", "24:30", "12.00", "", "25:00"])
def test_what_is_no_clock_time(clock: str) -> None:
    with pytest.raises(ValueError, match="no clock time"):
        TimesOfUse(windows=({"begins": clock, "eur_per_kwh": 1},), otherwise_eur_per_kwh=1)


def spot(tmp_path: Path, rows: list[str]) -> PriceFile:
    (tmp_path / "spot.csv").write_text("time,price\n" + "\n".join(rows) + "\n")
    return PriceFile(file="spot.csv", column="price", unit="EUR/MWh", added_eur_per_kwh=0.02)


HOURS = [f"2016-05-27 {hour:02d}:00,{10 * hour - 20}" for hour in range(6)]


def test_hourly_prices_hold_over_quarters(tmp_path: Path) -> None:
    """-20, -10, 0 ... EUR/MWh and 0.02 EUR/kWh on top."""
    price = spot(tmp_path, HOURS)
    start = datetime(2016, 5, 27, 1, 30)
    found = price_series(price, start, 7, 900, tmp_path, "market.feed_in")
    np.testing.assert_allclose(found, [0.01, 0.01, 0.02, 0.02, 0.02, 0.02, 0.03])


def test_over_longer_intervals_the_mean_counts(tmp_path: Path) -> None:
    found = price_series(spot(tmp_path, HOURS), FRIDAY, 3, 7200, tmp_path, "market.feed_in")
    np.testing.assert_allclose(found, [0.005, 0.025, 0.045])


@pytest.mark.parametrize(
    ("start", "intervals", "column", "text"),
    [
        (datetime(2016, 5, 26, 23, 45), 4, "price", "does not hold the run"),
        (datetime(2016, 5, 27, 5, 0), 5, "price", "does not hold the run"),
        (datetime(2016, 5, 27, tzinfo=UTC), 4, "price", "says a zone"),
        (FRIDAY, 4, "spot", "has no column 'spot'; it has time, price"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, start: datetime, intervals: int, column: str, text: str
) -> None:
    price = spot(tmp_path, HOURS).model_copy(update={"column": column})
    with pytest.raises(ProfileError, match=text) as caught:
        price_series(price, start, intervals, 900, tmp_path, "market.feed_in")
    assert caught.value.remedy
    assert Path(caught.value.file or "") == tmp_path / "spot.csv"


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    price = PriceFile(file="nowhere.csv", column="price", unit="ct/kWh")
    with pytest.raises(ProfileError, match="does not exist"):
        price_series(price, FRIDAY, 1, 900, tmp_path, "market.feed_in")


def test_a_column_that_nobody_asks_for_may_hold_anything(tmp_path: Path) -> None:
    """What is missing is named before what is wrong in a column that is not wanted."""
    rows = [f"{row},note {k}" for k, row in enumerate(HOURS)]
    (tmp_path / "spot.csv").write_text("time,price,remark\n" + "\n".join(rows) + "\n")
    price = PriceFile(file="spot.csv", column="price", unit="EUR/MWh")
    assert price_series(price, FRIDAY, 2, 3600, tmp_path, "market.feed_in").tolist() == [
        -0.02,
        -0.01,
    ]
    absent = price.model_copy(update={"column": "spot"})
    with pytest.raises(ProfileError, match="has no column 'spot'; it has time, price, remark"):
        price_series(absent, FRIDAY, 2, 3600, tmp_path, "market.feed_in")
    remark = price.model_copy(update={"column": "remark"})
    with pytest.raises(ProfileError, match="line 2 holds 'note 0', not a number"):
        price_series(remark, FRIDAY, 2, 3600, tmp_path, "market.feed_in")


def test_values_are_as_many_as_intervals() -> None:
    with pytest.raises(
        ScenarioError, match="has prices of 1 intervals, and the run has 2"
    ) as caught:
        price_series(PriceValues(eur_per_kwh=(0.1,)), FRIDAY, 2, 900, None, "market.retail.taxes")
    assert caught.value.field == "market.retail.taxes"
