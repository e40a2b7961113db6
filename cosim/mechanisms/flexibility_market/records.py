"""Requests and offers as the contract keeps them, and how an offer is settled."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.mechanisms.flexibility_market.curves import Blocks, earned_ueur, total_wh
from cosim.units import amount_due_ueur


@dataclass(frozen=True, slots=True)
class FlexibilityRequest:
    """A request of the DSO.

    Parameters
    ----------
    interval : int
        Delivery interval.
    is_up : bool
        Raise net injection, or else lower it.
    quantity_wh, price_cap_ueur_per_kwh : int
        Most energy, and highest price. [Wh], [µEUR/kWh]
    awarded_wh : int
        Energy awarded so far. [Wh]
    awarded_ueur : int
        Its most cost, part of the escrow. [µEUR]
    closed : bool
        The rest of the escrow went back.
    """

    interval: int
    is_up: bool
    quantity_wh: int
    price_cap_ueur_per_kwh: int
    awarded_wh: int = 0
    awarded_ueur: int = 0
    closed: bool = False

    @property
    def unawarded_ueur(self) -> int:
        """The part of the escrow that no award holds. [µEUR]"""
        return amount_due_ueur(self.quantity_wh, self.price_cap_ueur_per_kwh) - self.awarded_ueur


@dataclass(frozen=True, slots=True)
class FlexibilityOffer:
    """An account's offer to a request, and what became of it.

    Parameters
    ----------
    blocks : sequence of Block
        What may be awarded, the cheapest first.
    baseline_wh : int
        Net injection without the activation. [Wh]
    awarded_wh : int
        Energy awarded. [Wh]
    earlier_wh : int
        Energy awarded to the account for this interval by earlier requests. [Wh]
    settled : bool
        Paid, fined and released.
    """

    blocks: Blocks
    baseline_wh: int
    awarded_wh: int = 0
    earlier_wh: int = 0
    settled: bool = False

    @property
    def energy_wh(self) -> int:
        """Most energy that may be awarded. [Wh]"""
        return total_wh(self.blocks)

    @property
    def reserved_ueur(self) -> int:
        """The most the award can cost the DSO. [µEUR]"""
        return earned_ueur(self.blocks, self.awarded_wh)


@dataclass(frozen=True, slots=True)
class FlexibilitySettlement:
    """Outcome of a settled offer.

    Parameters
    ----------
    delivered_wh : int
        Energy that counts as delivered. [Wh]
    paid_ueur : int
        Paid by the DSO. [µEUR]
    penalty_ueur : int
        Owed to the DSO for what was awarded and not delivered. [µEUR]
    """

    delivered_wh: int
    paid_ueur: int
    penalty_ueur: int


@dataclass(frozen=True, slots=True)
class Position:
    """Awards of an account for an interval, over all requests. [Wh]"""

    awarded_wh: int
    is_up: bool
    baseline_wh: int
