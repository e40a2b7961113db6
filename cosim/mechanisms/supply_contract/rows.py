"""Rows of the table ``supply``: one consumer's billing period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cosim.mechanisms.supply_contract.model import Bill
from cosim.messages import Columns
from cosim.units import fee_ueur

COLUMNS = (
    "interval",
    "period",
    "prosumer",
    "metered_wh",
    "declared_wh",
    "estimated",
    "billed_wh",
    "price_ueur_per_kwh",
    "bill_ueur",
    "paid_ueur",
    "topped_up_ueur",
    "refund_ueur",
    "deposit_ueur",
    "debt_ueur",
    "fees_ueur",
)


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
        """The period as a row, in the order of :data:`COLUMNS`; its bill is paid."""
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


def columns(rows: Sequence[tuple[Any, ...]]) -> Columns:
    """Rows as columns."""
    return dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
