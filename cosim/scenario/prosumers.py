"""Section ``prosumers`` of a scenario, and what else a population is made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    create_model,
    field_validator,
    model_serializer,
    model_validator,
)

from cosim.devices.battery import BatterySettings
from cosim.devices.catalogue import registered
from cosim.errors import ScenarioError
from cosim.plugins import FORECASTS, STRATEGIES
from cosim.scenario.tariff import Tariff as Tariff
from cosim.seeds import child_seed
from cosim.settings import Fraction, Model, NonNegative, Positive

M = TypeVar("M", bound=Model)


_FURTHER = {name for d in registered() if not d.is_default for name in (d.kind, d.section)}


class _OfDevices(Model):
    """Fields of devices; those of other packages' devices are written out where they are used."""

    @model_serializer(mode="wrap")
    def _without_unused(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = serialize(self).items()
        return {name: field for name, field in fields if field is not None or name not in _FURTHER}


class _Scaling(_OfDevices):
    def of(self, kind: str) -> float:
        """Return the factor of a kind of device; 1 where none is given. [-]"""
        given = getattr(self, kind, None)
        return 1.0 if given is None else float(given)


def _scaling() -> Iterator[tuple[str, Any]]:
    for device in registered():
        description = f"{device.title} [-]"
        if device.has_profile and device.is_default:
            yield device.kind, (NonNegative, Field(1.0, description=description))
        elif device.has_profile:
            yield device.kind, (NonNegative | None, Field(None, description=description))


def _sections() -> Iterator[tuple[str, Any]]:
    for device in sorted(registered(), key=lambda device: device.section):
        if (kind := device.settings_type) is not None:
            yield device.section, (kind, kind()) if device.is_default else (kind | None, None)


if TYPE_CHECKING:

    class ScalingSettings(_Scaling):
        """Factors on the network's published powers."""

    class _DeviceSections(_OfDevices):
        scaling: ScalingSettings = ScalingSettings()
else:
    ScalingSettings = create_model(
        "ScalingSettings",
        __base__=_Scaling,
        __doc__="Factors on the network's published powers.",
        **dict(_scaling()),
    )
    _DeviceSections = create_model(
        "_DeviceSections",
        __base__=_OfDevices,
        scaling=(ScalingSettings, ScalingSettings()),
        **dict(_sections()),
    )


class ForecastModelSettings(Model):
    """A forecast model and its options."""

    name: str = Field("trained", description="entry point in the group cosim.forecasts")
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of the model")

    @field_validator("name")
    @classmethod
    def _model_known(cls, name: str) -> str:
        if name not in FORECASTS.names:
            raise ValueError(
                f"unknown forecast model {name!r}; there are {', '.join(sorted(FORECASTS.names))}; "
                "others come with packages that declare the entry-point group "
                f"{FORECASTS.group} (docs/forecasts.md)"
            )
        return name


class ForecastSettings(Model):
    """Forecasts of what devices consume and generate (docs/forecasts.md)."""

    model: ForecastModelSettings = ForecastModelSettings()
    by_class: dict[str, ForecastModelSettings] = Field(
        default_factory=dict,
        description="other models by class: a kind of device, or `deferrable` for all consumption "
        "that can wait",
    )

    @field_validator("by_class")
    @classmethod
    def _classes_known(
        cls, models: dict[str, ForecastModelSettings]
    ) -> dict[str, ForecastModelSettings]:
        known = [*(device.kind for device in registered() if device.has_profile), "deferrable"]
        if strange := sorted(models.keys() - known):
            raise ValueError(f"unknown class {strange[0]!r}; there are {', '.join(known)}")
        return models

    horizon: Literal["gate_closure", "day_ahead"] = Field(
        "gate_closure", description="horizon of orders and nominations, and so of baselines"
    )
    day_ahead_hour: Annotated[float, Field(ge=0, le=24)] = Field(
        12.0, description="time of the day before at which day-ahead forecasts are made [h]"
    )


class VariationSettings(Model):
    """Loads of their own for connection points that share a profile (docs/forecasts.md)."""

    fluctuation: NonNegative = Field(
        0.6, description="standard deviation of the logarithm of the factor on the profile [-]"
    )
    autocorrelation: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="of that logarithm after an hour [-]"
    )
    shift_min: NonNegative = Field(
        30.0, description="standard deviation of the shift in time [min]"
    )


def _strategy_known(name: str) -> str:
    if name not in STRATEGIES.names:
        raise ValueError(
            f"unknown strategy {name!r}; there are {', '.join(STRATEGIES.names)}; others come "
            f"with packages that declare the entry-point group {STRATEGIES.group} "
            "(docs/strategies.md)"
        )
    return name


StrategyName = Annotated[
    str,
    AfterValidator(_strategy_known),
    Field(description="entry point in the group cosim.strategies"),
]
Efficiency = Annotated[float, Field(gt=0, le=1)]


class StrategySettings(Model):
    """A bidding strategy and the share of prosumers that follow it."""

    name: StrategyName = "truthful"
    share: Fraction = Field(1.0, description="of all prosumers [-]")
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of the strategy")


class NamedStrategy(Model):
    """A bidding strategy of one prosumer."""

    name: StrategyName
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of the strategy")


class NamedBattery(Model):
    """A battery at one connection point; what is left out is as in ``prosumers.battery``."""

    capacity_kwh: Positive | None = Field(None, description="usable energy [kWh]")
    p_max_kw: Positive | None = Field(None, description="rating, both ways [kW]")
    charge_efficiency: Efficiency | None = Field(None, description="one way [-]")
    discharge_efficiency: Efficiency | None = Field(None, description="one way [-]")
    soc_initial: Fraction | None = Field(None, description="state of charge at the start [-]")
    soc_min: Fraction | None = Field(None, description="least state of charge [-]")
    soc_end: Fraction | None = Field(
        None, description="state of charge wanted at the end of the run [-]"
    )


class NamedDeferral(Model):
    """Consumption that can wait at one point; what is left out is as in ``prosumers.deferral``."""

    share_of_power: Fraction | None = Field(None, description="of the momentary power [-]")
    energy_max_kwh: NonNegative | None = Field(None, description="most energy owed [kWh]")


class NamedProsumer(Model):
    """A connection point that has something otherwise than the rest."""

    connection_point: str = Field(description="its name")
    battery: NamedBattery | Literal[False] | None = Field(
        None, description="its own, with or without PV; false: none; default: as drawn"
    )
    deferral: NamedDeferral = NamedDeferral()
    scaling: dict[str, NonNegative] = Field(
        default_factory=dict, description="factors by kind of device, in place of prosumers.scaling"
    )
    strategy: NamedStrategy | None = Field(None, description="in place of the one drawn")

    @field_validator("scaling")
    @classmethod
    def _kinds_known(cls, scaling: dict[str, float]) -> dict[str, float]:
        known = [device.kind for device in registered() if device.has_profile]
        for kind in scaling:
            if kind not in known:
                raise ValueError(f"no device {kind!r} with a profile; there are {', '.join(known)}")
        return scaling


class ProsumerSettings(_DeviceSections):
    """Prosumers at the connection points of the grid."""

    forecast: ForecastSettings = ForecastSettings()
    variation: VariationSettings | None = Field(
        None, description="default: every connection point follows the published profile"
    )
    strategies: tuple[StrategySettings, ...] = (StrategySettings(),)
    pv_share: Fraction | None = Field(
        None,
        description="share of the connection points with PV: the network's systems, dealt out at "
        "random by the seed; default: PV where the network has it [-]",
    )
    participants: Annotated[int, Field(ge=2)] | None = Field(
        None,
        description="how many connection points join the local market, drawn at random; the others "
        "have the supplier alone, and no flexibility to sell; default: all",
    )
    meters: dict[str, str] = Field(
        default_factory=dict,
        description="meter of a connection point, by name; default: one of its own",
    )

    named: tuple[NamedProsumer, ...] = Field(
        (), description="connection points with battery, devices or strategy of their own"
    )

    @model_validator(mode="after")
    def _shares_add_up(self) -> ProsumerSettings:
        total = sum(strategy.share for strategy in self.strategies)
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"shares of strategies add up to {total:g}, not 1")
        return self

    @model_validator(mode="after")
    def _named_fit(self) -> ProsumerSettings:
        section = self.section(BatterySettings)
        names = [own.connection_point for own in self.named]
        for name, own in zip(names, self.named, strict=True):
            if names.count(name) > 1:
                raise ValueError(f"named: {name!r} stands there {names.count(name)} times")
            if isinstance(own.battery, NamedBattery):
                initial, least, end = (
                    getattr(section, field)
                    if (given := getattr(own.battery, field)) is None
                    else given
                    for field in ("soc_initial", "soc_min", "soc_end")
                )
                if initial < least:
                    raise ValueError(f"named: battery of {name!r}: soc_initial is below soc_min")
                if end is not None and end < least:
                    raise ValueError(f"named: battery of {name!r}: soc_end is below soc_min")
        return self

    def section(self, kind: type[M]) -> M:
        """Return the section of a device by its type; its defaults where it has none."""
        for name in type(self).model_fields:
            if isinstance(found := getattr(self, name), kind):
                return found
        return kind()


@dataclass(frozen=True, slots=True)
class ProsumerSeeds:
    """Independent seeds, so that one model's draws never shift another's."""

    devices: np.random.SeedSequence
    forecasts: np.random.SeedSequence
    send_times: np.random.SeedSequence
    strategies: np.random.SeedSequence
    variation: np.random.SeedSequence

    @classmethod
    def spawn(cls, seed: int | np.random.SeedSequence) -> ProsumerSeeds:
        """Derive the children of a scenario's seed; the same seed gives the same children.

        Parameters
        ----------
        seed : int or numpy.random.SeedSequence
            Root seed. A sequence is not advanced.
        """
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        return cls(*(child_seed(root, k) for k in (0, 1, 2, 3, 4)))


def named_by_position(names: Sequence[str], settings: ProsumerSettings) -> dict[int, NamedProsumer]:
    """Return the prosumers of ``prosumers.named`` by their position in the network.

    Raises
    ------
    ScenarioError
        If the network lacks a connection point.
    """
    index = {name: i for i, name in enumerate(names)}
    for k, own in enumerate(settings.named):
        if own.connection_point not in index:
            raise _no_point(own.connection_point, f"prosumers.named.{k}.connection_point")
    return {index[own.connection_point]: own for own in settings.named}


def _no_point(name: str, field: str) -> ScenarioError:
    return ScenarioError(
        f"'{name}' is no connection point of the network",
        field=field,
        remedy="use a name from the network's connection_points.csv",
    )


def assign_meters(names: Sequence[str], meters: Mapping[str, str]) -> tuple[str, ...]:
    """Return the meter of each connection point, every one its own.

    Parameters
    ----------
    names : sequence of str
        Connection points.
    meters : mapping of str to str
        Meters by connection point; ``meter-<name>`` for those not listed.

    Raises
    ------
    ScenarioError
        If a listed connection point is unknown, or two share a meter.
    """
    for name in meters:
        if name not in names:
            raise _no_point(name, "prosumers.meters")
    assigned = tuple(meters.get(name, f"meter-{name}") for name in names)
    customer_of: dict[str, str] = {}
    for name, meter in zip(names, assigned, strict=True):
        if meter in customer_of:
            raise ScenarioError(
                f"two prosumers on one meter: '{customer_of[meter]}' and '{name}' share '{meter}'",
                field="prosumers.meters",
                remedy=f"give '{name}' a meter of its own",
            )
        customer_of[meter] = name
    return assigned
