from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cosim.errors import ProfileError
from cosim.prosumers.profiles import load_window

START = datetime(2016, 5, 24)


def write(folder: Path, change=None, periods: int = 96) -> Path:
    """A day of quarter hours with the values 0, 1, 2, ...; ``change`` edits the table."""
    table = pd.DataFrame(
        {
            "time": pd.date_range(START, periods=periods, freq="15min"),
            "H0-A_p": np.arange(periods, dtype=float),
        }
    )
    if change is not None:
        table = change(table)
    file = folder / "profiles.parquet"
    table.to_parquet(file)
    return file


def refused(file: Path, columns=("H0-A_p",), start=START, intervals=4, step_s=900) -> ProfileError:
    with pytest.raises(ProfileError) as caught:
        load_window(file, columns, start, intervals, step_s)
    assert caught.value.file == str(file)
    assert caught.value.remedy
    return caught.value


def test_window_starts_where_the_run_starts(tmp_path):
    window = load_window(write(tmp_path), ["H0-A_p"], datetime(2016, 5, 24, 6), 3, 900)
    assert window["H0-A_p"].tolist() == [24.0, 25.0, 26.0]


def test_longer_steps_take_the_mean_of_whole_steps(tmp_path):
    window = load_window(write(tmp_path), ["H0-A_p"], datetime(2016, 5, 24, 6), 2, 3600)
    assert window["H0-A_p"].tolist() == [25.5, 29.5]


def test_last_interval_may_end_with_the_file(tmp_path):
    window = load_window(write(tmp_path), ["H0-A_p"], START, 96, 900)
    assert window["H0-A_p"][-1] == 95.0


def zoned(table):
    return table.assign(time=table.time.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"))


@pytest.mark.parametrize("hours", [0, 1, 2])
def test_a_start_with_an_offset_is_the_same_moment_in_every_zone(tmp_path, hours):
    zone = timezone(timedelta(hours=hours))
    start = datetime(2016, 5, 24, 6, tzinfo=UTC).astimezone(zone)
    window = load_window(write(tmp_path, zoned), ["H0-A_p"], start, 1, 900)
    assert window["H0-A_p"].tolist() == [24.0]


@pytest.mark.parametrize("hours", [0, 1, 2])
def test_a_start_with_a_zone_is_not_compared_with_times_that_have_none(tmp_path, hours):
    zone = timezone(timedelta(hours=hours))
    error = refused(write(tmp_path), start=datetime(2016, 5, 24, 6, tzinfo=zone))
    assert f"UTC+01:00 all year: 2016-05-24T0{7 - hours}:00:00 there" in error.remedy
    assert "its times have no zone, time.start = 2016-05-24T06:00:00+0" in str(error)
    assert "without an offset" in error.remedy


def test_a_start_without_a_zone_is_not_compared_with_times_that_have_one(tmp_path):
    error = refused(write(tmp_path, zoned), start=datetime(2016, 5, 24, 6))
    assert (
        "its times have a zone (Europe/Berlin), time.start = 2016-05-24T06:00:00 has none"
        in str(error)
    )
    assert "2016-05-24T06:00:00Z" in error.remedy


def test_a_day_on_which_clocks_change_has_no_gap_with_a_zone(tmp_path):
    def march(table):
        return zoned(table.assign(time=table.time - pd.Timedelta(days=58, hours=1)))

    start = datetime(2016, 3, 27, 0, tzinfo=timezone(timedelta(hours=1)))
    window = load_window(write(tmp_path, march), ["H0-A_p"], start, 92, 900)
    assert window["H0-A_p"].tolist() == list(range(92))


def test_missing_file(tmp_path):
    assert "does not exist" in str(refused(tmp_path / "none.parquet"))


def test_not_a_parquet_file(tmp_path):
    file = tmp_path / "profiles.parquet"
    file.write_text("time,H0-A_p\n")
    assert "not a Parquet file" in str(refused(file))


def test_missing_column_names_the_nearest(tmp_path):
    error = refused(write(tmp_path), columns=("H0-B_p",))
    assert error.field == "H0-B_p"
    assert "H0-A_p" in error.remedy


def test_missing_time(tmp_path):
    error = refused(write(tmp_path, lambda table: table.drop(columns="time")))
    assert error.field == "time"


def test_time_as_text(tmp_path):
    error = refused(write(tmp_path, lambda table: table.assign(time=table.time.astype(str))))
    assert "not time stamps" in str(error)


def test_value_missing_names_column_and_time(tmp_path):
    def drop_value(table):
        table.loc[2, "H0-A_p"] = np.nan
        return table

    error = refused(write(tmp_path, drop_value))
    assert error.field == "H0-A_p"
    assert "1 of the run's values are missing, the first one at 2016-05-24 00:30:00" in str(error)


def test_value_missing_outside_the_run_is_no_matter(tmp_path):
    def drop_value(table):
        table.loc[50, "H0-A_p"] = np.nan
        return table

    window = load_window(write(tmp_path, drop_value), ["H0-A_p"], START, 50, 900)
    assert window["H0-A_p"][-1] == 49.0


def test_text_instead_of_numbers(tmp_path):
    error = refused(write(tmp_path, lambda t: t.assign(**{"H0-A_p": t["H0-A_p"].astype(str)})))
    assert error.field == "H0-A_p"
    assert "not numbers" in str(error)


def test_row_missing_is_a_gap(tmp_path):
    error = refused(write(tmp_path, lambda table: table.drop(index=[2, 3]).reset_index(drop=True)))
    assert error.field == "time"
    assert "2 time stamps of the run are missing, the first one 2016-05-24 00:30:00" in str(error)


def test_row_missing_outside_the_run_is_no_matter(tmp_path):
    file = write(tmp_path, lambda table: table.drop(index=[2]).reset_index(drop=True))
    window = load_window(file, ["H0-A_p"], datetime(2016, 5, 24, 6), 1, 900)
    assert window["H0-A_p"].tolist() == [24.0]


def test_row_between_steps(tmp_path):
    def insert(table):
        extra = pd.DataFrame({"time": [pd.Timestamp("2016-05-24 00:20")], "H0-A_p": [9.0]})
        return pd.concat([table, extra]).sort_values("time", ignore_index=True)

    assert "extra row at 2016-05-24 00:20:00" in str(refused(write(tmp_path, insert)))


@pytest.mark.parametrize("order", [[1, 0, 2, 3], [0, 0, 1, 2]])
def test_time_must_increase(tmp_path, order):
    file = write(tmp_path, lambda table: table.iloc[order].reset_index(drop=True))
    assert "time does not increase" in str(refused(file))


@pytest.mark.parametrize(
    ("start", "intervals"),
    [(datetime(2016, 5, 23, 23, 45), 4), (START, 97), (datetime(2017, 1, 1), 1)],
)
def test_window_outside_says_what_the_file_covers(tmp_path, start, intervals):
    error = refused(write(tmp_path), start=start, intervals=intervals)
    assert "the profiles cover 2016-05-24 00:00:00 to 2016-05-25 00:00:00 (96 rows)" in str(error)


def test_start_between_steps(tmp_path):
    error = refused(write(tmp_path), start=datetime(2016, 5, 24, 0, 7))
    assert "between two steps" in str(error)


@pytest.mark.parametrize("step_s", [60, 300, 450, 900, 1800, 3600, 7200])
def test_energy_is_kept_whatever_the_interval(tmp_path, step_s):
    file = write(tmp_path)
    hours = 6
    window = load_window(file, ["H0-A_p"], START, hours * 3600 // step_s, step_s)["H0-A_p"]
    assert window.sum() * step_s == pytest.approx(sum(range(4 * hours)) * 900, rel=1e-12)


def test_shorter_intervals_hold_the_power_of_the_step_they_are_in(tmp_path):
    file = write(tmp_path)
    window = load_window(file, ["H0-A_p"], datetime(2016, 5, 24, 0, 20), 5, 300)
    assert window["H0-A_p"].tolist() == [1.0, 1.0, 2.0, 2.0, 2.0]
    last = load_window(file, ["H0-A_p"], datetime(2016, 5, 24, 23, 55), 1, 300)
    assert last["H0-A_p"].tolist() == [95.0]
    assert "between two steps" in str(refused(file, start=datetime(2016, 5, 24, 0, 7), step_s=300))
    error = refused(file, start=datetime(2016, 5, 24, 23, 50), intervals=3, step_s=300)
    assert "the profiles cover" in str(error)


@pytest.mark.parametrize("step_s", [600, 1000, 1200])
def test_steps_that_do_not_divide_are_refused(tmp_path, step_s):
    error = refused(write(tmp_path), step_s=step_s)
    assert f"{step_s} s is no whole multiple of the profiles' 900 s, nor a whole part" in str(error)


def test_an_hour_that_clocks_leave_out_is_named(tmp_path):
    file = write(tmp_path, lambda table: table.drop(index=range(8, 12)).reset_index(drop=True))
    assert "change to daylight saving" in str(refused(file, intervals=20))


def test_one_row_has_no_step(tmp_path):
    assert "1 rows, too few" in str(refused(write(tmp_path, periods=1), intervals=1))
