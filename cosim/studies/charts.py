"""The figures of a study: lines over its axes, or bars by its variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cosim.report.comparison import (
    MONEY,
    Column,
    Comparison,
    Figure,
    Indicators,
    Shown,
    indicator,
)
from cosim.report.panels import Panel, PanelFigure, Series, colour, present
from cosim.report.subjects import subject_types
from cosim.studies.estimates import Estimate
from cosim.studies.points import Point, points_of
from cosim.studies.results import FinishedRun, is_number
from cosim.studies.study import value_text

VARIANT = "variant"
_MEANS = " Means over seeds, with their 95 % intervals."


def curtailed_kwh(indicators: Indicators) -> float | None:
    """Return injection and consumption that the DSO ordered off. [kWh]"""
    parts = [indicators.get(f"curtailed_{kind}_kwh") for kind in ("injection", "consumption")]
    return None if None in parts else sum(part for part in parts if part is not None)


SCHEDULED, RELIEVED, DELIVERED = (
    indicator(f"violations.{stage}.any.minutes") for stage in ("scheduled", "relieved", "delivered")
)
_TRAFO_LOADING = indicator("highest_trafo_loading_percent")
_COST_SHORT = "cost per\nprosumer\n[EUR]"
_BEYOND = "At least one bus, line or transformer is beyond its limit."
_LIMITS = "Minutes with a violated limit"

EVERY_RUN = Comparison(
    columns=(
        Column(30, "Curtailed", "kWh", "cur-\ntailed\n[kWh]", 1, curtailed_kwh),
        Column(60, "Cost per prosumer", "EUR", _COST_SHORT, 2, indicator("mean_cost_eur")),
    ),
    figures=(
        MONEY,
        Figure(
            "violation_minutes_scheduled",
            f"{_LIMITS}, schedule before flexibility",
            _BEYOND,
            "min",
            0,
            (Shown("", SCHEDULED),),
            over="axes",
        ),
        Figure(
            "violation_minutes_delivered",
            f"{_LIMITS}, delivered",
            "What is left after flexibility and curtailment, with what the devices really did.",
            "min",
            0,
            (Shown("", DELIVERED),),
            over="axes",
        ),
        Figure(
            "voltage",
            "Highest and lowest voltage, delivered",
            "Over all buses and intervals, but for buses that the upstream grid holds. The scales "
            "do not begin at zero.",
            "pu",
            4,
            (
                Shown("Highest", indicator("highest_vm_pu"), "vm_max_pu"),
                Shown("Lowest", indicator("lowest_vm_pu"), "vm_min_pu"),
            ),
            kind="dots",
            same_scale=False,
        ),
        Figure(
            "loading",
            "Highest loading, delivered",
            "Of all elements and intervals.",
            "%",
            1,
            (
                Shown("Lines", indicator("highest_line_loading_percent"), "line_loading_percent"),
                Shown("Transformers", _TRAFO_LOADING, "trafo_loading_percent"),
            ),
            over="runs",
        ),
        Figure(
            "violations",
            _LIMITS,
            _BEYOND,
            "min",
            0,
            (
                Shown("Before flexibility", SCHEDULED),
                Shown("After flexibility", RELIEVED),
                Shown("Delivered", DELIVERED),
            ),
            over="runs",
        ),
        Figure(
            "curtailed",
            "Energy curtailed by order",
            "Injection and consumption that the DSO ordered off without a market.",
            "kWh",
            1,
            (Shown("", curtailed_kwh),),
        ),
    ),
)
"""Columns and figures of every study; minutes of violation have columns of their own."""


def comparisons() -> list[Comparison]:
    """Return what every run has, then what each subject adds."""
    return [EVERY_RUN, *(kind.comparison for kind in subject_types() if kind.comparison)]


def _figures(over: str) -> list[Figure]:
    """Return figures over axes or by runs, each with the values of all subjects."""
    found: dict[str, Figure] = {}
    for figure in (figure for each in comparisons() for figure in each.figures):
        if figure.over in (over, "both"):
            first = found.get(figure.key, replace(figure, values=()))
            values = sorted((*first.values, *figure.values), key=lambda shown: shown.place)
            found[figure.key] = replace(first, values=tuple(values))
    return list(found.values())


def study_figures(
    runs: Sequence[FinishedRun], limits: Mapping[str, float] | None = None
) -> list[PanelFigure]:
    """Return the figures of a study: lines if an axis has numbers, else bars by run.

    Parameters
    ----------
    runs : sequence of FinishedRun
    limits : mapping, optional
        Limits of the grid by their names in a scenario; drawn into bars.

    Notes
    -----
    Over axes, the first axis with numbers is horizontal; variants, or else the next axis, are
    lines; what is left makes panels. Figures and panels without any value are left out. With
    several seeds, means are drawn with their intervals.
    """
    points = points_of(runs)
    across = next(
        (
            axis
            for axis in points[0].values
            if all(is_number(point.values[axis]) for point in points)
            and len({point.values[axis] for point in points}) > 1
        ),
        None,
    )
    if across is None:
        return present([_bars(points, figure, limits or {}) for figure in _figures("runs")])
    return present([_lines(points, across, figure) for figure in _figures("axes")])


def _caption(figure: Figure, points: Sequence[Point]) -> str:
    return figure.caption + (_MEANS if any(len(point.runs) > 1 for point in points) else "")


def _coordinates(run: Point, across: str) -> list[tuple[str, Any]]:
    """Return where a run stands off the horizontal axis: dimension and value."""
    variant = [(VARIANT, run.variant)] if run.variant else []
    return variant + [(axis, value) for axis, value in run.values.items() if axis != across]


def _lines(runs: Sequence[Point], across: str, figure: Figure) -> PanelFigure:
    lines: dict[str, None] = {}
    panels: dict[str, dict[str, list[Point]]] = {}
    legend_title = ""
    for run in runs:
        others = _coordinates(run, across)
        legend_title, value = others[0] if others else ("", "")
        line = value_text(value)
        title = ", ".join(f"{name} {value_text(v)}" for name, v in others[1:])
        lines[line] = None
        panels.setdefault(title, {}).setdefault(line, []).append(run)
    colours = {line: colour(k) for k, line in enumerate(lines)}
    return PanelFigure(
        key=figure.key,
        title=figure.title,
        caption=_caption(figure, runs),
        panels=tuple(
            Panel(title, tuple(_series(members, across, figure, colours)))
            for title, members in panels.items()
        ),
        kind="lines",
        x_title=across,
        unit=figure.unit,
        digits=figure.digits,
        legend_title="" if legend_title == VARIANT else legend_title,
        dashes=figure.values[1].title.lower() if len(figure.values) > 1 else "",
        from_zero=figure.kind == "bars",
    )


def _series(
    members: Mapping[str, Sequence[Point]],
    across: str,
    figure: Figure,
    colours: Mapping[str, str],
) -> list[Series]:
    found = []
    for line, runs in members.items():
        ordered = sorted(runs, key=lambda run: run.values[across])
        for place, shown in reversed([*enumerate(figure.values[:2])]):
            means = [run.estimate(shown.value) for run in ordered]
            found.append(
                Series(
                    line,
                    tuple(
                        (run.values[across], m.mean) for run, m in zip(ordered, means, strict=True)
                    ),
                    colours[line],
                    dashed=place == 1,
                    half_widths=tuple(mean.half_width for mean in means),
                )
            )
    return found


def _bars(runs: Sequence[Point], figure: Figure, limits: Mapping[str, float]) -> PanelFigure:
    return PanelFigure(
        key=figure.key,
        title=figure.title,
        caption=_caption(figure, runs),
        panels=tuple(
            Panel(
                shown.title,
                tuple(
                    _bar(run.name, float(k), run.estimate(shown.value), colour(k))
                    for k, run in enumerate(runs)
                ),
                limits.get(shown.limit),
            )
            for shown in figure.values
        ),
        kind=figure.kind,
        x_title="",
        unit=figure.unit,
        digits=figure.digits,
        same_scale=figure.same_scale,
        from_zero=figure.kind == "bars",
    )


def _bar(name: str, place: float, value: Estimate, shade: str) -> Series:
    return Series(name, ((place, value.mean),), shade, half_widths=(value.half_width,))
