"""The elements that images of the documentation are drawn with."""

from __future__ import annotations

from html import escape

from cosim.report.chart_style import GRID, INK


def text(
    x: float,
    y: float,
    content: str,
    anchor: str = "start",
    size: int = 13,
    colour: str = INK,
    halo: bool = False,
) -> str:
    """A line of text; with a halo, readable across lines."""
    outline = ' paint-order="stroke" stroke="white" stroke-width="4"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}"{outline}>{escape(content)}</text>'
    )


def rule(x0: float, y0: float, x1: float, y1: float, colour: str = GRID, dash: str = "") -> str:
    """A thin straight line."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}"{dashed}/>'
    )


def polyline(points: list[tuple[float, float]], colour: str, dashed: bool = False) -> str:
    """A line through points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def circle(x: float, y: float, colour: str, radius: float = 3) -> str:
    """A dot."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}"/>'


def document(width: float, height: float, title: str, parts: list[str]) -> str:
    """The SVG document of some parts on white."""
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
