"""A whole scenario: its sections, and what they must agree on."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Annotated

import yaml
from pydantic import Field, model_validator

from cosim.clock import DeliveryClock
from cosim.foreign import ForeignSimulator, simulators_distinct
from cosim.scenario.attack import AttackSettings, check_attack
from cosim.scenario.certificates import CertificateSettings
from cosim.scenario.community_storage import CommunityStorageSettings
from cosim.scenario.dso import DsoSettings
from cosim.scenario.fields import Model
from cosim.scenario.grid import GridSettings
from cosim.scenario.ledger import LedgerSettings
from cosim.scenario.market import MarketSettings
from cosim.scenario.name_registry import NameRegistrySettings
from cosim.scenario.prosumers import ProsumerSettings
from cosim.scenario.supply_contract import SupplyContractSettings
from cosim.scenario.time import TimeSettings
from cosim.units import SECONDS_PER_HOUR


class Scenario(Model):
    """One run."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="also the name of the result folder"
    )
    description: str = Field("", description="one or two sentences for the report")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        description="of every random draw, and of the accounts' test keys"
    )
    time: TimeSettings
    grid: GridSettings
    prosumers: ProsumerSettings = ProsumerSettings()
    market: MarketSettings = MarketSettings()
    ledger: LedgerSettings = LedgerSettings()
    dso: DsoSettings = DsoSettings()
    community_storage: CommunityStorageSettings | None = Field(
        None, description="a battery that members share (docs/contracts/community-storage.md)"
    )
    name_registry: NameRegistrySettings | None = Field(
        None,
        description="names of connection points on the ledger (docs/contracts/name-registry.md)",
    )
    certificates: CertificateSettings | None = Field(
        None,
        description="hourly proofs of renewable origin (docs/contracts/green-certificates.md)",
    )
    supply_contract: SupplyContractSettings | None = Field(
        None,
        description="consumers who buy by a supply contract instead (docs/contracts/supplier.md)",
    )
    attack: AttackSettings | None = Field(
        None, discriminator="kind", description="who attacks, and how (docs/attacks.md)"
    )
    simulators: tuple[ForeignSimulator, ...] = ()

    @model_validator(mode="after")
    def _times_fit(self) -> Scenario:
        market, step_s = self.market, self.time.step_s
        if market.order_lead_s + market.metering_s > step_s:
            raise ValueError(
                "market.order_lead_s + market.metering_s must not exceed time.step_s "
                f"({market.order_lead_s} + {market.metering_s} > {step_s})"
            )
        self._blocks_fit()
        # an order needs a block after it is sent, and none at gate closure takes it
        block_time_s = self.ledger.block_time_s
        if market.order_lead_s - market.gate_closure_s < 2 * block_time_s:
            raise ValueError(
                "market.order_lead_s must exceed market.gate_closure_s by two blocks of "
                f"{block_time_s} s ({market.order_lead_s} - {market.gate_closure_s} < "
                f"{2 * block_time_s}): no order would be in time"
            )
        if market.reveal_s and market.reveal_s < 2 * block_time_s:
            raise ValueError(
                f"market.reveal_s ({market.reveal_s}) must hold two blocks of {block_time_s} s "
                "(ledger.block_time_s): no sealed order could be revealed"
            )
        # a committed clearing waits for its challenge, then everybody claims before the end
        room_s = market.gate_closure_s - market.reveal_s + step_s - 4 * block_time_s
        if market.clearing == "committed" and market.challenge_s > room_s:
            raise ValueError(
                f"market.challenge_s ({market.challenge_s}) must not exceed {room_s} s, or nobody "
                "could claim a committed fill before the meters report"
            )
        if market.metering_s < block_time_s:
            raise ValueError(
                f"market.metering_s ({market.metering_s}) must hold a block of {block_time_s} s "
                "(ledger.block_time_s): no meter could report in time"
            )
        return self

    def _blocks_fit(self) -> None:
        """Require that a clearing and the DSO's rounds have time on a ledger without failures."""
        market, ledger = self.market, self.ledger
        room_s = market.gate_closure_s - market.reveal_s
        after = " less market.reveal_s" if market.reveal_s else ""
        waits = ledger.confirmations
        if waits:
            # every round needs three transactions with their confirmations, so most must do with
            # fewer rounds than they may hold: what counts is that a clearing is known in time
            blocks, needed = room_s // ledger.block_time_s, 2 + 2 * waits
            what = f"a clearing with {waits} confirmations needs {needed}"
        else:
            # clear, then per round: request, offers, awards
            blocks, needed = room_s // ledger.block_time_s, 2 + 3 * self.dso.max_rounds
            what = f"clearing and dso.max_rounds = {self.dso.max_rounds} need {needed}"
        if blocks < needed:
            raise ValueError(
                f"between market.gate_closure_s ({market.gate_closure_s} s){after} and "
                f"delivery fit {blocks} blocks of {ledger.block_time_s} s; {what}"
            )

    @model_validator(mode="after")
    def _margins_fit(self) -> Scenario:
        limits, dso = self.grid.limits, self.dso
        loading = min(limits.line_loading_percent, limits.trafo_loading_percent)
        if dso.loading_margin_percent >= loading:
            raise ValueError(
                f"dso.loading_margin_percent ({dso.loading_margin_percent:g}) must be below the "
                f"loading limits of grid.limits ({loading:g})"
            )
        if limits.vm_max_pu - limits.vm_min_pu - 2 * dso.voltage_margin_pu < 1e-6:
            raise ValueError(
                f"twice dso.voltage_margin_pu ({dso.voltage_margin_pu:g}) must be less than the "
                f"voltage band of grid.limits ({limits.vm_min_pu:g} to {limits.vm_max_pu:g} pu)"
            )
        return self

    @model_validator(mode="after")
    def _certificates_fit(self) -> Scenario:
        if self.certificates is None:
            return self
        step_s = self.time.step_s
        if SECONDS_PER_HOUR % step_s:
            raise ValueError(
                f"time.step_s ({step_s}) must divide the hour: certificates are issued by the hour"
            )
        if self.clock().start_s % step_s:
            raise ValueError(
                f"time.start must be a whole number of steps of {step_s} s after the hour: "
                "certificates are issued by the hour"
            )
        return self

    @model_validator(mode="after")
    def _services_fit(self) -> Scenario:
        """Contracts beside the market, and committed clearings, need a ledger that undoes nothing.

        Their users act on a transaction once; only the local market and the DSO read again what a
        reorganisation changed.
        """
        ledger = self.ledger
        if not (ledger.consensus == "proof_of_work" and ledger.propagation_delay_s):
            return self
        sections = ("certificates", "community_storage", "name_registry", "supply_contract")
        beside = [name for name in sections if getattr(self, name) is not None]
        if self.market.clearing == "committed":
            beside.append("market.clearing: committed")
        if beside:
            raise ValueError(
                f"{beside[0]} needs a ledger without reorganisations: set "
                "ledger.propagation_delay_s to 0 or another ledger.consensus"
            )
        return self

    @model_validator(mode="after")
    def _moves_fit(self) -> Scenario:
        for move in self.name_registry.moves if self.name_registry is not None else ():
            if move.interval >= self.time.intervals:
                raise ValueError(
                    f"name_registry.moves: {move.name} moves after interval {move.interval}, the "
                    f"run has only {self.time.intervals}, counted from 0"
                )
        return self

    @model_validator(mode="after")
    def _supply_fits(self) -> Scenario:
        supply = self.supply_contract
        if supply is None:
            return self
        if not self.ledger.is_regular:
            raise ValueError(
                "supply_contract counts blocks: ledger.consensus must not be proof_of_work, and "
                "ledger.failed_validators and missed_slot_probability must be 0"
            )
        block_s, lead_s = self.ledger.block_time_s, self.market.order_lead_s
        if self.time.step_s % block_s or lead_s % block_s:
            raise ValueError(
                f"time.step_s ({self.time.step_s}) and market.order_lead_s ({lead_s}) must be "
                f"multiples of ledger.block_time_s ({block_s}): a supply contract counts blocks"
            )
        richest = max(consumer.deposit_eur for consumer in supply.consumers)
        if richest > self.market.account_eur:
            raise ValueError(
                f"supply_contract.consumers: a deposit_eur of {richest:g} is more than "
                f"market.account_eur ({self.market.account_eur:g})"
            )
        return self

    @model_validator(mode="after")
    def _attack_fits(self) -> Scenario:
        if self.attack is not None:
            check_attack(self.attack, self.time.intervals)
        return self

    @model_validator(mode="after")
    def _simulators_fit(self) -> Scenario:
        simulators_distinct(self.simulators)
        return self

    def clock(self) -> DeliveryClock:
        """The times of this run."""
        return DeliveryClock(
            start=self.time.start,
            step_s=self.time.step_s,
            n_intervals=self.time.intervals,
            order_lead_s=self.market.order_lead_s,
            gate_closure_s=self.market.gate_closure_s,
            metering_s=self.market.metering_s,
            block_time_s=self.ledger.block_time_s,
        )

    @property
    def end(self) -> datetime:
        """End of the last delivery interval."""
        return self.time.start + timedelta(seconds=self.time.intervals * self.time.step_s)

    def to_yaml(self) -> str:
        """This scenario with every default written out."""
        data = json.loads(self.model_dump_json())
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
