"""Money in a report: what each role received, and what each prosumer paid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go

from cosim.report.chart_style import (
    AFTER,
    AMBER,
    BEFORE,
    GREEN,
    INK,
    PINK,
    SKY,
    Chart,
    TimeAxis,
    filled,
    styled,
    zero_line,
)
from cosim.report.costs import costs_by_prosumer
from cosim.report.dues import dues_figures
from cosim.report.indicators import Indicators
from cosim.report.outside import CONTRACT, DEFAULT, SUPPLIES, UNBILLED
from cosim.report.panel import ReportPart, TableFigure, TextTable, Tile
from cosim.report.roles import (
    DSO,
    LEDGER,
    MEMBERS,
    OUTSIDE,
    PAYMENTS,
    ROLES,
    STATE,
    SUPPLIER,
    UPSTREAM,
    MoneyTable,
    money_over_time,
    money_table,
)
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.units import SECONDS_PER_HOUR, eur_from_ueur

DAY_S = 24 * SECONDS_PER_HOUR

MONEY_DEFINITIONS = (
    (
        "Cost",
        "Paid less received in the local market, with the supplier and from the DSO, and "
        "transaction fees. A gain is a difference between two runs: cosim run --compare plays the "
        "same households, weather and seed without the market, without flexibility, and without "
        "any relief.",
    ),
    (
        "Welfare",
        "Minus the resource cost: energy from upstream at the wholesale price, losses included, "
        "fuel, wear of storages, discomfort of putting off, unserved energy at the value of lost "
        "load, and closing, which brings storages back to where they began. Payments are "
        "transfers: they change who has the money, not the welfare.",
    ),
    (
        "Money by role",
        "The supplier buys at the wholesale price what all meters read, net; the DSO what else "
        "flows in, the losses. Network charges and taxes in the retail price, and their share on "
        "local trades, are passed on to the DSO and the state. In kind: wear, fuel, discomfort, "
        "unserved energy and closing, borne where they arise. The network charge that would cover "
        "the DSO is what it spends beyond its penalties, over the energy drawn by all connection "
        "points in this run, however short and sunny. Outside the market a household owes what its "
        "supply contract billed, at the end of each period; what it draws without one is default "
        "supply at the supplier's prices, off the ledger.",
    ),
)


def money_part(results: Results, i: Indicators) -> ReportPart:
    """Return the money's part of a report."""
    part = money_overview(results, i)
    return replace(part, figures=(money_chart(results), *part.figures))


def money_overview(results: Results, i: Indicators) -> ReportPart:
    """Return the money's part of a long run's report, which has no chart over time."""
    parts = ", ".join(
        f"{name} {number(value, '', 2)}" for name, value in i.resource_cost_eur.items()
    )
    tiles = (
        Tile(
            "Cost per prosumer",
            f"{number(i.cost_eur, 'EUR', 2)} of {i.prosumers} accounts together; to know what the "
            "market changed, compare with a run without it",
            number(i.mean_cost_eur, "EUR", 2),
        ),
        Tile("Welfare", f"minus the resource cost: {parts} EUR", number(i.welfare_eur, "EUR", 2)),
        *_covering_tiles(results, i),
        *_charge_tiles(i),
    )
    return ReportPart(
        key="money",
        title="Money",
        tiles=tiles,
        figures=(
            money_figure(results),
            *supply_figures(i),
            *dues_figures(results),
            cost_chart(results),
        ),
        definitions=MONEY_DEFINITIONS,
    )


def _covering_tiles(results: Results, i: Indicators) -> tuple[Tile, ...]:
    """Return the tile of the charge that would cover the DSO, of a run of a day or more.

    In a sunny hour hardly anything is drawn, and the ratio says nothing of a tariff.
    """
    if results.n_intervals * results.step_s < DAY_S:
        return ()
    return (
        Tile(
            "Network charge that would cover the DSO",
            "flexibility less penalties, and losses, per kWh drawn in this run",
            number(i.network_charge_eur_per_kwh, "EUR/kWh", 4),
        ),
    )


def _charge_tiles(i: Indicators) -> tuple[Tile, ...]:
    """Return tiles of what charges collect, where there are any."""
    if not i.network_charge_collected_eur_per_kwh and not i.taxes_eur:
        return ()
    return (
        Tile(
            "Network charge collected",
            "owed to the DSO, over the energy drawn; in the retail price, and its share on local "
            f"trades. Taxes and levies: {number(i.taxes_eur, 'EUR', 2)}",
            number(i.network_charge_collected_eur_per_kwh, "EUR/kWh", 4),
        ),
    )


def money_figure(results: Results) -> TableFigure:
    """Return what each role received by payment over the run, and the resource cost. [EUR]"""
    money = money_table(results)
    payments = [each for each in PAYMENTS if any(own[each] for own in money.amounts_eur.values())]
    inside = [role for role in ROLES if role != UPSTREAM]
    shown = [role for role in inside if any(money.amounts_eur[role].values())]
    rows = [_money_row(money, (role,), ROLES[role], payments) for role in shown]
    rows.append(_money_row(money, inside, "Together", payments))
    rows.append(_money_row(money, (UPSTREAM,), ROLES[UPSTREAM], payments))
    headings = ("Role", *(PAYMENTS[name] for name in payments), "Money", "In kind", "Sum")
    return TableFigure(
        "money-table",
        "Money by role, whole run",
        (
            "Received (+) and paid (−) in EUR. Every payment adds up to zero with upstream, the "
            "outside. The sum of all roles together is minus the resource cost, the welfare.",
        ),
        (TextTable("", headings, rows),),
        wide=True,
    )


def supply_figures(i: Indicators) -> tuple[TableFigure, ...]:
    """Return the energy drawn by what it is billed by; none where all are in the market. [kWh]"""
    drawn = i.drawn_kwh_by_supply
    if not any(drawn[name] for name in (CONTRACT, DEFAULT, UNBILLED)):
        return ()
    shown = [name for name in SUPPLIES if drawn[name]]
    rows = [(SUPPLIES[name].capitalize(), number(drawn[name])) for name in shown]
    rows.append(("Together, as meters read it", number(sum(drawn.values()))))
    note = (
        "Energy that connection points drew from the grid. Default supply: outside the market and "
        "without a contract, at the supplier's prices, off the ledger. Not billed: under a "
        "contract, in a period that is not over."
    )
    table = TextTable("", ("Billed by", "Energy [kWh]"), rows)
    return (TableFigure("supplied-table", "Energy drawn, by who bills it", (note,), (table,)),)


def _money_row(
    money: MoneyTable, roles: Sequence[str], title: str, payments: Sequence[str]
) -> tuple[str, ...]:
    """Return sums over roles: payments, all money, what arose in kind, and both together."""
    values = [sum(money.amounts_eur[role][each] for role in roles) for each in payments]
    received = sum(money.received_eur(role) for role in roles)
    in_kind = sum(money.in_kind_eur[role] for role in roles)
    values += [received, in_kind, received + in_kind]
    return (title, *(number(None if math.isnan(v) else v, "", 2) for v in values))


def money_chart(results: Results) -> Chart:
    """Draw the balance of each role since the start, which ends at the table's sums of money."""
    money = money_over_time(results)
    axis, figure = TimeAxis(results), go.Figure()
    for role, name, colour, dash in (
        (MEMBERS, "members", AFTER, "solid"),
        (OUTSIDE, "outside the market", SKY, "solid"),
        (SUPPLIER, "supplier", BEFORE, "dash"),
        (DSO, "DSO", GREEN, "dot"),
        (LEDGER, "block producers (fees)", PINK, "dashdot"),
        (STATE, "state (taxes)", AMBER, "longdash"),
        (UPSTREAM, "upstream", INK, "dot"),
    ):
        if role in (OUTSIDE, LEDGER, STATE) and not money[role].any():
            continue
        balance = np.cumsum(money[role].to_numpy())  # unknown after what has no solution
        figure.add_trace(axis.line(balance, f"{name} [EUR]", colour, dash=dash))
    zero_line(figure)
    return Chart(
        "money",
        "Money by role, cumulated",
        "Received (+) and paid (−) since the start of the run, energy bought and sold upstream and "
        "losses among it, as in the table of the whole run; what arises in kind is left out. The "
        "sum over all roles, upstream among them, is zero in every interval.",
        styled(figure, ["balance [EUR]"]),
    )


def cost_chart(results: Results) -> Chart:
    """Draw each prosumer's cost."""
    chart = Chart(
        "costs",
        "Cost per prosumer",
        "Cost over the run, revenue negative; names on hover.",
        None,
        "No account was settled in this run.",
        over_time=False,
        wide=True,
    )
    costs = costs_by_prosumer(results).sort_values("cost_ueur", ascending=False, kind="stable")
    if costs.empty:
        return chart
    names = [str(name) for name in costs.index]
    figure = go.Figure(
        go.Scatter(
            x=names,
            y=np.round(eur_from_ueur(costs["cost_ueur"].to_numpy()), 4),
            mode="markers",
            marker={"color": AFTER, "size": 8},
            hovertemplate="%{x}: %{y:.2f} EUR<extra></extra>",
            showlegend=False,
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
        title={"text": "prosumers, by cost"},
        tickangle=-45,
        automargin=True,
    )
    return filled(chart, figure)
