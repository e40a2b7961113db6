"""Naive forecasts: the last value, the same time yesterday, the same time last week.

They are the usual references for others (T. Hong, S. Fan: Probabilistic electric load forecasting:
a tutorial review. International Journal of Forecasting 32 (2016) 914–938,
doi:10.1016/j.ijforecast.2015.11.011; S. Haben and others: Review of low voltage load forecasting.
Applied Energy 304 (2021) 117798, doi:10.1016/j.apenergy.2021.117798).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cosim.prosumers.forecasting.model import ReportedModel
from cosim.prosumers.forecasting.reports import Issue
from cosim.units import FloatArray


def last_value(issue: Issue) -> FloatArray:
    """Return the last reported power for every target, (L, n). [MW]"""
    return np.broadcast_to(issue.reported_mw[-1], issue.shape)


def same_time(issue: Issue, days: int) -> FloatArray:
    """Return the power at the same time of the last reported day that is whole cycles back.

    Parameters
    ----------
    issue : Issue
    days : int
        Length of the cycle: 1 for yesterday, 7 for last week. [d]

    Returns
    -------
    (L, n) float
        NaN where nothing is reported so far back. [MW]
    """
    cycle = days * issue.rows.per_day
    back = np.maximum(-(-(issue.targets - issue.last) // cycle), 1)
    source = issue.targets - back * cycle
    found = issue.reported_mw[np.maximum(source, 0)]
    return np.where((source >= 0)[:, np.newaxis], found, np.nan)


def filled(forecast_mw: FloatArray, otherwise_mw: FloatArray) -> FloatArray:
    """Return a forecast with another where it has no value. [MW]"""
    return np.where(np.isnan(forecast_mw), otherwise_mw, forecast_mw)


class Persistence(ReportedModel):
    """The last reported power goes on, however far ahead."""

    def predict(self, issue: Issue) -> FloatArray:
        """Repeat the last report."""
        return last_value(issue)


class Yesterday(ReportedModel):
    """The power at the same time of the last day on which it is reported.

    A forecast made at noon for the next day has yesterday's morning and the day before's evening.
    Where nothing is reported so far back, it is the last reported power.
    """

    days = 2
    cycle: ClassVar[int] = 1

    def predict(self, issue: Issue) -> FloatArray:
        """Repeat the day."""
        return filled(same_time(issue, self.cycle), last_value(issue))


class LastWeek(ReportedModel):
    """The power at the same time of the same weekday, a week before; else as :class:`Yesterday`."""

    days = 8
    cycle: ClassVar[int] = 7

    def predict(self, issue: Issue) -> FloatArray:
        """Repeat the week."""
        day = filled(same_time(issue, Yesterday.cycle), last_value(issue))
        return filled(same_time(issue, self.cycle), day)
