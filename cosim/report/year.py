"""Series of a long run by interval, and its worst days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.report.checks import grid_record
from cosim.report.energy import community_power
from cosim.report.series import per_interval
from cosim.report.stretches import along
from cosim.results.reader import Results
from cosim.results.windows import calendar_days
from cosim.units import UEUR_PER_EUR, WH_PER_KWH, FloatArray, IntArray

KW_PER_MW = 1_000

WORST_OF_EACH = 2
"""Days that are shown for each reason."""


@dataclass(frozen=True)
class YearSeries:
    """Series that a long run is shown by, each (T,) by interval.

    Parameters
    ----------
    lowest_vm_pu, highest_vm_pu, line_percent, trafo_percent : (T,) float
        As delivered; NaN without a value.
    violated_before, violated_delivered : (T,) int64
        Elements beyond a limit, in the schedules before flexibility and as delivered.
    net_import_kw : (T,) float
        From upstream, losses included; NaN where a power flow has no solution.
    generation_kw, consumption_kw : (T,) float
    price_eur_per_kwh : (T,) float
        Of local trades, weighted by energy; NaN where nothing was traded.
    traded_kwh, bought_kwh, curtailed_kwh : (T,) float
        Traded between prosumers; flexibility bought by the DSO; curtailed by its order.
    """

    lowest_vm_pu: FloatArray
    highest_vm_pu: FloatArray
    line_percent: FloatArray
    trafo_percent: FloatArray
    violated_before: IntArray
    violated_delivered: IntArray
    net_import_kw: FloatArray
    generation_kw: FloatArray
    consumption_kw: FloatArray
    price_eur_per_kwh: FloatArray
    traded_kwh: FloatArray
    bought_kwh: FloatArray
    curtailed_kwh: FloatArray


def year_series(results: Results) -> YearSeries:
    """Return the series of a run, read in stretches."""
    return results.kept("year series", lambda: _year_series(results))


def _year_series(results: Results) -> YearSeries:
    record, power = grid_record(results), community_power(results)
    delivered, scheduled = record["delivered"], record["scheduled"]
    balance = results.frame("grid_balance", ("interval", "p_slack_mw")).set_index("interval")
    imported_mw = balance["p_slack_mw"].reindex(range(results.n_intervals)).to_numpy()
    energy_wh, worth, bought_wh, curtailed_wh = along(results, market_sums).T
    price = np.divide(worth, energy_wh, out=np.full(len(worth), np.nan), where=energy_wh > 0)
    return YearSeries(
        lowest_vm_pu=delivered.lowest_vm_pu,
        highest_vm_pu=delivered.highest_vm_pu,
        line_percent=delivered.line_percent,
        trafo_percent=delivered.trafo_percent,
        violated_before=scheduled.n_violated,
        violated_delivered=delivered.n_violated,
        net_import_kw=np.asarray(imported_mw * KW_PER_MW, dtype=np.float64),
        generation_kw=power.generation_mw * KW_PER_MW,
        consumption_kw=power.consumption_mw * KW_PER_MW,
        price_eur_per_kwh=price / UEUR_PER_EUR,
        traded_kwh=energy_wh / WH_PER_KWH,
        bought_kwh=bought_wh / WH_PER_KWH,
        curtailed_kwh=curtailed_wh / WH_PER_KWH,
    )


def market_sums(part: Results) -> FloatArray:
    """Return energy traded, its worth, flexibility bought and what was curtailed, (T, 4)."""
    trades = part.frame("trades", ("interval", "energy_wh", "price_ueur_per_kwh"))
    worth = trades["energy_wh"] * trades["price_ueur_per_kwh"]
    flexibility = part.frame("flexibility", ("interval", "awarded_wh"))
    schedules = part.frame("schedules", ("interval", "curtailed_wh"))
    return np.stack(
        [
            per_interval(part, trades["interval"], trades["energy_wh"]),
            per_interval(part, trades["interval"], worth),
            per_interval(part, flexibility["interval"], flexibility["awarded_wh"]),
            per_interval(part, schedules["interval"], schedules["curtailed_wh"].abs()),
        ],
        axis=1,
    )


@dataclass(frozen=True)
class Day:
    """A calendar day of a run.

    Parameters
    ----------
    first, last : int
        Its first interval, and the one after its last.
    why : tuple of str
        What it is shown for.
    """

    first: int
    last: int
    why: tuple[str, ...] = ()

    @property
    def of_run(self) -> slice:
        """Its intervals."""
        return slice(self.first, self.last)


def days_of(results: Results) -> list[Day]:
    """Return the calendar days of a run."""
    found = calendar_days(results.n_intervals, results.start, results.step_s)
    return [Day(first, last) for first, last in found]


def worst_days(results: Results) -> list[Day]:
    """Return the days that are worth a look, those for the first reason first.

    For each reason the two days with the most extreme value, equal ones in their order; a day may
    be there for several reasons, and reasons that never arose have none.
    """
    series, days = year_series(results), days_of(results)
    loading = series.trafo_percent, series.line_percent
    by_reason: list[tuple[str, FloatArray]] = [
        ("lowest voltage", _of_days(days, -series.lowest_vm_pu, np.fmax)),
        ("highest voltage", _of_days(days, series.highest_vm_pu, np.fmax)),
        ("highest transformer loading", _of_days(days, loading[0], np.fmax)),
        ("highest line loading", _of_days(days, loading[1], np.fmax)),
        ("most limits violated before flexibility", _sums(days, series.violated_before)),
        ("most flexibility bought", _sums(days, series.bought_kwh)),
        ("most curtailed", _sums(days, series.curtailed_kwh)),
    ]
    reasons: dict[int, list[str]] = {}
    for reason, values in by_reason:
        ranked = np.argsort(-np.where(np.isnan(values), -np.inf, values), kind="stable")
        for k in ranked[:WORST_OF_EACH].tolist():
            if not np.isnan(values[k]):
                reasons.setdefault(k, []).append(reason)
    return [Day(days[k].first, days[k].last, tuple(why)) for k, why in reasons.items()]


def _of_days(days: list[Day], values: FloatArray, function: np.ufunc) -> FloatArray:
    return np.array([function.reduce(values[day.of_run]) for day in days], dtype=np.float64)


def _sums(days: list[Day], values: FloatArray | IntArray) -> FloatArray:
    """Return sums by day; NaN of days without any."""
    sums = np.array([values[day.of_run].sum() for day in days], dtype=np.float64)
    return np.where(sums > 0, sums, np.nan)
