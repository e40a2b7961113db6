"""Forecasts in a report: models, quality, and what the community expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cosim.plugins import FORECASTS
from cosim.report.chart_style import AFTER, BEFORE, INK, Chart, TimeAxis, styled
from cosim.report.forecast_quality import HORIZON_LABELS, HORIZONS, Quality, quality_table
from cosim.report.panel import ReportPart, Tile
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, WH_PER_MWH

KW_PER_MW = WH_PER_MWH / WH_PER_KWH

FORECAST_DEFINITIONS = (
    (
        "Forecast error",
        "Forecast less actual power of one prosumer's devices of a class. nRMSE: its root mean "
        "square over the prosumer's mean power, of generation over the rating; nMAE: mean absolute "
        "error over mean power; skill: 1 less the ratio of its root mean square to that of "
        "persistence, day ahead of the same time of the last day reported; lag 1: autocorrelation "
        "of successive errors; bias: sum of errors over sum of power. A forecast at gate closure "
        "knows the reports that are in when the order window opens.",
    ),
)


def forecast_part(results: Results, quality: Quality) -> ReportPart:
    """Return the forecasts' part of a report; empty where nothing was forecast."""
    if not quality:
        return ReportPart(key="forecasts", title="Forecasts")
    return ReportPart(
        key="forecasts",
        title="Forecasts",
        key_data=(("Forecasts", models_text(results, quality)),),
        tiles=(_tile(results, quality),),
        figures=(*(_chart(results, name) for name in quality), quality_table(quality)),
        definitions=FORECAST_DEFINITIONS,
    )


def models_text(results: Results, quality: Quality) -> str:
    """Return the model of every class in words, and which of them see the future."""
    chosen = results.scenario_fields["prosumers"]["forecast"]
    parts = [f"{name}: {_model(chosen, name)}" for name in quality]
    return ", ".join(parts) + f"; orders at {HORIZON_LABELS[chosen['horizon']]}"


def _model(chosen: Mapping[str, Any], name: str) -> str:
    model = str(chosen["by_class"].get(name, chosen["model"])["name"])
    known = FORECASTS.load(model) if model in FORECASTS.names else None
    return f"{model} (sees the future)" if known and known.sees_future else model


def _tile(results: Results, quality: Quality) -> Tile:
    """Return the tile of errors at the horizon of orders."""
    horizon = results.scenario_fields["prosumers"]["forecast"]["horizon"]
    errors = [
        f"{name} {percent(own[horizon]['nrmse_all'])} of the sum"
        for name, own in quality.items()
        if own[horizon]["nrmse"] is not None
    ]
    name, first = next(iter(quality.items()))
    value = first[horizon]["nrmse"]
    return Tile(
        f"Forecast error, {name}",
        f"nRMSE at {HORIZON_LABELS[horizon]}, median of prosumers; {', '.join(errors)}",
        number(None if value is None else 100 * value, "%"),
    )


def _chart(results: Results, name: str) -> Chart:
    """Draw a class's power of all prosumers, as it was and as expected."""
    frame = results.frame("forecasts")
    columns = ("actual_mw", *(f"{horizon}_mw" for horizon in HORIZONS))
    sums = frame[frame["device_class"] == name].groupby("interval")[list(columns)].sum(min_count=1)
    axis, figure = TimeAxis(results), go.Figure()
    for column, label, colour in zip(
        columns, ("actual", *HORIZON_LABELS.values()), (INK, AFTER, BEFORE), strict=True
    ):
        values = sums[column].to_numpy() * KW_PER_MW
        if not np.isnan(values).all():
            figure.add_trace(axis.line(values, f"{label} [kW]", colour))
    return Chart(
        f"forecast-{name.replace('_', '-')}",
        f"Forecasts: {name.replace('_', ' ')}",
        "All prosumers together: what the devices wanted, and what was expected when the order "
        "window opened and on the day before.",
        styled(figure, ["power [kW]"]),
    )
