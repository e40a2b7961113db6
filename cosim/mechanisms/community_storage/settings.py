"""Section ``community_storage``: a battery that members of the community share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosim.settings import Model, Money, NonNegative, Positive

_Permille = Annotated[int, Field(ge=500, le=1000)]


class CommunityStorageSettings(Model):
    """One battery at a connection point of its own, and who has how many shares of it."""

    name: str = Field("community battery", min_length=1, description="name of its connection point")
    bus: str | None = Field(
        None, description="name of its bus; default: the low-voltage busbar of the transformer"
    )
    capacity_kwh: Positive = Field(100.0, description="usable energy [kWh]")
    p_max_kw: Positive = Field(50.0, description="rating, both ways [kW]")
    charge_permille: _Permille = Field(950, description="one-way efficiency [‰]")
    discharge_permille: _Permille = Field(950, description="one-way efficiency [‰]")
    standby_kw: NonNegative = Field(0.04, description="what it consumes at all times [kW]")
    shares: Annotated[int, Field(gt=0, le=1_000_000)] = Field(
        100, description="how many shares there are"
    )
    share_price_eur: Money = Field(
        250.0, description="what the battery's owner sells a share for [EUR]"
    )
    members: dict[str, Annotated[int, Field(gt=0)]] | None = Field(
        None,
        description="shares by connection point; default: the same number for every member of the "
        "local market, the rest stays with the owner",
    )
    loss_limit_kwh: NonNegative = Field(
        0.1, description="most loss of an interval that members are billed [kWh]"
    )
    account_eur: Money = Field(
        5.0, description="what each member deposits for losses, on top of its shares [EUR]"
    )
    owner_eur: Money = Field(
        20.0, description="what the owner deposits for less than no loss [EUR]"
    )
    nominations: Literal["own_balance", "none"] = Field(
        "own_balance",
        description="members store forecast surplus and take it out for a forecast deficit, or "
        "leave the battery alone",
    )

    @model_validator(mode="after")
    def _shares_suffice(self) -> CommunityStorageSettings:
        sold = sum((self.members or {}).values())
        if sold > self.shares:
            raise ValueError(f"members have {sold} of {self.shares} shares")
        return self
