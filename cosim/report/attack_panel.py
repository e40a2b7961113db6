"""An attack in a report and in a study."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cosim.plugins.reported import Reported
from cosim.report.attack import (
    AttackIndicators,
    attack_indicators,
    attack_name,
    attack_parties,
    attack_text,
    attacked_word,
    unaccounted_kwh,
)
from cosim.report.chart_style import (
    AFTER,
    AMBER,
    BEFORE,
    GREEN,
    PINK,
    Chart,
    TimeAxis,
    limit_line,
    styled,
    two_rows,
    zero_line,
)
from cosim.report.comparison import MONEY, Comparison, Shown, indicator
from cosim.report.costs import money_by_role
from cosim.report.panel import ReportPart, Tile
from cosim.report.series import StageSeries, stage_series
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.scenario.attack import AttackSettings, IncDec, PhantomBaseline
from cosim.units import eur_from_ueur

ATTACK_DEFINITION = (
    "Attack",
    "Attackers and victims are the accounts that the scenario's section attack names, also in a "
    "run in which it is not active; their cost is what they paid less what they received, fees "
    "included. Where an attack is on nobody in particular, victims_cost_eur is that of all members "
    "who do not attack, which need not have been harmed: phantom baselines and inc-dec are paid by "
    "the DSO. Not accounted for: energy through the transformers, less technical losses, less the "
    "sum of all settled readings. What the attack did is the difference to the same scenario with "
    "attack.active: false.",
)


ROUNDING_KWH = 0.1
"""Less than this is drawn small: it comes from readings in whole Wh."""


_COSTS = (
    Shown("Attackers, cost", indicator("attackers_cost_eur"), place=1),
    Shown(
        "Victims (if none is named: all not attacking), cost",
        indicator("victims_cost_eur"),
        place=2,
    ),
    Shown("Other prosumers, cost", indicator("others_cost_eur"), place=3),
)


class AttackReported(Reported[AttackSettings]):
    """Attack on a run."""

    indicators_type: ClassVar = AttackIndicators
    comparison: ClassVar = Comparison(figures=(replace(MONEY, values=_COSTS),))

    def indicators(self, results: Results) -> AttackIndicators:
        """Return money by party, and energy that does not add up."""
        return attack_indicators(results)

    def report(self, results: Results) -> ReportPart:
        """Return its tile, charts and definition."""
        figures = (
            _money(results, self.settings),
            _meters(results, self.settings),
            _grid(results, self.settings, stage_series(results, "delivered")),
        )
        return ReportPart(
            key="attack",
            title=f"Attack: {attack_name(self.settings)}",
            key_data=(("Attack", attack_text(results)),),
            tiles=(_tile(results, self.settings, self.indicators(results)),),
            figures=figures,
            definitions=(ATTACK_DEFINITION,),
        )


def _tile(results: Results, settings: AttackSettings, i: AttackIndicators) -> Tile:
    """Return the tile of the victims' cost, or else of the attackers'."""
    sides = attack_parties(results)
    who, counted, cost = attacked_word(settings), sides.victims, i.victims_cost_eur
    if cost is None:
        who, counted, cost = "the attackers", sides.attackers, i.attackers_cost_eur
    roles = money_by_role(results).sum()
    supplier_eur, dso_eur = (eur_from_ueur(int(roles[role])) for role in ("supplier", "dso"))
    paying = ""
    if settings.active and isinstance(settings, PhantomBaseline | IncDec):
        paying = "; who pays for flexibility that was made up is the DSO"
    note = (
        f"paid less received by {_members(len(counted))}{paying}; "
        f"attackers {number(i.attackers_cost_eur, 'EUR', 2)}, "
        f"others {number(i.others_cost_eur, 'EUR', 2)}; "
        f"received by the supplier {number(supplier_eur, 'EUR', 2)} and by the DSO "
        f"{number(dso_eur, 'EUR', 2)}, wholesale and losses apart; "
        f"{number(i.unaccounted_kwh, 'kWh', 2)} not accounted for, "
        f"{number(i.undelivered_flexibility_kwh, 'kWh', 2)} of flexibility not delivered, "
        f"{number(i.attack_fees_eur, 'EUR', 2)} of fees for the attack"
    )
    return Tile(f"Cost of {who}", note, number(cost, "EUR", 2))


def _members(n: int) -> str:
    return f"{n} member{'' if n == 1 else 's'} of the local market"


def _money(results: Results, settings: AttackSettings) -> Chart:
    """Draw what each party paid."""
    i = attack_indicators(results)
    sides = attack_parties(results)
    roles = money_by_role(results).sum()
    rows = [
        (f"attackers ({len(sides.attackers)})", i.attackers_cost_eur, BEFORE),
        (
            f"{attacked_word(settings).removeprefix('the ')} ({len(sides.victims)})",
            i.victims_cost_eur,
            PINK,
        ),
        ("other prosumers", i.others_cost_eur, AMBER),
        ("supplier", -eur_from_ueur(int(roles["supplier"])), AFTER),
        ("DSO", -eur_from_ueur(int(roles["dso"])), GREEN),
    ]
    rows = [row for row in rows if row[1] is not None]
    figure = go.Figure(
        go.Bar(
            x=[label for label, _, _ in rows],
            y=[round(value, 4) for _, value, _ in rows],
            marker={"color": [colour for _, _, colour in rows]},
            text=[number(value, "", 2) for _, value, _ in rows],
            hovertemplate="%{x}: %{y:.2f} EUR<extra></extra>",
            showlegend=False,
        )
    )
    zero_line(figure)
    figure = styled(figure, ["cost [EUR]"], 360, over_time=False)
    figure.update_layout(bargap=0.4)
    return Chart(
        "attack-money",
        "Who pays",
        "Paid less received over the run, fees included; below zero is earned.",
        figure,
        over_time=False,
    )


def _grid(results: Results, settings: AttackSettings, delivered: StageSeries) -> Chart:
    """Draw voltage and loading as delivered, with the attacked intervals shaded."""
    axis, limits = TimeAxis(results), results.scenario_fields["grid"]["limits"]
    buses = delivered.bus.without(results.network["ext_grid"]["bus"].to_numpy())
    figure = two_rows([0.5, 0.5])
    for how, colour in (("max", BEFORE), ("min", AFTER)):
        label = "highest" if how == "max" else "lowest"
        figure.add_trace(
            axis.line(buses.reduced(how), f"{label} voltage [pu]", colour), row=1, col=1
        )
    for part, label, colour in (
        (delivered.trafo, "transformer", PINK),
        (delivered.line, "line", GREEN),
    ):
        if part.idx.size:
            figure.add_trace(
                axis.line(part.reduced("max"), f"worst {label} [%]", colour), row=2, col=1
            )
    limit_line(
        figure,
        limits["trafo_loading_percent"],
        f"limit {limits['trafo_loading_percent']:g} %",
        row=2,
        col=1,
    )
    _shade(figure, results, settings)
    return Chart(
        "attack-grid",
        "Voltage and loading under the attack",
        "As delivered: highest and lowest voltage of all buses but the slack bus, current of the "
        "most loaded transformer and line against their ratings. Shaded: intervals attacked.",
        styled(figure, ["voltage [pu]", "loading [%]"], 420),
        wide=True,
    )


def _meters(results: Results, settings: AttackSettings) -> Chart:
    """Draw the energy that no reading accounts for."""
    axis, figure = TimeAxis(results), go.Figure()
    missing = unaccounted_kwh(results).to_numpy()
    figure.add_trace(axis.bars(missing, "not accounted for [kWh]", AMBER, showlegend=True))
    zero_line(figure)
    if np.nanmax(np.abs(missing), initial=0.0) < ROUNDING_KWH:
        figure.update_yaxes(range=[-ROUNDING_KWH, ROUNDING_KWH])
    _shade(figure, results, settings)
    return Chart(
        "attack-meters",
        "Energy that no reading accounts for",
        "Through the transformers, less technical losses, less the sum of all settled readings: "
        "positive when readings are too low. Shaded: intervals attacked.",
        styled(figure, ["energy [kWh]"], 360),
    )


def _shade(figure: Any, results: Results, settings: AttackSettings) -> None:
    """Mark the attacked intervals."""
    attacked = settings.intervals(results.n_intervals)
    if not len(attacked) or attacked[0] >= results.n_intervals:
        return
    last = results.times[min(attacked[-1], results.n_intervals - 1)]
    figure.add_vrect(
        x0=results.times[attacked[0]].isoformat(),
        x1=(last + pd.Timedelta(seconds=results.step_s)).isoformat(),
        fillcolor="rgba(213,94,0,0.08)",
        line_width=0,
        layer="below",
    )
