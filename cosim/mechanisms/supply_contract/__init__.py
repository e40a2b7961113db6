"""Electricity supply contract between a supplier and its customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from cosim.mechanisms.supply_contract.settings import SupplyContractSettings
from cosim.mechanisms.supply_contract.tables import TABLES
from cosim.plugins.mechanism import Mechanism

if TYPE_CHECKING:
    from cosim.gas.cases import GasCases
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.play import Play
    from cosim.mechanisms.supply_contract.panel import SupplyReported
    from cosim.replay.checks import MechanismChecks
    from cosim.results.columns import Table
    from cosim.scenario import Scenario


class SupplyContractMechanism(Mechanism[SupplyContractSettings]):
    """Consumers who buy from the supplier by contract and not in the local market.

    It comes last, for after the run it mines on.
    """

    section: ClassVar[str] = "supply_contract"
    title: ClassVar[str] = "Supply contract"
    summary: ClassVar[str] = (
        "consumers who buy by a supply contract instead (docs/contracts/supplier.md)"
    )
    settings_type = SupplyContractSettings
    rank: ClassVar[int] = 50
    tables: ClassVar[tuple[Table, ...]] = TABLES
    contracts: ClassVar[tuple[str, ...]] = ("Supplier",)

    def check_scenario(self, scenario: Scenario) -> None:
        """Refuse a ledger whose blocks do not come regularly, and deposits beyond the money."""
        if not scenario.ledger.is_regular:
            raise ValueError(
                "supply_contract counts blocks: ledger.consensus must not be proof_of_work, and "
                "ledger.failed_validators and missed_slot_probability must be 0"
            )
        block_s, lead_s = scenario.ledger.block_time_s, scenario.market.order_lead_s
        if scenario.time.step_s % block_s or lead_s % block_s:
            raise ValueError(
                f"time.step_s ({scenario.time.step_s}) and market.order_lead_s ({lead_s}) must be "
                f"multiples of ledger.block_time_s ({block_s}): a supply contract counts blocks"
            )
        richest = max(consumer.deposit_eur for consumer in self.settings.consumers)
        if richest > scenario.market.account_eur:
            raise ValueError(
                f"supply_contract.consumers: a deposit_eur of {richest:g} is more than "
                f"market.account_eur ({scenario.market.account_eur:g})"
            )

    def outsiders(self, scenario: Scenario) -> Sequence[str]:
        """Return the consumers."""
        return [consumer.name for consumer in self.settings.consumers]

    def deploy(self, deployment: Deployment, scenario: Scenario) -> Play:
        """Deploy the contract and let the consumers subscribe."""
        from cosim.mechanisms.supply_contract.play import SupplyContractPlay
        from cosim.mechanisms.supply_contract.setup import supply_setup

        setup = supply_setup(scenario, self.settings, deployment)
        return SupplyContractPlay.deploy(deployment, scenario.clock(), setup)

    @classmethod
    def gas(cls) -> GasCases:
        """Return the transactions that ``cosim gas`` measures."""
        from cosim.mechanisms.supply_contract.gas import CASES

        return CASES

    def checks(self) -> MechanismChecks[SupplyContractSettings]:
        """Return what recomputes its table."""
        from cosim.mechanisms.supply_contract.checks import SupplyChecks

        return SupplyChecks(self.settings)

    @classmethod
    def reported(cls) -> type[SupplyReported]:
        """Return the class that reads its part of a result."""
        from cosim.mechanisms.supply_contract.panel import SupplyReported

        return SupplyReported
