"""A line chart on logarithmic axes as an SVG file, for the documentation.

The report's charts are interactive and drawn by a browser; a page in a repository needs an image,
and the library draws images only with a browser beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cosim.report import svg

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 190, 62, 52


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Parameters
    ----------
    name : str
        Written at its right end; nothing if empty.
    points : sequence of (float, float)
        Above 0 where the axis is logarithmic.
    colour : str
        As in CSS.
    dashed : bool
    dotted, joined : bool
        Whether its points are marked by dots, and joined by a line.
    """

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    dashed: bool = False
    dotted: bool = True
    joined: bool = True


def log_chart(
    title: str, x_title: str, y_title: str, lines: Sequence[Line], linear_x: bool = False
) -> str:
    """Draw lines over logarithmic axes.

    Parameters
    ----------
    title, x_title, y_title : str
    lines : sequence of Line
        Ticks of the horizontal axis stand at their values there.
    linear_x : bool
        Whether the horizontal axis is linear instead, so that exponentials are straight lines.

    Returns
    -------
    str
        An SVG document.

    Raises
    ------
    ValueError
        If there is no point, or one is not above 0 on a logarithmic axis.
    """
    xs = sorted({x for line in lines for x, _ in line.points})
    ys = [y for line in lines for _, y in line.points]
    if not xs or (xs[0] <= 0 and not linear_x) or min(ys) <= 0:
        raise ValueError("logarithmic axes need points above 0")
    y_ticks = _decades(min(ys), max(ys))
    x_of = _Scale(xs[0], xs[-1], _LEFT, _WIDTH - _RIGHT, linear_x)
    y_of = _Scale(y_ticks[0], y_ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        svg.text(_LEFT, 24, title, size=15),
        svg.text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, x_title, anchor="middle"),
        svg.text(16, _TOP - 14, y_title),
    ]
    for x in xs:
        parts.append(svg.rule(x_of(x), _TOP, x_of(x), _HEIGHT - _BOTTOM))
        parts.append(svg.text(x_of(x), _HEIGHT - _BOTTOM + 18, _number(x), anchor="middle"))
    for y in y_ticks:
        parts.append(svg.rule(_LEFT, y_of(y), _WIDTH - _RIGHT, y_of(y)))
        parts.append(svg.text(_LEFT - 8, y_of(y) + 4, _number(y), anchor="end"))
    named = [line for line in lines if line.name]
    label_ys = iter(_spread([y_of(line.points[-1][1]) for line in named], 17))
    for line in lines:
        dots = [(x_of(x), y_of(y)) for x, y in line.points]
        if line.joined:
            parts.append(svg.polyline(dots, line.colour, line.dashed))
        if line.dotted:
            parts += [svg.circle(x, y, line.colour) for x, y in dots]
        if line.name:
            label_y = next(label_ys) + 4
            parts.append(svg.text(_WIDTH - _RIGHT + 10, label_y, line.name, colour=line.colour))
    return svg.document(_WIDTH, _HEIGHT, title, parts)


@dataclass(frozen=True)
class _Scale:
    """Places a value of a logarithmic or linear axis between two coordinates."""

    low: float
    high: float
    start: float
    end: float
    is_linear: bool = False

    def __call__(self, value: float) -> float:
        if self.is_linear:
            share = (value - self.low) / ((self.high - self.low) or 1.0)
        else:
            share = math.log(value / self.low) / (math.log(self.high / self.low) or 1.0)
        return self.start + share * (self.end - self.start)


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten around some values."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**k for k in range(first, max(last, first + 1) + 1)]


def _spread(places: list[float], least: float) -> list[float]:
    """Places moved down, where they would lie closer together than the least distance."""
    moved = list(places)
    before = -math.inf
    for k in sorted(range(len(places)), key=places.__getitem__):
        moved[k] = before = max(places[k], before + least)
    return moved


def _number(value: float) -> str:
    if 0 < value < 1:
        return f"{value:.15f}".rstrip("0")
    return f"{value:,.0f}".replace(",", " ")
