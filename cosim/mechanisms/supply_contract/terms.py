"""Terms that a supply contract is deployed with, and its phases."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ENERGY_WH = 2**32 - 2
MAX_PRICE_UEUR_PER_KWH = 2**31 - 1
MAX_DEPOSIT_UEUR = 2**64 - 1
MAX_PERIODS = 2**24 - 1
"""Periods of the contract; as the end of a subscription: rolling."""
MAX_PERIODS_BEHIND = 64
"""Earlier periods that a declaration bills by the way."""
MAX_CHANGES = 256
"""Changes of price after a period with which its price still counts."""


@dataclass(frozen=True, slots=True)
class SupplyTerms:
    """Terms of a supply contract, under the names of the contract's constructor.

    Parameters
    ----------
    first_block : int
        First block of period 0.
    period_blocks : int
        Length of a period.
    subscription_blocks : int
        How long before period 0 customers may subscribe, and before each period its price is known.
    declaration_blocks, payment_blocks : int
        Phases after the end of a period, at most a period together.
    price_ueur_per_kwh, price_cap_ueur_per_kwh : int
        Price until another is set, and the highest that can be set. [µEUR/kWh]
    silent_estimate_wh : int
        Billed for a period in which a meter stayed silent. [Wh]
    least_deposit_ueur : int
        Least deposit of a new subscription, above 0: who owes cannot subscribe. [µEUR]
    credit_limit_ueur : int
        With a debt above it the supplier may end a subscription. [µEUR]
    """

    first_block: int
    period_blocks: int
    subscription_blocks: int
    declaration_blocks: int
    payment_blocks: int
    price_ueur_per_kwh: int
    price_cap_ueur_per_kwh: int
    silent_estimate_wh: int
    least_deposit_ueur: int
    credit_limit_ueur: int

    def opens_at(self, period: int) -> int:
        """Block from which the price of a period is fixed; of period 0: subscription opens."""
        return self.starts_at(period) - self.subscription_blocks

    def starts_at(self, period: int) -> int:
        """First block of a period."""
        return self.first_block + period * self.period_blocks

    def declaration_at(self, period: int) -> int:
        """First block of a period's declaration phase: the period has ended."""
        return self.starts_at(period + 1)

    def payment_at(self, period: int) -> int:
        """First block of a period's payment phase."""
        return self.declaration_at(period) + self.declaration_blocks

    def over_at(self, period: int) -> int:
        """First block after a period's payment phase."""
        return self.payment_at(period) + self.payment_blocks

    def begun(self, first: int, block: int) -> int:
        """Count the periods whose moment has come; in period 0 it is block ``first``."""
        if block < first:
            return 0
        return min((block - first) // self.period_blocks + 1, MAX_PERIODS)
