"""The community's double auction in discrete intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cosim.mechanisms.local_market.settings import MarketSettings
from cosim.mechanisms.local_market.tables import TABLES
from cosim.plugins.mechanism import Mechanism

if TYPE_CHECKING:
    from cosim.gas.cases import GasCases
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.local_market.panel import LocalMarketReported
    from cosim.mechanisms.play import Play
    from cosim.replay.checks import MechanismChecks
    from cosim.results.columns import Table
    from cosim.scenario import Scenario


class LocalMarketMechanism(Mechanism[MarketSettings]):
    """Orders with escrow, clearing, and settlement against metered energy.

    Orders leave after everybody else's transactions, and the interval is cleared first.
    """

    section: ClassVar[str] = "market"
    title: ClassVar[str] = "Local market"
    summary: ClassVar[str] = "the community's market and its supplier"
    settings_type = MarketSettings
    is_default: ClassVar[bool] = True
    rank: ClassVar[int] = 0
    contracts: ClassVar[tuple[str, ...]] = (
        "LocalMarket",
        "MarketSettlement",
        "BilateralTrades",
        "Submissions",
        "JoinedMarkets",
    )
    tables: ClassVar[tuple[Table, ...]] = TABLES
    survives_forks: ClassVar[bool] = True

    def check_scenario(self, scenario: Scenario) -> None:
        """Require that an attack on single orders meets some, and a failing sender is there.

        Raises
        ------
        ValueError
            If an aggregator sends the orders, or nobody sends batches that could be missing.
        """
        attack = scenario.attack
        if self.settings.areas is not None:
            self._check_areas(scenario)
        if attack is None:
            return
        batched = self.settings.submission == "batched"
        if attack.kind == "failing_sender":
            by_head_end = attack.sender == "head_end"
            if (scenario.metering if by_head_end else self.settings).submission != "batched":
                name = "metering" if by_head_end else "market"
                raise ValueError(
                    f"attack.sender: {attack.sender} sends nothing in this run: set "
                    f"{name}.submission: batched"
                )
        if batched and attack.kind in ("front_running", "reorganisation"):
            raise ValueError(
                f"attack.kind: {attack.kind} is on transactions that hold one order each, and "
                "market.submission is batched: set market.submission: each"
            )

    def _check_areas(self, scenario: Scenario) -> None:
        """Require that everything else in the scenario knows several local markets.

        Raises
        ------
        ValueError
            Names what does not.
        """
        others = [each.section for each in scenario.mechanisms() if not each.is_default]
        if others:
            raise ValueError(
                f"{others[0]} is for one local market of all: leave it or market.areas out"
            )
        if scenario.attack is not None:
            raise ValueError(
                f"attack.kind: {scenario.attack.kind} is on one local market of all: leave the "
                "attack or market.areas out"
            )
        if scenario.ledger.consensus == "proof_of_work" and scenario.ledger.propagation_delay_s:
            raise ValueError(
                "market.areas needs a ledger without reorganisations: set "
                "ledger.propagation_delay_s to 0 or another ledger.consensus"
            )

    def deploy(self, deployment: Deployment, scenario: Scenario) -> Play:
        """Deploy the market; members deposit and join when the run is funded."""
        from cosim.mechanisms.local_market.deploying import market_play, markets_play
        from cosim.mechanisms.local_market.terms import MarketTerms

        terms, clock = MarketTerms.of(scenario), scenario.clock()
        if deployment.areas:
            return markets_play(deployment, terms, clock)
        return market_play(deployment, terms, clock)

    @classmethod
    def gas(cls) -> GasCases:
        """Return the transactions that ``cosim gas`` measures."""
        from cosim.mechanisms.local_market.gas import CASES

        return CASES

    def checks(self) -> MechanismChecks[MarketSettings]:
        """Return what recomputes its tables."""
        from cosim.mechanisms.local_market.checks import LocalMarketChecks

        return LocalMarketChecks(self.settings)

    @classmethod
    def reported(cls) -> type[LocalMarketReported]:
        """Return the class that reads its part of a result."""
        from cosim.mechanisms.local_market.panel import LocalMarketReported

        return LocalMarketReported
