"""Names on the ledger that stand for accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from cosim.mechanisms.name_registry.settings import NameRegistrySettings
from cosim.mechanisms.name_registry.tables import TABLES
from cosim.plugins.mechanism import Mechanism

if TYPE_CHECKING:
    from cosim.gas.cases import GasCases
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.name_registry.panel import NamesReported
    from cosim.mechanisms.play import Play
    from cosim.replay.checks import MechanismChecks
    from cosim.results.columns import Table
    from cosim.scenario import Scenario


class NameRegistryMechanism(Mechanism[NameRegistrySettings]):
    """Names are bound to accounts for a fee; who moves out hands the name on.

    It comes before the others, which may look accounts up by name.
    """

    section: ClassVar[str] = "name_registry"
    title: ClassVar[str] = "Name registry"
    summary: ClassVar[str] = (
        "names of connection points on the ledger (docs/contracts/name-registry.md)"
    )
    settings_type = NameRegistrySettings
    rank: ClassVar[int] = 20
    tables: ClassVar[tuple[Table, ...]] = TABLES
    contracts: ClassVar[tuple[str, ...]] = ("NameRegistry",)

    def check_scenario(self, scenario: Scenario) -> None:
        """Refuse moves after the end of the run."""
        for move in self.settings.moves:
            if move.interval >= scenario.time.intervals:
                raise ValueError(
                    f"name_registry.moves: {move.name} moves after interval {move.interval}, the "
                    f"run has only {scenario.time.intervals}, counted from 0"
                )

    def outsiders(self, scenario: Scenario) -> Sequence[str]:
        """Return connection points whose household moves."""
        return [move.name for move in self.settings.moves]

    def setup_wait_s(self) -> int:
        """Return the age that commitments to the names must reach. [s]"""
        return self.settings.min_commitment_age_s

    def deploy(self, deployment: Deployment, scenario: Scenario) -> Play:
        """Deploy the registry and register every connection point."""
        from cosim.mechanisms.name_registry.play import NameRegistryPlay
        from cosim.mechanisms.name_registry.terms import name_terms

        terms = name_terms(scenario, self.settings, deployment)
        return NameRegistryPlay.deploy(deployment, scenario.clock(), terms)

    @classmethod
    def gas(cls) -> GasCases:
        """Return the transactions that ``cosim gas`` measures."""
        from cosim.mechanisms.name_registry.gas import CASES

        return CASES

    def checks(self) -> MechanismChecks[NameRegistrySettings]:
        """Return what recomputes its table."""
        from cosim.mechanisms.name_registry.checks import NameChecks

        return NameChecks(self.settings)

    @classmethod
    def reported(cls) -> type[NamesReported]:
        """Return the class that reads its part of a result."""
        from cosim.mechanisms.name_registry.panel import NamesReported

        return NamesReported
