"""A trained forecast: mean by type of day and time, and an autoregressive residual."""

from __future__ import annotations

import numpy as np

from cosim.prosumers.forecasting.model import ForecastSetup, ReportedModel
from cosim.prosumers.forecasting.naive import filled, last_value
from cosim.prosumers.forecasting.reports import SECONDS_PER_DAY, Horizon, Issue, Reports
from cosim.units import FloatArray, IntArray

_DAY_TYPES = 3
_LARGEST_AUTOCORRELATION = 0.99


class Trained(ReportedModel):
    """Mean of earlier days by type of day and time of day, plus an AR(1) residual.

    With the mean ``m`` of a prosumer's reports at the same time of earlier days of the same type
    (working day, Saturday, Sunday; generation knows one type), and the lag-1 autocorrelation ``a``
    of what is left of them, the forecast made after row ``l`` is::

        forecast(k) = m(k) + a^(k - l) * (p(l) - m(l))

    It is fitted for each prosumer on whole days before the one on which it is made. This is the
    usual benchmark of a conditional mean with an autoregressive error (S. Haben and others: Short
    term load forecasting and the effect of temperature at the low voltage level. International
    Journal of Forecasting 35 (2019) 1469–1484, doi:10.1016/j.ijforecast.2018.10.007), without
    their trend, seasons and temperature. It knows no weather.

    Parameters
    ----------
    setup : ForecastSetup
    days : int
        How many days back it learns from, at least 1. [d]
    """

    def __init__(self, setup: ForecastSetup, days: int = 28) -> None:
        super().__init__(setup)
        if not isinstance(days, int) or isinstance(days, bool) or days < 1:
            raise setup.refuse("days", f"days is {days}", "give a whole number of days, at least 1")
        self.days = days + 2  # to the day on which the first forecast of a run is made
        self._learnt_days = days
        self._fitted: tuple[tuple[int, int], tuple[FloatArray, FloatArray]] | None = None

    def expect(self, reports: Reports, horizon: Horizon) -> FloatArray:
        """Forecast each interval from what is reported by then, fitted anew for every day."""
        self._fitted = None
        return super().expect(reports, horizon)

    def predict(self, issue: Issue) -> FloatArray:
        """Forecast from the mean of the day and the last residual."""
        rows, last = issue.rows, issue.last
        today = int(rows.day(np.array([last + 1]))[0])
        reported = np.arange(max(0, last + 1 - self.days * rows.per_day), last + 1)
        days = rows.day(reported)
        learnt = reported[(days < today) & (days >= today - self._learnt_days)]
        if not len(learnt):
            return last_value(issue)
        window = (int(learnt[0]), int(learnt[-1]))
        if self._fitted is None or self._fitted[0] != window:
            self._fitted = window, _fit(issue, learnt)
        mean_mw, autocorrelation = self._fitted[1]
        residual = issue.reported_mw[last] - self._of(issue, mean_mw, np.array([last]))[0]
        ahead = (issue.targets - last)[:, np.newaxis]
        known = np.where(np.isnan(residual), 0.0, residual)
        expected = self._of(issue, mean_mw, issue.targets) + autocorrelation**ahead * known
        return filled(expected, last_value(issue))

    @staticmethod
    def _of(issue: Issue, mean_mw: FloatArray, rows: IntArray) -> FloatArray:
        """Return the means of rows. [MW]"""
        kind = np.zeros_like(rows) if issue.generates else issue.rows.day_type(rows)
        return np.asarray(mean_mw[kind, issue.rows.slot(rows)])


def _fit(issue: Issue, learnt: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return means by type of day and slot, (3, S, n), and the autocorrelation, (n,)."""
    calendar, p_mw = issue.rows, issue.reported_mw[learnt]
    slot = calendar.slot(learnt)
    kind = np.zeros_like(learnt) if issue.generates else calendar.day_type(learnt)
    n_slots, n = -(-SECONDS_PER_DAY // calendar.step_s), p_mw.shape[1]
    sums, counts = np.zeros((_DAY_TYPES, n_slots, n)), np.zeros((_DAY_TYPES, n_slots))
    np.add.at(sums, (kind, slot), p_mw)
    np.add.at(counts, (kind, slot), 1.0)
    every = _mean(sums.sum(axis=0), counts.sum(axis=0))
    mean_mw = filled(_mean(sums, counts), every)
    left = p_mw - mean_mw[kind, slot]
    square = (left**2).sum(axis=0)
    product = (left[1:] * left[:-1]).sum(axis=0)
    autocorrelation = np.divide(product, square, out=np.zeros(n), where=square > 0)
    return mean_mw, np.clip(autocorrelation, 0.0, _LARGEST_AUTOCORRELATION)


def _mean(sums: FloatArray, counts: FloatArray) -> FloatArray:
    """Return means, NaN of nothing."""
    counted = np.broadcast_to(counts[..., np.newaxis], sums.shape)
    empty = np.full(sums.shape, np.nan)
    return np.asarray(np.divide(sums, counted, out=empty, where=counted > 0))
