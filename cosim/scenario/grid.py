"""Section ``grid``: the network, its limits and its solver."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from cosim.plugins import POWER_FLOW
from cosim.settings import Model, Positive

GridFile = Literal["network.json", "connection_points.csv", "elements.csv", "profiles.parquet"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class LimitSettings(Model):
    """Limits of the grid."""

    vm_min_pu: Positive = Field(0.9, description="lower voltage limit [pu] (EN 50160)")
    vm_max_pu: Positive = Field(1.1, description="upper voltage limit [pu] (EN 50160)")
    line_loading_percent: Positive = Field(100.0, description="line limit, by current [%]")
    trafo_loading_percent: Positive = Field(100.0, description="transformer limit, by current [%]")

    @model_validator(mode="after")
    def _ordered(self) -> LimitSettings:
        if self.vm_min_pu >= self.vm_max_pu:
            raise ValueError("vm_min_pu must be below vm_max_pu")
        return self


class SlackProcessSettings(Model):
    """Random voltage about a mean: an autoregressive process of the first order."""

    mean_pu: Positive = Field(1.0, description="mean [pu]")
    deviation_pu: Annotated[float, Field(ge=0, le=0.05)] = Field(
        0.01, description="standard deviation [pu]"
    )
    autocorrelation: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.9, description="of the deviation after an hour [-]"
    )


class SlackVoltageSettings(Model):
    """Voltage of the grid above, held by every external grid in service: one of these."""

    vm_pu: Annotated[float, Field(ge=0.5, le=1.5)] | None = Field(None, description="constant [pu]")
    file: str | None = Field(
        None,
        description="series: CSV or Parquet with the columns time and vm_pu [pu], from the "
        "scenario file's folder; times as those of the grid's profiles",
    )
    process: SlackProcessSettings | None = Field(None, description="drawn with the scenario's seed")

    @model_validator(mode="after")
    def _one(self) -> SlackVoltageSettings:
        if sum(given is not None for given in (self.vm_pu, self.file, self.process)) != 1:
            raise ValueError("give one of vm_pu, file and process")
        return self


class DsoModelSettings(Model):
    """Errors of the DSO's model of the network; the network itself has none of them."""

    impedance_factor: Annotated[float, Field(gt=0, le=10)] = Field(
        1.0,
        description="on the impedances of lines and on the short-circuit voltages of transformers "
        "[-]",
    )
    tap_offset: Annotated[int, Field(ge=-50, le=50)] = Field(
        0,
        description="positions by which taps without a controller stand elsewhere than in the "
        "network [-]",
    )
    unmetered_share: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(
        0.0,
        description="share of the network's connection points, drawn with the scenario's seed, "
        "that the DSO takes for the mean of the others; that of a shared battery is always "
        "metered, and no part of the mean [-]",
    )


class GridSettings(Model):
    """Which network, and how its power flow is solved."""

    network: str = Field(
        description="path of a grid folder, from the scenario file's folder or the working "
        "directory, or name of one that comes with cosim (docs/grids.md)"
    )
    sha256: dict[GridFile, Sha256] = Field(
        {},
        description="SHA-256 that files of the grid folder must have, for a grid that is imported "
        "and not sent along with the scenario; none: whatever is there",
    )
    power_flow: str = Field(
        "fixed-point",
        description="engine: entry point in the group cosim.power_flow (fixed-point, pandapower)",
    )
    reference_sample: Annotated[int, Field(ge=1)] = Field(
        8, description="how many intervals are re-solved with the engine's reference and compared"
    )
    limits: LimitSettings = LimitSettings()
    slack_voltage: SlackVoltageSettings | None = Field(
        None, description="voltage of the grid above; none: as the network has it"
    )
    tap_delay_s: Annotated[int, Field(ge=0, le=86_400)] = Field(
        0,
        description="how long a voltage is outside of its band before a tap controller of the "
        "network moves its tap; less than an interval: within it [s]",
    )
    dso_model: DsoModelSettings | None = Field(
        None, description="what the DSO checks schedules with; none: the network as it is"
    )

    @field_validator("power_flow")
    @classmethod
    def _engine_known(cls, name: str) -> str:
        if name not in POWER_FLOW.names:
            raise ValueError(f"no power-flow engine; there are {', '.join(POWER_FLOW.names)}")
        return name
