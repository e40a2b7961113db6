"""Section ``market``: the community's market and its supplier."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from cosim.scenario.fields import Model, NonNegative, Positive


class MarketSettings(Model):
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
