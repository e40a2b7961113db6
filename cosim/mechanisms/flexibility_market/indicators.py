"""Flexibility offered, awarded, delivered and paid in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cosim.report.indicator import IndicatorSet, Meaning, Rows
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, eur_from_ueur


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
        ]


def flexibility_indicators(results: Results) -> FlexibilityIndicators:
    """Return the indicators of the flexibility market of a run."""
    rows = results.frame("flexibility")
    paid, penalty = int(rows["paid_ueur"].sum()), int(rows["penalty_ueur"].sum())
    return FlexibilityIndicators(
        flexibility_offered_kwh=float(rows["offered_wh"].sum()) / WH_PER_KWH,
        flexibility_awarded_kwh=float(rows["awarded_wh"].sum()) / WH_PER_KWH,
        flexibility_delivered_kwh=float(rows["delivered_wh"].sum()) / WH_PER_KWH,
        flexibility_requests=int(rows["request"].nunique()),
        flexibility_paid_eur=eur_from_ueur(paid),
        penalties_eur=eur_from_ueur(penalty),
        flexibility_cost_eur=eur_from_ueur(paid - penalty),
    )
