"""Section ``market``: the community's market and its supplier."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from cosim.inputs.prices import Price as Prices
from cosim.inputs.prices import as_series, required_series
from cosim.mechanisms.local_market.bilateral.settings import BilateralSettings
from cosim.settings import (
    Authority,
    BatchSize,
    Fraction,
    Model,
    Money,
    NonNegative,
    PositiveMoney,
    Price,
    Submission,
)
from cosim.units import ueur_from_eur

MIN_RING = 3
"""Least length of a ring of intervals: order window, delivery, metering and a step to settle."""


class RetailSettings(Model):
    """Parts of the retail price, each a number or a series (docs/tariffs.md)."""

    energy: Prices = Field(description="energy and supply, which the supplier keeps [EUR/kWh]")
    network: Prices = Field(0.0, description="network charge, passed on to the DSO [EUR/kWh]")
    taxes: Prices = Field(0.0, description="taxes and levies, passed on to the state [EUR/kWh]")

    _as_series = field_validator("energy", "network", "taxes", mode="before")(required_series)


class LocalShareSettings(Model):
    """Shares of the charges in the retail price that energy traded locally pays."""

    network: Fraction = Field(0.0, description="of the network charge [-]")
    taxes: Fraction = Field(0.0, description="of taxes and levies [-]")


class MarketSettings(Model):
    """The community's market and its supplier."""

    retail_eur_per_kwh: Price = Field(
        0.30, description="what the supplier charges, without parts [EUR/kWh]"
    )
    feed_in_eur_per_kwh: Price = Field(0.08, description="what it pays [EUR/kWh]")
    retail: RetailSettings | None = Field(
        None, description="what the supplier charges, by parts; in place of retail_eur_per_kwh"
    )
    feed_in: Prices | None = Field(
        None, description="what it pays, as a series; in place of feed_in_eur_per_kwh [EUR/kWh]"
    )
    local_share: LocalShareSettings = LocalShareSettings()
    order_lead_s: Annotated[int, Field(gt=0)] = Field(600, description="window opens before [s]")
    gate_closure_s: Annotated[int, Field(gt=0)] = Field(180, description="window closes before [s]")
    metering_s: Annotated[int, Field(gt=0)] = Field(240, description="meters report within [s]")
    silent_estimate_kwh: NonNegative = Field(
        2.0, description="consumption billed per interval when a meter stays silent [kWh]"
    )
    account_eur: PositiveMoney = Field(100.0, description="tokens each prosumer starts with [EUR]")
    account: Literal["top_up", "prepaid", "credit_line"] = Field(
        "top_up",
        description="top_up: where the next order would leave less than half of the first "
        "deposit in the local market, or the next bond more than is there in the flexibility "
        "market, it is refilled out of bank_eur before that; prepaid: it is not; credit_line: "
        "it is not, but the supplier lends what an order lacks, up to credit_limit_eur "
        "(docs/accounts.md)",
    )
    bank_eur: Money = Field(
        10_000.0,
        description="tokens in each prosumer's bank account, with account: top_up or credit_line "
        "[EUR]",
    )
    credit_limit_eur: Money = Field(
        50.0,
        description="debt to the supplier up to which it lends to a member, with account: "
        "credit_line [EUR]",
    )
    credit_days: Annotated[int, Field(ge=1, le=366)] = Field(
        30,
        description="days after which members pay their debts out of bank_eur, with account: "
        "credit_line [d]",
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
    clearing: Literal["on_chain", "verified", "committed", "bilateral"] = Field(
        "on_chain",
        description="the contract clears, checks a clearing, takes a Merkle root of one, or checks "
        "pairs of a trading graph, each at a price of its own (docs/bilateral.md)",
    )
    areas: Literal["each"] | tuple[str, ...] | dict[str, tuple[str, ...]] | None = Field(
        None,
        description="several local markets: one for each area of the grid, for each of these, or "
        "by name for the connection points listed; who is in none settles with the supplier "
        "(docs/local-markets.md); default: one market for all",
    )
    bilateral: BilateralSettings | None = Field(
        None, description="trading graph of clearing: bilateral; default: a complete one"
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
    clearing_bond_eur: Money = Field(
        10.0,
        description="lost by who commits a wrong clearing, half of it to the challenger; above 0 "
        "with clearing: committed [EUR]",
    )

    ring_intervals: Annotated[int, Field(ge=0)] = Field(
        0,
        description="intervals after which the contracts use the storage of orders and readings "
        "again, 3 or more; 0: never (docs/contracts/local-market.md)",
    )

    submission: Submission = Field(
        "each",
        description="each: every member sends its own order; batched: an aggregator sends them, "
        "batch_size at a time (docs/submission.md)",
    )
    batch_size: BatchSize = Field(
        64, description="most orders of a batch; fewer where half a block's gas holds fewer"
    )
    batch_authority: Authority = Field(
        "role",
        description="what the contract takes a batched order for the member's by: the aggregator "
        "that it appointed, or its signature",
    )

    _as_series = field_validator("feed_in", mode="before")(as_series)

    @model_serializer(mode="wrap")
    def _without_replaced(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        replaced = {
            name
            for name, other in (
                ("retail_eur_per_kwh", self.retail),
                ("feed_in_eur_per_kwh", self.feed_in),
            )
            if other is not None
        }
        replaced |= {name for name in ("bilateral", "areas") if getattr(self, name) is None}
        return {name: field for name, field in serialize(self).items() if name not in replaced}

    @model_validator(mode="after")
    def _prices_given_once(self) -> MarketSettings:
        for name, other in (("retail_eur_per_kwh", "retail"), ("feed_in_eur_per_kwh", "feed_in")):
            if getattr(self, other) is not None and name in self.model_fields_set:
                raise ValueError(f"{other} stands in place of {name}: give one of them")
        if self.retail is None and (self.local_share.network or self.local_share.taxes):
            raise ValueError("local_share is of charges: give retail by its parts")
        return self

    @model_validator(mode="after")
    def _pairs_fit(self) -> MarketSettings:
        if self.clearing != "bilateral":
            if self.bilateral is not None:
                raise ValueError(
                    f"bilateral is a section of clearing: bilateral, and clearing is "
                    f"{self.clearing}"
                )
        elif self.pricing != "midpoint":
            raise ValueError(
                "clearing: bilateral prices each pair at the midpoint of its limits: set pricing: "
                f"midpoint in place of {self.pricing}"
            )
        return self

    @field_validator("areas")
    @classmethod
    def _areas_distinct(cls, areas: Any) -> Any:
        if areas is None or areas == "each":
            return areas
        if not areas:
            raise ValueError("names no area: name some, or leave the field out")
        if isinstance(areas, dict):
            what, named = "connection point", [one for own in areas.values() for one in own]
        else:
            what, named = "area", list(areas)
        twice = [name for name in dict.fromkeys(named) if named.count(name) > 1]
        if twice:
            raise ValueError(f"has the {what} '{twice[0]}' twice: leave one of them out")
        if any("/" in name or not name for name in areas):
            raise ValueError("the name of a market must not be empty, nor hold a slash: change it")
        return areas

    @model_validator(mode="after")
    def _areas_fit(self) -> MarketSettings:
        if self.areas is None:
            return self
        if self.clearing in ("committed", "bilateral"):
            raise ValueError(
                f"clearing: {self.clearing} is for one market of all: with areas set on_chain or "
                "verified"
            )
        if self.reveal_s:
            raise ValueError("reveal_s is for one market of all: with areas set it to 0")
        if self.position == "binding":
            raise ValueError("position: binding is for one market of all: with areas set financial")
        return self

    @model_validator(mode="after")
    def _batches_fit(self) -> MarketSettings:
        if self.submission == "batched" and self.reveal_s:
            raise ValueError(
                f"reveal_s ({self.reveal_s}) seals orders, and with submission: batched an "
                "aggregator reads them: set reveal_s to 0, or submission: each"
            )
        return self

    @field_validator("ring_intervals")
    @classmethod
    def _ring_holds(cls, ring_intervals: int) -> int:
        if 0 < ring_intervals < MIN_RING:
            raise ValueError(
                f"orders of an interval are settled after {MIN_RING - 1} more at the latest: "
                f"give 0, or {MIN_RING} or more"
            )
        return ring_intervals

    @model_validator(mode="after")
    def _bond_deters(self) -> MarketSettings:
        if self.clearing == "committed" and not ueur_from_eur(self.clearing_bond_eur):
            raise ValueError(
                "clearing: committed needs clearing_bond_eur above 0, or a wrong clearing costs "
                "nothing: set it to 0.000001 EUR at least"
            )
        return self

    @model_validator(mode="after")
    def _prices_ordered(self) -> MarketSettings:
        fixed = self.retail is None and self.feed_in is None
        if fixed and self.feed_in_eur_per_kwh > self.retail_eur_per_kwh:
            raise ValueError("feed_in_eur_per_kwh must not exceed retail_eur_per_kwh")
        if self.gate_closure_s >= self.order_lead_s:
            raise ValueError("gate_closure_s must be below order_lead_s")
        if self.reveal_s >= self.gate_closure_s:
            raise ValueError("reveal_s must be below gate_closure_s")
        return self
