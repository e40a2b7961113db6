"""Section ``valuation``: prices at which resources count, which move no money in a run."""

from __future__ import annotations

from pydantic import Field, field_validator

from cosim.inputs.prices import Price as Prices
from cosim.inputs.prices import required_series
from cosim.settings import Model, Price


class ValuationSettings(Model):
    """Values of resources; they decide nothing in a run, only how it is judged."""

    wholesale_eur_per_kwh: Prices = Field(
        0.0785,
        description="value of energy at the upstream grid, both ways, losses included, a number or "
        "a series (docs/tariffs.md); default: mean day-ahead price of Germany in 2024 [EUR/kWh]",
    )
    unserved_eur_per_kwh: Price = Field(
        10.0,
        description="value of consumption that was cut and is lost (value of lost load); an "
        "assumption: estimates for households range from a few to tens of EUR/kWh [EUR/kWh]",
    )

    _as_series = field_validator("wholesale_eur_per_kwh", mode="before")(required_series)
