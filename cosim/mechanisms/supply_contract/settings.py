"""Section ``supply_contract``: consumers who buy by a supply contract, and its terms."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from cosim.settings import Model, Money, NonNegative, PositiveMoney

_Period = Annotated[int, Field(ge=0)]
MOST_EUR_PER_KWH = 2_147.0


class SupplyConsumer(Model):
    """A connection point that subscribes before the first period, and how it behaves."""

    name: str = Field(description="connection point; it takes no part in the local market")
    deposit_eur: PositiveMoney = Field(5.0, description="deposit, out of market.account_eur [EUR]")
    periods: int = Field(0, ge=0, description="for how many periods; 0: rolling")
    silent_periods: tuple[_Period, ...] = Field(
        (), description="periods, from 0, that its meter does not declare"
    )
    tops_up: bool = Field(
        False, description="after each bill repays its debt and fills its deposit up again"
    )
    leaves_in: _Period | None = Field(
        None, description="period during which it ends its subscription; default: it does not"
    )


class SupplyContractSettings(Model):
    """An electricity supply contract outside the local market; without this section there is none.

    What a consumer feeds in is not paid for.
    """

    billing_intervals: Annotated[int, Field(ge=4)] = Field(
        24, description="delivery intervals of a billing period"
    )
    prices_eur_per_kwh: tuple[NonNegative, ...] = Field(
        (0.30,),
        min_length=1,
        description="of period 0, 1, …; the last one holds for the periods after [EUR/kWh]",
    )
    price_cap_eur_per_kwh: Annotated[float, Field(ge=0, le=MOST_EUR_PER_KWH)] = Field(
        0.50, description="highest price that the supplier can set [EUR/kWh]"
    )
    silent_estimate_kwh: Annotated[float, Field(ge=0, le=4_000_000)] = Field(
        5.0, description="consumption billed per period when a meter does not declare [kWh]"
    )
    least_deposit_eur: PositiveMoney = Field(
        1.0, description="least deposit of a new subscription, on top of what is owed [EUR]"
    )
    credit_limit_eur: Money = Field(
        100.0,
        description="debt above which the supplier ends a subscription; 100 EUR are the least debt "
        "for which German rules of basic supply let it interrupt supply (StromGVV § 19) [EUR]",
    )
    consumers: tuple[SupplyConsumer, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _terms_fit(self) -> SupplyContractSettings:
        if max(self.prices_eur_per_kwh) > self.price_cap_eur_per_kwh:
            raise ValueError(
                f"a price of prices_eur_per_kwh ({max(self.prices_eur_per_kwh):g}) is above "
                f"price_cap_eur_per_kwh ({self.price_cap_eur_per_kwh:g})"
            )
        for consumer in self.consumers:
            if consumer.deposit_eur < self.least_deposit_eur:
                raise ValueError(
                    f"deposit_eur of {consumer.name} ({consumer.deposit_eur:g}) is below "
                    f"least_deposit_eur ({self.least_deposit_eur:g})"
                )
        names = [consumer.name for consumer in self.consumers]
        if len(set(names)) < len(names):
            raise ValueError("consumers: name each connection point once")
        return self
