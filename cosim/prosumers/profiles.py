"""The window of a run in a file of time series, refused where it cannot be trusted.

Power of a profile is the mean over its step. Over longer intervals the mean of whole steps is
taken, and over shorter ones a step's power is held, so that energy is kept either way; intervals
and steps of which neither divides the other are refused. Times are compared only where both sides
say their zone, or neither does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import ProfileError
from cosim.inputs.kept import note_rows
from cosim.inputs.profiles import TIME, is_saving, read_profiles
from cosim.units import FloatArray


def load_window(
    profiles_file: str | Path,
    columns: Iterable[str],
    start: datetime,
    intervals: int,
    step_s: int,
) -> dict[str, FloatArray]:
    """Read some columns over the intervals of a run.

    Parameters
    ----------
    profiles_file : str or Path
        Parquet file: column ``time`` (start of each step, equidistant) and one numeric column per
        profile, relative to a rated power.
    columns : iterable of str
        Profiles to read.
    start : datetime
        Start of interval 0: with a zone if the profiles' times have one, else without.
    intervals : int
        Number of intervals.
    step_s : int
        Length of an interval: the profiles' own step, a multiple or a part of it. [s]

    Returns
    -------
    dict of str to (intervals,) float
        Mean of each profile over each interval. [-]

    Raises
    ------
    ProfileError
        If the file cannot be read, a column is missing or not numeric, only one of start and
        profiles has a zone, the window is not inside the file, a time stamp or a value in it is
        missing, or ``step_s`` does not fit.
    """
    file = Path(profiles_file)
    wanted = list(dict.fromkeys(columns))
    table = _read(file, wanted)
    time_ns = _time_ns(table[TIME], file)
    _check_zones(table[TIME], start, file)
    profile_step_s = _step_s(time_ns, file)
    per_interval, held = _steps_per_interval(step_s, profile_step_s, file)
    # the first step in question may have begun before the run
    begin = utc(pd.Timestamp(start))
    since_s = round((begin - pd.Timestamp(int(time_ns[0]))).total_seconds())
    skipped = since_s % profile_step_s // step_s if since_s % step_s == 0 else 0
    n_rows = intervals * per_interval if held == 1 else -(-(skipped + intervals) // held)
    first = begin - pd.Timedelta(seconds=skipped * step_s)
    rows = _rows(time_ns, first, n_rows, profile_step_s, file)
    note_rows(file, rows.start, rows.stop, wanted)

    def window(name: str) -> FloatArray:
        values = _values(table[name].iloc[rows], time_ns[rows], name, file)
        if held > 1:
            return np.repeat(values, held)[skipped : skipped + intervals]
        mean: FloatArray = values.reshape(intervals, per_interval).mean(axis=1)
        return mean

    return {name: window(name) for name in wanted}


def _read(file: Path, wanted: list[str]) -> pd.DataFrame:
    written: Mapping[str, Any] | None = None
    try:
        if file.suffix == ".csv":
            written = read_profiles(file)
        known = list(written) if written is not None else pq.read_schema(file).names
    except OSError as error:
        problem = "does not exist" if not file.exists() else f"cannot be read: {error}"
        raise ProfileError(
            problem, file=file, remedy="import the grid again: cosim grids import"
        ) from error
    except ValueError as error:  # pyarrow.ArrowInvalid
        raise ProfileError(
            f"is not a Parquet file: {error}",
            file=file,
            remedy="write it with pandas.DataFrame.to_parquet",
        ) from error
    if TIME not in known:
        raise ProfileError(
            "column is missing",
            file=file,
            field=TIME,
            remedy=f"add a column '{TIME}' with the start of each step",
        )
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            raise ProfileError(
                "column is missing",
                file=file,
                field=name,
                remedy="add the profile, or name one that exists"
                + (f": {', '.join(near)}" if near else " in elements.csv"),
            )
    if written is not None:
        columns = {name: written[name] for name in (TIME, *wanted)}
        frame: pd.DataFrame = pa.table(columns).to_pandas()
        return frame
    table: pd.DataFrame = pq.read_table(file, columns=[TIME, *wanted]).to_pandas()
    return table


def utc(stamp: pd.Timestamp) -> pd.Timestamp:
    """Return a time in UTC without a zone; one that has none stays as it is."""
    return stamp.tz_convert("UTC").tz_localize(None) if stamp.tzinfo else stamp


def _time_ns(time: pd.Series[Any], file: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    if not pd.api.types.is_datetime64_any_dtype(time):
        raise ProfileError(
            f"holds {time.dtype}, not time stamps",
            file=file,
            field=TIME,
            remedy="convert it with pandas.to_datetime before writing",
        )
    if time.isna().any():
        row = int(np.flatnonzero(time.isna().to_numpy())[0])
        raise ProfileError(
            f"has a gap: no time stamp in row {row}",
            file=file,
            field=TIME,
            remedy="fill in the time stamp",
        )
    if isinstance(time.dtype, pd.DatetimeTZDtype):
        time = time.dt.tz_convert("UTC").dt.tz_localize(None)
    stamps = time.to_numpy(dtype="datetime64[ns]").astype(np.int64)
    backward = np.flatnonzero(np.diff(stamps) <= 0)
    if backward.size:
        row = int(backward[0]) + 1
        again = " again" if stamps[row] in stamps[:row] else ""
        raise ProfileError(
            f"time does not increase: {pd.Timestamp(int(stamps[row]))} comes{again} in row {row}",
            file=file,
            field=TIME,
            remedy="sort the rows by time and drop duplicates; of an hour that comes twice where "
            "daylight saving ends, write the times with their UTC offsets",
        )
    return stamps


def _step_s(time_ns: np.ndarray[Any, np.dtype[np.int64]], file: Path) -> int:
    """Return the most frequent distance of two time stamps, the shorter one if tied. [s]"""
    if time_ns.size < 2:
        raise ProfileError(
            f"holds {time_ns.size} rows, too few to have a time step",
            file=file,
            field=TIME,
            remedy="give at least two rows",
        )
    distances, counts = np.unique(np.diff(time_ns), return_counts=True)
    step_ns = int(distances[np.argmax(counts)])
    if step_ns % 10**9:
        raise ProfileError(
            f"steps of {step_ns} ns are not whole seconds",
            file=file,
            field=TIME,
            remedy="resample the profiles to whole seconds",
        )
    return step_ns // 10**9


def _check_zones(time: pd.Series[Any], start: datetime, file: Path) -> None:
    """Refuse to compare a time that has a zone with one that has none."""
    has_zone = isinstance(time.dtype, pd.DatetimeTZDtype)
    if has_zone == (start.tzinfo is not None):
        return
    given = start.isoformat()
    if has_zone:
        raise ProfileError(
            f"its times have a zone ({time.dt.tz}), time.start = {given} has none",
            file=file,
            field=TIME,
            remedy=f"give time.start its UTC offset, e.g. {given}Z or {given}+01:00",
        )
    simbench = start.astimezone(timezone(timedelta(hours=1))).replace(tzinfo=None).isoformat()
    raise ProfileError(
        f"its times have no zone, time.start = {given} has one",
        file=file,
        field=TIME,
        remedy="give time.start in profile time, without an offset (the SimBench grids count in "
        f"UTC+01:00 all year: {simbench} there), or import profiles whose times have offsets",
    )


def _steps_per_interval(step_s: int, profile_step_s: int, file: Path) -> tuple[int, int]:
    """Return how many steps make an interval, and how many intervals a step; one of them is 1."""
    if step_s % profile_step_s == 0:
        return step_s // profile_step_s, 1
    if profile_step_s % step_s == 0:
        return 1, profile_step_s // step_s
    raise ProfileError(
        f"time.step_s = {step_s} s is no whole multiple of the profiles' {profile_step_s} s, nor a "
        "whole part",
        file=file,
        field=TIME,
        remedy=f"set time.step_s to {profile_step_s}, or to what divides it or is divided by it",
    )


def _rows(
    time_ns: np.ndarray[Any, np.dtype[np.int64]],
    start: pd.Timestamp,
    n_rows: int,
    profile_step_s: int,
    file: Path,
) -> slice:
    """Return the rows of the window, every one of them present."""
    step = pd.Timedelta(seconds=profile_step_s)
    first, last = pd.Timestamp(int(time_ns[0])), pd.Timestamp(int(time_ns[-1])) + step
    end = start + n_rows * step
    if start < first or end > last:
        raise ProfileError(
            f"the run needs {start} to {end} ({n_rows} steps of {profile_step_s} s), "
            f"the profiles cover {first} to {last} ({time_ns.size} rows)",
            file=file,
            field=TIME,
            remedy="change time.start or time.intervals, or give profiles as long as the run",
        )
    start_ns, step_ns = int(start.as_unit("ns").value), profile_step_s * 10**9
    if (start_ns - int(time_ns[0])) % step_ns and start_ns not in time_ns:
        raise ProfileError(
            f"the run starts at {start}, between two steps of the profiles",
            file=file,
            field=TIME,
            remedy=f"set time.start to a multiple of {profile_step_s} s after {first}",
        )
    expected = start_ns + step_ns * np.arange(n_rows, dtype=np.int64)
    present = np.isin(expected, time_ns, assume_unique=True)
    if not present.all():
        missing = pd.Timestamp(int(expected[np.argmin(present)]))
        if is_saving(int((~present).sum() + 1) * step_ns, step_ns):
            saving = "; an hour is what a change to daylight saving leaves out"
        else:
            saving = ""
        raise ProfileError(
            f"has a gap: {int((~present).sum())} time stamps of the run are missing, "
            f"the first one {missing}{saving}",
            file=file,
            field=TIME,
            remedy="fill the gap, or choose a window without it",
        )
    at = int(np.searchsorted(time_ns, start_ns))
    if int(time_ns[at + n_rows - 1]) != int(expected[-1]):
        extra = int(np.flatnonzero(time_ns[at : at + n_rows] != expected)[0])
        raise ProfileError(
            f"has an extra row at {pd.Timestamp(int(time_ns[at + extra]))}, off the "
            f"{profile_step_s} s steps",
            file=file,
            field=TIME,
            remedy="drop it",
        )
    return slice(at, at + n_rows)


def _values(
    column: pd.Series[Any],
    time_ns: np.ndarray[Any, np.dtype[np.int64]],
    name: str,
    file: Path,
) -> FloatArray:
    if not pd.api.types.is_numeric_dtype(column):
        raise ProfileError(
            f"holds {column.dtype}, not numbers",
            file=file,
            field=name,
            remedy="convert it with pandas.to_numeric before writing",
        )
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(values)
    if bad.any():
        at = pd.Timestamp(int(time_ns[int(np.argmax(bad))]))
        raise ProfileError(
            f"has a gap: {int(bad.sum())} of the run's values are missing, the first one at {at}",
            file=file,
            field=name,
            remedy="fill the gap, or choose a window without it",
        )
    return values
