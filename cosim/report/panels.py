"""Small multiples: one description of panels, drawn by the browser or as an image.

A report is interactive and drawn by plotly; a page of the documentation needs an image, which
:mod:`cosim.report.images` makes of the same description.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go

from cosim.report.chart_style import (
    AFTER,
    AMBER,
    BEFORE,
    GREEN,
    INK,
    PINK,
    SKY,
    round_ticks,
    styled,
)
from cosim.report.text import number, plus_minus

PALETTE = (AFTER, BEFORE, GREEN, PINK, AMBER, SKY, INK)
PANEL_HEIGHT = 230
_MARGIN_TOP, _MARGIN_BARS, _MARGIN_LINES = 8, 24, 44
_PLOT_HEIGHT = PANEL_HEIGHT - _MARGIN_TOP - _MARGIN_BARS
_LABEL_HEIGHT = 15
_BEHIND_TEXT = "rgba(255,255,255,0.85)"
BAND_OPACITY = 0.2
"""Of bands of confidence."""
LOG_SPAN = 8.0
"""Ratio of largest to smallest value from which on the horizontal axis is logarithmic."""


def colour(k: int) -> str:
    """Return the colour of the k-th line or bar; after the last the first again."""
    return PALETTE[k % len(PALETTE)]


@dataclass(frozen=True)
class Series:
    """One line, or one bar of each panel.

    Parameters
    ----------
    name : str
        In the legend.
    points : sequence of (float, float or None)
        Horizontal and vertical value; of bars and dots the place and its value. Nothing is drawn
        where there is no value.
    colour : str
    dashed : bool
        A line that goes with another of the same colour; it has no legend entry of its own.
    dotted, joined : bool
        Whether dots mark its points, and a line joins them, in a chart of lines alone.
    half_widths : sequence of float or None
        Half of each point's interval, drawn as a bar; None without. Empty where no point has one.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    colour: str
    dashed: bool = False
    dotted: bool = True
    joined: bool = True
    half_widths: Sequence[float | None] = ()

    @property
    def shown(self) -> list[tuple[float, float, float]]:
        """Points with a value: horizontal and vertical value, half of its interval or 0."""
        halves = self.half_widths or (None,) * len(self.points)
        return [
            (x, y, half or 0.0)
            for (x, y), half in zip(self.points, halves, strict=True)
            if y is not None
        ]


@dataclass(frozen=True)
class Panel:
    """One plot: its title and series."""

    title: str
    series: tuple[Series, ...]
    limit: float | None = None

    @property
    def heading(self) -> str:
        """Its title, with the limit if it has one."""
        if self.limit is None:
            return self.title
        return f"{self.title}, dashed: limit {self.limit:g}".removeprefix(", ")


@dataclass(frozen=True)
class PanelFigure:
    """Panels side by side.

    Parameters
    ----------
    key : str
        Identifier, and name of the image.
    title, caption : str
    panels : tuple of Panel
    kind : str
        ``lines``; ``bars``, which stand on zero; ``dots``, which need not.
    x_title, unit : str
    digits : int
        Of the values, as they are written.
    legend_title : str
    dashes : str
        What dashed lines are; empty if there are none.
    same_scale : bool
        Whether all panels have one vertical scale.
    from_zero : bool
        Whether the vertical scale holds zero.
    banded : bool
        Whether intervals of lines are drawn as bands in place of bars.
    """

    key: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    kind: Literal["lines", "bars", "dots"]
    x_title: str
    unit: str
    digits: int
    legend_title: str = ""
    dashes: str = ""
    same_scale: bool = True
    from_zero: bool = True
    banded: bool = False

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Name and colour of every series, each once; none where one name says nothing."""
        entries = {s.name: s.colour for panel in self.panels for s in panel.series if not s.dashed}
        return [] if set(entries) == {""} else list(entries.items())

    @property
    def x_values(self) -> list[float]:
        """Every horizontal value, rising."""
        every = {x for panel in self.panels for series in panel.series for x, _ in series.points}
        return sorted(every)

    @property
    def log_x(self) -> bool:
        """True for a logarithmic horizontal axis."""
        xs = self.x_values
        return self.kind == "lines" and xs[0] > 0 and xs[-1] / xs[0] >= LOG_SPAN

    def y_range(self, panel: Panel) -> tuple[float, float]:
        """Return the vertical range of a panel, with space around the values."""
        shown = self.panels if self.same_scale else (panel,)
        points = [point for p in shown for s in p.series for point in s.shown]
        values = [y + sign * half for _, y, half in points for sign in (-1, 1)]
        values += [p.limit for p in shown if p.limit is not None]
        if not values:
            return 0.0, 1.0
        low, high = min(values), max(values)
        if self.from_zero or self.kind == "bars":
            low, high = min(low, 0.0), max(high, 0.0)
        padding = (0.1 if self.kind == "lines" else 0.18) * (high - low) or 0.1 * abs(high) or 1.0
        is_floor = low == 0.0 and (self.from_zero or self.kind == "bars")
        is_ceiling = high == 0.0 and low < 0.0
        return (0.0 if is_floor else low - padding), (0.0 if is_ceiling else high + padding)


def present(figures: Sequence[PanelFigure]) -> list[PanelFigure]:
    """Return figures that have anything to show, each with the panels that have."""
    kept = []
    for figure in figures:
        panels = tuple(
            panel
            for panel in figure.panels
            if any(y is not None for series in panel.series for _, y in series.points)
        )
        if panels:
            kept.append(PanelFigure(**{**vars(figure), "panels": panels}))
    return kept


def plotly_panel(figure: PanelFigure, panel: Panel) -> Any:
    """Return one panel as a plotly figure; its legend and title belong to the page."""
    drawn = go.Figure()
    for series, size in zip(panel.series, marker_sizes(panel), strict=True):
        if not series.shown:
            continue
        xs, ys, halves = (list(values) for values in zip(*series.shown, strict=True))
        over_seeds = any(half is not None for half in series.half_widths)
        name = f"{series.name} {figure.dashes}".strip() if series.dashed else series.name
        label = f"{figure.legend_title} {name}".strip() or figure.title
        common: dict[str, Any] = {
            "x": xs,
            "y": ys,
            "name": name,
            "customdata": [
                plus_minus(y, half if over_seeds else None, figure.unit, figure.digits)
                for y, half in zip(ys, halves, strict=True)
            ],
            "hovertemplate": f"{label}: %{{customdata}}<extra></extra>",
            "showlegend": False,
        }
        if figure.banded:
            drawn.add_scatter(**_band(series))
        elif over_seeds:
            ink = series.colour if figure.kind == "lines" else INK
            common["error_y"] = {"array": halves, "color": ink, "thickness": 1.5, "width": 4}
        if figure.kind == "lines":
            dash, width = ("dash", 1.5) if series.dashed else ("solid", 2)
            drawn.add_scatter(
                **common,
                mode="lines+markers",
                line={"color": series.colour, "width": width, "dash": dash},
                marker={"size": size, "color": series.colour},
            )
            continue
        common["cliponaxis"] = False
        labels = [number(y, "", figure.digits) for y in ys]
        if panel.limit is not None:
            for x, y, half, label in zip(xs, ys, halves, labels, strict=True):
                _label_above_lines(drawn, figure, panel, (x, y, half), label)
        elif over_seeds:
            drawn.add_scatter(**_beyond_intervals(figure, series, labels))
        else:
            common["text"] = labels
        marker: dict[str, Any] = {"color": series.colour}
        if figure.kind == "bars":
            drawn.add_bar(**common, marker=marker, width=0.72, textposition="outside")
        else:
            marker["size"] = 11
            mode = "markers+text" if "text" in common else "markers"
            drawn.add_scatter(**common, mode=mode, marker=marker, textposition="top center")
    styled(drawn, [figure.unit], height=PANEL_HEIGHT, over_time=False)
    below = _MARGIN_LINES if figure.kind == "lines" else _MARGIN_BARS
    drawn.update_layout(margin={"l": 58, "r": 12, "t": _MARGIN_TOP, "b": below}, font={"size": 12})
    low, high = figure.y_range(panel)
    drawn.update_yaxes(range=[low, high])
    if figure.kind == "lines":
        xs = figure.x_values
        ticks = x_ticks(figure)
        drawn.update_xaxes(
            title={"text": figure.x_title, "standoff": 6},
            type="log" if figure.log_x else "linear",
            tickvals=ticks,
            ticktext=[tick_text(x) for x in ticks],
            range=_padded(xs, figure.log_x),
        )
    else:
        drawn.update_xaxes(
            range=[-0.6, len(figure.x_values) - 0.4],
            tickvals=figure.x_values,
            ticktext=place_labels(figure),
            ticks="",
            showgrid=False,
        )
        drawn.add_hline(y=0.0, line={"color": INK, "width": 1})
    if panel.limit is not None:
        drawn.add_hline(y=panel.limit, line={"color": INK, "width": 1.3, "dash": "dash"})
    return drawn


def _band(series: Series) -> dict[str, Any]:
    """Return a trace that fills the intervals of a line."""
    outline = band_outline(series)
    return {
        "x": [x for x, _ in outline],
        "y": [y for _, y in outline],
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": series.colour,
        "opacity": BAND_OPACITY,
        "showlegend": False,
        "hoverinfo": "skip",
    }


def band_outline(series: Series) -> list[tuple[float, float]]:
    """Return the outline of a line's intervals: along their upper ends, and back."""
    upper = [(x, y + half) for x, y, half in series.shown]
    lower = [(x, y - half) for x, y, half in series.shown]
    return upper + lower[::-1]


def _label_above_lines(
    drawn: Any, figure: PanelFigure, panel: Panel, point: tuple[float, float, float], label: str
) -> None:
    """Write the label of a bar or dot as an annotation: a limit's line, a shape, lies below it."""
    x, y, half = point
    below = figure.kind == "bars" and y < 0
    low, high = figure.y_range(panel)
    limit_px = ((panel.limit or 0.0) - y - half) * _PLOT_HEIGHT / (high - low)
    shift = lifted_px(7 if figure.kind == "dots" else 1, _LABEL_HEIGHT, limit_px)
    drawn.add_annotation(
        x=x,
        y=y - half if below else y + half,
        text=label,
        showarrow=False,
        yanchor="top" if below else "bottom",
        yshift=-1 if below else shift,
        bgcolor=_BEHIND_TEXT,
        borderpad=0,
    )


def lifted_px(bottom_px: float, height_px: float, limit_px: float) -> float:
    """Return the lower edge of a label: as it is, or just above a limit that would go through it.

    Parameters
    ----------
    bottom_px, limit_px : float
        Above the value that is labelled.
    height_px : float
    """
    goes_through = bottom_px - 2 < limit_px < bottom_px + height_px
    return limit_px + 3 if goes_through else bottom_px


def _beyond_intervals(figure: PanelFigure, series: Series, labels: Sequence[str]) -> dict[str, Any]:
    """Return a trace with the labels of bars or dots above their intervals, or below."""
    below = [figure.kind == "bars" and y < 0 for _, y, _ in series.shown]
    return {
        "x": [x for x, _, _ in series.shown],
        "y": [
            y - half if under else y + half
            for (_, y, half), under in zip(series.shown, below, strict=True)
        ],
        "text": list(labels),
        "textposition": ["bottom center" if under else "top center" for under in below],
        # unseen, but it keeps the label off the dot
        "mode": "text+markers",
        "marker": {"opacity": 0, "size": 11 if figure.kind == "dots" else 1},
        "cliponaxis": False,
        "showlegend": False,
        "hoverinfo": "skip",
    }


def tick_text(value: float) -> str:
    """Return a value on the horizontal axis as text; millions as such."""
    return f"{value / 1e6:g} M" if abs(value) >= 1e6 else f"{value:g}"


def marker_sizes(panel: Panel) -> list[float]:
    """Return diameters of lines' dots: earlier ones larger, so that equal values hide none."""
    later = 0
    sizes: list[float] = []
    for series in reversed(panel.series):
        sizes.append(4.0 if series.dashed else 6.0 + 3.5 * min(later, 4))
        later += not series.dashed
    return sizes[::-1]


def x_ticks(figure: PanelFigure) -> list[float]:
    """Return the values on the horizontal axis; round numbers where there are many."""
    xs = figure.x_values
    return xs if len(xs) <= 7 or figure.log_x else round_ticks(xs[0], xs[-1])


def place_labels(figure: PanelFigure) -> list[str]:
    """Return labels below bars: nothing while colours tell them apart, else their numbers."""
    n = len(figure.x_values)
    return [""] * n if n <= len(PALETTE) else [str(k + 1) for k in range(n)]


def _padded(xs: Sequence[float], log: bool) -> list[float]:
    low, high = (math.log10(xs[0]), math.log10(xs[-1])) if log else (xs[0], xs[-1])
    padding = 0.06 * (high - low) or 0.5
    return [low - padding, high + padding]
