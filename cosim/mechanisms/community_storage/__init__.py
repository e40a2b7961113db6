"""A battery that members of the community share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from cosim.mechanisms.community_storage.settings import CommunityStorageSettings
from cosim.mechanisms.community_storage.tables import TABLES
from cosim.plugins.mechanism import Mechanism

if TYPE_CHECKING:
    from cosim.gas.cases import GasCases
    from cosim.mechanisms.community_storage.panel import StorageReported
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.play import Play
    from cosim.messages.agreements import SharedBattery
    from cosim.replay.checks import MechanismChecks
    from cosim.results.columns import Table
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
    tables: ClassVar[tuple[Table, ...]] = TABLES
    contracts: ClassVar[tuple[str, ...]] = ("CommunityStorage",)

    def added_points(self) -> Sequence[tuple[str, str | None]]:
        """Return the battery's connection point."""
        return ((self.settings.name, self.settings.bus),)

    def shared_battery(self, scenario: Scenario, names: Sequence[str]) -> SharedBattery:
        """Return what bidders and devices know of the battery."""
        from cosim.mechanisms.community_storage.setup import shared_battery

        return shared_battery(scenario, self.settings, names)

    def deploy(self, deployment: Deployment, scenario: Scenario) -> Play:
        """Deploy the storage and let members buy their shares."""
        from cosim.mechanisms.community_storage.play import CommunityStoragePlay
        from cosim.mechanisms.community_storage.setup import storage_setup

        setup = storage_setup(scenario, self.settings, deployment)
        return CommunityStoragePlay.deploy(deployment, scenario.clock(), setup)

    @classmethod
    def gas(cls) -> GasCases:
        """Return the transactions that ``cosim gas`` measures."""
        from cosim.mechanisms.community_storage.gas import CASES

        return CASES

    def checks(self) -> MechanismChecks[CommunityStorageSettings]:
        """Return what recomputes its table."""
        from cosim.mechanisms.community_storage.checks import StorageChecks

        return StorageChecks(self.settings)

    @classmethod
    def reported(cls) -> type[StorageReported]:
        """Return the class that reads its part of a result."""
        from cosim.mechanisms.community_storage.panel import StorageReported

        return StorageReported
