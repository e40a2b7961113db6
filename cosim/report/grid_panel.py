"""The grid in a report: limits violated, voltages, loadings, curtailment, power."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from cosim.devices import catalogue
from cosim.report.chart_style import (
    AFTER,
    AMBER,
    BEFORE,
    GREEN,
    PINK,
    Chart,
    TimeAxis,
    filled,
    limit_line,
    styled,
    zero_line,
)
from cosim.report.checks import KIND_LABELS, KINDS
from cosim.report.energy import community_power
from cosim.report.indicators import Indicators
from cosim.report.panel import ReportPart, Tile
from cosim.report.series import Offender, StageSeries, per_interval
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.results.schemas import STAGES
from cosim.units import WH_PER_KWH

KW_PER_MW = 1_000
VM_PAD_PU = 0.015
"""Space above and below the voltages of the chart."""

GRID_DEFINITIONS = (
    (
        "Before, after, delivered",
        "Before: power flow on the schedules as nominated, no flexibility called. After: on the "
        "schedules of the last round of requests and awards; the same as before where no limit was "
        "violated. Delivered: what the devices physically did, forecast errors included. The "
        "right-hand map shows what was delivered.",
    ),
    (
        "Violation minutes",
        "Minutes of the intervals in which at least one bus is outside its voltage band, or at "
        "least one line or transformer carries more current than its rating. An interval without a "
        "power-flow solution counts as a violation of its own kind.",
    ),
    (
        "Curtailed",
        "Change of schedules that the DSO ordered without a market, after offers had run out.",
    ),
    (
        "Self-consumption and self-sufficiency",
        "Of the community as a whole (IEA PVPS T1-28:2016; Luthander et al. 2015, "
        "doi:10.1016/j.apenergy.2014.12.028): with generation P, consumption L and charging of "
        "storages B summed over all devices of all prosumers in each interval, self-consumption "
        "is Σ min(P, L + max(B, 0)) / ΣP. Self-sufficiency is the share of consumption that "
        "generation covers, at once or out of storages as far as they were charged from surplus "
        "generation since the run began: what they held at its start does not count.",
    ),
)


def grid_part(
    results: Results, indicators: Indicators, before: StageSeries, after: StageSeries
) -> ReportPart:
    """Return the grid's part of a report.

    Parameters
    ----------
    results : Results
    indicators : Indicators
    before, after : StageSeries
        Of the schedules before flexibility, and of what was delivered.
    """
    return ReportPart(
        key="grid",
        title="Grid",
        tiles=grid_tiles(indicators),
        figures=(
            voltage_chart(results, before, after),
            loading_chart(results, before, after),
            curtailment_chart(results),
            energy_chart(results),
            device_chart(indicators),
        ),
        definitions=GRID_DEFINITIONS,
    )


def grid_tiles(i: Indicators) -> list[Tile]:
    """Return tiles of violations, curtailment, voltages, losses and self-supply."""
    shown = [kind for kind in KINDS if kind != "non_convergence" or _minutes(i, kind)[0]]
    return [
        *(_violation_tile(i, kind) for kind in shown),
        Tile(
            "Curtailed by order",
            f"injection {number(i.curtailed_injection_kwh, 'kWh')}, "
            f"consumption {number(i.curtailed_consumption_kwh, 'kWh')}",
            number(i.curtailed_injection_kwh + i.curtailed_consumption_kwh, "kWh"),
        ),
        *_rebound_tile(i),
        Tile(
            "Highest and lowest voltage",
            f"scheduled {number(i.scheduled_highest_vm_pu, '', 4)} and "
            f"{number(i.scheduled_lowest_vm_pu, 'pu', 4)}; highest loading delivered: lines "
            f"{number(i.highest_line_loading_percent, '%')}, transformers "
            f"{number(i.highest_trafo_loading_percent, '%')}",
            f"{number(i.highest_vm_pu, '', 3)} / {number(i.lowest_vm_pu, 'pu', 3)}",
        ),
        Tile(
            "Losses in lines and transformers",
            f"{percent(i.losses_kwh / i.consumption_kwh)} of consumption"
            if i.losses_kwh is not None and i.consumption_kwh
            else "not recorded",
            number(i.losses_kwh, "kWh"),
        ),
        Tile(
            "Self-sufficiency",
            f"self-consumption {percent(i.self_consumption)}; "
            f"{number(i.generation_kwh, 'kWh', 0)} generated, "
            f"{number(i.consumption_kwh, 'kWh', 0)} consumed",
            percent(i.self_sufficiency),
        ),
    ]


def _rebound_tile(i: Indicators) -> list[Tile]:
    """Return a tile where anything was caught up."""
    if not i.caught_up_kwh:
        return []
    note = f"as delivered; {number(i.caught_up_kwh, 'kWh')} put off before were caught up"
    return [Tile("Violated by catching up alone", note, number(i.rebound_minutes, "min", 0))]


def _minutes(indicators: Indicators, kind: str) -> list[float]:
    return [indicators.violations[stage][kind]["minutes"] for stage in STAGES]


def _violation_tile(indicators: Indicators, kind: str) -> Tile:
    minutes = _minutes(indicators, kind)
    names = ("before", "after", "delivered")
    steps = tuple((name, number(m, "", 0)) for name, m in zip(names, minutes, strict=True))
    tone = "violated" if minutes[2] else "relieved" if minutes[0] else ""
    elements = [indicators.violations[stage][kind]["element_minutes"] for stage in STAGES]
    note = "no element violated"
    if any(elements):
        note = "element-minutes: " + " → ".join(number(m, "", 0) for m in elements)
    return Tile(f"{KIND_LABELS[kind]} [min]", note, steps=steps, tone=tone)


def offender_rows(listed: list[Offender]) -> list[dict[str, Any]]:
    """Return rows of the table of violated elements, as text."""
    digits = {"pu": 4, "%": 1, "": 0}
    return [
        {
            "name": row.name,
            "kind": KIND_LABELS.get(row.kind, row.kind),
            "minutes": [number(row.minutes.get(stage, 0.0), "", 0) for stage in STAGES],
            "worst": [
                number(row.worst.get(stage), row.unit, digits[row.unit])
                if row.unit and row.worst.get(stage) == row.worst.get(stage)
                else "—"
                for stage in STAGES
            ],
            "drivers": ", ".join(row.drivers) or "—",
        }
        for row in listed
    ]


def voltage_chart(results: Results, before: StageSeries, after: StageSeries) -> Chart:
    """Draw lowest, median and highest voltage of all buses but the slack."""
    axis, limits = TimeAxis(results), results.scenario_fields["grid"]["limits"]
    figure = go.Figure()
    slack = results.network["ext_grid"]["bus"].to_numpy()
    seen = [np.array([limits["vm_min_pu"], limits["vm_max_pu"]])]
    for stage, name, colour, fill in (
        (before, "before", BEFORE, "rgba(213,94,0,0.15)"),
        (after, "delivered", AFTER, "rgba(0,114,178,0.18)"),
    ):
        buses = stage.bus.without(slack)
        low, middle, high = (buses.reduced(f) for f in ("min", "median", "max"))
        seen += [low, high]
        figure.add_trace(axis.line(low, f"{name}, lowest", colour, width=1, showlegend=False))
        figure.add_trace(
            axis.line(high, f"{name}, highest", colour, width=1, fill="tonexty", fillcolor=fill)
        )
        figure.data[-1].name = f"{name}: lowest to highest"
        figure.add_trace(axis.line(middle, f"{name}: median", colour, width=2.2))
    solved = np.concatenate(seen)
    solved = solved[~np.isnan(solved)]
    figure.update_yaxes(range=[solved.min() - VM_PAD_PU, solved.max() + VM_PAD_PU])
    limit_line(figure, limits["vm_max_pu"], f"limit {limits['vm_max_pu']:g} pu")
    limit_line(figure, limits["vm_min_pu"], f"limit {limits['vm_min_pu']:g} pu")
    return Chart(
        "voltage",
        "Voltage band",
        "Voltage magnitude over all buses but the slack bus: band from the lowest to the highest "
        "bus, line at the median; schedule before flexibility against what was delivered.",
        styled(figure, ["voltage [pu]"], 360),
    )


def loading_chart(results: Results, before: StageSeries, after: StageSeries) -> Chart:
    """Draw the highest loading of transformers and of lines."""
    axis, limits = TimeAxis(results), results.scenario_fields["grid"]["limits"]
    figure = go.Figure()
    has_trafo = before.trafo.idx.size > 0
    for stage, name, colour, width in (
        (before, "before", BEFORE, 3.5),
        (after, "delivered", AFTER, 1.8),
    ):
        for kind, part, dash in (
            ("transformer", stage.trafo, "solid"),
            ("line", stage.line, "dot"),
        ):
            if part.idx.size:
                worst = part.reduced("max")
                label = f"worst {kind}, {name}"
                figure.add_trace(axis.line(worst, label, colour, width=width, dash=dash))
    values = {limits["line_loading_percent"]} | (
        {limits["trafo_loading_percent"]} if has_trafo else set()
    )
    for value in sorted(values):
        limit_line(figure, value, f"limit {value:g} %")
    figure.update_yaxes(rangemode="tozero")
    return Chart(
        "loading",
        "Transformer and line loading",
        "Current against rating of the most loaded transformer and of the most loaded line.",
        styled(figure, ["loading [%]"], 360),
    )


def curtailment_chart(results: Results) -> Chart:
    """Draw what the DSO curtailed by order."""
    rows = results.frame("schedules", ["interval", "curtailed_wh"])
    chart = Chart(
        "curtailment",
        "Curtailment",
        "Energy that the DSO curtailed by order, after offers had run out. Without payment, and "
        "recorded as such.",
        None,
        "Nothing was curtailed in this run.",
    )
    if not rows["curtailed_wh"].any():
        return chart
    axis, figure = TimeAxis(results), go.Figure()
    for values, name, colour in (
        (-rows["curtailed_wh"].clip(upper=0), "injection [kWh]", AMBER),
        (rows["curtailed_wh"].clip(lower=0), "consumption [kWh]", PINK),
    ):
        if values.any():
            energy = per_interval(results, rows["interval"], values, 1 / WH_PER_KWH)
            figure.add_trace(axis.bars(energy, name, colour, showlegend=True))
    figure.update_layout(barmode="stack")
    return filled(chart, styled(figure, ["energy [kWh]"]))


def energy_chart(results: Results) -> Chart:
    """Draw the power of the community behind and at the meters."""
    rows, power = results.frame("prosumers"), community_power(results)
    net_mw = per_interval(results, rows["interval"], rows["p_inject_mw"])
    axis, figure = TimeAxis(results), go.Figure()
    for power_mw, name, colour, dash in (
        (power.generation_mw, "generation [kW]", AMBER, "solid"),
        (power.consumption_mw, "consumption [kW]", BEFORE, "dash"),
        (power.storage_mw, "charging of storages [kW]", PINK, "dot"),
        (net_mw, "net injection [kW]", AFTER, "solid"),
    ):
        if power_mw.any() or power_mw is not power.storage_mw:
            figure.add_trace(axis.line(power_mw * KW_PER_MW, name, colour, dash=dash))
    zero_line(figure)
    return Chart(
        "energy",
        "Power of the community",
        "Sum over all prosumers as delivered: generation after curtailment, consumption, storages "
        "(charging positive), and what all of them fed into the grid.",
        styled(figure, ["power [kW]"]),
    )


DEVICE_LABEL = 0.16
"""Width of a bar's label, as a share of all bars."""


def device_chart(indicators: Indicators) -> Chart:
    """Draw the energy of each kind of device over the run."""
    titles = {device.kind: device.title for device in catalogue.registered()}
    energy, figure = indicators.energy_by_device, go.Figure()
    for part, sign, colour in (
        ("generated", 1, AMBER),
        ("discharged", 1, GREEN),
        ("consumed", -1, BEFORE),
        ("charged", -1, PINK),
    ):
        kinds = [kind for kind, parts in energy.items() if part in parts]
        if kinds:
            values = [round(sign * energy[kind][part], 3) for kind in kinds]
            names = [titles[kind] for kind in kinds]
            figure.add_trace(
                go.Bar(
                    x=values,
                    y=names,
                    orientation="h",
                    name=f"{part} [kWh]",
                    marker={"color": colour},
                    text=[number(abs(value), "kWh") for value in values],
                    textposition="auto",
                    cliponaxis=False,
                )
            )
    styled(figure, [""], 330, over_time=False)
    order = [titles[kind] for kind in reversed(energy)]
    figure.update_layout(barmode="relative", bargap=0.35, margin={"l": 130})
    figure.update_yaxes(categoryorder="array", categoryarray=order, automargin=True)
    shown = [x for bar in figure.data for x in bar.x] or [0.0]
    low, high = min(0.0, *shown), max(0.0, *shown)
    margin = DEVICE_LABEL * (high - low)  # for a label next to the longest bar of either side
    figure.update_xaxes(
        title={"text": "energy [kWh]"}, separatethousands=True, range=[low - margin, high + margin]
    )
    return Chart(
        "devices",
        "Energy by device",
        "Energy over the run of every kind of device, as delivered: what gives to the grid to the "
        "right, what takes from it to the left. Generation after curtailment.",
        figure,
        over_time=False,
    )
