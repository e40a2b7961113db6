"""Rows of the table ``supply``: one consumer's billing period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cosim.mechanisms.supply_contract.model import Bill
from cosim.units import fee_ueur


@dataclass
class PeriodAccount:
    """A consumer's period between its end and its finalisation.

    Parameters
    ----------
    drawn_wh : int
        What its meter counted. [Wh]
    bill : Bill or None
        Once it is paid.
    topped_up_ueur, refund_ueur : int
        Paid in, and withdrawn, after the bill. [µEUR]
    deposit_ueur, debt_ueur : int
        After all that. [µEUR]
    fee_wei : int
        Transaction fees since the period before. [wei]
    """

    drawn_wh: int
    bill: Bill | None = None
    topped_up_ueur: int = 0
    refund_ueur: int = 0
    deposit_ueur: int = 0
    debt_ueur: int = 0
    fee_wei: int = 0

    def row(
        self, interval: int, prosumer: str, price_ueur_per_kwh: int, eur_per_eth: float
    ) -> tuple[Any, ...]:
        """Return the period as a row in the order of the columns; its bill is paid."""
        bill = self.bill
        assert bill is not None
        return (
            interval,
            bill.period,
            prosumer,
            self.drawn_wh,
            None if bill.estimated else bill.energy_wh,
            bill.estimated,
            bill.energy_wh,
            price_ueur_per_kwh,
            bill.bill_ueur,
            bill.paid_ueur,
            self.topped_up_ueur,
            self.refund_ueur,
            self.deposit_ueur,
            self.debt_ueur,
            fee_ueur(self.fee_wei, eur_per_eth),
        )
