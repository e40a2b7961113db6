"""Prices of a scenario: one number, times of use, or a column of a CSV file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, ValidationError, model_validator

from cosim.errors import ProfileError, ScenarioError
from cosim.inputs.profiles import TIME, read_profiles
from cosim.settings import Model
from cosim.units import FloatArray

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_FRIDAY = 4
_PER_KWH = {"EUR/kWh": 1.0, "ct/kWh": 0.01, "EUR/MWh": 0.001}
_NS = 10**9
_MINUTE_S = 60


def _clock_time(value: str) -> str:
    if not _CLOCK.fullmatch(value):
        raise ValueError(f"{value!r} is no clock time: write it as '06:30', in quotes")
    return value


ClockTime = Annotated[str, AfterValidator(_clock_time)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class PriceWindow(Model):
    """Hours of the day with a price of their own."""

    begins: ClockTime = Field("00:00", description="clock time, in the profiles' time")
    ends: ClockTime = Field("24:00", description="first clock time after it; earlier: next day")
    days: Literal["all", "workdays", "weekend"] = Field(
        "all", description="workdays: Monday to Friday; days begin at midnight"
    )
    eur_per_kwh: Number = Field(description="price in these hours [EUR/kWh]")

    def holds(self, at: datetime) -> bool:
        """Tell if an interval that starts at a time is in it."""
        if self.days != "all" and (at.weekday() <= _FRIDAY) != (self.days == "workdays"):
            return False
        minute, begins, ends = _minute(at.time()), _minute_of(self.begins), _minute_of(self.ends)
        if begins < ends:
            return begins <= minute < ends
        return minute >= begins or minute < ends


class TimesOfUse(Model):
    """A price by time of use; of windows that overlap the first counts."""

    windows: Annotated[tuple[PriceWindow, ...], Field(min_length=1)]
    otherwise_eur_per_kwh: Number = Field(description="price outside of all windows [EUR/kWh]")

    def at(self, time: datetime) -> float:
        """Return the price at a time. [EUR/kWh]"""
        held = (window.eur_per_kwh for window in self.windows if window.holds(time))
        return next(held, self.otherwise_eur_per_kwh)


class PriceFile(Model):
    """A price out of a CSV file, e.g. day-ahead prices of a power exchange."""

    file: str = Field(
        description="CSV file, relative to the scenario's, with a column `time` (start of each "
        "step, even) and one of prices"
    )
    column: str = Field(description="name of the column")
    unit: Literal["EUR/kWh", "ct/kWh", "EUR/MWh"] = Field(description="unit of the column")
    added_eur_per_kwh: Number = Field(
        0.0, description="on top of every value, e.g. the supplier's margin [EUR/kWh]"
    )

    @model_validator(mode="after")
    def _no_time(self) -> PriceFile:
        if self.column == TIME:
            raise ValueError("column must hold prices, not the time")
        return self


class PriceValues(Model):
    """A price by interval; what a file gave is written into a result's scenario as such."""

    eur_per_kwh: Annotated[tuple[Number, ...], Field(min_length=1)] = Field(
        description="one of each interval of the run, or more [EUR/kWh]"
    )


Price = Number | TimesOfUse | PriceFile | PriceValues
_BY_FIELD: dict[str, type[TimesOfUse] | type[PriceFile] | type[PriceValues]] = {
    "windows": TimesOfUse,
    "otherwise_eur_per_kwh": TimesOfUse,
    "file": PriceFile,
    "column": PriceFile,
    "eur_per_kwh": PriceValues,
}


def as_series(value: Any) -> Any:
    """Return a mapping as the series whose fields it has, and a number as it is.

    Raises
    ------
    ValueError
        If it is none; says what is wrong with the series that it looks like.
    """
    if value is None or isinstance(value, Model):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError("give a finite number")
        return float(value)
    if not isinstance(value, Mapping):
        raise ValueError("give a number, or a series by 'windows', 'file' or 'eur_per_kwh'")
    kind = next((_BY_FIELD[name] for name in value if name in _BY_FIELD), None)
    if kind is None:
        raise ValueError("give a number, or a series by 'windows', 'file' or 'eur_per_kwh'")
    try:
        return kind.model_validate(dict(value))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise ValueError(f"{place}: {message}" if place else message) from None


def required_series(value: Any) -> Any:
    """Return what :func:`as_series` does, of a field that cannot be left empty.

    Raises
    ------
    ValueError
        As :func:`as_series`, and if there is nothing.
    """
    if value is None:
        raise ValueError("give a number or a series, or leave the line out")
    return as_series(value)


def price_series(
    price: Price,
    start: datetime,
    intervals: int,
    step_s: int,
    folder: Path | None,
    field: str,
) -> FloatArray:
    """Return a price in every interval.

    Parameters
    ----------
    price : float, TimesOfUse, PriceFile or PriceValues
    start : datetime
        Of interval 0.
    intervals, step_s : int
        Number and length of the intervals. [-, s]
    folder : Path or None
        Which files are relative to.
    field : str
        Of the scenario, for errors.

    Returns
    -------
    (intervals,) float
        Over longer intervals than the file's steps the mean, over shorter ones the step's price.
        [EUR/kWh]

    Raises
    ------
    ProfileError
        If a file cannot be read, lacks the column or does not hold the run.
    ScenarioError
        If values are fewer than intervals.
    """
    if isinstance(price, PriceValues):
        if len(price.eur_per_kwh) < intervals:
            raise ScenarioError(
                f"has prices of {len(price.eur_per_kwh)} intervals, and the run has {intervals}",
                field=field,
                remedy="give one of each interval, or set time.intervals to as many",
            )
        return np.array(price.eur_per_kwh[:intervals])
    if isinstance(price, TimesOfUse):
        return _by_time_of_use(price, start, intervals, step_s)
    if isinstance(price, PriceFile):
        return _from_file(price, start, intervals, step_s, folder)
    return np.full(intervals, float(price))


def _by_time_of_use(price: TimesOfUse, start: datetime, intervals: int, step_s: int) -> FloatArray:
    """Return the mean over each interval, minute by minute where windows change within it."""
    fine_s = _MINUTE_S if step_s % _MINUTE_S == 0 else step_s
    found = np.empty(intervals)
    for k in range(intervals):
        begin = start + timedelta(seconds=k * step_s)
        fine = [price.at(begin + timedelta(seconds=second)) for second in range(0, step_s, fine_s)]
        found[k] = fine[0] if min(fine) == max(fine) else sum(fine) / len(fine)
    return found


def _from_file(
    price: PriceFile, start: datetime, intervals: int, step_s: int, folder: Path | None
) -> FloatArray:
    file = Path(price.file) if folder is None else folder / price.file
    if not file.is_file():
        raise ProfileError(
            "does not exist", file=file, remedy="name a CSV file, relative to the scenario's"
        )
    table = read_profiles(file)
    if price.column not in table:
        raise ProfileError(
            f"has no column {price.column!r}; it has {', '.join(table)}",
            file=file,
            field=price.column,
            remedy="name one of its columns",
        )
    times = table[TIME]
    has_zone = times.type.tz is not None
    if has_zone != (start.tzinfo is not None):
        one, other = ("the file", "time.start") if has_zone else ("time.start", "the file")
        raise ProfileError(
            f"{one} says a zone and {other} does not",
            file=file,
            field=TIME,
            remedy="give both a UTC offset, or neither",
        )
    stamps = times.to_numpy(zero_copy_only=False).astype("datetime64[ns]").astype(np.int64)
    begin_ns = int(np.datetime64(_naive_utc(start), "ns").astype(np.int64))
    file_step_s = int(stamps[1] - stamps[0]) // _NS
    if file_step_s % step_s and step_s % file_step_s:
        raise ProfileError(
            f"has steps of {file_step_s} s, which do not fit intervals of {step_s} s",
            file=file,
            field=TIME,
            remedy="give steps that are a multiple or a part of time.step_s",
        )
    # prices at the starts of the finer of the two steps
    fine_s = min(file_step_s, step_s)
    at_ns = begin_ns + np.arange(intervals * (step_s // fine_s), dtype=np.int64) * fine_s * _NS
    rows = (at_ns - stamps[0]) // (file_step_s * _NS)
    if rows[0] < 0 or rows[-1] >= len(stamps):
        first, last = (np.datetime64(int(stamps[k]), "ns").astype("datetime64[s]") for k in (0, -1))
        raise ProfileError(
            f"does not hold the run: steps begin from {first} to {last}",
            file=file,
            field=TIME,
            remedy="give prices for every interval of the run, or change time.start",
        )
    values = table[price.column][rows].reshape(intervals, -1).mean(axis=1)
    return np.asarray(values * _PER_KWH[price.unit] + price.added_eur_per_kwh)


def _naive_utc(at: datetime) -> datetime:
    return at if at.tzinfo is None else (at - (at.utcoffset() or timedelta(0))).replace(tzinfo=None)


def _minute(at: time) -> int:
    return 60 * at.hour + at.minute


def _minute_of(clock: str) -> int:
    return 60 * int(clock[:2]) + int(clock[3:])
