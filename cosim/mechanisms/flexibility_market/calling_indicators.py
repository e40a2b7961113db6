"""Random calling in a run: who was called, and what the draw costs the DSO and the sellers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cosim.mechanisms.flexibility_market.calling import CallingTerms
from cosim.report.indicator import IndicatorSet, Meaning, ratio
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.units import UEUR_PER_EUR, eur_from_ueur, ueur_from_eur


@dataclass(frozen=True)
class CallingIndicators(IndicatorSet):
    """Indicators of random calling; None or 0 where nothing is drawn."""

    calling_rounds: Annotated[
        int, Meaning("-", "rounds of offers of which a draw lets some be awarded")
    ]
    calling_rounds_undrawn: Annotated[
        int, Meaning("-", "of them, without a draw in time: nobody could be awarded")
    ]
    calling_rounds_insufficient: Annotated[
        int,
        Meaning("-", "of them, those called do not keep the limits with margins, and all would"),
    ]
    calling_share: Annotated[float | None, Meaning("-", "called, of the sellers of all rounds")]
    calling_extra_cost_eur: Annotated[
        float | None,
        Meaning(
            "EUR",
            "cheapest awards among those called less those among all that offered, over the "
            "rounds in which both keep the limits with margins",
        ),
    ]
    calling_extra_cost_share: Annotated[
        float | None, Meaning("-", "of the cheapest awards among all that offered")
    ]
    uncalled_penalties_eur: Annotated[
        float, Meaning("EUR", "of the penalties, for leaving a nomination without being called")
    ]

    made_up_gain_eur_per_kwh: Annotated[
        float | None,
        Meaning(
            "EUR/kWh",
            "mean gain of energy that is made up and offered at the price cap: α p − (1 − α) λ, "
            "not above 0 by default",
        ),
    ]

    def calling_rows(self) -> list[tuple[str, str]]:
        """Return what the terminal's summary shows of them."""
        if not self.calling_rounds:
            return []
        return [
            ("Sellers called by draw", self.called_text()),
            ("… extra cost of awards for the draw", self.cost_text()),
            ("Penalties of who was not called", number(self.uncalled_penalties_eur, "EUR", 2)),
        ]

    def calling_warnings(self) -> list[str]:
        """Return a sentence where a kWh that is made up may pay on average."""
        gain = self.made_up_gain_eur_per_kwh or 0.0
        if gain <= _ROUNDING_EUR_PER_KWH:
            return []
        return [
            "dso.baseline.uncalled_penalty_eur_per_kwh is less than α/(1 − α) times "
            f"dso.price_cap_eur_per_kwh: a kWh that is made up and offered at the cap earns "
            f"{gain:.3f} EUR on average"
        ]

    def called_text(self) -> str:
        """Return the share of sellers called, and rounds without a draw."""
        return (
            f"{percent(self.calling_share)} in {self.calling_rounds} rounds, "
            f"{self.calling_rounds_undrawn} without a draw in time"
        )

    def cost_text(self) -> str:
        """Return what the draw costs, and where those called do not suffice."""
        return (
            f"{number(self.calling_extra_cost_eur, 'EUR', 2)} "
            f"({percent(self.calling_extra_cost_share)}); {self.calling_rounds_insufficient} "
            "rounds left out: those called do not suffice"
        )


_ROUNDING_EUR_PER_KWH = 1e-5


def calling_indicators(results: Results) -> dict[str, Any]:
    """Return the values of :class:`CallingIndicators` by name."""
    rounds, flexibility = results.frame("margins"), results.frame("flexibility")
    if "seed" not in rounds:
        return dict.fromkeys(_COUNTS, 0) | dict.fromkeys(_SHARES)
    settings = results.scenario.dso
    cap = ueur_from_eur(settings.price_cap_eur_per_kwh)
    terms = CallingTerms.of(settings.baseline, cap)
    both = rounds[rounds["called_suffice"] & rounds["every_suffice"]]
    least = int(both["every_ueur"].sum())
    extra = int(both["called_ueur"].sum()) - least
    left_out = flexibility[~flexibility["called"]]
    return {
        "calling_rounds": len(rounds),
        "calling_rounds_undrawn": int(rounds["seed"].isna().sum()),
        "calling_rounds_insufficient": int(
            (rounds["every_suffice"] & ~rounds["called_suffice"]).sum()
        ),
        "calling_share": ratio(int(rounds["called"].sum()), int(rounds["sellers"].sum())),
        "calling_extra_cost_eur": eur_from_ueur(extra) if len(both) else None,
        "calling_extra_cost_share": ratio(extra, least),
        "uncalled_penalties_eur": eur_from_ueur(int(left_out["penalty_ueur"].sum())),
        "made_up_gain_eur_per_kwh": terms.gain_ueur_per_kwh(cap) / UEUR_PER_EUR,
    }


_COUNTS = (
    "calling_rounds",
    "calling_rounds_undrawn",
    "calling_rounds_insufficient",
    "uncalled_penalties_eur",
)
_SHARES = (
    "calling_share",
    "calling_extra_cost_eur",
    "calling_extra_cost_share",
    "made_up_gain_eur_per_kwh",
)
