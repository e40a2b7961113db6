"""Section ``market``: the community's market and its supplier."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosim.settings import Model, Money, NonNegative, PositiveMoney, Price


class MarketSettings(Model):
    """The community's market and its supplier."""

    retail_eur_per_kwh: Price = Field(0.30, description="what the supplier charges [EUR/kWh]")
    feed_in_eur_per_kwh: Price = Field(0.08, description="what it pays [EUR/kWh]")
    order_lead_s: Annotated[int, Field(gt=0)] = Field(600, description="window opens before [s]")
    gate_closure_s: Annotated[int, Field(gt=0)] = Field(180, description="window closes before [s]")
    metering_s: Annotated[int, Field(gt=0)] = Field(240, description="meters report within [s]")
    silent_estimate_kwh: NonNegative = Field(
        2.0, description="consumption billed per interval when a meter stays silent [kWh]"
    )
    account_eur: PositiveMoney = Field(100.0, description="tokens each prosumer starts with [EUR]")
    account: Literal["top_up", "prepaid"] = Field(
        "top_up",
        description="top_up: where the next order would leave less than half of the first "
        "deposit in the local market, or the next bond more than is there in the flexibility "
        "market, it is refilled out of bank_eur before that; prepaid: it is not",
    )
    bank_eur: Money = Field(
        10_000.0, description="tokens in each prosumer's bank account, with account: top_up [EUR]"
    )
    supplier_eur: PositiveMoney = Field(10_000.0, description="tokens the supplier deposits [EUR]")
    deposit_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.6, description="share of them deposited in the local market, the rest for flexibility"
    )

    position: Literal["financial", "binding"] = Field(
        "financial",
        description="what trades oblige to (docs/positions.md): financial: what is not traded is "
        "injected and drawn all the same; binding: after trades, as far as the grid carries it",
    )
    pricing: Literal[
        "midpoint",
        "pay_as_bid",
        "mcafee",
        "mid_market_rate",
        "supply_demand_ratio",
        "bill_sharing",
    ] = Field("midpoint", description="what filled orders pay and earn (docs/pricing.md)")
    clearing: Literal["on_chain", "verified", "committed"] = Field(
        "on_chain",
        description="the contract clears, checks a clearing, or takes a Merkle root of one",
    )
    reveal_s: Annotated[int, Field(ge=0)] = Field(
        0,
        description="sealed orders are revealed so long after gate closure; 0: orders are open [s]",
    )
    sealed_deposit_eur: Money = Field(
        1.0, description="forfeited by a sealed order that is not revealed [EUR]"
    )
    challenge_s: Annotated[int, Field(ge=0)] = Field(
        300, description="how long a committed clearing may be challenged [s]"
    )
    clearing_bond_eur: Money = Field(10.0, description="lost by who commits a wrong clearing [EUR]")

    @model_validator(mode="after")
    def _prices_ordered(self) -> MarketSettings:
        if self.feed_in_eur_per_kwh > self.retail_eur_per_kwh:
            raise ValueError("feed_in_eur_per_kwh must not exceed retail_eur_per_kwh")
        if self.gate_closure_s >= self.order_lead_s:
            raise ValueError("gate_closure_s must be below order_lead_s")
        if self.reveal_s >= self.gate_closure_s:
            raise ValueError("reveal_s must be below gate_closure_s")
        return self
