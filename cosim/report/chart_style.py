"""Style of the report's charts: colours, time axis, limits."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cosim.results.reader import Results
from cosim.units import FloatArray

# Okabe and Ito's colours, told apart with every kind of colour vision
BEFORE = "#d55e00"
AFTER = "#0072b2"
GREEN = "#009e73"
AMBER = "#e69f00"
PINK = "#cc79a7"
SKY = "#56b4e9"
INK = "#1f2933"
GRID = "#e3e7eb"

MILLISECONDS = 1_000

VOLTAGE = ("#2d3a8c", "#6b8fd6", "#c3d3ef", "#f1f1ef", "#f9cf9c", "#e58a2b", "#8f4205")
LOADING = ("#c9ced6", "#b3b1d4", "#8f83c0", "#6d4fa3", "#4a1486", "#240046")
"""Colours of the map (``templates/map.js``): a voltage, or a loading, has the same in both."""


@dataclass(frozen=True)
class Chart:
    """A chart of the report.

    Parameters
    ----------
    key : str
        Identifier in the page.
    title, caption : str
        What it shows, and how to read it.
    figure : plotly.graph_objects.Figure or None
        None when there is nothing to draw.
    empty : str
        The sentence that then stands in its place.
    over_time : bool
        Whether its horizontal axis is time.
    wide : bool
        Whether it takes the whole width of the page.
    """

    key: str
    title: str
    caption: str
    figure: Any
    empty: str = ""
    over_time: bool = True
    wide: bool = False


class TimeAxis:
    """Traces whose values hold for whole intervals.

    Parameters
    ----------
    results : Results
        Gives the intervals' times.
    """

    def __init__(self, results: Results) -> None:
        self._start = results.times[0].isoformat()
        self._step_ms = results.step_s * MILLISECONDS

    def line(self, values: FloatArray, name: str, colour: str, **options: Any) -> Any:
        """Return a stepped line; the last value is held to the end of its interval."""
        style = {"color": colour, "width": options.pop("width", 2), "shape": "hv"}
        if "dash" in options:
            style["dash"] = options.pop("dash")
        held = np.append(values, values[-1:]) if len(values) else values
        return go.Scatter(
            x0=self._start,
            dx=self._step_ms,
            y=np.round(held, 4),
            name=name,
            mode="lines",
            line=style,
            connectgaps=False,
            **options,
        )

    def bars(self, values: FloatArray, name: str, colour: str, **options: Any) -> Any:
        """Return bars as wide as their intervals."""
        return go.Bar(
            x0=self._start,
            dx=self._step_ms,
            y=np.round(values, 4),
            name=name,
            marker={"color": colour, "line": {"width": 0}, **options.pop("marker", {})},
            offset=0,
            width=self._step_ms,
            **options,
        )


def styled(figure: Any, y_titles: list[str], height: int = 330, over_time: bool = True) -> Any:
    """Give a figure the report's look.

    The layout is set once and whole: updating a figure property by property takes ten times as
    long, which is most of the time that a report takes.
    """
    layout = figure.layout.to_plotly_json()
    look = {
        "template": {},
        "height": height,
        "margin": {"l": 62, "r": 16, "t": 8, "b": 52},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "#ffffff",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "legend": {
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.02,
            "x": 0,
            "xanchor": "left",
            "traceorder": "normal",
        },
        "hovermode": "x unified" if over_time else "closest",
        "hoverlabel": {"bgcolor": "#ffffff", "font": {"size": 12}},
        "bargap": 0,
        "separators": ".\u202f",
        "modebar": {"bgcolor": "rgba(255,255,255,0.9)", "color": "#7b8794", "activecolor": INK},
    }
    layout.pop("template", None)
    _lay_over(layout, look)
    axis = {
        "gridcolor": GRID,
        "linecolor": "#9aa5b1",
        "zeroline": False,
        "ticks": "outside",
        "title": {"font": {"size": 13}},
    }
    time_axis = {
        "type": "date",
        "tickformat": "%H:%M\n%d %b %Y",
        "hoverformat": "%a %d %b %Y, %H:%M",
    }
    for name in _axes(layout, "xaxis"):
        _lay_over(layout.setdefault(name, {}), axis)
        if over_time:
            layout[name].update(time_axis)
    for row, title in enumerate(y_titles, start=1):
        name = "yaxis" if row == 1 else f"yaxis{row}"
        if name in _axes(layout, "yaxis"):
            _lay_over(layout.setdefault(name, {}), axis)
            _lay_over(layout[name], {"title": {"text": title, "standoff": 8}})
            layout[name]["separatethousands"] = True
    figure.layout = layout
    return figure


def _axes(layout: dict[str, Any], kind: str) -> list[str]:
    """Return the names of a layout's axes, the first of which every figure has."""
    return [kind, *(key for key in layout if key.startswith(kind) and key != kind)]


def _lay_over(values: dict[str, Any], others: dict[str, Any]) -> None:
    """Set what others say, and keep the rest, also inside."""
    for key, value in others.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _lay_over(values[key], value)
        else:
            values[key] = copy.deepcopy(value)


def limit_line(figure: Any, value: float, text: str, **options: Any) -> None:
    """Draw a dashed line with its meaning."""
    figure.add_hline(
        y=value,
        line={"color": INK, "width": 1.3, "dash": "dash"},
        annotation={"text": text, "font": {"size": 11}, "showarrow": False, "yanchor": "bottom"},
        annotation_position="top left",
        **options,
    )


def two_rows(heights: list[float]) -> Any:
    """Return two plots above each other with one time axis; heights are shares."""
    return make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=heights, vertical_spacing=0.07
    )


def zero_line(figure: Any) -> None:
    """Draw a thin line at zero."""
    figure.add_hline(y=0.0, line={"color": INK, "width": 1})


def filled(chart: Chart, figure: Any) -> Chart:
    """Return the chart with its figure."""
    return replace(chart, figure=figure)


def round_ticks(low: float, high: float) -> list[float]:
    """Return round numbers in a range, four to nine of them."""
    rough = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first = np.ceil(low / step - 1e-9)
    count = int(np.floor(high / step + 1e-9) - first) + 1
    return [round(float((first + i) * step), 6) for i in range(count)]
