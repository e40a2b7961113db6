"""Figures as SVG images, for the documentation.

The report's charts are interactive and drawn by a browser; a page in a repository needs an image,
and the library draws images only with a browser at hand.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from cosim.report import svg
from cosim.report.chart_style import INK, round_ticks
from cosim.report.panels import (
    BAND_OPACITY,
    Panel,
    PanelFigure,
    Series,
    band_outline,
    lifted_px,
    marker_sizes,
    place_labels,
    tick_text,
    x_ticks,
)
from cosim.report.text import number

_COLUMNS = 3
_WIDTH, _HEIGHT = 250, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 18, 34, 46
_MARGIN = 14
_CHARACTER = 6.6
"""Estimated width of a character of the legend."""
_LINE = 16
"""Height of a line of a heading."""
_BAR_SHARE = 0.72
_ABOVE, _LABEL_HEIGHT = 8, 11
"""A label's distance from its value, and its height."""


def panels_svg(figure: PanelFigure) -> str:
    """Return a figure of panels as an SVG document: title, legend, panels with axes and units.

    Parameters
    ----------
    figure : PanelFigure
        With at least one value.
    """
    columns = min(_COLUMNS, len(figure.panels))
    width = max(2 * _MARGIN + columns * (_LEFT + _WIDTH + _RIGHT), 560)
    parts = [svg.text(_MARGIN, 26, figure.title, size=16)]
    legend, top = _legend(figure, width)
    parts += legend
    head = _TOP + _LINE * (max(len(_heading(figure, panel)) for panel in figure.panels) - 1)
    height_of_panel = head + _HEIGHT + (_BOTTOM if figure.kind == "lines" else 26)
    for k, panel in enumerate(figure.panels):
        left = _MARGIN + (k % columns) * (_LEFT + _WIDTH + _RIGHT) + _LEFT
        parts += _panel(figure, panel, left, top + (k // columns) * height_of_panel + head)
    rows = math.ceil(len(figure.panels) / columns)
    return svg.document(width, top + rows * height_of_panel + 8, figure.title, parts)


def _legend(figure: PanelFigure, width: float) -> tuple[list[str], float]:
    """Return the legend below the title, in lines, and where it ends."""
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


def _heading(figure: PanelFigure, panel: Panel) -> list[str]:
    """Return a panel's heading with its unit, in lines as wide as the panel."""
    text = f"{panel.heading} [{figure.unit}]" if panel.heading else f"[{figure.unit}]"
    return textwrap.wrap(text, int((_LEFT + _WIDTH) / _CHARACTER), break_long_words=False)


def _panel(figure: PanelFigure, panel: Panel, left: float, top: float) -> list[str]:
    (low, high), right, bottom = figure.y_range(panel), left + _WIDTH, top + _HEIGHT
    xs = figure.x_values
    if figure.kind == "lines":
        inset = 0.06 * _WIDTH
        x = svg.Scale(xs[0], xs[-1], left + inset, right - inset, figure.log_x)
    else:
        x = svg.Scale(-0.5, len(xs) - 0.5, left, right)
    plot = svg.Plot(left, top, right, bottom, x, svg.Scale(low, high, bottom, top))
    lines = _heading(figure, panel)
    parts = [
        svg.text(left - _LEFT + 8, top - 12 - _LINE * k, line)
        for k, line in enumerate(reversed(lines))
    ]
    parts += plot.y_axis({tick: _tick(tick) for tick in round_ticks(low, high)})
    if figure.kind == "lines":
        parts += plot.x_axis({tick: tick_text(tick) for tick in x_ticks(figure)}, figure.x_title)
    else:
        for place, label in zip(xs, place_labels(figure), strict=True):
            parts.append(_small(plot.x(place), bottom + 15, label))
    for series, size in zip(panel.series, marker_sizes(panel), strict=True):
        parts += _series(figure, series, plot, size / 2)
    if low <= 0 <= high:
        parts.append(plot.level(0, INK))
    if panel.limit is not None:
        parts.append(plot.level(panel.limit, INK, dash="5 4"))
    if figure.kind != "lines":  # above lines, so that none goes through a number
        for series in panel.series:
            parts += _labels(figure, panel, series, plot)
    return parts


def _series(figure: PanelFigure, series: Series, plot: svg.Plot, radius: float) -> list[str]:
    """Return what is drawn of a series, without its labels."""
    points = [(x, y) for x, y, _ in series.shown]
    if figure.kind == "lines" and figure.banded:
        outline = [(plot.x(x), plot.y(y)) for x, y in band_outline(series)]
        band = svg.polygon(outline, series.colour, BAND_OPACITY)
        return [band, *plot.line(points, series.colour, series.dashed, radius)]
    if figure.kind == "lines":
        intervals = [
            plot.interval(x, y - half, y + half, series.colour)
            for x, y, half in series.shown
            if half
        ]
        return [*plot.line(points, series.colour, series.dashed, radius), *intervals]
    parts = [] if figure.kind == "bars" else plot.dots(points, series.colour, radius=5)
    width = _BAR_SHARE * _WIDTH / len(figure.x_values)
    for place, value, half in series.shown:
        x, y = plot.x(place), plot.y(value)
        if figure.kind == "bars":
            start, end = sorted((y, plot.y(0.0)))
            parts.append(svg.rectangle(x - width / 2, start, width, end - start, series.colour))
        if half:
            parts.append(plot.interval(place, value - half, value + half, INK))
    return parts


def _labels(figure: PanelFigure, panel: Panel, series: Series, plot: svg.Plot) -> list[str]:
    """Return the values of bars or dots, each above its interval, or below if it is negative."""
    parts = []
    for place, value, half in series.shown:
        below = figure.kind == "bars" and value < 0
        end = plot.y(value - half if below else value + half)
        shift = float(_ABOVE)
        if panel.limit is not None:
            shift = lifted_px(_ABOVE, _LABEL_HEIGHT, end - plot.y(panel.limit))
        at = end + 15 if below else end - shift
        parts.append(_small(plot.x(place), at, number(value, "", figure.digits)))
    return parts


def _small(x: float, y: float, label: str) -> str:
    return svg.text(x, y, label, anchor="middle", size=11, halo=True)


def _tick(value: float) -> str:
    return f"{value:,.6g}".replace(",", "\u202f").replace("-", "−")


def log_chart(
    title: str, x_title: str, y_title: str, lines: Sequence[Series], linear_x: bool = False
) -> str:
    """Return lines over logarithmic axes as an SVG document.

    Parameters
    ----------
    title, x_title, y_title : str
    lines : sequence of Series
        Each with its name at its right end; ticks of the horizontal axis stand at their values.
    linear_x : bool
        Whether the horizontal axis is linear instead, so that exponentials are straight lines.

    Raises
    ------
    ValueError
        If there is no point, or one is not above 0 on a logarithmic axis.
    """
    width, height = 760, 440
    left, top, right, bottom = 74, 62, width - 190, height - 52
    placed = [[(x, y) for x, y in line.points if y is not None] for line in lines]
    xs = sorted({x for points in placed for x, _ in points})
    ys = [y for points in placed for _, y in points]
    if not xs or (xs[0] <= 0 and not linear_x) or min(ys) <= 0:
        raise ValueError("logarithmic axes need points above 0")
    first, last = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    decades = [10.0**k for k in range(first, max(last, first + 1) + 1)]
    plot = svg.Plot(
        left,
        top,
        right,
        bottom,
        svg.Scale(xs[0], xs[-1], left, right, not linear_x),
        svg.Scale(decades[0], decades[-1], bottom, top, log=True),
    )
    parts = [svg.text(left, 24, title, size=15), svg.text(16, top - 14, y_title)]
    parts += plot.x_axis({x: _plain(x) for x in xs}, x_title)
    parts += plot.y_axis({y: _plain(y) for y in decades})
    for line, points in zip(lines, placed, strict=True):
        parts += plot.line(points, line.colour, line.dashed) if line.joined else ()
        parts += plot.dots(points, line.colour) if line.dotted else ()
    ends = [(line, plot.y(points[-1][1])) for line, points in zip(lines, placed, strict=True)]
    named = [(line, y) for line, y in ends if line.name]
    for (line, _), y in zip(named, _spread([y for _, y in named], 17), strict=True):
        parts.append(svg.text(right + 10, y + 4, line.name, colour=line.colour))
    return svg.document(width, height, title, parts)


def _spread(places: list[float], least: float) -> list[float]:
    """Return places moved down, where they would lie closer together than the least distance."""
    moved = list(places)
    before = -math.inf
    for k in sorted(range(len(places)), key=places.__getitem__):
        moved[k] = before = max(places[k], before + least)
    return moved


def _plain(value: float) -> str:
    return f"{value:.15f}".rstrip("0") if 0 < value < 1 else f"{value:,.0f}".replace(",", " ")
