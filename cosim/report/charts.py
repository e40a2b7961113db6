"""The report's charts, as plotly figures.

Every chart has a title, a unit on each axis, a sentence that says what it shows, and a sentence for
the run in which there is nothing to show.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from cosim.report.chart_style import (
    AFTER,
    AMBER,
    BEFORE,
    GREEN,
    PINK,
    SKY,
    Chart,
    TimeAxis,
    filled,
    limit_line,
    styled,
    two_rows,
    zero_line,
)
from cosim.report.costs import costs_by_prosumer, money_by_role
from cosim.report.ledger import start_s
from cosim.report.series import StageSeries, per_interval
from cosim.results.reader import Results
from cosim.units import UEUR_PER_EUR, WH_PER_KWH, eur_from_ueur

KW_PER_MW = 1_000
BLOCK_LIMIT_SHOWN_PERCENT = 30.0
"""Fuller blocks than this are shown against the limit; emptier ones would vanish beside it."""
VM_PAD_PU = 0.015
"""Room above and below the voltages of the chart."""


def voltage_chart(results: Results, before: StageSeries, after: StageSeries) -> Chart:
    """Lowest, median and highest voltage of all buses but the slack."""
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
    """Highest loading of transformers and of lines."""
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


def market_chart(results: Results) -> Chart:
    """Clearing price and traded energy."""
    trades = results.frame("trades", ["interval", "energy_wh", "price_ueur_per_kwh"])
    chart = Chart(
        "market",
        "Local market: price and energy",
        "Clearing price between the supplier's retail and feed-in price, and the energy that "
        "prosumers traded with each other. No line where nothing was traded.",
        None,
        "No energy was traded between prosumers in this run.",
    )
    if trades.empty:
        return chart
    axis, market = TimeAxis(results), results.scenario_fields["market"]
    energy = per_interval(results, trades["interval"], trades["energy_wh"], 1 / WH_PER_KWH)
    worth = per_interval(
        results,
        trades["interval"],
        trades["energy_wh"] * trades["price_ueur_per_kwh"],
        1 / WH_PER_KWH / UEUR_PER_EUR,
    )
    price = np.divide(worth, energy, out=np.full_like(worth, np.nan), where=energy > 0)
    figure = two_rows([0.55, 0.45])
    figure.add_trace(axis.line(price, "clearing price [EUR/kWh]", AFTER), row=1, col=1)
    for key, text in (("retail_eur_per_kwh", "retail"), ("feed_in_eur_per_kwh", "feed-in")):
        limit_line(figure, market[key], f"{text} {market[key]:g} EUR/kWh", row=1, col=1)
    figure.add_trace(axis.bars(energy, "traded energy [kWh]", GREEN), row=2, col=1)
    figure.update_yaxes(rangemode="tozero")
    return filled(chart, styled(figure, ["price [EUR/kWh]", "energy [kWh]"], 400))


def flexibility_chart(results: Results) -> Chart:
    """Flexibility offered, awarded and delivered, and what the DSO paid."""
    rows = results.frame("flexibility")
    chart = Chart(
        "flexibility",
        "Flexibility: offered, awarded, delivered, paid",
        "Energy per interval over all requests, up (net injection raised) positive, down negative; "
        "below, payments by the DSO and penalties paid to it.",
        None,
        "The DSO requested no flexibility in this run: nothing was offered, awarded or paid.",
    )
    if rows.empty:
        return chart
    axis = TimeAxis(results)
    sign = np.where(rows["direction"] == "up", 1.0, -1.0)
    figure = two_rows([0.65, 0.35])
    for column, name, colour in (
        ("offered_wh", "offered [kWh]", "#cbd2d9"),
        ("awarded_wh", "awarded [kWh]", SKY),
        ("delivered_wh", "delivered [kWh]", AFTER),
    ):
        up, down = (
            per_interval(results, rows["interval"], rows[column] * (sign == s), s / WH_PER_KWH)
            for s in (1.0, -1.0)
        )
        for values, label in ((up, "up"), (down, "down")):
            if np.any(values):
                figure.add_trace(
                    axis.bars(values, f"{name[:-6]} {label} [kWh]", colour), row=1, col=1
                )
    for column, name, colour, side in (
        ("paid_ueur", "paid [EUR]", GREEN, 1),
        ("penalty_ueur", "penalties [EUR]", BEFORE, -1),
    ):
        values = per_interval(results, rows["interval"], rows[column], side / UEUR_PER_EUR)
        figure.add_trace(axis.bars(values, name, colour), row=2, col=1)
    figure.update_layout(barmode="overlay")
    return filled(chart, styled(figure, ["energy [kWh]", "money [EUR]"], 440))


def curtailment_chart(results: Results) -> Chart:
    """What the DSO curtailed by order."""
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
    """Power of the community behind and at the meters."""
    columns = ["pv_p_mw", "load_p_mw", "ev_p_mw", "heat_pump_p_mw", "battery_p_mw", "p_inject_mw"]
    rows = results.frame("prosumers", ["interval", *columns])
    pv, load, ev, heat_pump, battery, inject = (
        per_interval(results, rows["interval"], rows[column], KW_PER_MW) for column in columns
    )
    axis, figure = TimeAxis(results), go.Figure()
    figure.add_trace(axis.line(pv, "PV generation [kW]", AMBER))
    figure.add_trace(axis.line(load + ev + heat_pump, "consumption [kW]", BEFORE, dash="dash"))
    if battery.any():
        figure.add_trace(axis.line(battery, "battery charging [kW]", PINK, dash="dot"))
    figure.add_trace(axis.line(inject, "net injection [kW]", AFTER))
    zero_line(figure)
    return Chart(
        "energy",
        "Power of the community",
        "Sum over all prosumers as delivered: PV after curtailment, consumption with EV and heat "
        "pumps, batteries (charging positive), and what all of them fed into the grid.",
        styled(figure, ["power [kW]"]),
    )


def money_chart(results: Results) -> Chart:
    """Balance of each role since the start."""
    money = money_by_role(results)
    axis, figure = TimeAxis(results), go.Figure()
    for role, name, colour, dash in (
        ("prosumers", "prosumers", AFTER, "solid"),
        ("supplier", "supplier", BEFORE, "dash"),
        ("dso", "DSO", GREEN, "dot"),
        ("fees", "block producers (fees)", PINK, "dashdot"),
    ):
        if role == "fees" and not money[role].any():
            continue
        balance = eur_from_ueur(money[role].cumsum().to_numpy())
        figure.add_trace(axis.line(balance, f"{name} [EUR]", colour, dash=dash))
    zero_line(figure)
    return Chart(
        "money",
        "Money by role, cumulated",
        "Received (+) and paid (−) since the start of the run. The sum over all roles is zero in "
        "every interval.",
        styled(figure, ["balance [EUR]"]),
    )


def cost_chart(results: Results) -> Chart:
    """Each prosumer's cost and its baseline."""
    chart = Chart(
        "costs",
        "Cost per prosumer against the no-market baseline",
        "Cost over the run, revenue negative; names on hover. Baseline: the same metered energy "
        "settled with the supplier alone, at retail and feed-in price.",
        None,
        "No account was settled in this run.",
        over_time=False,
        wide=True,
    )
    costs = costs_by_prosumer(results).sort_values("baseline_cost_ueur", ascending=False)
    if costs.empty:
        return chart
    names = [str(name) for name in costs.index]
    cost, baseline = (
        np.round(eur_from_ueur(costs[column].to_numpy()), 4)
        for column in ("cost_ueur", "baseline_cost_ueur")
    )
    figure = go.Figure()
    joints = np.column_stack([baseline, cost, np.full(len(names), np.nan)]).ravel()
    figure.add_trace(
        go.Scatter(
            x=[name for name in names for _ in range(3)],
            y=joints,
            mode="lines",
            line={"color": "#b8c2cc", "width": 2},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    for values, name, colour, symbol in (
        (baseline, "supplier alone (baseline)", BEFORE, "circle-open"),
        (cost, "with local market and flexibility", AFTER, "circle"),
    ):
        figure.add_trace(
            go.Scatter(
                x=names,
                y=values,
                name=name,
                mode="markers",
                marker={"color": colour, "size": 8, "symbol": symbol, "line": {"width": 2}},
                hovertemplate="%{x}: %{y:.2f} EUR<extra>" + name + "</extra>",
            )
        )
    zero_line(figure)
    styled(figure, ["cost [EUR]"], 420, over_time=False)
    many = len(names) > 40
    figure.update_xaxes(
        type="category",
        showticklabels=not many,
        showgrid=not many,
        ticks="" if many else "outside",
        title={"text": "prosumers, by baseline cost"},
        tickangle=-45,
        automargin=True,
    )
    return filled(chart, figure)


def block_chart(results: Results) -> Chart:
    """How full the blocks were."""
    blocks = results.frame("blocks", ["timestamp_s", "gas_used", "gas_limit"])
    interval = np.floor((blocks["timestamp_s"] - start_s(results)) / results.step_s).to_numpy()
    inside = (interval >= 0) & (interval < results.n_intervals)
    blocks, interval = blocks[inside], interval[inside].astype(np.int64)
    chart = Chart(
        "blocks",
        "Block usage",
        "Gas used against the block gas limit, by the clock of the ledger: fullest block and mean "
        "of all blocks of a delivery interval.",
        None,
        "No block was produced during the run.",
    )
    if blocks.empty:
        return chart
    usage = 100.0 * (blocks["gas_used"] / blocks["gas_limit"]).to_numpy()
    fullest = np.full(results.n_intervals, np.nan)
    np.fmax.at(fullest, interval, usage)
    count = np.bincount(interval, minlength=results.n_intervals)
    total = np.bincount(interval, weights=usage, minlength=results.n_intervals)
    mean = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    axis, figure = TimeAxis(results), go.Figure()
    figure.add_trace(axis.line(fullest, "fullest block [%]", BEFORE))
    figure.add_trace(axis.line(mean, "mean [%]", AFTER, dash="dot"))
    if usage.max() > BLOCK_LIMIT_SHOWN_PERCENT:
        limit_line(figure, 100.0, "block gas limit")
    figure.update_yaxes(rangemode="tozero")
    return filled(chart, styled(figure, ["gas of gas limit [%]"]))


def gas_chart(results: Results, gas: Any) -> Chart:
    """Gas by method.

    Parameters
    ----------
    results : Results
        Unused but for the number of intervals in the caption.
    gas : pandas.DataFrame
        As :func:`cosim.report.indicators.gas_by_method` gives it.
    """
    chart = Chart(
        "gas",
        "Gas by contract method",
        f"Whole-transaction gas over {results.n_intervals} intervals, reverted transactions "
        "included; transactions × mean gas beside each bar. Orange: set-up only.",
        None,
        "No transaction was sent in this run.",
        over_time=False,
    )
    if gas.empty:
        return chart
    shown = gas.head(24)[::-1]
    figure = go.Figure()
    text = [
        f"{n:,} × {total / n:,.0f}".replace(",", "\u202f")
        for n, total in zip(shown["transactions"], shown["gas"], strict=True)
    ]
    figure.add_trace(
        go.Bar(
            x=shown["gas"].to_numpy() / 1e6,
            y=[name.replace(".", ".<br>") if len(name) > 24 else name for name in shown.index],
            orientation="h",
            marker={"color": [AMBER if setup else AFTER for setup in shown["setup"]]},
            text=text,
            textposition="auto",
            insidetextanchor="start",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.3f} million gas, %{text}<extra></extra>",
            showlegend=False,
        )
    )
    styled(figure, [""], max(240, 34 * len(shown) + 70), over_time=False)
    figure.update_layout(bargap=0.25)
    figure.update_xaxes(title={"text": "gas [million]"}, rangemode="tozero")
    figure.update_yaxes(automargin=True, ticks="")
    return filled(chart, figure)
