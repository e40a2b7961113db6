"""Money in a report: what each role received, and what each prosumer paid."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from cosim.report.chart_style import (
    AFTER,
    BEFORE,
    GREEN,
    PINK,
    Chart,
    TimeAxis,
    filled,
    styled,
    zero_line,
)
from cosim.report.costs import RELATIONS, costs_by_prosumer, money_by_role
from cosim.report.indicators import Indicators
from cosim.report.panel import ReportPart, TableFigure, TextTable, Tile
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.units import eur_from_ueur

MONEY_DEFINITIONS = (
    (
        "Cost and baseline",
        "Cost: paid less received in the local market, with the supplier and from the DSO, and "
        "transaction fees. Baseline: the same metered energy settled with the supplier alone, "
        "consumption at the retail price and feed-in at the feed-in price, interval by interval. "
        "The baseline keeps what prosumers did; it is not a run without a market.",
    ),
)


def money_part(results: Results, i: Indicators) -> ReportPart:
    """Return the money's part of a report."""
    saved = None
    if i.mean_cost_eur is not None and i.mean_baseline_cost_eur is not None:
        saved = i.mean_baseline_cost_eur - i.mean_cost_eur
    cost = Tile(
        "Cost per prosumer",
        f"supplier alone {number(i.mean_baseline_cost_eur, 'EUR', 2)}; "
        f"{number(saved, 'EUR', 2)} saved on average, "
        f"{i.prosumers_better_off} of {i.prosumers} better off",
        number(i.mean_cost_eur, "EUR", 2),
    )
    return ReportPart(
        key="money",
        title="Money",
        tiles=(cost,),
        figures=(money_chart(results), money_table(results), cost_chart(results)),
        definitions=MONEY_DEFINITIONS,
    )


def money_table(results: Results) -> TableFigure:
    """Return what each role received in each relation over the run. [EUR]"""
    sums = results.frame("settlement")[list(RELATIONS)].sum()
    traded, supplier, flexibility, fees = (int(sums[name]) for name in RELATIONS)
    rows = (
        ("Prosumers", (traded, supplier, flexibility, -fees)),
        ("Supplier", (-traded, -supplier, 0, 0)),
        ("DSO", (0, 0, -flexibility, 0)),
        ("Block producers", (0, 0, 0, fees)),
    )
    cells = [
        (role, *(number(eur_from_ueur(amount), "", 2) for amount in (*amounts, sum(amounts))))
        for role, amounts in rows
    ]
    table = TextTable("", ("Role", "Market", "Supplier", "Flexibility", "Fees", "Sum"), cells)
    return TableFigure(
        "money-table",
        "Money by role, whole run",
        ("Received (+) and paid (−) in EUR. Every column adds up to zero.",),
        (table,),
    )


def money_chart(results: Results) -> Chart:
    """Draw the balance of each role since the start."""
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
    """Draw each prosumer's cost and its baseline."""
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
