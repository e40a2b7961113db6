"""Elements of SVG images: text, lines, dots, and plots with scales and axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from cosim.report.chart_style import GRID, INK

Points = Sequence[tuple[float, float]]


def text(
    x: float,
    y: float,
    content: str,
    anchor: str = "start",
    size: int = 13,
    colour: str = INK,
    halo: bool = False,
) -> str:
    """Return a line of text; with a halo, readable across lines."""
    outline = ' paint-order="stroke" stroke="white" stroke-width="4"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}"{outline}>{escape(content)}</text>'
    )


def rule(x0: float, y0: float, x1: float, y1: float, colour: str = GRID, dash: str = "") -> str:
    """Return a thin straight line."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}"{dashed}/>'
    )


def polyline(points: Points, colour: str, dashed: bool = False) -> str:
    """Return a line through points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def polygon(points: Points, colour: str, opacity: float) -> str:
    """Return a filled area without an edge."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{path}" fill="{colour}" fill-opacity="{opacity:g}"/>'


def circle(x: float, y: float, colour: str, radius: float = 3) -> str:
    """Return a dot."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}"/>'


def rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    """Return a filled rectangle; the place is its upper left corner."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
    )


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return the SVG document of some parts on white."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'font-family="sans-serif" font-size="13" fill="{INK}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


@dataclass(frozen=True)
class Scale:
    """Places values of a linear or logarithmic axis between two coordinates."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value; the middle where there is but one value."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class Plot:
    """A plot in an image: its edges, and its scales."""

    left: float
    top: float
    right: float
    bottom: float
    x: Scale
    y: Scale

    def x_axis(self, ticks: Mapping[float, str], title: str) -> list[str]:
        """Return rules and labels at values, and the title below them."""
        parts = []
        for value, label in ticks.items():
            at = self.x(value)
            parts.append(rule(at, self.top, at, self.bottom))
            parts.append(text(at, self.bottom + 17, label, anchor="middle", size=12))
        middle = (self.left + self.right) / 2
        return [*parts, text(middle, self.bottom + 36, title, anchor="middle", size=12)]

    def y_axis(self, ticks: Mapping[float, str]) -> list[str]:
        """Return rules and labels at values."""
        parts = []
        for value, label in ticks.items():
            parts.append(self.level(value))
            parts.append(text(self.left - 7, self.y(value) + 4, label, anchor="end", size=12))
        return parts

    def level(self, value: float, colour: str = GRID, dash: str = "") -> str:
        """Return a rule from left to right at a value."""
        return rule(self.left, self.y(value), self.right, self.y(value), colour, dash)

    def interval(self, x: float, low: float, high: float, colour: str) -> str:
        """Return a bar from one value to another, with a cap at each end."""
        at, top, bottom = self.x(x), self.y(high), self.y(low)
        caps = [rule(at - 4, y, at + 4, y, colour) for y in (top, bottom)]
        return "".join([rule(at, top, at, bottom, colour), *caps])

    def line(
        self, points: Points, colour: str, dashed: bool = False, radius: float = 0.0
    ) -> list[str]:
        """Return a line through points, and dots on them where they have a radius."""
        placed = [(self.x(x), self.y(y)) for x, y in points]
        line = [polyline(placed, colour, dashed)] if len(placed) > 1 else []
        return line + self.dots(points, colour, radius) if radius else line

    def dots(self, points: Points, colour: str, radius: float = 3) -> list[str]:
        """Return dots on points."""
        return [circle(self.x(x), self.y(y), colour, radius) for x, y in points]
