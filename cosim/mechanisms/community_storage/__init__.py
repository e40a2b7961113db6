"""A battery that members of the community share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cosim.mechanisms.community_storage.settings import CommunityStorageSettings
from cosim.plugins.mechanism import Mechanism

if TYPE_CHECKING:
    from cosim.mechanisms.community_storage.panel import StorageReported
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.play import Service
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
    def reported(cls) -> type[StorageReported]:
        """Return the class that reads its part of a result."""
        from cosim.mechanisms.community_storage.panel import StorageReported

        return StorageReported
