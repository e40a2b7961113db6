"""The figures of a study: lines over its axes, or bars by its variants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cosim.report.panels import Panel, PanelFigure, Series, colour, present
from cosim.studies.results import FinishedRun, is_number
from cosim.studies.study import value_text

Indicators = Mapping[str, float | None]
Value = Callable[[Indicators], float | None]

VARIANT = "variant"


def indicator(path: str) -> Value:
    """The indicator at a path."""
    return lambda indicators: indicators.get(path)


def orders_missed_percent(indicators: Indicators) -> float | None:
    """Share of the orders sent that came too late for their interval. [%]"""
    counts = [v for key, v in indicators.items() if key.startswith("orders.") and v is not None]
    late = indicators.get("orders.late")
    return None if late is None or not sum(counts) else 100 * late / sum(counts)


def curtailed_kwh(indicators: Indicators) -> float | None:
    """Injection and consumption that the DSO ordered off. [kWh]"""
    parts = [indicators.get(f"curtailed_{kind}_kwh") for kind in ("injection", "consumption")]
    return None if None in parts else sum(part for part in parts if part is not None)


@dataclass(frozen=True)
class _Measure:
    """What one figure over the axes shows."""

    key: str
    title: str
    caption: str
    unit: str
    digits: int
    value: Value
    beside: Value | None = None
    dashes: str = ""
    from_zero: bool = True


_OVER_AXES = (
    _Measure(
        "violation_minutes_scheduled",
        "Minutes with a violated limit, schedule before flexibility",
        "At least one bus, line or transformer is beyond its limit.",
        "min",
        0,
        indicator("violations.scheduled.any.minutes"),
    ),
    _Measure(
        "violation_minutes_delivered",
        "Minutes with a violated limit, delivered",
        "What is left after flexibility and curtailment, with what the devices really did.",
        "min",
        0,
        indicator("violations.delivered.any.minutes"),
    ),
    _Measure(
        "welfare",
        "Welfare of the trades",
        "Buyers' value less sellers' cost by their limit prices. Dashed: had every order been in "
        "time.",
        "EUR",
        2,
        indicator("welfare_eur"),
        indicator("welfare_possible_eur"),
        "possible",
    ),
    _Measure(
        "orders_missed",
        "Orders that missed their interval",
        "Share of all orders sent that no block before the gate took.",
        "%",
        1,
        orders_missed_percent,
    ),
    _Measure(
        "flexibility",
        "Flexibility bought",
        "Awarded by the DSO. Dashed: delivered.",
        "kWh",
        1,
        indicator("flexibility_awarded_kwh"),
        indicator("flexibility_delivered_kwh"),
        "delivered",
    ),
    _Measure(
        "curtailed",
        "Energy curtailed by order",
        "Injection and consumption that the DSO ordered off without a market.",
        "kWh",
        1,
        curtailed_kwh,
    ),
    _Measure(
        "voltage",
        "Highest and lowest voltage, delivered",
        "Over all buses and intervals, but for buses that the upstream grid holds. Dashed: lowest.",
        "pu",
        4,
        indicator("highest_vm_pu"),
        indicator("lowest_vm_pu"),
        "lowest",
        from_zero=False,
    ),
    _Measure(
        "flexibility_cost",
        "Cost of flexibility to the DSO",
        "Paid less penalties received.",
        "EUR",
        2,
        indicator("flexibility_cost_eur"),
    ),
)


@dataclass(frozen=True)
class _Bars:
    """What one figure by variants shows: panels of a title, a value, and perhaps its limit."""

    key: str
    title: str
    caption: str
    unit: str
    digits: int
    panels: tuple[tuple[str, Value] | tuple[str, Value, str], ...]
    kind: Literal["bars", "dots"] = "bars"
    same_scale: bool = False


_BY_VARIANT = (
    _Bars(
        "money",
        "Money",
        "What each group paid over the run, less what it received; the supplier: what it received. "
        "Every panel has its own scale.",
        "EUR",
        2,
        (
            ("Attackers, cost", indicator("attackers_cost_eur")),
            ("Victims, cost", indicator("victims_cost_eur")),
            ("Other prosumers, cost", indicator("others_cost_eur")),
            ("All prosumers, cost", indicator("cost_eur")),
            ("DSO, flexibility", indicator("flexibility_cost_eur")),
            ("Supplier, received", indicator("supplier_received_eur")),
        ),
    ),
    _Bars(
        "voltage",
        "Voltage, delivered",
        "Over all buses and intervals, but for buses that the upstream grid holds. The scales do "
        "not begin at zero.",
        "pu",
        4,
        (
            ("Highest", indicator("highest_vm_pu"), "vm_max_pu"),
            ("Lowest", indicator("lowest_vm_pu"), "vm_min_pu"),
        ),
        kind="dots",
    ),
    _Bars(
        "loading",
        "Highest loading, delivered",
        "Of all elements and intervals.",
        "%",
        1,
        (
            ("Lines", indicator("highest_line_loading_percent"), "line_loading_percent"),
            ("Transformers", indicator("highest_trafo_loading_percent"), "trafo_loading_percent"),
        ),
        same_scale=True,
    ),
    _Bars(
        "violations",
        "Minutes with a violated limit",
        "At least one bus, line or transformer is beyond its limit.",
        "min",
        0,
        (
            ("Before flexibility", indicator("violations.scheduled.any.minutes")),
            ("After flexibility", indicator("violations.relieved.any.minutes")),
            ("Delivered", indicator("violations.delivered.any.minutes")),
        ),
        same_scale=True,
    ),
    _Bars(
        "flexibility",
        "Flexibility and curtailment",
        "Bought: awarded by the DSO. Curtailed: ordered without a market.",
        "kWh",
        1,
        (
            ("Bought", indicator("flexibility_awarded_kwh")),
            ("Delivered", indicator("flexibility_delivered_kwh")),
            ("Curtailed", curtailed_kwh),
        ),
        same_scale=True,
    ),
    _Bars(
        "welfare",
        "Welfare of the trades",
        "Buyers' value less sellers' cost by their limit prices. Possible: had every order been in "
        "time.",
        "EUR",
        2,
        (
            ("Reached", indicator("welfare_eur")),
            ("Possible", indicator("welfare_possible_eur")),
        ),
        same_scale=True,
    ),
    _Bars(
        "orders_missed",
        "Orders that missed their interval",
        "Share of all orders sent that no block before the gate took.",
        "%",
        1,
        (("", orders_missed_percent),),
    ),
)


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
        return present([_bars(runs, bars, limits or {}) for bars in _BY_VARIANT])
    return present([_lines(runs, across, measure) for measure in _OVER_AXES])


def _coordinates(run: FinishedRun, across: str) -> list[tuple[str, Any]]:
    """Where a run stands beside the horizontal axis: dimension and value."""
    variant = [(VARIANT, run.variant)] if run.variant else []
    return variant + [(axis, value) for axis, value in run.values.items() if axis != across]


def _lines(runs: Sequence[FinishedRun], across: str, measure: _Measure) -> PanelFigure:
    lines: dict[str, None] = {}
    panels: dict[str, dict[str, list[FinishedRun]]] = {}
    legend_title = ""
    for run in runs:
        beside = _coordinates(run, across)
        legend_title, value = beside[0] if beside else ("", "")
        line = value_text(value)
        title = ", ".join(f"{name} {value_text(v)}" for name, v in beside[1:])
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
    measure: _Measure,
    colours: Mapping[str, str],
) -> list[Series]:
    found = []
    for line, runs in members.items():
        ordered = sorted(runs, key=lambda run: run.values[across])
        for value, dashed in ((measure.beside, True), (measure.value, False)):
            if value is not None:
                points = tuple((run.values[across], value(run.indicators)) for run in ordered)
                found.append(Series(line, points, colours[line], dashed))
    return found


def _bars(runs: Sequence[FinishedRun], bars: _Bars, limits: Mapping[str, float]) -> PanelFigure:
    return PanelFigure(
        key=bars.key,
        title=bars.title,
        caption=bars.caption,
        panels=tuple(
            Panel(
                title,
                tuple(
                    Series(run.name, ((float(k), value(run.indicators)),), colour(k))
                    for k, run in enumerate(runs)
                ),
                limits.get(limit[0]) if limit else None,
            )
            for title, value, *limit in bars.panels
        ),
        kind=bars.kind,
        x_title="",
        unit=bars.unit,
        digits=bars.digits,
        same_scale=bars.same_scale,
        from_zero=bars.kind == "bars",
    )
