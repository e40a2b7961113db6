"""The report of a long run: the year at a glance, and its worst days, each to be opened.

What is drawn of all intervals does not grow with them, and of single intervals only those of the
worst days are in the page: so many of them, the worst first, that it stays below
:data:`BYTES_MAX`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
from markupsafe import Markup

from cosim.report.chart_style import Chart
from cosim.report.forecast_panel import forecast_part
from cosim.report.grid_panel import (
    GRID_DEFINITIONS,
    curtailment_chart,
    device_chart,
    energy_chart,
    grid_tiles,
    loading_chart,
    voltage_chart,
)
from cosim.report.indicators import Indicators
from cosim.report.ledger_panel import (
    block_chart,
    fee_chart,
    finality_chart,
    ledger_overview,
)
from cosim.report.map_data import drawing, states
from cosim.report.money_panel import money_chart, money_overview
from cosim.report.page import script_json
from cosim.report.panel import ReportPart
from cosim.report.series import StageSeries, stage_series
from cosim.report.subjects import subjects
from cosim.report.text import number
from cosim.report.year import Day, worst_days, year_series
from cosim.report.year_panel import year_part
from cosim.results.reader import Results

BYTES_MAX = 9_900_000
"""Most bytes of a report. [B]"""

_ROW_BYTES = 3_000
"""More than the row of a day takes in the table. [B]"""


def long_parts(results: Results, indicators: Indicators) -> list[ReportPart]:
    """Return the parts of a long run's report: none of their figures has a value per interval."""
    parts = [
        ReportPart(
            key="grid",
            title="Grid",
            tiles=grid_tiles(indicators),
            figures=(device_chart(indicators),),
            definitions=GRID_DEFINITIONS,
        ),
        money_overview(results, indicators),
    ]
    for subject in subjects(results):
        part = subject.overview(results)
        if part is not None:
            figures = (*part.figures, *subject.text_tables(results))
            parts.append(replace(part, figures=figures))
    forecasts = _without_time(forecast_part(results.window(0, 1), indicators.forecast_quality))
    parts += [forecasts, ledger_overview(results, indicators), year_part(results)]
    return parts


def _without_time(part: ReportPart) -> ReportPart:
    figures = [each for each in part.figures if not (isinstance(each, Chart) and each.over_time)]
    return replace(part, figures=figures)


def map_frame(results: Results) -> dict[str, Any]:
    """Return what the maps of all days have in common."""
    first = stage_series(results.window(0, 1), "delivered")
    return {"step_s": results.step_s, **drawing(results, first)}


def day_row(results: Results, day: Day) -> dict[str, Any]:
    """Return a day as a row of text: its date, what it is there for, and its values."""
    series, own = year_series(results), day.of_run
    minutes = results.step_s / 60
    return {
        "date": f"{results.times[day.first]:%a %d %b %Y}",
        "why": ", ".join(day.why),
        "cells": [
            _worst(series.lowest_vm_pu[own], np.fmin, "", 4),
            _worst(series.highest_vm_pu[own], np.fmax, "", 4),
            _worst(series.trafo_percent[own], np.fmax, "", 1),
            _worst(series.line_percent[own], np.fmax, "", 1),
            number(float((series.violated_before[own] > 0).sum() * minutes), "", 0),
            number(float((series.violated_delivered[own] > 0).sum() * minutes), "", 0),
            number(float(series.bought_kwh[own].sum()), "", 1),
            number(float(series.curtailed_kwh[own].sum()), "", 1),
        ],
    }


DAY_HEADINGS = (
    "Lowest voltage [pu]",
    "Highest voltage [pu]",
    "Transformer [%]",
    "Line [%]",
    "Violated before [min]",
    "Violated delivered [min]",
    "Flexibility bought [kWh]",
    "Curtailed [kWh]",
)


def _worst(values: Any, function: np.ufunc, unit: str, digits: int) -> str:
    worst = float(function.reduce(values))
    return number(None if np.isnan(worst) else worst, unit, digits)


def day_data(results: Results, indicators: Indicators, day: Day) -> Markup:
    """Return the panels and the map of one day, as a short report has them, as JSON."""
    part = results.window(day.first, day.last)
    before, after = stage_series(part, "scheduled"), stage_series(part, "delivered")
    shown = np.arange(part.n_intervals)
    return script_json(
        {
            "map": {
                "start": part.times[0].isoformat(),
                "first": day.first,
                **states(before, after, shown),
            },
            "charts": [_chart(chart) for chart in _charts(part, indicators, before, after)],
        }
    )


def _charts(
    part: Results, indicators: Indicators, before: StageSeries, after: StageSeries
) -> list[Chart]:
    """Return the charts over time of a stretch."""
    found = [
        voltage_chart(part, before, after),
        loading_chart(part, before, after),
        curtailment_chart(part),
        energy_chart(part),
        money_chart(part),
    ]
    for subject in subjects(part):
        own = subject.report(part)
        found += [] if own is None else [each for each in own.figures if isinstance(each, Chart)]
    forecasts = forecast_part(part, indicators.forecast_quality)
    found += [each for each in forecasts.figures if isinstance(each, Chart)]
    found += [block_chart(part), finality_chart(part), fee_chart(part)]
    return [chart for chart in found if chart.over_time]


def _chart(chart: Chart) -> dict[str, Any]:
    return {
        "key": chart.key,
        "title": chart.title,
        "caption": chart.caption,
        "wide": chart.wide,
        "empty": chart.empty,
        "height": None if chart.figure is None else chart.figure.layout.height,
        "figure": None if chart.figure is None else json.loads(chart.figure.to_json()),
    }


def shown_days(
    results: Results, indicators: Indicators, bytes_left: int
) -> tuple[list[dict[str, Any]], int]:
    """Return the worst days as rows with their data, as many as there is place for.

    Returns
    -------
    list of dict and int
        Rows of :func:`day_row` with ``data``, and how many days had no place.
    """
    found, days = [], worst_days(results)
    for day in days:
        row, data = day_row(results, day), day_data(results, indicators, day)
        bytes_left -= len(data.encode()) + _ROW_BYTES
        if bytes_left < 0:
            break
        found.append({**row, "data": data})
    return found, len(days) - len(found)
