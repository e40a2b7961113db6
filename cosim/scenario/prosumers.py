"""Section ``prosumers``: who lives on the grid."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cosim.settings import Fraction, Model, NonNegative, Positive


class BatterySettings(Model):
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


class DeferralSettings(Model):
    """How much EV and heat-pump consumption may be put off, to be caught up later."""

    share_of_power: Fraction = Field(0.5, description="deferrable share of the momentary power")
    energy_max_kwh: NonNegative = Field(4.0, description="most energy owed per prosumer [kWh]")


class ForecastSettings(Model):
    """Error model: persistence of the deviation plus autocorrelated noise."""

    persistence: Fraction = Field(
        0.1, description="weight of the last metered value against the profile of the interval"
    )
    noise: NonNegative = Field(0.03, description="standard deviation relative to power [-]")
    autocorrelation: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.7, description="AR(1) coefficient of the noise per interval [-]"
    )


class StrategySettings(Model):
    """A bidding strategy and the share of prosumers that follow it."""

    name: str = Field("truthful", description="entry point in the group cosim.strategies")
    share: Fraction = Field(1.0, description="of all prosumers [-]")
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of the strategy")


class ScalingSettings(Model):
    """Factors on the network's published powers."""

    load: NonNegative = Field(1.0, description="loads [-]")
    pv: NonNegative = Field(1.0, description="PV [-]")
    ev: NonNegative = Field(1.0, description="electric vehicles [-]")
    heat_pump: NonNegative = Field(1.0, description="heat pumps [-]")


class ProsumerSettings(Model):
    """Who lives on the grid."""

    scaling: ScalingSettings = ScalingSettings()
    battery: BatterySettings = BatterySettings()
    deferral: DeferralSettings = DeferralSettings()
    forecast: ForecastSettings = ForecastSettings()
    strategies: tuple[StrategySettings, ...] = (StrategySettings(),)
    participants: Annotated[int, Field(ge=2)] | None = Field(
        None,
        description="how many connection points join the local market, drawn at random; the others "
        "have the supplier alone, and no flexibility to sell; default: all",
    )
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
