"""Section ``name_registry``: what names of connection points cost, and who moves."""

from __future__ import annotations

from pydantic import Field, model_validator

from cosim.settings import Model, Money, PositiveMoney


class HouseholdMove(Model):
    """One household leaves a connection point, and another comes."""

    name: str = Field(description="connection point")
    interval: int = Field(
        ge=0, description="after which interval, counted from 0, the name is handed on"
    )


class NameRegistrySettings(Model):
    """Names of connection points on the ledger; without this section there are none."""

    registration_fee_eur: PositiveMoney = Field(1.0, description="what a name costs [EUR]")
    update_fee_eur: Money = Field(
        0.25, description="what changing the account that it stands for costs [EUR]"
    )
    min_commitment_age_s: int = Field(
        60,
        gt=0,
        lt=2**32,
        description="age at which the commitment to a name may be revealed; for so long a reveal "
        "that no block holds yet is safe from who copies the name; 60 s in ENS [s]",
    )
    max_commitment_age_s: int = Field(
        86_400,
        gt=0,
        lt=2**32,
        description="age from which it is void; a day in ENS [s]",
    )
    account_eur: PositiveMoney = Field(5.0, description="tokens each household has for fees [EUR]")
    moves: tuple[HouseholdMove, ...] = Field(
        (),
        description="households that move; they take no part in the local market, which keeps "
        "account and meter together",
    )

    @model_validator(mode="after")
    def _fees_fit(self) -> NameRegistrySettings:
        if self.update_fee_eur >= self.registration_fee_eur:
            raise ValueError(
                f"update_fee_eur ({self.update_fee_eur:g}) must be below registration_fee_eur "
                f"({self.registration_fee_eur:g})"
            )
        if self.account_eur < self.registration_fee_eur:
            raise ValueError(
                f"account_eur ({self.account_eur:g}) does not pay for a name, which costs "
                f"{self.registration_fee_eur:g}"
            )
        if self.min_commitment_age_s >= self.max_commitment_age_s:
            raise ValueError(
                f"min_commitment_age_s ({self.min_commitment_age_s}) must be below "
                f"max_commitment_age_s ({self.max_commitment_age_s})"
            )
        names = [move.name for move in self.moves]
        if len(set(names)) < len(names):
            raise ValueError("moves: name each connection point once")
        return self
