"""Figures of a campaign: indicators over parameters, lines with bands of confidence.

Of a grid, a list or a study a line joins the means over seeds, and its band is Student's interval
of each. Of a sampling design every parameter has a figure: samples are grouped by its value, and
line and band are mean and interval of each group, over whatever else varies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cosim.campaigns.text import Place, decimals, places, short, spaced, varying
from cosim.report.panels import Panel, PanelFigure, Series, colour, present
from cosim.studies.estimates import estimate
from cosim.studies.results import is_number
from cosim.studies.study import axis_labels

SAMPLED = ("latin_hypercube", "sobol", "monte_carlo")
_GROUPS = 8
"""Most groups of samples along a parameter."""
_LEAST_PER_GROUP = 4
_MOST_PANELS = 12


def campaign_figures(
    table: pd.DataFrame, parameters: Sequence[str], indicators: Sequence[str], design: str
) -> list[PanelFigure]:
    """Return a figure per indicator; none where nothing is numeric.

    Parameters
    ----------
    table : DataFrame
        As :func:`cosim.campaigns.table.campaign_table`.
    parameters, indicators : sequence of str
    design : str
    """
    found = places(table, parameters)
    shown = [name for name in indicators if name in table.columns]
    if not found or not shown:
        return []
    if design in SAMPLED:
        return present([figure for name in shown for figure in _sampled(found, name, table)])
    numeric = [
        name
        for name in parameters
        if all(is_number(place.values[name]) for place in found)
        and len({place.values[name] for place in found}) > 1
    ]
    if not numeric:
        return present([_side_by_side(found, name, table) for name in shown])
    return present([_over(found, numeric[0], name, table) for name in shown])


def _over(found: Sequence[Place], across: str, indicator: str, table: pd.DataFrame) -> PanelFigure:
    """Return lines over the first numeric parameter, one per value of the next that varies."""
    others = [
        name
        for name in found[0].values
        if name != across and len({short(place.values[name]) for place in found}) > 1
    ]
    labels = axis_labels(others)
    by = others[0] if others else None
    panels: dict[str, dict[str, list[Place]]] = {}
    for place in found:
        title = ", ".join(f"{labels[name]} {short(place.values[name])}" for name in others[1:])
        line = short(place.values[by]) if by else ""
        panels.setdefault(title, {}).setdefault(line, []).append(place)
    lines = list(dict.fromkeys(line for own in panels.values() for line in own))
    shades = {line: colour(k) for k, line in enumerate(lines)}
    drawn = []
    for title, own in list(panels.items())[:_MOST_PANELS]:
        drawn.append(
            Panel(title, tuple(_line(own, line, across, indicator, shades) for line in own))
        )
    return _figure(indicator, table, tuple(drawn), across, labels[by] if by else "")


def _line(
    own: Mapping[str, Sequence[Place]],
    line: str,
    across: str,
    indicator: str,
    shades: Mapping[str, str],
) -> Series:
    ordered = sorted(own[line], key=lambda place: place.values[across])
    means = [place.estimate(indicator) for place in ordered]
    return Series(
        line,
        tuple((p.values[across], m.mean) for p, m in zip(ordered, means, strict=True)),
        shades[line],
        half_widths=tuple(mean.half_width for mean in means),
    )


def _sampled(found: Sequence[Place], indicator: str, table: pd.DataFrame) -> list[PanelFigure]:
    """Return a figure for every numeric parameter, with means of groups of samples."""
    values = [place.estimate(indicator).mean for place in found]
    figures = []
    for name in found[0].values:
        column = [place.values[name] for place in found]
        if not all(map(is_number, column)) or len(set(column)) < 2:
            continue
        pairs = [(x, y) for x, y in zip(column, values, strict=True) if y is not None]
        panel = Panel("", (_grouped(pairs),))
        figures.append(_figure(indicator, table, (panel,), name, "", sampled=True))
    return figures


def _grouped(pairs: Sequence[tuple[Any, float]]) -> Series:
    ordered = sorted(pairs)
    n = max(1, min(_GROUPS, len(ordered) // _LEAST_PER_GROUP))
    points, halves = [], []
    for chosen in np.array_split(np.arange(len(ordered)), n):
        group = [ordered[int(k)] for k in chosen]
        if not group:
            continue
        own = estimate([y for _, y in group])
        # rounded, for it is also the tick's label
        points.append((float(f"{np.mean([x for x, _ in group]):.3g}"), own.mean))
        halves.append(own.half_width)
    return Series("", tuple(points), colour(0), half_widths=tuple(halves))


def _side_by_side(found: Sequence[Place], indicator: str, table: pd.DataFrame) -> PanelFigure:
    """Return bars of points, where no parameter is a number."""
    differing = varying(table, list(found[0].values))
    labels = axis_labels(differing)
    bars = []
    for k, place in enumerate(found):
        own = place.estimate(indicator)
        name = ", ".join(f"{labels[n]} {short(place.values[n])}" for n in differing)
        bars.append(Series(name, ((float(k), own.mean),), colour(k), half_widths=(own.half_width,)))
    figure = _figure(indicator, table, (Panel("", tuple(bars)),), "", "")
    return PanelFigure(**{**vars(figure), "kind": "bars", "banded": False, "from_zero": True})


def _figure(
    indicator: str,
    table: pd.DataFrame,
    panels: tuple[Panel, ...],
    across: str,
    legend: str,
    sampled: bool = False,
) -> PanelFigure:
    caption = (
        "Means of groups of samples with like values, and their 95 % intervals."
        if sampled
        else "Means over seeds, and their 95 % intervals (none with one seed)."
    )
    return PanelFigure(
        key=f"{indicator}_over_{across}".replace(".", "_")
        if sampled
        else indicator.replace(".", "_"),
        title=f"{spaced(indicator)} over {across}" if sampled else spaced(indicator),
        caption=f"{caption} Indicator {indicator} (docs/results.md).",
        panels=panels,
        kind="lines",
        x_title=across,
        unit="",
        digits=decimals(table[indicator]),
        legend_title=legend,
        from_zero=False,
        banded=True,
    )
