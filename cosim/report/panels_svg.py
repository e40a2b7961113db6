"""Panels as an SVG image, for the documentation."""

from __future__ import annotations

import math
from collections.abc import Callable

from cosim.report import svg
from cosim.report.chart_style import INK, round_ticks
from cosim.report.panels import (
    Panel,
    PanelFigure,
    Series,
    marker_sizes,
    place_labels,
    tick_text,
    x_ticks,
)
from cosim.report.summary import number

_COLUMNS = 3
_WIDTH, _HEIGHT = 250, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 18, 34, 46
_MARGIN = 14
_CHARACTER = 6.6
"""Estimated width of a character of the legend."""

Place = Callable[[float], float]


def panels_svg(figure: PanelFigure) -> str:
    """Draw a figure.

    Parameters
    ----------
    figure : PanelFigure
        With at least one value.

    Returns
    -------
    str
        An SVG document: title, legend, panels with their axes and units.
    """
    columns = min(_COLUMNS, len(figure.panels))
    width = max(2 * _MARGIN + columns * (_LEFT + _WIDTH + _RIGHT), 560)
    parts = [svg.text(_MARGIN, 26, figure.title, size=16)]
    legend, top = _legend(figure, width)
    parts += legend
    height_of_panel = _TOP + _HEIGHT + (_BOTTOM if figure.kind == "lines" else 26)
    for k, panel in enumerate(figure.panels):
        left = _MARGIN + (k % columns) * (_LEFT + _WIDTH + _RIGHT) + _LEFT
        parts += _panel(figure, panel, left, top + (k // columns) * height_of_panel + _TOP)
    rows = math.ceil(len(figure.panels) / columns)
    return svg.document(width, top + rows * height_of_panel + 8, figure.title, parts)


def _legend(figure: PanelFigure, width: float) -> tuple[list[str], float]:
    """The legend below the title, in lines, and where it ends."""
    parts: list[str] = []
    x, y = float(_MARGIN), 50.0
    if figure.legend and figure.legend_title:
        parts.append(svg.text(x, y, f"{figure.legend_title}:"))
        x += _CHARACTER * (len(figure.legend_title) + 2)
    entries = [(name, colour, False) for name, colour in figure.legend]
    entries += [(figure.dashes, INK, True)] if figure.dashes else []
    for name, colour, dashed in entries:
        needed = 34 + _CHARACTER * len(name)
        if x + needed > width - _MARGIN and x > _MARGIN:
            x, y = float(_MARGIN), y + 20
        if figure.kind == "lines":
            parts.append(svg.polyline([(x, y - 4), (x + 20, y - 4)], colour, dashed))
        else:
            parts.append(svg.circle(x + 10, y - 4, colour, radius=6))
        parts.append(svg.text(x + 26, y, name))
        x += needed + 10
    return parts, y + (8 if entries else -16)


def _panel(figure: PanelFigure, panel: Panel, left: float, top: float) -> list[str]:
    low, high = figure.y_range(panel)
    bottom, right = top + _HEIGHT, left + _WIDTH

    def y_of(value: float) -> float:
        return bottom - (value - low) / (high - low) * _HEIGHT

    heading = f"{panel.title} [{figure.unit}]" if panel.title else f"[{figure.unit}]"
    parts = [svg.text(left - _LEFT + 8, top - 12, heading)]
    for tick in round_ticks(low, high):
        parts.append(svg.rule(left, y_of(tick), right, y_of(tick)))
        parts.append(svg.text(left - 7, y_of(tick) + 4, _tick(tick), anchor="end", size=12))
    x_of = _horizontal(figure, left, right)
    if figure.kind == "lines":
        for x in x_ticks(figure):
            parts.append(svg.rule(x_of(x), top, x_of(x), bottom))
            parts.append(svg.text(x_of(x), bottom + 17, tick_text(x), anchor="middle", size=12))
        parts.append(
            svg.text((left + right) / 2, bottom + 36, figure.x_title, anchor="middle", size=12)
        )
    else:
        for x, label in zip(figure.x_values, place_labels(figure), strict=True):
            parts.append(svg.text(x_of(x), bottom + 15, label, anchor="middle", size=11, halo=True))
    if panel.limit is not None:
        at = y_of(panel.limit)
        parts.append(svg.rule(left, at, right, at, INK, dash="5 4"))
        parts.append(svg.text(right - 3, at - 4, "limit", anchor="end", size=11, halo=True))
    for series, size in zip(panel.series, marker_sizes(panel), strict=True):
        parts += _series(figure, series, x_of, y_of, size / 2)
    if low <= 0 <= high:
        parts.append(svg.rule(left, y_of(0), right, y_of(0), INK))
    return parts


def _series(
    figure: PanelFigure, series: Series, x_of: Place, y_of: Place, radius: float
) -> list[str]:
    points = [(x_of(x), y_of(y), y) for x, y in series.points if y is not None]
    if figure.kind == "lines":
        path = [(x, y) for x, y, _ in points]
        return [
            *([svg.polyline(path, series.colour, series.dashed)] if len(path) > 1 else []),
            *(svg.circle(x, y, series.colour, radius) for x, y in path),
        ]
    parts = []
    width = 0.72 * _WIDTH / len(figure.x_values)
    for x, y, value in points:
        if figure.kind == "bars":
            start, end = sorted((y, y_of(0.0)))
            parts.append(
                f'<rect x="{x - width / 2:.1f}" y="{start:.1f}" width="{width:.1f}" '
                f'height="{end - start:.1f}" fill="{series.colour}"/>'
            )
        else:
            parts.append(svg.circle(x, y, series.colour, radius=5))
        below = figure.kind == "bars" and value < 0
        label = number(value, "", figure.digits)
        parts.append(
            svg.text(x, y + (15 if below else -8), label, anchor="middle", size=11, halo=True)
        )
    return parts


def _horizontal(figure: PanelFigure, left: float, right: float) -> Place:
    xs = figure.x_values
    if figure.kind != "lines":
        return lambda x: left + (x + 0.5) / len(xs) * (right - left)
    scale: Place = math.log if figure.log_x else float
    low, high = scale(xs[0]), scale(xs[-1])
    inset = 0.06 * (right - left)
    span = high - low
    if not span:
        return lambda x: (left + right) / 2
    return lambda x: left + inset + (scale(x) - low) / span * (right - left - 2 * inset)


def _tick(value: float) -> str:
    return f"{value:,.6g}".replace(",", "\u202f").replace("-", "−")
