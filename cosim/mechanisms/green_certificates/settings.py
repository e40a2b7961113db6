"""Section ``certificates``: hourly certificates of renewable origin, and who buys them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from cosim.settings import Fraction, Model, Money, PositiveMoney


class CertificateBuyers(Model):
    """Prosumers who want green power, and what they pay for the proof of it."""

    share: Fraction = Field(0.5, description="of all prosumers [-]")
    limit_eur_per_mwh: Money = Field(8.0, description="most that they pay [EUR/MWh]")


class CertificateSettings(Model):
    """Hourly certificates of renewable origin; without this section there are none."""

    price_eur_per_mwh: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = Field(
        5.0, description="what producers ask for what they cannot retire themselves [EUR/MWh]"
    )
    buyers: tuple[CertificateBuyers, ...] = (CertificateBuyers(),)
    account_eur: PositiveMoney = Field(
        10.0, description="tokens each buyer deposits for them [EUR]"
    )

    @model_validator(mode="after")
    def _shares_fit(self) -> CertificateSettings:
        total = sum(buyers.share for buyers in self.buyers)
        if total > 1.0 + 1e-9:
            raise ValueError(f"shares of buyers add up to {total:g}, more than 1")
        return self
