"""Requests of the DSO, offers, awards and their settlement."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from cosim.mechanisms.flexibility_market.calling import CallingTerms
from cosim.mechanisms.flexibility_market.settings import DAY_S, DsoSettings
from cosim.mechanisms.flexibility_market.tables import TABLES
from cosim.mechanisms.local_market.orders import MAX_PRICE_UEUR_PER_KWH
from cosim.plugins.mechanism import Mechanism
from cosim.units import eur_from_ueur, ueur_from_eur

if TYPE_CHECKING:
    from cosim.gas.cases import GasCases
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.flexibility_market.panel import FlexibilityReported
    from cosim.mechanisms.play import Play
    from cosim.replay.checks import MechanismChecks
    from cosim.results.columns import Table
    from cosim.scenario import Scenario


class FlexibilityMarketMechanism(Mechanism[DsoSettings]):
    """The DSO's requests with escrow and price cap, and prosumers' offers with bond."""

    section: ClassVar[str] = "dso"
    title: ClassVar[str] = "Flexibility market"
    summary: ClassVar[str] = "how the DSO procures flexibility"
    settings_type = DsoSettings
    is_default: ClassVar[bool] = True
    rank: ClassVar[int] = 10
    contracts: ClassVar[tuple[str, ...]] = ("FlexibilityMarket",)
    tables: ClassVar[tuple[Table, ...]] = TABLES
    survives_forks: ClassVar[bool] = True

    def check_scenario(self, scenario: Scenario) -> None:
        """Refuse a baseline of other days where intervals begin at other times each day.

        And a penalty beyond the contract's range for those that a draw does not call.
        """
        kind, step_s = self.settings.baseline.kind, scenario.time.step_s
        if kind == "high_x_of_y" and DAY_S % step_s:
            raise ValueError(
                f"dso.baseline {kind} needs intervals at the same times every day: time.step_s "
                f"({step_s}) does not divide a day"
            )
        cap = ueur_from_eur(self.settings.price_cap_eur_per_kwh)
        penalty = CallingTerms.of(self.settings.baseline, cap).uncalled_penalty_ueur_per_kwh
        if penalty > MAX_PRICE_UEUR_PER_KWH:
            raise ValueError(
                f"dso.baseline: whoever is not called would pay {eur_from_ueur(penalty):g} EUR/kWh,"
                f" and the contract takes {eur_from_ueur(MAX_PRICE_UEUR_PER_KWH):g} at most: lower "
                "calling_probability, or give uncalled_penalty_eur_per_kwh"
            )

    def deploy(self, deployment: Deployment, scenario: Scenario) -> Play:
        """Deploy the market; members and the DSO deposit when the run is funded."""
        from cosim.mechanisms.flexibility_market.calling_play import with_last_link
        from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
        from cosim.mechanisms.flexibility_market.play import FlexibilityMarketPlay
        from cosim.mechanisms.flexibility_market.terms import FlexibilityTerms
        from cosim.mechanisms.local_market.mirroring import MemberReadings
        from cosim.mechanisms.local_market.terms import MarketTerms

        terms = FlexibilityTerms.of(self.settings, MarketTerms.of(scenario))
        calling = with_last_link(terms.calling, deployment, scenario.time.intervals)
        terms = replace(terms, calling=calling)
        market = deployment.play(MemberReadings)  # type: ignore[type-abstract]
        client = FlexibilityMarket.deploy(
            deployment.chain,
            deployment.operator.address,
            terms,
            terms.baselines,
            calling,
            token=deployment.token.address,
            local_market=market.address,
            dso=deployment.dso.address,
        )
        deployment.clients.append(client)
        return FlexibilityMarketPlay(deployment, scenario.clock(), terms, market)

    @classmethod
    def gas(cls) -> GasCases:
        """Return the transactions that ``cosim gas`` measures."""
        from cosim.mechanisms.flexibility_market.gas import CASES

        return CASES

    def checks(self) -> MechanismChecks[DsoSettings]:
        """Return what recomputes its tables."""
        from cosim.mechanisms.flexibility_market.checks import FlexibilityChecks

        return FlexibilityChecks(self.settings)

    @classmethod
    def reported(cls) -> type[FlexibilityReported]:
        """Return the class that reads its part of a result."""
        from cosim.mechanisms.flexibility_market.panel import FlexibilityReported

        return FlexibilityReported
