"""Network charges by the hour of the day, announced and charged by a contract of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cosim.plugins.mechanism import Mechanism
from cosim.results.columns import Table
from cosim_example.network_charges.settings import NetworkChargeSettings
from cosim_example.network_charges.tables import NETWORK_CHARGES

if TYPE_CHECKING:
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.play import Play
    from cosim.scenario import Scenario
    from cosim_example.network_charges.checks import NetworkChargeChecks
    from cosim_example.network_charges.panel import NetworkChargesReported


class NetworkChargesMechanism(Mechanism[NetworkChargeSettings]):
    """The DSO announces a charge for each interval; what meters show as drawn is charged at it."""

    section: ClassVar[str] = "network_charges"
    title: ClassVar[str] = "Network charges"
    summary: ClassVar[str] = "charges for energy drawn from the grid, dear in some hours"
    settings_type = NetworkChargeSettings
    rank: ClassVar[int] = 60
    tables: ClassVar[tuple[Table, ...]] = (NETWORK_CHARGES,)
    contracts: ClassVar[tuple[str, ...]] = ("NetworkCharges",)
    sources: ClassVar[Path | None] = Path(__file__).parents[1] / "contracts"

    def deploy(self, deployment: Deployment, scenario: Scenario) -> Play:
        """Deploy the contract and let every member deposit."""
        from cosim_example.network_charges.play import NetworkChargesPlay

        return NetworkChargesPlay(deployment, scenario.clock(), self.settings)

    def checks(self) -> NetworkChargeChecks:
        """Return what recomputes its table."""
        from cosim_example.network_charges.checks import NetworkChargeChecks

        return NetworkChargeChecks(self.settings)

    @classmethod
    def reported(cls) -> type[NetworkChargesReported]:
        """Return the class that reads its part of a result."""
        from cosim_example.network_charges.panel import NetworkChargesReported

        return NetworkChargesReported
