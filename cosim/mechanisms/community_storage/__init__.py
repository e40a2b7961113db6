"""A battery that members of the community share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cosim.mechanisms.community_storage.settings import CommunityStorageSettings
from cosim.plugins.mechanism import Mechanism

if TYPE_CHECKING:
    import pandas as pd

    from cosim.mechanisms.community_storage.indicators import StorageIndicators
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.play import Service
    from cosim.report.panel import ReportPart
    from cosim.results.reader import Results
    from cosim.scenario import Scenario


class CommunityStorageMechanism(Mechanism[CommunityStorageSettings]):
    """Members own shares of one battery, nominate charge and discharge, and are billed for losses.

    Its meter must report while meters may, so it settles soon after the local market.
    """

    section: ClassVar[str] = "community_storage"
    title: ClassVar[str] = "Shared battery"
    summary: ClassVar[str] = "a battery that members share (docs/contracts/community-storage.md)"
    settings_type = CommunityStorageSettings
    rank: ClassVar[int] = 30
    contracts: ClassVar[tuple[str, ...]] = ("CommunityStorage",)

    def deploy(self, deployment: Deployment, scenario: Scenario) -> Service:
        """Deploy the storage and let members buy their shares."""
        from cosim.mechanisms.community_storage.play import StorageService
        from cosim.mechanisms.community_storage.setup import storage_setup

        setup = storage_setup(scenario, self.settings, deployment)
        return StorageService.deploy(deployment, scenario.clock(), setup)

    @classmethod
    def indicators_type(cls) -> type[StorageIndicators]:
        """Return the declaration of its indicators."""
        from cosim.mechanisms.community_storage.indicators import StorageIndicators

        return StorageIndicators

    def indicators(self, results: Results) -> StorageIndicators:
        """Return energy, losses and bills of a run."""
        from cosim.mechanisms.community_storage.indicators import storage_indicators

        return storage_indicators(results, self.settings.name)

    def report(self, results: Results) -> ReportPart:
        """Return the battery in a report."""
        from cosim.mechanisms.community_storage.panel import storage_part

        return storage_part(results, self.settings.name)

    def costs(self, results: Results) -> pd.DataFrame:
        """Return bills, fees and allocated energy."""
        from cosim.mechanisms.community_storage.indicators import storage_costs

        return storage_costs(results, self.settings.name)
