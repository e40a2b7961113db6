"""A whole scenario: its sections, and what they must agree on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar, cast

from pydantic import Field, PrivateAttr, ValidationError, create_model, model_validator

from cosim.clock import DeliveryClock
from cosim.errors import ScenarioError
from cosim.inputs.yaml_file import to_yaml
from cosim.plugins import MECHANISMS
from cosim.plugins.mechanism import Mechanism
from cosim.scenario.attack import AttackSettings, check_attack
from cosim.scenario.explaining import explained
from cosim.scenario.grid import GridSettings
from cosim.scenario.ledger import LedgerSettings
from cosim.scenario.metering import MeteringSettings
from cosim.scenario.overrides import put
from cosim.scenario.prosumers import ProsumerSettings
from cosim.scenario.simulators import ForeignSimulator, simulators_distinct
from cosim.scenario.time import TimeSettings
from cosim.scenario.valuation import ValuationSettings
from cosim.settings import Model

if TYPE_CHECKING:
    from cosim.mechanisms.flexibility_market.settings import DsoSettings
    from cosim.mechanisms.local_market.settings import MarketSettings

M = TypeVar("M", bound=Model)


class ScenarioBase(Model):
    """Sections that every run has.

    Parameters
    ----------
    **fields
        Fields as in a scenario file (docs/scenarios.md); a section is a mapping or its model.

    Raises
    ------
    ScenarioError
        If they do not describe a scenario; names the field, and the known name nearest to it.
    """

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
    ledger: LedgerSettings = LedgerSettings()
    metering: MeteringSettings = MeteringSettings()
    attack: AttackSettings | None = Field(
        None, discriminator="kind", description="who attacks, and how (docs/attacks.md)"
    )
    simulators: tuple[ForeignSimulator, ...] = ()
    valuation: ValuationSettings = ValuationSettings()

    if TYPE_CHECKING:  # sections of mechanisms that every run has
        market: MarketSettings
        dso: DsoSettings

    _file: Path | None = PrivateAttr(None)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise explained(error, None, type(self)) from error

    def __eq__(self, other: object) -> bool:
        """Two scenarios are equal if their fields are, wherever they come from."""
        return isinstance(other, ScenarioBase) and self.__dict__ == other.__dict__

    @classmethod
    def of(cls, fields: Mapping[str, Any], file: str | Path | None = None) -> Self:
        """Return the scenario that fields describe.

        Parameters
        ----------
        fields : mapping
            As a scenario file has them.
        file : str or Path, optional
            Where they come from; named in errors, and grids are looked up from there.

        Raises
        ------
        ScenarioError
            If they do not describe a scenario; names the file and the field.
        """
        if file is None:
            return cls(**{str(name): value for name, value in fields.items()})
        try:
            scenario = cls.model_validate({str(name): value for name, value in fields.items()})
        except ScenarioError as error:
            raise ScenarioError(
                error.problem, file=file, field=error.field, remedy=error.remedy
            ) from error
        scenario._file = Path(file).absolute()  # also after a change of the working directory
        return scenario

    @property
    def file(self) -> Path | None:
        """Path of the file it was read from; None for one made in Python."""
        return self._file

    def replace(self, **changes: Any) -> Self:
        """Return a changed scenario; this one stays as it is.

        Parameters
        ----------
        **changes
            New values by field. A mapping is merged into its section, and its keys may be dotted;
            everything else, lists included, replaces what is there. None removes an optional
            section. What follows from other fields by default (``ledger.confirmations``) follows
            again, unless it was given.

        Returns
        -------
        Scenario
            Looked up from the same file.

        Raises
        ------
        ScenarioError
            If a field is unknown or its value cannot be used; names the field.

        Examples
        --------
        >>> scenario.replace(seed=7, market={"pricing": "mcafee"})  # doctest: +SKIP
        """
        fields = self.model_dump(exclude_unset=True)
        for name, value in changes.items():
            put(fields, name.split("."), value, self._file, name)
        return type(self).of(fields, self._file)

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
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
        blocks = (market.gate_closure_s - market.reveal_s) // ledger.block_time_s
        after = " less market.reveal_s" if market.reveal_s else ""
        waits = ledger.confirmations
        if waits:
            # every round needs three transactions with their confirmations, so most must do with
            # fewer rounds than they may hold: what counts is that a clearing is known in time
            needed = 2 + 2 * waits
            what = f"a clearing with {waits} confirmations needs {needed}"
        else:
            needed = 2 + self.dso.blocks_of_rounds
            rounds = f"dso.max_rounds = {self.dso.max_rounds}"
            if self.dso.draws_calls:
                rounds = "a round with a draw (dso.baseline.calling_probability)"
            what = f"clearing and {rounds} need {needed}"
        if blocks < needed:
            raise ValueError(
                f"between market.gate_closure_s ({market.gate_closure_s} s){after} and "
                f"delivery fit {blocks} blocks of {ledger.block_time_s} s; {what}"
            )

    @model_validator(mode="after")
    def _margins_fit(self) -> Self:
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
    def _mechanisms_fit(self) -> Self:
        """Let every mechanism look at the scenario.

        On a ledger that undoes blocks, users of most contracts would act on a transaction that is
        gone: only mechanisms that read again what a reorganisation changed are let in.
        """
        mechanisms = self.mechanisms()
        forks = self.ledger.consensus == "proof_of_work" and self.ledger.propagation_delay_s
        refused = [each.section for each in mechanisms if forks and not each.survives_forks]
        if forks and self.market.clearing in ("committed", "bilateral"):
            refused.append(f"market.clearing: {self.market.clearing}")
        if refused:
            raise ValueError(
                f"{refused[0]} needs a ledger without reorganisations: set "
                "ledger.propagation_delay_s to 0 or another ledger.consensus"
            )
        for mechanism in mechanisms:
            mechanism.check_scenario(cast("Scenario", self))
        return self

    @model_validator(mode="after")
    def _attack_and_simulators_fit(self) -> Self:
        if self.attack is not None:
            check_attack(self.attack, self.time.intervals)
        simulators_distinct(self.simulators)
        return self

    def mechanisms(self) -> tuple[Mechanism[Any], ...]:
        """Return the mechanisms of this run, in the order of their ranks."""
        found = []
        for name, kind in MECHANISMS.every().items():
            settings = getattr(self, name, None)
            if settings is not None:
                found.append(kind(settings))
        return tuple(sorted(found, key=lambda mechanism: mechanism.rank))

    def section(self, kind: type[M]) -> M | None:
        """Return the section of a mechanism by its type; None if this run has none."""
        for mechanism in self.mechanisms():
            if isinstance(mechanism.settings, kind):
                return mechanism.settings
        return None

    def clock(self) -> DeliveryClock:
        """Return the times of this run."""
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
        """Return this scenario with every default written out."""
        data = json.loads(self.model_dump_json())
        return to_yaml(data)


def _with_sections() -> Any:
    """Scenario with a section for every installed mechanism."""
    sections: dict[str, Any] = {}
    for name, kind in MECHANISMS.every().items():
        settings = kind.settings_type
        sections[name] = (
            (settings, Field(settings(), description=kind.summary))
            if kind.is_default
            else (settings | None, Field(None, description=kind.summary))
        )
    return create_model("Scenario", __base__=ScenarioBase, __doc__=_SUMMARY, **sections)


_SUMMARY = "One run."


if TYPE_CHECKING:

    class Scenario(ScenarioBase):
        """One run."""

        def __init__(self, **fields: Any) -> None: ...

else:
    Scenario = _with_sections()
