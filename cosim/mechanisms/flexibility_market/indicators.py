"""Flexibility offered, awarded, delivered and paid in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from cosim.report.indicator import IndicatorSet, Meaning, Rows
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, amount_earned_ueur, eur_from_ueur


@dataclass(frozen=True)
class FlexibilityIndicators(IndicatorSet):
    """Indicators of the flexibility market, over all requests, up and down."""

    flexibility_offered_kwh: Annotated[
        float, Meaning("kWh", "an offer repeated in a later request counts again")
    ]
    flexibility_awarded_kwh: Annotated[float, Meaning("kWh", "bought by the DSO")]
    flexibility_delivered_kwh: Annotated[float, Meaning("kWh", "confirmed by meters")]
    flexibility_requests: Annotated[int, Meaning("-", "requests that received an offer")]
    flexibility_paid_eur: Annotated[float, Meaning("EUR", "by the DSO")]
    penalties_eur: Annotated[float, Meaning("EUR", "by prosumers, for what was not delivered")]
    flexibility_cost_eur: Annotated[float, Meaning("EUR", "the difference")]
    award_rounds: Annotated[int, Meaning("-", "rounds in which the DSO bought of offers")]
    award_rounds_unviolated: Annotated[
        int, Meaning("-", "of which no limit was violated by the schedule, margins apart")
    ]
    margin_cost_eur: Annotated[
        float | None,
        Meaning("EUR", "awards at the prices asked, less those that the limits alone need"),
    ]
    margin_cost_share: Annotated[float | None, Meaning("-", "of the awards at the prices asked")]
    pivotal_providers: Annotated[
        int, Meaning("-", "without whom, in some round, the other offers relieve not every element")
    ]
    pivotal_rounds: Annotated[int, Meaning("-", "rounds that have a pivotal provider")]

    def rows(self) -> Rows:
        """Return what the terminal's summary shows of them."""
        energies = (
            self.flexibility_offered_kwh,
            self.flexibility_awarded_kwh,
            self.flexibility_delivered_kwh,
        )
        return [
            (
                "Flexibility offered / awarded / delivered",
                " / ".join(map(number, energies)) + "\u00a0kWh",
            ),
            (
                "Flexibility cost (paid − penalties)",
                f"{number(self.flexibility_cost_eur, 'EUR', 2)} "
                f"({number(self.flexibility_paid_eur, '', 2)} − "
                f"{number(self.penalties_eur, '', 2)})",
            ),
            (
                "… of it for the DSO's margins, at the prices asked",
                f"{number(self.margin_cost_eur, 'EUR', 2)} ({percent(self.margin_cost_share)}); "
                f"{self.award_rounds_unviolated} of {self.award_rounds} rounds without violation",
            ),
        ]


def flexibility_indicators(results: Results) -> FlexibilityIndicators:
    """Return the indicators of the flexibility market of a run."""
    rows, pivotal = results.frame("flexibility"), results.frame("pivotal")
    paid, penalty = int(rows["paid_ueur"].sum()), int(rows["penalty_ueur"].sum())
    rounds = appraised_rounds(results)
    bought = rounds[rounds["awarded_wh"] > 0]
    asked, needed = int(bought["asked_ueur"].sum()), int(bought["needed_ueur"].sum())
    is_known = len(rounds) > 0 or not rows["awarded_wh"].any()
    return FlexibilityIndicators(
        flexibility_offered_kwh=float(rows["offered_wh"].sum()) / WH_PER_KWH,
        flexibility_awarded_kwh=float(rows["awarded_wh"].sum()) / WH_PER_KWH,
        flexibility_delivered_kwh=float(rows["delivered_wh"].sum()) / WH_PER_KWH,
        flexibility_requests=int(rows["request"].nunique()),
        flexibility_paid_eur=eur_from_ueur(paid),
        penalties_eur=eur_from_ueur(penalty),
        flexibility_cost_eur=eur_from_ueur(paid - penalty),
        award_rounds=len(bought),
        award_rounds_unviolated=int((~bought["violated"]).sum()),
        margin_cost_eur=eur_from_ueur(asked - needed) if is_known else None,
        margin_cost_share=(asked - needed) / asked if asked else None,
        pivotal_providers=int(pivotal["prosumer"].nunique()),
        pivotal_rounds=len(pivotal[["interval", "request"]].drop_duplicates()),
    )


def appraised_rounds(results: Results) -> pd.DataFrame:
    """Return the rounds of awards with what was awarded in each.

    Returns
    -------
    DataFrame
        Table ``margins``, with ``awarded_wh`` and ``asked_ueur``: the awards of the round, and
        their cost at the prices asked.
    """
    rows, rounds = results.frame("flexibility"), results.frame("margins").copy()
    asked = [
        amount_earned_ueur(int(wh), int(price))
        for wh, price in zip(rows["awarded_wh"], rows["price_ueur_per_kwh"], strict=True)
    ]
    # requests are numbered in their order, so a round ends with its last
    at = np.searchsorted(rounds["request"].to_numpy(np.int64), rows["request"].to_numpy(np.int64))
    size = len(rounds) + 1
    for name, values in (("awarded_wh", rows["awarded_wh"]), ("asked_ueur", asked)):
        total = np.zeros(size, dtype=np.int64)
        np.add.at(total, at, np.asarray(values, dtype=np.int64))
        rounds[name] = total[:-1]
    return rounds
