"""Terms of the flexibility market as the contract's integers: a section, converted once."""

from __future__ import annotations

from dataclasses import dataclass, field

from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
from cosim.mechanisms.flexibility_market.calling import CallingTerms
from cosim.mechanisms.flexibility_market.settings import DsoSettings
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.units import ueur_from_eur


@dataclass(frozen=True)
class FlexibilityTerms:
    """Terms of the flexibility market, and the money that a run starts with.

    Parameters
    ----------
    penalty_ueur_per_kwh : int
        For awarded but undelivered flexibility. [µEUR/kWh]
    price_cap_ueur_per_kwh : int
        Most that the DSO pays. [µEUR/kWh]
    prosumer_deposit_ueur, dso_deposit_ueur : int
        Of each prosumer, and of the DSO. [µEUR]
    tops_up : bool
        Members refill their balance out of their bank accounts.
    is_uncapped : bool
        The penalty is as in USEF: for the whole deviation from what was awarded.
    baselines : BaselineTerms
    calling : CallingTerms
    idle_price_factor : float
        Of the price of an offer's cheapest block, for what the schedule leaves unused anyway. [-]
    """

    penalty_ueur_per_kwh: int
    price_cap_ueur_per_kwh: int
    prosumer_deposit_ueur: int
    dso_deposit_ueur: int
    tops_up: bool = False
    is_uncapped: bool = False
    baselines: BaselineTerms = field(default_factory=BaselineTerms)
    calling: CallingTerms = field(default_factory=CallingTerms)
    idle_price_factor: float = 1.0

    @property
    def bond_ueur_per_kwh(self) -> int:
        """Most that offered energy may cost its seller. [µEUR/kWh]"""
        return max(self.penalty_ueur_per_kwh, self.calling.uncalled_penalty_ueur_per_kwh)

    @classmethod
    def of(cls, dso: DsoSettings, market: MarketTerms) -> FlexibilityTerms:
        """Convert a scenario's section; prosumers deposit what the local market leaves them."""
        return cls(
            penalty_ueur_per_kwh=ueur_from_eur(dso.penalty_eur_per_kwh),
            price_cap_ueur_per_kwh=ueur_from_eur(dso.price_cap_eur_per_kwh),
            prosumer_deposit_ueur=market.account_ueur - market.local_deposit_ueur,
            dso_deposit_ueur=ueur_from_eur(dso.budget_eur),
            tops_up=market.tops_up,
            is_uncapped=dso.settlement == "usef",
            baselines=BaselineTerms.of(dso.baseline),
            calling=CallingTerms.of(dso.baseline, ueur_from_eur(dso.price_cap_eur_per_kwh)),
            idle_price_factor=dso.baseline.idle_price_factor,
        )
