"""Charts of a long run: heat maps by hour and day, duration curves, sums by month."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cosim.report.chart_style import (
    AFTER,
    AMBER,
    BEFORE,
    GREEN,
    PINK,
    SKY,
    Chart,
    filled,
    limit_line,
    styled,
    zero_line,
)
from cosim.report.heat_scale import heat_scale
from cosim.report.outside import members_of
from cosim.report.panel import ReportPart, TableFigure, TextTable
from cosim.report.roles import MEMBERS, ROLES, UPSTREAM, money_over_time
from cosim.report.text import number
from cosim.report.year import YearSeries, year_series
from cosim.results.reader import Results
from cosim.units import FloatArray

HOURS = 24
DAYS_MAX = 800
"""Most columns of a heat map; of longer runs, days next to each other are shown as one."""
POINTS_MAX = 400
"""Most points of a duration curve."""


def year_part(results: Results) -> ReportPart:
    """Return the overview of a long run."""
    series = year_series(results)
    return ReportPart(
        key="year",
        title="The whole run at a glance",
        figures=(
            *_heat_maps(results, series),
            *_duration_curves(results, series),
            energy_by_month_chart(results, series),
            money_by_month_chart(results),
            month_table(results, series),
        ),
        definitions=(
            (
                "Heat maps, duration curves",
                "A cell of a heat map is an hour of a day, with the most extreme value or the mean "
                "of its intervals, as its title says. A duration curve has the values of all "
                "intervals, sorted: so much of the time it is that high or higher. Both show what "
                "was delivered.",
            ),
        ),
    )


def _heat_maps(results: Results, series: YearSeries) -> list[Chart]:
    limits = results.scenario_fields["grid"]["limits"]
    maps = [
        (
            "vm-low", "Lowest voltage", "of all buses in an hour", "pu", series.lowest_vm_pu,
            "min", "voltage", limits["vm_min_pu"],
        ),
        (
            "vm-high", "Highest voltage", "of all buses in an hour", "pu", series.highest_vm_pu,
            "max", "voltage", limits["vm_max_pu"],
        ),
        (
            "trafo", "Highest transformer loading", "in an hour", "%", series.trafo_percent,
            "max", "loading", limits["trafo_loading_percent"],
        ),
        (
            "line", "Highest line loading", "in an hour", "%", series.line_percent,
            "max", "loading", limits["line_loading_percent"],
        ),
        (
            "import", "Net import from upstream", "mean of an hour; export is negative", "kW",
            series.net_import_kw, "mean", "both", None,
        ),
        (
            "price", "Price of local trades", "mean of an hour's intervals with trades", "EUR/kWh",
            series.price_eur_per_kwh, "mean", "high", None,
        ),
    ]  # fmt: skip
    return [_heat_map(results, *each) for each in maps]


def _heat_map(
    results: Results,
    key: str,
    title: str,
    words: str,
    unit: str,
    values: FloatArray,
    function: str,
    scale: str,
    limit: float | None,
) -> Chart:
    """Draw one quantity by hour and day."""
    digits = 4 if unit in ("pu", "EUR/kWh") else 1
    days, cells = by_hour_and_day(results, values, function)
    beyond = ""
    if limit is not None:
        known = values[~np.isnan(values)]
        n = int((known < limit).sum() if function == "min" else (known > limit).sum())
        hours = number(n * results.step_h, "h", 1)
        beyond = f" Limit {limit:g} {unit}: beyond it in {hours}."
    chart = Chart(
        f"heat-{key}",
        f"{title} [{unit}]",
        f"By day and hour: {words}.{beyond}",
        None,
        "There is no value in this run.",
        over_time=False,
    )
    if np.isnan(cells).all():
        return chart
    figure = go.Figure(
        go.Heatmap(
            x=[f"{day:%Y-%m-%d}" for day in days],
            y=list(range(HOURS)),
            z=np.round(cells.T, digits).astype(np.float32),
            hoverongaps=False,
            hovertemplate=f"%{{x}}, %{{y}}:00: %{{z:.{digits}f}} {unit}<extra></extra>",
            **heat_scale(results, scale, limit),
        )
    )
    styled(figure, ["hour"], 300, over_time=False)
    figure.update_xaxes(type="date", tickformat="%d %b\n%Y", showgrid=False)
    figure.update_yaxes(tickvals=[0, 6, 12, 18, 23], range=[-0.5, HOURS - 0.5], showgrid=False)
    return filled(chart, figure)


def by_hour_and_day(
    results: Results, values: FloatArray, function: str
) -> tuple[pd.DatetimeIndex, FloatArray]:
    """Return values by hour and day.

    Parameters
    ----------
    results : Results
    values : (T,) float
        By interval; NaN where there is none.
    function : str
        ``min``, ``max`` or ``mean`` of an hour.

    Returns
    -------
    (n_days,) DatetimeIndex and (n_days, 24) float
        First day of each column, and its values; NaN where there is none.
    """
    times = results.times
    day = times.normalize()
    n_days = (day[-1] - day[0]).days + 1
    together = -(-n_days // DAYS_MAX)
    place = (day - day[0]).days // together
    cells = pd.Series(values).groupby([place, times.hour]).agg(function)
    found = np.full((-(-n_days // together), HOURS), np.nan)
    at = cells.index
    found[at.get_level_values(0), at.get_level_values(1)] = cells.to_numpy()
    return pd.date_range(day[0], periods=len(found), freq=f"{together}D"), found


def _duration_curves(results: Results, series: YearSeries) -> list[Chart]:
    limits = results.scenario_fields["grid"]["limits"]
    loading = _duration(
        "duration-loading",
        "Duration of loadings",
        "Highest loading of any transformer and of any line in an interval, sorted.",
        "loading [%]",
        (
            ("transformers", series.trafo_percent, AFTER),
            ("lines", series.line_percent, BEFORE),
        ),
        sorted({limits["line_loading_percent"], limits["trafo_loading_percent"]}),
    )
    voltage = _duration(
        "duration-voltage",
        "Duration of voltages",
        "Highest and lowest voltage of all buses in an interval, each sorted by itself.",
        "voltage [pu]",
        (
            ("highest", series.highest_vm_pu, BEFORE),
            ("lowest", series.lowest_vm_pu, AFTER),
        ),
        [limits["vm_min_pu"], limits["vm_max_pu"]],
    )
    exchange = _duration(
        "duration-import",
        "Duration of exchange with upstream",
        "Net import, losses included, sorted; export is negative.",
        "net import [kW]",
        (("net import", series.net_import_kw, AFTER),),
        [],
    )
    price = _duration(
        "duration-price",
        "Duration of prices",
        "Price of local trades, sorted, over the intervals with trades.",
        "price [EUR/kWh]",
        (("price", series.price_eur_per_kwh, GREEN),),
        [],
    )
    return [loading, voltage, exchange, price]


def _duration(
    key: str,
    title: str,
    caption: str,
    unit: str,
    lines: Sequence[tuple[str, FloatArray, str]],
    limits: Sequence[float],
) -> Chart:
    """Draw sorted values against the share of time."""
    figure = go.Figure()
    for name, values, colour in lines:
        share, ordered = duration(values)
        if len(ordered):
            figure.add_trace(
                go.Scatter(
                    x=np.round(share, 3),
                    y=np.round(ordered, 4),
                    name=name,
                    mode="lines",
                    line={"color": colour, "width": 2},
                    hovertemplate="%{x:.2f} % of the time at least %{y:.4~g}<extra>"
                    + name
                    + "</extra>",
                    showlegend=len(lines) > 1,
                )
            )
    chart = Chart(key, title, caption, None, "There is no value in this run.", over_time=False)
    if not figure.data:
        return chart
    for limit in limits:
        limit_line(figure, limit, f"limit {limit:g}")
    styled(figure, [unit], over_time=False)
    figure.update_xaxes(title={"text": "share of time [%]"}, range=[0, 100])
    return filled(chart, figure)


def duration(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a duration curve: shares of time in percent, and the values reached so long.

    Highest and lowest are in it, and the steepest part at the beginning has most of the points.
    """
    ordered = np.sort(values[~np.isnan(values)])[::-1]
    n = len(ordered)
    if n <= POINTS_MAX:
        return 100.0 * np.arange(1, n + 1) / max(n, 1), ordered
    even = np.linspace(0, n - 1, POINTS_MAX // 2)
    ends = np.geomspace(1, n, POINTS_MAX // 4) - 1
    place = np.unique(np.concatenate([even, ends, n - 1 - ends]).astype(np.int64))
    return 100.0 * (place + 1) / n, ordered[place]


def _months(results: Results) -> pd.PeriodIndex:
    return results.times.to_period("M")


def _by_month(results: Results, values: FloatArray) -> pd.Series:
    """Return sums by month, without what is NaN."""
    return pd.Series(values).groupby(_months(results)).sum()


def _energies(results: Results, series: YearSeries) -> dict[str, pd.Series]:
    """Return energy by month and what it is. [kWh]"""
    hours = results.step_h
    return {
        "generated": _by_month(results, series.generation_kw * hours),
        "consumed": _by_month(results, series.consumption_kw * hours),
        "imported": _by_month(results, np.maximum(series.net_import_kw, 0.0) * hours),
        "exported": _by_month(results, np.maximum(-series.net_import_kw, 0.0) * hours),
        "traded locally": _by_month(results, series.traded_kwh),
        "flexibility bought": _by_month(results, series.bought_kwh),
        "curtailed": _by_month(results, series.curtailed_kwh),
    }


def _monthly_bars(
    drawn: Sequence[tuple[str, pd.Series, str]], title: str, unit: str, digits: int
) -> Any:
    """Return bars of sums by month next to each other, each with its name and colour."""
    figure = go.Figure()
    for name, sums, colour in drawn:
        figure.add_trace(
            go.Bar(
                x=[_label(month) for month in sums.index],
                y=np.round(sums.to_numpy(), digits),
                name=f"{name} [{unit}]",
                marker={"color": colour},
            )
        )
    styled(figure, [f"{title} [{unit}]"], 360, over_time=False)
    figure.update_layout(barmode="group", bargap=0.2)
    figure.update_yaxes(automargin=True)
    figure.update_xaxes(type="category")
    return figure


def energy_by_month_chart(results: Results, series: YearSeries) -> Chart:
    """Draw energy by month."""
    colours = (AMBER, BEFORE, AFTER, SKY, GREEN, PINK, "#52606d")
    bars = zip(_energies(results, series).items(), colours, strict=True)
    drawn = [(name, sums, colour) for (name, sums), colour in bars if sums.any()]
    figure = _monthly_bars(drawn, "energy", "kWh", 1)
    return Chart(
        "months-energy",
        "Energy by month",
        "Generation after curtailment and consumption of all prosumers, exchange with upstream, "
        "local trades, flexibility that the DSO bought, and what it cut by order.",
        figure,
        over_time=False,
        wide=True,
    )


def _money_by_month(results: Results) -> dict[str, pd.Series]:
    """Return what each role received by month. [EUR]"""
    money, months = money_over_time(results), _months(results)
    titles = {MEMBERS: f"Members ({len(members_of(results))})"} | ROLES
    return {
        titles[str(role)]: money[role].groupby(months).sum(min_count=1)
        for role in money.columns
        if money[role].any()
    }


def money_by_month_chart(results: Results) -> Chart:
    """Draw what each role received by month."""
    colours = (AFTER, BEFORE, GREEN, PINK, AMBER, SKY, "#52606d", "#1f2933")
    bars = zip(_money_by_month(results).items(), colours, strict=False)
    drawn = [(name, sums, colour) for (name, sums), colour in bars]
    figure = _monthly_bars(drawn, "received", "EUR", 2)
    zero_line(figure)
    return Chart(
        "months-money",
        "Money by role and month",
        "Received (+) and paid (−), energy bought and sold upstream and losses among it.",
        figure,
        over_time=False,
        wide=True,
    )


def month_table(results: Results, series: YearSeries) -> TableFigure:
    """Return energy and money of every month as a table."""
    energies, money = _energies(results, series), _money_by_month(results)
    headings = ("Month", *(name.capitalize() for name in energies), *money)
    rows = []
    for month in energies["generated"].index:
        energy = [number(float(sums[month]), "", 0) for sums in energies.values()]
        amounts = [
            number(None if np.isnan(sums[month]) else float(sums[month]), "", 2)
            for sums in money.values()
        ]
        rows.append((_label(month), *energy, *amounts))
    return TableFigure(
        "months-table",
        "Sums by month",
        (
            "Energy in kWh, money in EUR: received (+) and paid (−) by role; "
            f"{ROLES[UPSTREAM].lower()} receives the wholesale price for the net import.",
        ),
        (TextTable("", headings, rows),),
        wide=True,
    )


def _label(month: pd.Period) -> str:
    return month.strftime("%b %Y")
