"""Client of ``GreenCertificates.vy``: certificates of origin by the hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cosim.chain.functions import Transaction, View
from cosim.mechanisms.escrow_client import EscrowClient
from cosim.mechanisms.green_certificates.model import HourTotals


@dataclass(frozen=True, slots=True)
class ConsumptionState:
    """Consumption of an account in an hour, what certificates were retired for, and the rest."""

    consumed_wh: int
    retired_wh: int
    residual_wh: int


class GreenCertificates(EscrowClient):
    """The certificates. Energy in Wh, money in µEUR, prices in µEUR/kWh, accounts as 20 bytes.

    An hour is Unix time / 3600.
    """

    contract: ClassVar[str] = "GreenCertificates"

    # gas limits: what the methods use at most (docs/contracts/green-certificates.md), and space
    deposit = Transaction(110_000)
    withdraw = Transaction(100_000)
    record = Transaction(130_000)
    """Record an interval's produced_wh and consumed_wh, once. Sent by the meter."""
    transfer = Transaction(80_000)
    """Give certificates of an hour to an account."""
    offer = Transaction(110_000)
    """Offer certificates for sale: hour, energy_wh, price_ueur_per_kwh."""
    buy = Transaction(110_000)
    """Buy some or all of an offer, by its number."""
    cancel_offer = Transaction(70_000)
    """Take back what of an offer is not sold. Seller only."""
    retire = Transaction(80_000)
    """Use certificates of an hour up against own consumption in it."""

    held_of = View(int)
    """Certificates of an hour that an account holds. [Wh]"""
    consumption_of = View(ConsumptionState)
    """Consumption in an hour of an account, and how much of it is covered."""
    totals_of = View(HourTotals)
    """Issued, consumed and retired in an hour over all accounts."""
