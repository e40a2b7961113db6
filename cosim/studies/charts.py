"""The figures of a study: lines over its axes, or bars by its variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cosim.report.comparison import (
    MONEY_BARS,
    Bar,
    Bars,
    Column,
    Comparison,
    Indicators,
    Measure,
    indicator,
)
from cosim.report.panels import Panel, PanelFigure, Series, colour, present
from cosim.report.subjects import subject_types
from cosim.studies.results import FinishedRun, is_number
from cosim.studies.study import value_text

VARIANT = "variant"


def curtailed_kwh(indicators: Indicators) -> float | None:
    """Return injection and consumption that the DSO ordered off. [kWh]"""
    parts = [indicators.get(f"curtailed_{kind}_kwh") for kind in ("injection", "consumption")]
    return None if None in parts else sum(part for part in parts if part is not None)


SCHEDULED, RELIEVED, DELIVERED = (
    indicator(f"violations.{stage}.any.minutes") for stage in ("scheduled", "relieved", "delivered")
)
_CURTAILED = (
    "curtailed",
    "Energy curtailed by order",
    "Injection and consumption that the DSO ordered off without a market.",
    "kWh",
    1,
)
_BEYOND = "At least one bus, line or transformer is beyond its limit."
_BUSES = "Over all buses and intervals, but for buses that the upstream grid holds."

EVERY_RUN = Comparison(
    columns=(
        Column(30, "Curtailed", "kWh", "cur-\ntailed\n[kWh]", 1, curtailed_kwh),
        Column(
            60,
            "Cost per prosumer",
            "EUR",
            "cost per\nprosumer\n[EUR]",
            2,
            indicator("mean_cost_eur"),
        ),
    ),
    measures=(
        Measure(
            "violation_minutes_scheduled",
            "Minutes with a violated limit, schedule before flexibility",
            _BEYOND,
            "min",
            0,
            SCHEDULED,
        ),
        Measure(
            "violation_minutes_delivered",
            "Minutes with a violated limit, delivered",
            "What is left after flexibility and curtailment, with what the devices really did.",
            "min",
            0,
            DELIVERED,
        ),
        Measure(*_CURTAILED, curtailed_kwh),
        Measure(
            "voltage",
            "Highest and lowest voltage, delivered",
            f"{_BUSES} Dashed: lowest.",
            "pu",
            4,
            indicator("highest_vm_pu"),
            indicator("lowest_vm_pu"),
            "lowest",
            from_zero=False,
        ),
    ),
    bars=(
        MONEY_BARS,
        Bars(
            "voltage",
            "Voltage, delivered",
            f"{_BUSES} The scales do not begin at zero.",
            "pu",
            4,
            (
                Bar("Highest", indicator("highest_vm_pu"), "vm_max_pu"),
                Bar("Lowest", indicator("lowest_vm_pu"), "vm_min_pu"),
            ),
            kind="dots",
        ),
        Bars(
            "loading",
            "Highest loading, delivered",
            "Of all elements and intervals.",
            "%",
            1,
            (
                Bar("Lines", indicator("highest_line_loading_percent"), "line_loading_percent"),
                Bar(
                    "Transformers",
                    indicator("highest_trafo_loading_percent"),
                    "trafo_loading_percent",
                ),
            ),
            same_scale=True,
        ),
        Bars(
            "violations",
            "Minutes with a violated limit",
            _BEYOND,
            "min",
            0,
            (
                Bar("Before flexibility", SCHEDULED),
                Bar("After flexibility", RELIEVED),
                Bar("Delivered", DELIVERED),
            ),
            same_scale=True,
        ),
        Bars(*_CURTAILED, (Bar("", curtailed_kwh),)),
    ),
)
"""Columns and figures of every study; minutes of violation have columns of their own."""


def comparisons() -> list[Comparison]:
    """Return what every run has, then what each subject adds."""
    added = (kind.comparison() for kind in subject_types())
    return [EVERY_RUN, *(each for each in added if each is not None)]


def _all_bars() -> list[Bars]:
    """Figures by runs, each with the panels of all subjects."""
    found: dict[str, Bars] = {}
    for bars in (bars for each in comparisons() for bars in each.bars):
        first = found.get(bars.key, replace(bars, panels=()))
        panels = sorted((*first.panels, *bars.panels), key=lambda bar: bar.place)
        found[bars.key] = replace(first, panels=tuple(panels))
    return list(found.values())


def study_figures(
    runs: Sequence[FinishedRun], limits: Mapping[str, float] | None = None
) -> list[PanelFigure]:
    """Figures of a study: lines if an axis has numbers, else bars by run.

    Parameters
    ----------
    runs : sequence of FinishedRun
    limits : mapping, optional
        Limits of the grid by their names in a scenario; drawn into bars.

    Notes
    -----
    Over axes, the first axis with numbers is horizontal; variants, or else the next axis, are
    lines; what is left makes panels. Figures and panels without any value are left out.
    """
    across = next(
        (
            axis
            for axis in runs[0].values
            if all(is_number(run.values[axis]) for run in runs)
            and len({run.values[axis] for run in runs}) > 1
        ),
        None,
    )
    if across is None:
        return present([_bars(runs, bars, limits or {}) for bars in _all_bars()])
    measures = (measure for each in comparisons() for measure in each.measures)
    return present([_lines(runs, across, measure) for measure in measures])


def _coordinates(run: FinishedRun, across: str) -> list[tuple[str, Any]]:
    """Return where a run stands off the horizontal axis: dimension and value."""
    variant = [(VARIANT, run.variant)] if run.variant else []
    return variant + [(axis, value) for axis, value in run.values.items() if axis != across]


def _lines(runs: Sequence[FinishedRun], across: str, measure: Measure) -> PanelFigure:
    lines: dict[str, None] = {}
    panels: dict[str, dict[str, list[FinishedRun]]] = {}
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
        key=measure.key,
        title=measure.title,
        caption=measure.caption,
        panels=tuple(
            Panel(title, tuple(_series(members, across, measure, colours)))
            for title, members in panels.items()
        ),
        kind="lines",
        x_title=across,
        unit=measure.unit,
        digits=measure.digits,
        legend_title="" if legend_title == VARIANT else legend_title,
        dashes=measure.dashes,
        from_zero=measure.from_zero,
    )


def _series(
    members: Mapping[str, Sequence[FinishedRun]],
    across: str,
    measure: Measure,
    colours: Mapping[str, str],
) -> list[Series]:
    found = []
    for line, runs in members.items():
        ordered = sorted(runs, key=lambda run: run.values[across])
        for value, dashed in ((measure.dashed, True), (measure.value, False)):
            if value is not None:
                points = tuple((run.values[across], value(run.indicators)) for run in ordered)
                found.append(Series(line, points, colours[line], dashed))
    return found


def _bars(runs: Sequence[FinishedRun], bars: Bars, limits: Mapping[str, float]) -> PanelFigure:
    return PanelFigure(
        key=bars.key,
        title=bars.title,
        caption=bars.caption,
        panels=tuple(
            Panel(
                bar.title,
                tuple(
                    Series(run.name, ((float(k), bar.value(run.indicators)),), colour(k))
                    for k, run in enumerate(runs)
                ),
                limits.get(bar.limit),
            )
            for bar in bars.panels
        ),
        kind=bars.kind,
        x_title="",
        unit=bars.unit,
        digits=bars.digits,
        same_scale=bars.same_scale,
        from_zero=bars.kind == "bars",
    )
