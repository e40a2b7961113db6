"""Client of ``Supplier.vy``: the electricity supply contract between a supplier and customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cosim.chain.client import ContractClient
from cosim.chain.functions import Transaction, View
from cosim.mechanisms.supply_contract.model import Subscription


@dataclass(frozen=True, slots=True)
class SupplierAccounts:
    """Proceeds that the supplier can withdraw, takings of the open period, and its number."""

    proceeds_ueur: int
    takings_ueur: int
    open_period: int


class Supplier(ContractClient):
    """The supply contract. Energy in Wh, money in µEUR, prices in µEUR/kWh, 20-byte accounts.

    Who deploys it becomes the supplier.
    """

    contract: ClassVar[str] = "Supplier"

    # gas limits: what the methods use at most (docs/contracts/supplier.md), and space
    subscribe_user = Transaction(170_000)
    """Subscribe a meter for periods from the next one on, 0 is rolling, with a deposit."""
    top_up = Transaction(110_000)
    """Add approved tokens to the deposit of a meter; a debt is repaid first."""
    unsubscribe_user = Transaction(60_000)
    """End a customer's subscription with a meter: the customer with the present period, and before
    the first one at once; the supplier while the debt is above the credit limit, with notice."""
    withdraw = Transaction(110_000)
    """Take out what the last bill left of a meter's deposit."""
    payment_period = Transaction(80_000)
    """Pay the bill of a period out of the deposit: period, customer, meter."""
    finalize = Transaction(60_000)
    """Credit the supplier with what was paid for a period."""
    set_price = Transaction(80_000)
    """Set the price from a period on. Supplier only."""
    withdraw_proceeds = Transaction(110_000)
    """Send the supplier what it was credited."""

    subscription_of = View(Subscription.unpacked)
    """Subscription of a customer with a meter."""
    accounts_of = View(SupplierAccounts)
    """The supplier's side of the contract."""

    def declare_period(
        self,
        meter: bytes,
        period: int,
        energy_wh: int,
        sent_at_s: float | None = None,
        *,
        periods_behind: int = 0,
        interval: int = -1,
    ) -> int:
        """Declare the consumption of a period. Sent by the meter.

        ``periods_behind`` earlier periods, which nobody paid for, need gas of their own.
        """
        return self.send(
            meter,
            "declarePeriod",
            period,
            energy_wh,
            gas=70_000 + 30_000 * periods_behind,
            sent_at_s=sent_at_s,
            interval=interval,
        )
