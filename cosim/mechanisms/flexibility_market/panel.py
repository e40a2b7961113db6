"""The flexibility market in a report and in a study: energy, payments, penalties."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cosim.mechanisms.flexibility_market.indicators import (
    FlexibilityIndicators,
    flexibility_indicators,
    offers_of,
)
from cosim.mechanisms.flexibility_market.requests_chart import requests_chart
from cosim.plugins.reported import Reported
from cosim.report.chart_style import (
    AFTER,
    BEFORE,
    GREEN,
    SKY,
    Chart,
    TimeAxis,
    filled,
    styled,
    two_rows,
)
from cosim.report.comparison import MONEY, Column, Comparison, Figure, Shown, indicator
from cosim.report.dues import DSO, debts_left
from cosim.report.panel import ReportPart, Tile
from cosim.report.series import per_interval
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.units import UEUR_PER_EUR, WH_PER_KWH

DEFINITIONS = (
    (
        "Flexibility",
        "Energy over all requests of the DSO, up and down; an offer repeated in a later request of "
        "the same interval counts again. Delivered: the awarded part that the meter confirms "
        "against the baseline. Cost: payments less penalties for what was not delivered.",
    ),
    (
        "Flexibility not asked for",
        "The contract takes a request's energy at the price cap into escrow. Where the DSO's "
        "deposit does not cover what it wants, margin included, it asks for as much as it can pay, "
        "by the same factor up and down, and asks no further in that interval. What it lacks is "
        "left to its other instruments, curtailment as a rule.",
    ),
    (
        "Cost of margins",
        "Awards at the prices asked, less the cheapest awards that keep the limits themselves: "
        "solved again in every round on the same schedule and the same offers, without margins. "
        "What a margin spares in violations of what is delivered is not set against it.",
    ),
    (
        "Random calling",
        "A draw decides which of those that offer may be awarded; who may not is fined for "
        "whatever would have counted as delivered, less what the DSO ordered it to cut. Extra "
        "cost: the cheapest awards among those called, less the cheapest among all that offered, "
        "solved on the same schedule, with margins and without curtailment, over the rounds in "
        "which both keep the limits. What is left in the others is cut by order.",
    ),
    (
        "Pivotal provider",
        "A provider without whom the offers of all others, each used in full as far as it helps an "
        "element, do not bring that element within its limit less margin, although those of "
        "everybody do. By AC power flow, for each element that the schedule of a round violates, "
        "each by itself.",
    ),
)


_AWARDED = indicator("flexibility_awarded_kwh")
_COST = indicator("flexibility_cost_eur")

COMPARISON = Comparison(
    columns=(
        Column(10, "Flexibility bought", "kWh", "flexibility\nbought\n[kWh]", 1, _AWARDED),
        Column(20, "its cost", "EUR", "its\ncost\n[EUR]", 2, _COST),
    ),
    figures=(
        Figure(
            "flexibility",
            "Flexibility bought",
            "Awarded by the DSO, and what of it was delivered.",
            "kWh",
            1,
            (
                Shown("Bought", _AWARDED),
                Shown("Delivered", indicator("flexibility_delivered_kwh")),
            ),
        ),
        Figure(
            "flexibility_cost",
            "Cost of flexibility to the DSO",
            "Paid less penalties received.",
            "EUR",
            2,
            (Shown("", _COST),),
            over="axes",
        ),
        replace(MONEY, values=(Shown("For flexibility", _COST, place=5),)),
    ),
)


class FlexibilityReported(Reported[Any]):
    """Flexibility market of a run."""

    settling_methods: ClassVar = ("FlexibilityMarket.settle", "FlexibilityMarket.closeRequest")
    indicators_type: ClassVar = FlexibilityIndicators
    of_each_stretch: ClassVar = (offers_of,)
    comparison: ClassVar = COMPARISON

    def indicators(self, results: Results) -> FlexibilityIndicators:
        """Return energy and money."""
        return flexibility_indicators(results)

    def dues(self, results: Results) -> pd.DataFrame:
        """Return what prosumers owe the DSO."""
        return debts_left(results, "flexibility_debts", DSO)

    def report(self, results: Results) -> ReportPart:
        """Return its terms, tiles, chart and definition."""
        dso = results.scenario_fields["dso"]
        terms = "none procured in this scenario"
        if dso["procure"]:
            terms = f"price cap {dso['price_cap_eur_per_kwh']:g} EUR/kWh, penalty "
            terms += f"{dso['penalty_eur_per_kwh']:g} EUR/kWh"
        if "baseline" in dso:
            kind = dso["baseline"]["kind"].replace("_", " ")
            if (called := dso["baseline"].get("calling_probability")) is not None:
                kind += f", called with probability {called:g}"
            terms += f"; settlement {dso['settlement']}, baseline: {kind}"
        return ReportPart(
            key="flexibility",
            title="Flexibility",
            key_data=(("Flexibility", terms),),
            tiles=flexibility_tiles(self.indicators(results), results.frame("pivotal")),
            figures=(flexibility_chart(results), requests_chart(results)),
            definitions=DEFINITIONS,
        )


def flexibility_tiles(i: FlexibilityIndicators, pivotal: pd.DataFrame) -> tuple[Tile, ...]:
    """Return tiles of energy, cost, margins and pivotal providers."""
    columns = (pivotal[name] for name in ("prosumer", "element", "element_idx"))
    counts = Counter(zip(*columns, strict=True))
    leading = "none in any round"
    if counts:
        # of equally frequent ones the first by name
        (prosumer, element, idx), n = min(counts.items(), key=lambda item: (-item[1], item[0]))
        leading = f"most often {prosumer} for {element} {idx}: {n} rounds"
    return (
        Tile(
            "Flexibility delivered",
            f"of {number(i.flexibility_awarded_kwh, 'kWh')} awarded, "
            + (
                f"of which {number(i.flexibility_idle_kwh, 'kWh')} change nothing, "
                if i.flexibility_idle_kwh
                else ""
            )
            + f"{number(i.flexibility_offered_kwh, 'kWh')} offered, "
            f"{i.flexibility_requests} requests",
            number(i.flexibility_delivered_kwh, "kWh"),
        ),
        Tile(
            "Cost of flexibility to the DSO",
            f"{number(i.flexibility_paid_eur, 'EUR', 2)} paid, "
            f"{number(i.penalties_eur, 'EUR', 2)} penalties received",
            number(i.flexibility_cost_eur, "EUR", 2),
        ),
        *_margin_tiles(i),
        Tile(
            "Pivotal providers",
            f"in {i.pivotal_rounds} of {i.award_rounds} rounds; {leading}",
            str(i.pivotal_providers),
        ),
        *_calling_tiles(i),
        *_scarcity_tiles(i),
    )


def _margin_tiles(i: FlexibilityIndicators) -> list[Tile]:
    """Return the tile of what margins cost, where anything was bought."""
    if not i.award_rounds:
        return []
    left_out = ""
    if i.award_rounds_insufficient:
        left_out = (
            f"; not counted are {i.award_rounds_insufficient} rounds whose offers do not suffice "
            "for the limits"
        )
    return [
        Tile(
            "Of it for the DSO's margins",
            f"{percent(i.margin_cost_share)} of the awards at the prices asked; "
            f"{i.award_rounds_unviolated} of {i.award_rounds} rounds bought where the schedule "
            f"violated no limit{left_out}",
            number(i.margin_cost_eur, "EUR", 2),
        )
    ]


def _calling_tiles(i: FlexibilityIndicators) -> list[Tile]:
    """Return the tile of random calling, where calls are drawn."""
    if not i.calling_rounds:
        return []
    penalties = number(i.uncalled_penalties_eur, "EUR", 2)
    return [
        Tile(
            "Extra cost of awards for random calling",
            f"{i.cost_text()}; called: {i.called_text()}; {penalties} of penalties of who was not "
            "called",
            number(i.calling_extra_cost_eur, "EUR", 2),
        )
    ]


def _scarcity_tiles(i: FlexibilityIndicators) -> list[Tile]:
    """Return tiles of requests that money did not cover and of refused offers, if there are any."""
    found = []
    if i.requests_short_kwh:
        found.append(
            Tile(
                "Flexibility not asked for, for want of money",
                i.short_text(),
                number(i.requests_short_kwh, "kWh"),
                tone="violated",
            )
        )
    if i.offers_refused:
        found.append(
            Tile(
                "Offers refused by the contract",
                i.refused_text(),
                percent(i.offers_refused_share),
                tone="violated",
            )
        )
    return found


def flexibility_chart(results: Results) -> Chart:
    """Draw flexibility offered, awarded and delivered, and what the DSO paid."""
    rows = results.frame("flexibility")
    chart = Chart(
        "flexibility",
        "Flexibility: offered, awarded, delivered, paid",
        "Energy per interval over all requests, up (net injection raised) positive, down negative; "
        "below, payments by the DSO and penalties paid to it.",
        None,
        "The DSO requested no flexibility in this run: nothing was offered, awarded or paid.",
        wide=True,
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
