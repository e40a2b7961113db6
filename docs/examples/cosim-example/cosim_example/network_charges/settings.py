"""Section ``network_charges`` of a scenario."""

from __future__ import annotations

from pydantic import Field, model_validator

from cosim.settings import Model, NonNegative, Positive


class NetworkChargeSettings(Model):
    """Charges for energy drawn from the grid, dear in some hours of the day."""

    peak_eur_per_kwh: NonNegative = Field(0.10, description="charge in peak hours [EUR/kWh]")
    off_peak_eur_per_kwh: NonNegative = Field(0.04, description="charge otherwise [EUR/kWh]")
    peak_hours: tuple[int, ...] = Field(
        (17, 18, 19, 20), description="clock hours of the peak, in profile time"
    )
    account_eur: Positive = Field(10.0, description="tokens each member deposits for them [EUR]")

    @model_validator(mode="after")
    def _hours_of_a_day(self) -> NetworkChargeSettings:
        if any(not 0 <= hour < 24 for hour in self.peak_hours):
            raise ValueError("peak_hours must be clock hours from 0 to 23")
        return self
