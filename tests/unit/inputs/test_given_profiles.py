"""Profiles of a CSV file: times, zones, gaps and units."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cosim.errors import ProfileError
from cosim.inputs.profiles import check_peaks, read_profiles

QUARTERS = ["2016-01-01 00:00", "2016-01-01 00:15", "2016-01-01 00:30", "2016-01-01 00:45"]


def written(folder, times, values=None):
    file = folder / "profiles.csv"
    values = values or ["0.5"] * len(times)
    rows = [f"{time},{value}" for time, value in zip(times, values, strict=True)]
    file.write_text("\n".join(["time,HH_p", *rows]) + "\n")
    return file


@pytest.mark.parametrize(
    ("first", "second", "zone", "utc"),
    [
        ("2016-01-01 00:00", "2016-01-01 01:00", None, "2016-01-01T00:00"),
        ("2016-01-01T00:00:00", "2016-01-01T01:00:00", None, "2016-01-01T00:00"),
        ("2016-01-01", "2016-01-02", None, "2016-01-01T00:00"),
        ("2016-01-01T00:00:00.500", "2016-01-01T01:00:00.5000", None, "2016-01-01T00:00:00.5"),
        ("1678-01-01", "1678-01-02", None, "1678-01-01"),
        ("2016-01-01T00:00:00Z", "2016-01-01T01:00:00Z", "UTC", "2016-01-01T00:00"),
        ("2016-01-01 00:00+01:00", "2016-01-01 01:00+01:00", "UTC", "2015-12-31T23:00"),
        # clocks go forward: two hours on the wall, one hour in fact
        ("2016-03-27T01:00+01:00", "2016-03-27T03:00+02:00", "UTC", "2016-03-27T00:00"),
    ],
)
def test_times_keep_their_zone(tmp_path, first, second, zone, utc):
    columns = read_profiles(written(tmp_path, [first, second]))
    assert columns["time"].type == pa.timestamp("ms", tz=zone)
    assert columns["time"].to_numpy(zero_copy_only=False)[0] == np.datetime64(utc)
    assert columns["HH_p"].tolist() == [0.5, 0.5]


SPRING = [f"2016-03-27 {t}" for t in ("01:15", "01:30", "01:45", "03:00", "03:15")]
AUTUMN = [f"2016-10-30 {t}" for t in ("02:15", "02:30", "02:45", "02:00", "02:15", "02:30")]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["01.01.2016 00:00", "01.01.2016 00:15"], "line 2 is not ISO 8601 but day first"),
        (["01/02/2016 00:00", "01/02/2016 00:15"], "day first and month first cannot be told"),
        (["2016/01/01 00:00", "2016/01/01 00:15"], "it has no hyphens"),
        ([*QUARTERS[:2], "1451606400"], "line 4 is a number"),
        ([*QUARTERS[:1], ""], "line 3 is empty"),
        ([*QUARTERS, "2016-01-01 24:00"], "line 6 has the hour 24"),
        (["2016-02-30 00:00", "2016-02-30 00:15"], "line 2 holds '2016-02-30 00:00': "),
        (["1 Jan 2016", "2 Jan 2016"], "line 2 holds '1 Jan 2016', no ISO 8601 time"),
        ([QUARTERS[0], f"{QUARTERS[1]}Z"], "line 3 has a UTC offset, unlike line 2"),
        ([f"{QUARTERS[0]}Z", QUARTERS[1]], "line 3 lacks a UTC offset, unlike line 2"),
        (QUARTERS[:1], "holds 1 rows, too few"),
        ([*QUARTERS[:3], QUARTERS[2]], "line 5: 2016-01-01T00:30:00 stands twice"),
        ([QUARTERS[0], *QUARTERS[2:], "2016-01-01 01:00"], "a gap: 1 steps of 900 s are missing"),
        ([QUARTERS[1], QUARTERS[0], *QUARTERS[2:]], "times do not increase: 2016-01-01T00:00:00"),
        ([*QUARTERS, "2016-01-01 00:50"], "line 6: 2016-01-01T00:50:00 is off the steps"),
        (["2016-01-01T00:00:00.0001", QUARTERS[1]], "line 2 is finer than a millisecond"),
        ([QUARTERS[0], "2016-01-01 00:15:00.000000001"], "line 3 is finer than a millisecond"),
        (["0001-01-01", "0001-01-02"], "line 2 is out of range ('0001-01-01')"),
        (["2262-04-11T23:45", "2262-04-12T00:00"], "line 2 is out of range"),
        (["9999-12-30", "9999-12-31"], "line 2 is out of range"),
        (SPRING, "line 5: an hour is missing between 2016-03-27T01:45:00 and 2016-03-27T03:00"),
        (AUTUMN, "line 5: an hour comes twice between 2016-10-30T02:45:00 and 2016-10-30T02:00"),
    ],
)
def test_times_that_are_not_even_or_not_iso(tmp_path, times, words):
    file = written(tmp_path, times)
    with pytest.raises(ProfileError) as caught:
        read_profiles(file)
    assert words in caught.value.problem
    assert (caught.value.file, caught.value.field) == (str(file), "time")
    assert caught.value.remedy


def test_a_value_that_is_no_number_is_told_by_line(tmp_path):
    with pytest.raises(ProfileError, match=r"line 3 has a decimal comma \('0,5'\)") as caught:
        dict(read_profiles(written(tmp_path, QUARTERS[:2], ["0.5", '"0,5"'])))
    assert caught.value.field == "HH_p"


def test_watts_where_a_share_is_wanted_are_noticed():
    profiles = {"HH_p": np.array([0.0, 3500.0]), "HH_q": np.array([-11.0])}
    with pytest.raises(ProfileError) as caught:
        check_peaks([("load 1", "HH_p", 0.02)], profiles, "profiles.csv")
    assert "peaks at 3500 times the rating of load 1: 70 against 0.02" in caught.value.problem
    with pytest.raises(ProfileError, match="peaks at 11 times"):
        check_peaks([("load 1", "HH_q", -0.01)], profiles, "profiles.csv")
    check_peaks([("load 1", "HH_q", 0.0), ("load 1", "XX_p", 1.0)], profiles, "profiles.csv")
    check_peaks([("load 1", "HH_p", 1.0)], {"HH_p": np.array([10.0])}, "profiles.csv")
