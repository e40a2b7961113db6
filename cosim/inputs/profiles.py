"""Time series that users give: their times, zones, gaps and sizes, said as what they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cosim.errors import ProfileError
from cosim.inputs.csv_file import TextTable, read_table

TIME = "time"
PEAK = 10.0
"""Multiple of a rating beyond which a relative profile is taken for one in another unit. [-]"""

NEGATIVE_TOLERANCE = 1e-3
"""Share of its peak by which a profile may dip below zero: measurement noise, clipped. [-]"""

HOUR_NS = 3600 * 10**9
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.(\d+))?)?)? ?(Z|[-+]\d{2}(?::?\d{2})?)?"
)
_ORDERS = (
    (re.compile(r"\s*"), "is empty"),
    (re.compile(r".*\b24:00.*"), "has the hour 24 ({0!r}); label steps by their start, from 00:00"),
    (re.compile(r"\d{1,2}\.\d{1,2}\.\d{2,4}.*"), "is not ISO 8601 but day first ({0!r})"),
    (
        re.compile(r"\d{1,2}[/-]\d{1,2}[/-]\d{2,4}.*"),
        "is not ISO 8601 ({0!r}): day first and month first cannot be told apart",
    ),
    (re.compile(r"\d{4}[/.]\d{1,2}[/.]\d{1,2}.*"), "is not ISO 8601 ({0!r}): it has no hyphens"),
    (re.compile(r"\d+(?:\.\d*)?"), "is a number ({0!r}): seconds, or a spreadsheet's date"),
)
_ISO_REMEDY = (
    "write ISO 8601, e.g. 2016-01-31 13:45 or 2016-01-31T13:45+01:00; in pandas: "
    "to_datetime(time, dayfirst=True) or format=..., then to_csv"
)
_EARLIEST, _LATEST = "1678-01-01", "2261-12-31"
"""Days that 64 bits of nanoseconds hold, whole years of them."""
_WHOLE_MS = "resample the profiles to steps of whole seconds"
_NO_SAVING = (
    "daylight saving: write times with their UTC offset (2016-03-27T01:45+01:00), or in standard "
    "time all year"
)


class CsvProfiles(Mapping[str, Any]):
    """Columns of a CSV file of profiles, read when they are asked for.

    ``time`` is arrow timestamps in ms, in UTC where the file has offsets; all else are numbers.
    What nobody asks for may hold anything.

    Raises
    ------
    ProfileError
        Where a column is asked for that holds what is no finite number; names line and column.
    """

    def __init__(self, table: TextTable, time: Any) -> None:
        self._table, self._time = table, time

    def __getitem__(self, name: str) -> Any:
        """Return a column."""
        return self._time if name == TIME else self._table.numbers(name)

    def __iter__(self) -> Iterator[str]:
        """Return the names, ``time`` first."""
        return iter([TIME, *(name for name in self._table.columns if name != TIME)])

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self._table.columns)


def read_profiles(file: Path) -> CsvProfiles:
    """Read a CSV file of profiles.

    Raises
    ------
    ProfileError
        As :func:`cosim.inputs.csv_file.read_table`, and if a time is no ISO 8601 or times are not
        even; names line and column.
    """
    table = read_table(file, ProfileError, [TIME])
    time = _times(table.columns[TIME], table.lines, file)
    zone = time.type.tz is not None
    check_time(time.to_numpy(zero_copy_only=False), file, has_zone=zone, lines=table.lines)
    return CsvProfiles(table, time)


def check_profile_table(table: Any, file: Path) -> set[str]:
    """Refuse an arrow table without an even time index or with missing values; give its columns."""
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ProfileError(
            "is there twice", file=file, field=twice[0], remedy="keep one of the columns"
        )
    if TIME not in names:
        raise ProfileError(
            f"has no column 'time'; it has {', '.join(names)}",
            file=file,
            field=TIME,
            remedy="add a column 'time' with the start of each step",
        )
    if not pa.types.is_timestamp(table[TIME].type):
        raise ProfileError(
            f"holds {table[TIME].type}, not time stamps",
            file=file,
            field=TIME,
            remedy="convert it with pandas.to_datetime before writing",
        )
    time = _exact(table[TIME], file)
    check_time(time, file, has_zone=table[TIME].type.tz is not None)
    for column in names:
        if column == TIME:
            continue
        values = table[column].to_numpy()
        if values.dtype.kind not in "fiu":
            raise ProfileError(
                f"holds {table[column].type}, not numbers: has missing or non-numeric values",
                file=file,
                field=column,
                remedy="convert it with pandas.to_numeric before writing",
            )
        bad = ~np.isfinite(values)
        if bad.any():
            raise ProfileError(
                f"has missing or non-numeric values: {int(bad.sum())} are NaN or infinite, the "
                f"first at {_text(time[np.argmax(bad)])}",
                file=file,
                field=column,
                remedy="fill the gaps; every step needs a number",
            )
    return set(names) - {TIME}


def _exact(column: Any, file: Path) -> npt.NDArray[Any]:
    """Return time stamps in ns; refuse those that are out of range, or finer than a millisecond."""
    stamps = column.combine_chunks()
    for unit, problem, remedy in (
        ("ns", f"holds times before {_EARLIEST} or after {_LATEST}", "give the years they are of"),
        ("ms", "holds times finer than a millisecond", _WHOLE_MS),
    ):
        try:
            stamps.cast(pa.timestamp(unit, tz=stamps.type.tz), safe=True)
        except pa.ArrowInvalid as error:
            raise ProfileError(problem, file=file, field=TIME, remedy=remedy) from error
    return np.asarray(stamps.to_numpy(zero_copy_only=False)).astype("datetime64[ns]")


def check_time(
    time: npt.NDArray[Any],
    file: Path,
    *,
    has_zone: bool = False,
    lines: Sequence[int] | None = None,
) -> None:
    """Refuse a time index that is not strictly even: gaps, repeated hours, wrong order.

    Parameters
    ----------
    time : (n,) datetime64
    file : Path
        Named in errors.
    has_zone : bool
        Whether the times are in UTC, where no hour is missing or repeated.
    lines : sequence of int, optional
        Line of each in the file.
    """

    def refuse(problem: str, row: int, remedy: str) -> ProfileError:
        where = f"line {lines[row]}: " if lines is not None else ""
        return ProfileError(where + problem, file=file, field=TIME, remedy=remedy)

    stamps = np.asarray(time).astype("datetime64[ns]")
    if len(stamps) < 2:
        raise ProfileError(
            f"holds {len(stamps)} rows, too few to have a time step",
            file=file,
            field=TIME,
            remedy="give at least two rows",
        )
    if np.isnat(stamps).any():
        row = int(np.argmax(np.isnat(stamps)))
        raise refuse(f"no time stamp in row {row}", row, "fill in the time stamp")
    steps = np.diff(stamps.astype(np.int64))
    forward, counts = np.unique(steps[steps > 0], return_counts=True)
    step = int(forward[np.argmax(counts)]) if forward.size else 0
    odd = np.flatnonzero(steps != step)
    if not odd.size:
        return
    row = int(odd[0]) + 1
    before, at, distance = stamps[row - 1], stamps[row], int(steps[row - 1])
    if not has_zone and is_saving(distance, step):
        lost = "is missing" if distance > 0 else "comes twice"
        raise refuse(
            f"an hour {lost} between {_text(before)} and {_text(at)}, as where clocks change",
            row,
            _NO_SAVING,
        )
    if distance == 0:
        raise refuse(f"{_text(at)} stands twice", row, "drop one of the two rows")
    if distance < 0:
        raise refuse(
            f"times do not increase: {_text(at)} comes after {_text(before)}", row, "sort the rows"
        )
    if distance % step:
        raise refuse(
            f"{_text(at)} is off the steps of {step / 1e9:g} s",
            row,
            "resample the profiles to even steps",
        )
    raise refuse(
        f"has a gap: {distance // step - 1} steps of {step / 1e9:g} s are missing after "
        f"{_text(before)}",
        row,
        "fill the gap; every step needs a row",
    )


def is_saving(distance_ns: int, step_ns: int) -> bool:
    """Return True if a distance of times is what a change of clocks makes of a step."""
    return abs(distance_ns - step_ns) == HOUR_NS and 0 < step_ns <= HOUR_NS


def check_peaks(
    rated: Collection[tuple[str, str, float]],
    profiles: Mapping[str, npt.NDArray[Any]],
    file: str | Path,
) -> None:
    """Refuse profiles that go far beyond the ratings that they multiply.

    Parameters
    ----------
    rated : collection of (element, column, rating)
        Ratings in MW or Mvar.
    profiles : mapping of str to (n,) float
        By column, relative to the rating.
    file : str or Path
        Named in errors.

    Raises
    ------
    ProfileError
        If one exceeds :data:`PEAK` times its rating: watts in place of kilowatts, or values that
        are not relative.
    """
    for element, column, rating in rated:
        values = profiles.get(column)
        if values is None or not rating or not len(values):
            continue
        peak = float(np.abs(values).max())
        if peak > PEAK:
            raise ProfileError(
                f"peaks at {peak:g} times the rating of {element}: {peak * abs(rating):g} against "
                f"{abs(rating):g} (MW or Mvar)",
                file=file,
                field=column,
                remedy="profiles are relative to p_mw and q_mvar: divide values in W, kW or MW by "
                "the rating in the same unit, or mend the rating",
            )


def magnitude(
    relative: npt.NDArray[np.float64], column: str, file: str | Path
) -> npt.NDArray[np.float64]:
    """Return a profile of active power as the magnitude that it is.

    Parameters
    ----------
    relative : (n,) float
        Relative to a rating. [-]
    column : str
    file : str or Path
        Both named in errors.

    Returns
    -------
    (n,) float
        Without the dips below zero of :data:`NEGATIVE_TOLERANCE`.

    Raises
    ------
    ProfileError
        If it is negative beyond that.
    """
    lowest = float(relative.min(initial=0.0))
    highest = float(np.abs(relative).max(initial=0.0))
    if lowest < -NEGATIVE_TOLERANCE * max(highest, 1.0):
        raise ProfileError(
            f"is negative in step {int(np.argmin(relative))} ({lowest:g})",
            file=file,
            field=column,
            remedy="active-power profiles are magnitudes: give feed-in as an element of "
            "a kind that generates, such as pv",
        )
    return np.maximum(relative, 0.0)


def _times(cells: Sequence[str], lines: Sequence[int], file: Path) -> pa.Array:
    """Return times of ISO 8601, in UTC if they have offsets."""

    def refuse(line: int, problem: str, remedy: str = _ISO_REMEDY) -> ProfileError:
        return ProfileError(f"line {line} {problem}", file=file, field=TIME, remedy=remedy)

    offsets = []
    for cell, line in zip(cells, lines, strict=True):
        match = _ISO.fullmatch(cell)
        hour = cell[11:13]
        if match is None or hour == "24":
            said = next((said for form, said in _ORDERS if form.fullmatch(cell)), None)
            raise refuse(line, (said or "holds {0!r}, no ISO 8601 time").format(cell))
        fraction, offset = match.groups()
        offsets.append(offset is not None)
        if not _EARLIEST <= cell[:10] <= _LATEST:
            raise refuse(
                line,
                f"is out of range ({cell!r}): times count from {_EARLIEST} to {_LATEST}",
                "give the years of the profiles; a run takes them as they are",
            )
        if len((fraction or "").rstrip("0")) > 3:
            raise refuse(line, f"is finer than a millisecond ({cell!r})", _WHOLE_MS)
        if offsets[-1] != offsets[0]:
            raise refuse(
                line,
                f"{'has' if offsets[-1] else 'lacks'} a UTC offset, unlike line {lines[0]}",
                "give every time its offset, or none",
            )
    try:
        index = pd.to_datetime(list(cells), format="ISO8601", utc=any(offsets))
    except ValueError:
        for cell, line in zip(cells, lines, strict=True):
            try:
                datetime.fromisoformat(cell)
            except ValueError as problem:
                raise refuse(line, f"holds {cell!r}: {problem}") from problem
        raise
    return pa.array(index, type=pa.timestamp("ms", tz="UTC" if any(offsets) else None))


def _text(time: Any) -> str:
    return pd.Timestamp(time).isoformat()
