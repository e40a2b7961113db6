"""Meter reports that a forecast may use, and the time at which each forecast is made.

Rows of a class's time series are the intervals before a run, as far as the profiles reach, followed
by those of the run. A forecast of interval ``k`` at a horizon may use the rows up to
:meth:`Horizon.last_known` of ``k``, and no later one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Literal

import numpy as np

from cosim.devices.population import Population
from cosim.devices.profiled import Series, frozen
from cosim.units import SECONDS_PER_HOUR, FloatArray, IntArray

SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR
_SATURDAY, _SUNDAY = 5, 6
_EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday; Monday is 0."""

HorizonName = Literal["gate_closure", "day_ahead"]


@dataclass(frozen=True)
class Rows:
    """Calendar of the rows of a run's time series.

    Parameters
    ----------
    start : datetime
        Start of interval 0, in the profiles' time.
    step_s : int
        Length of an interval. [s]
    before, intervals : int
        Rows before the run, and of the run.
    """

    start: datetime
    step_s: int
    before: int
    intervals: int

    @property
    def per_day(self) -> int:
        """Rows of a day, the nearest whole number of them."""
        return max(1, round(SECONDS_PER_DAY / self.step_s))

    def start_s(self, rows: IntArray) -> IntArray:
        """Return starts of rows in seconds since 1970, on the profiles' clock. [s]"""
        first = self.start.replace(tzinfo=None) - timedelta(seconds=self.before * self.step_s)
        origin_s = round((first - datetime(1970, 1, 1)).total_seconds())
        return origin_s + rows * self.step_s

    def day(self, rows: IntArray) -> IntArray:
        """Return days since 1970."""
        return self.start_s(rows) // SECONDS_PER_DAY

    def slot(self, rows: IntArray) -> IntArray:
        """Return the rows' places in their days, from 0."""
        return self.start_s(rows) % SECONDS_PER_DAY // self.step_s

    def day_type(self, rows: IntArray) -> IntArray:
        """Return 0 on working days, 1 on Saturdays, 2 on Sundays; holidays count as their day."""
        weekday = (self.day(rows) + _EPOCH_WEEKDAY) % 7
        return np.asarray(np.maximum(weekday - _SATURDAY + 1, 0), dtype=np.int64)


@dataclass(frozen=True)
class Horizon:
    """Time at which forecasts are made, and the last report that is in by then.

    Parameters
    ----------
    name : str
        ``gate_closure``: when the order window of the interval opens. ``day_ahead``: on the day
        before the interval's, at ``hour``.
    lead_s : int
        How long before delivery the order window opens. [s]
    metering_s : int
        How long after delivery a meter reports. [s]
    hour : float
        Time of day of day-ahead forecasts. [h]
    """

    name: HorizonName
    lead_s: int
    metering_s: int
    hour: float

    def last_known(self, rows: Rows) -> IntArray:
        """Return the last row that is reported when each interval is forecast, (T,); -1 for none.

        An interval is reported ``metering_s`` after its end.
        """
        of_run = np.arange(rows.before, rows.before + rows.intervals)
        if self.name == "gate_closure":
            behind = 1 + ceil((self.lead_s + self.metering_s) / rows.step_s)
            known = of_run - behind
        else:
            first_s = rows.start_s(np.array([0]))[0]
            midnight_s = rows.day(of_run) * SECONDS_PER_DAY
            made_s = midnight_s - SECONDS_PER_DAY + round(self.hour * SECONDS_PER_HOUR)
            known = (made_s - self.metering_s - first_s) // rows.step_s - 1
        return np.asarray(np.maximum(known, -1), dtype=np.int64)


@dataclass(frozen=True)
class Known:
    """Reports and times that the forecasts of a run start from.

    Parameters
    ----------
    start : datetime
        Start of interval 0, in the profiles' time.
    lead_s, metering_s : int
        Times of the order window and of the meters, as :class:`Horizon` has them. [s]
    before : Population, optional
        The same prosumers over the intervals before the run; None if nothing was reported.
    published_mw : mapping of str to (T, n) float
        Power of classes as published, where a run varies it. [MW]
    market_of : (n,) int64, optional
        Market that each prosumer is in, from 0; default: all in one.
    """

    start: datetime
    lead_s: int
    metering_s: int
    before: Population | None = None
    published_mw: Mapping[str, FloatArray] = field(default_factory=dict)
    market_of: IntArray | None = None

    def community(self, p_mw: FloatArray) -> FloatArray:
        """Return sums over all prosumers, (T,), or over those of each market, (T, markets). [MW]

        Read-only.
        """
        if self.market_of is None:
            return frozen(p_mw.sum(axis=1))
        markets = np.arange(int(self.market_of.max()) + 1)
        sums = [p_mw[:, self.market_of == market].sum(axis=1) for market in markets]
        return frozen(np.stack(sums, axis=1))


@dataclass(frozen=True)
class Reports:
    """Power of one class of devices over all rows, as magnitudes.

    Parameters
    ----------
    name : str
        The class: a kind of device, or ``deferrable``.
    names : tuple of str
        Connection points.
    rows : Rows
    p_mw, q_mvar : (R, n) float
        Power of every row, those before the run first. [MW, Mvar]
    run : Series
        The devices over the run.
    generates : bool
        Whether they generate.
    """

    name: str
    names: tuple[str, ...]
    rows: Rows
    p_mw: FloatArray
    q_mvar: FloatArray
    run: Series
    generates: bool

    @classmethod
    def of(
        cls,
        name: str,
        run: Series,
        before: Series | None,
        start: datetime,
        population: Population,
        generates: bool,
    ) -> Reports:
        """Put the rows before a run and its own together."""
        past = 0 if before is None else len(before.p_mw)
        p_mw, q_mvar = run.p_mw, run.q_mvar
        if before is not None:
            p_mw = np.concatenate((before.p_mw, p_mw))
            q_mvar = np.concatenate((before.q_mvar, q_mvar))
        rows = Rows(start, population.step_s, past, population.n_intervals)
        return cls(name, population.names, rows, p_mw, q_mvar, run, generates)

    def reported_q_per_p(self, last_known: IntArray) -> FloatArray:
        """Return reactive per active energy of all that was reported, (T, n); 0 for nothing."""
        p, q = (np.cumsum(part, axis=0)[last_known] for part in (self.p_mw, self.q_mvar))
        is_known = (last_known >= 0)[:, np.newaxis] & (p > 0)
        return np.divide(q, p, out=np.zeros_like(p), where=is_known)

    def issues(self, horizon: Horizon) -> Iterator[Issue]:
        """Yield every forecast to be made, with what is reported by then and nothing else."""
        last = horizon.last_known(self.rows)
        cuts = np.flatnonzero(np.diff(last)) + 1
        for of_run in np.split(np.arange(len(last)), cuts):
            known = int(last[of_run[0]]) + 1
            yield Issue(
                rows=self.rows,
                reported_mw=self.p_mw[:known],
                targets=of_run + self.rows.before,
                generates=self.generates,
            )


@dataclass(frozen=True)
class Issue:
    """One forecast to be made.

    Parameters
    ----------
    rows : Rows
        Calendar of the rows.
    reported_mw : (m, n) float
        Power of every row that is reported, read-only; none later exists here. [MW]
    targets : (L,) int64
        Rows to be forecast, after the last reported one.
    generates : bool
        Whether it is generation.
    """

    rows: Rows
    reported_mw: FloatArray
    targets: IntArray
    generates: bool

    @property
    def last(self) -> int:
        """The last reported row; -1 for none."""
        return len(self.reported_mw) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the forecast."""
        return len(self.targets), self.reported_mw.shape[1]
