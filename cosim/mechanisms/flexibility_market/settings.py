"""Section ``dso``: how the DSO procures flexibility."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cosim.settings import Model, NonNegative, Positive


class DsoSettings(Model):
    """How the DSO procures flexibility."""

    procure: bool = Field(True, description="false: violations are recorded and nothing is done")
    curtail: bool = Field(
        True,
        description="cut without a market what offers cannot relieve; false: it stays "
        "violated, and is recorded",
    )
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
