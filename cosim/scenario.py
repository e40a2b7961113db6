"""What a run is: frozen models of a scenario file, its defaults and its JSON schema.

Every field carries its unit in its name. Unknown fields are refused, with the nearest known name.
"""

from __future__ import annotations

import difflib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cosim.clock import DeliveryClock
from cosim.errors import ScenarioError
from cosim.foreign import ForeignSimulator, simulators_distinct

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TimeSettings(_Model):
    """When the run takes place."""

    start: datetime = Field(description="start of the first delivery interval, in profile time")
    intervals: Annotated[int, Field(ge=1)] = Field(96, description="number of delivery intervals")
    step_s: Annotated[int, Field(ge=60)] = Field(900, description="length of an interval [s]")


class LimitSettings(_Model):
    """What the grid may carry."""

    vm_min_pu: Positive = Field(0.9, description="lower voltage limit [pu] (EN 50160)")
    vm_max_pu: Positive = Field(1.1, description="upper voltage limit [pu] (EN 50160)")
    line_loading_percent: Positive = Field(100.0, description="line limit, by current [%]")
    trafo_loading_percent: Positive = Field(100.0, description="transformer limit, by current [%]")

    @model_validator(mode="after")
    def _ordered(self) -> LimitSettings:
        if self.vm_min_pu >= self.vm_max_pu:
            raise ValueError("vm_min_pu must be below vm_max_pu")
        return self


class GridSettings(_Model):
    """Which network, and how its power flow is solved."""

    network: str = Field(description="name of a folder in grids/, or path of such a folder")
    power_flow: Literal["fixed-point", "pandapower"] = Field(
        "fixed-point", description="engine; the other one is the reference of the sample"
    )
    reference_sample: Annotated[int, Field(ge=1)] = Field(
        8, description="how many intervals are re-solved with pandapower and compared"
    )
    limits: LimitSettings = LimitSettings()


class BatterySettings(_Model):
    """Home batteries: who has one and what it can do."""

    share_of_pv_owners: Fraction = Field(0.5, description="share of PV owners with a battery")
    capacity_kwh: Positive = Field(8.0, description="usable energy [kWh]")
    p_max_kw: Positive = Field(4.0, description="rating, both ways [kW]")
    charge_efficiency: Annotated[float, Field(gt=0, le=1)] = Field(0.96, description="one way [-]")
    discharge_efficiency: Annotated[float, Field(gt=0, le=1)] = Field(
        0.96, description="one way [-]"
    )
    soc_initial: Fraction = Field(0.5, description="state of charge at the start [-]")
    soc_min: Fraction = Field(0.05, description="least state of charge [-]")
    mode: Literal["self_consumption", "arbitrage"] = Field(
        "self_consumption",
        description="store one's own surplus, or also trade on a price forecast",
    )

    @model_validator(mode="after")
    def _initial_above_minimum(self) -> BatterySettings:
        if self.soc_initial < self.soc_min:
            raise ValueError("soc_initial must not be below soc_min")
        return self


class DeferralSettings(_Model):
    """How much EV and heat-pump consumption may be put off, to be caught up later."""

    share_of_power: Fraction = Field(0.5, description="deferrable share of the momentary power")
    energy_max_kwh: NonNegative = Field(4.0, description="most energy owed per prosumer [kWh]")


class ForecastSettings(_Model):
    """Error model: persistence of the deviation plus autocorrelated noise."""

    persistence: Fraction = Field(
        0.1, description="weight of the last metered value against the profile of the interval"
    )
    noise: NonNegative = Field(0.03, description="standard deviation relative to power [-]")
    autocorrelation: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.7, description="AR(1) coefficient of the noise per interval [-]"
    )


class StrategySettings(_Model):
    """A bidding strategy and the share of prosumers that follow it."""

    name: str = Field("truthful", description="entry point in the group cosim.strategies")
    share: Fraction = Field(1.0, description="of all prosumers [-]")
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of the strategy")


class ScalingSettings(_Model):
    """Factors on the network's published powers."""

    load: NonNegative = Field(1.0, description="loads [-]")
    pv: NonNegative = Field(1.0, description="PV [-]")
    ev: NonNegative = Field(1.0, description="electric vehicles [-]")
    heat_pump: NonNegative = Field(1.0, description="heat pumps [-]")


class ProsumerSettings(_Model):
    """Who lives on the grid."""

    scaling: ScalingSettings = ScalingSettings()
    battery: BatterySettings = BatterySettings()
    deferral: DeferralSettings = DeferralSettings()
    forecast: ForecastSettings = ForecastSettings()
    strategies: tuple[StrategySettings, ...] = (StrategySettings(),)
    meters: dict[str, str] = Field(
        default_factory=dict,
        description="meter of a connection point, by name; default: one of its own",
    )

    @model_validator(mode="after")
    def _shares_add_up(self) -> ProsumerSettings:
        total = sum(strategy.share for strategy in self.strategies)
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"shares of strategies add up to {total:g}, not 1")
        return self


class MarketSettings(_Model):
    """The community's market and its supplier."""

    retail_eur_per_kwh: NonNegative = Field(0.30, description="what the supplier charges [EUR/kWh]")
    feed_in_eur_per_kwh: NonNegative = Field(0.08, description="what it pays [EUR/kWh]")
    order_lead_s: Annotated[int, Field(gt=0)] = Field(600, description="window opens before [s]")
    gate_closure_s: Annotated[int, Field(gt=0)] = Field(180, description="window closes before [s]")
    metering_s: Annotated[int, Field(gt=0)] = Field(240, description="meters report within [s]")
    silent_estimate_kwh: NonNegative = Field(
        2.0, description="consumption billed per interval when a meter stays silent [kWh]"
    )
    account_eur: Positive = Field(100.0, description="tokens each prosumer starts with [EUR]")
    supplier_eur: Positive = Field(10_000.0, description="tokens the supplier deposits [EUR]")
    deposit_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.6, description="share of them deposited in the local market, the rest for flexibility"
    )

    @model_validator(mode="after")
    def _prices_ordered(self) -> MarketSettings:
        if self.feed_in_eur_per_kwh > self.retail_eur_per_kwh:
            raise ValueError("feed_in_eur_per_kwh must not exceed retail_eur_per_kwh")
        if self.gate_closure_s >= self.order_lead_s:
            raise ValueError("gate_closure_s must be below order_lead_s")
        return self


class LedgerSettings(_Model):
    """The chain that runs the contracts."""

    engine: Literal["revm", "py-evm"] = Field(
        "revm", description="EVM; both give the same result, py-evm is the slow reference"
    )
    block_time_s: Annotated[int, Field(gt=0)] = Field(12, description="seconds between blocks [s]")
    block_gas_limit: Annotated[int, Field(ge=5_000_000)] = Field(
        30_000_000, description="most gas of a block"
    )
    initial_base_fee_gwei: NonNegative = Field(
        0.0, description="0: a consortium chain without fees; else EIP-1559 moves it [gwei]"
    )
    tip_gwei: NonNegative = Field(0.0, description="priority fee of every transaction [gwei]")
    eur_per_eth: NonNegative = Field(2_000.0, description="price of the native coin [EUR]")


class DsoSettings(_Model):
    """How the DSO procures flexibility."""

    procure: bool = Field(True, description="false: violations are recorded and nothing is done")
    loading_margin_percent: NonNegative = Field(
        10.0, description="distance kept from loading limits for forecast errors [%]"
    )
    voltage_margin_pu: NonNegative = Field(
        0.003, description="distance kept from voltage limits for forecast errors [pu]"
    )
    budget_eur: Positive = Field(10_000.0, description="tokens the DSO deposits [EUR]")
    price_cap_eur_per_kwh: Positive = Field(0.60, description="most the DSO pays [EUR/kWh]")
    penalty_eur_per_kwh: NonNegative = Field(0.60, description="for awarded but undelivered energy")
    request_margin: NonNegative = Field(
        0.5, description="energy requested beyond the least technical need [-]"
    )
    max_rounds: Annotated[int, Field(ge=1, le=8)] = Field(
        3, description="most rounds of request, offers and award per interval"
    )


class Scenario(_Model):
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
    simulators: tuple[ForeignSimulator, ...] = ()

    @model_validator(mode="after")
    def _times_fit(self) -> Scenario:
        market, step_s = self.market, self.time.step_s
        if market.order_lead_s + market.metering_s > step_s:
            raise ValueError(
                "market.order_lead_s + market.metering_s must not exceed time.step_s "
                f"({market.order_lead_s} + {market.metering_s} > {step_s})"
            )
        # clear, then per round: request, offers, awards
        blocks = market.gate_closure_s // self.ledger.block_time_s
        needed = 2 + 3 * self.dso.max_rounds
        if blocks < needed:
            raise ValueError(
                f"between market.gate_closure_s ({market.gate_closure_s} s) and delivery fit "
                f"{blocks} blocks of {self.ledger.block_time_s} s; clearing and dso.max_rounds = "
                f"{self.dso.max_rounds} need {needed}"
            )
        # an order needs a block after it is sent, and none at gate closure takes it
        block_time_s = self.ledger.block_time_s
        if market.order_lead_s - market.gate_closure_s < 2 * block_time_s:
            raise ValueError(
                "market.order_lead_s must exceed market.gate_closure_s by two blocks of "
                f"{block_time_s} s ({market.order_lead_s} - {market.gate_closure_s} < "
                f"{2 * block_time_s}): no order would be in time"
            )
        if market.metering_s < block_time_s:
            raise ValueError(
                f"market.metering_s ({market.metering_s}) must hold a block of {block_time_s} s "
                "(ledger.block_time_s): no meter could report in time"
            )
        return self

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


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file.

    Parameters
    ----------
    path : str or Path
        A YAML file.

    Raises
    ------
    ScenarioError
        If the file is missing, is not YAML, or does not describe a scenario; names the field and,
        for an unknown one, the nearest known name.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(
            f"cannot be read: {error.strerror}",
            file=file,
            remedy="give the path of a scenario file, e.g. scenarios/quickstart.yaml",
        ) from error
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"is not YAML: {error}", file=file, remedy="mend the YAML") from error
    if not isinstance(data, dict):
        raise ScenarioError(
            "holds no mapping of fields", file=file, remedy="start from scenarios/quickstart.yaml"
        )
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise _explain(error, file) from error


def json_schema() -> dict[str, Any]:
    """JSON schema of a scenario file, for editors."""
    return Scenario.model_json_schema()


def _explain(error: ValidationError, file: Path) -> ScenarioError:
    first = error.errors()[0]
    location = tuple(first["loc"])
    field = ".".join(str(part) for part in location)
    remedy = None
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = _fields_at(location[:-1])
        problem = "unknown field"
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        remedy = (
            f"did you mean '{near[0]}'? (a field's unit is the end of its name)"
            if near
            else f"known fields here: {', '.join(known)}"
        )
    elif first["type"] == "missing":
        problem = "missing"
        remedy = "add it; see docs/scenarios.md"
    else:
        given = first.get("input")
        if isinstance(given, str | int | float | bool):
            problem = f"{problem} (given: {given!r})"
        remedy = "give a value in the unit that the field's name ends with, within its range"
        if first["type"] == "value_error":
            remedy = "change one of the fields named"
    others = len(error.errors()) - 1
    if others:
        problem += f" (and {others} more problem{'s' if others > 1 else ''} in this file)"
    return ScenarioError(problem, file=file, field=field or "(top level)", remedy=remedy)


def _fields_at(location: tuple[str | int, ...]) -> list[str]:
    """Names of the known fields of the model at a location in the scenario."""
    model: Any = Scenario
    for part in location:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        arguments = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type)]
        model = next(
            (
                a
                for a in (annotation, *arguments)
                if isinstance(a, type) and issubclass(a, BaseModel)
            ),
            None,
        )
        if model is None:
            return []
    return sorted(model.model_fields)
