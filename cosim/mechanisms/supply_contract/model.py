"""Supply contract between a supplier and its customers: model of ``contracts/Supplier.vy``.

The model keeps the same phases, money and prices, and refuses with the contract's own text. It is
told who holds which meter (:meth:`SupplyContractModel.bind`); whether the tokens move is the
token's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

from cosim.mechanisms.accounts import ContractModel
from cosim.mechanisms.supply_contract.terms import (
    MAX_CHANGES,
    MAX_DEPOSIT_UEUR,
    MAX_ENERGY_WH,
    MAX_PERIODS,
    MAX_PERIODS_BEHIND,
    SupplyTerms,
)
from cosim.units import amount_due_ueur

_MASK_24, _MASK_64, _MASK_80 = 2**24 - 1, 2**64 - 1, 2**80 - 1


@dataclass(slots=True)
class Subscription:
    """A customer's contract for one meter; ended when ``next_period`` is ``end_period``.

    Parameters
    ----------
    deposit_ueur, debt_ueur : int
        [µEUR]
    next_period, end_period : int
        First period that is not billed, and the one after the last.
    declared_wh : int or None
        Declared for ``next_period``; None while its meter has not. [Wh]
    """

    deposit_ueur: int = 0
    debt_ueur: int = 0
    next_period: int = 0
    end_period: int = 0
    declared_wh: int | None = None

    @classmethod
    def unpacked(cls, word: int) -> Self:
        """Read the packed word that the contract keeps."""
        declared = word >> 192
        return cls(
            word & _MASK_64,
            (word >> 64) & _MASK_80,
            (word >> 144) & _MASK_24,
            (word >> 168) & _MASK_24,
            declared - 1 if declared else None,
        )


@dataclass(frozen=True, slots=True)
class Bill:
    """Bill of one period, and what the deposit paid of it; the rest is a debt. Wh and µEUR."""

    period: int
    customer: str
    meter: str
    energy_wh: int
    estimated: bool
    bill_ueur: int
    paid_ueur: int


@dataclass
class SupplyContractModel(ContractModel):
    """State of a supply contract.

    Parameters
    ----------
    terms : SupplyTerms
        What it was deployed with.
    """

    subject: ClassVar[str] = "supplier"

    terms: SupplyTerms
    proceeds_ueur: int = 0
    takings_ueur: int = 0
    open_period: int = 0
    _prices: list[tuple[int, int]] = field(default_factory=list)
    _customer_of: dict[str, str] = field(default_factory=dict)
    _holder_of: dict[str, str] = field(default_factory=dict)
    _subscriptions: dict[tuple[str, str], Subscription] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._prices = [(0, self.terms.price_ueur_per_kwh)]

    # --- views ---

    def subscription_of(self, customer: str, meter: str) -> Subscription:
        """A subscription; an empty one if there is none."""
        return self._subscriptions.get((customer, meter), Subscription())

    def price_of(self, period: int) -> int:
        """Price of a period, by what is set so far; 0 once it has lapsed. [µEUR/kWh]"""
        latest = reversed(self._prices[-MAX_CHANGES:])
        return next((price for since, price in latest if period >= since), 0)

    def held_ueur(self) -> int:
        """All the money that the contract holds. [µEUR]"""
        deposits = sum(one.deposit_ueur for one in self._subscriptions.values())
        return deposits + self.proceeds_ueur + self.takings_ueur

    # --- transactions ---

    def bind(self, meter: str, customer: str | None) -> None:
        """Bind a meter to a customer from now on; None: it is not registered."""
        if customer is None:
            self._customer_of.pop(meter, None)
        else:
            self._customer_of[meter] = customer

    def subscribe(
        self, block: int, customer: str, meter: str, n_periods: int, deposit_ueur: int
    ) -> None:
        """Subscribe from the next period on; ``n_periods`` 0 is rolling.

        What another customer of the meter has not ended yet ends then.

        Raises
        ------
        ContractRevert
            As every method here, if the contract would refuse.
        """
        terms = self.terms
        self._require(terms.begun(terms.opens_at(0), block) > 0, "not open yet")
        self._require(self._customer_of.get(meter) == customer, "not your meter")
        before = self.subscription_of(customer, meter)
        self._require(before.next_period == before.end_period, "meter in use")
        period = terms.begun(terms.starts_at(0), block)
        end = min(period + n_periods, MAX_PERIODS) if n_periods else MAX_PERIODS
        after = Subscription(before.deposit_ueur, before.debt_ueur, period, end)
        self._add(after, deposit_ueur, terms.least_deposit_ueur)
        self._subscriptions[customer, meter] = after
        holder = self._holder_of.get(meter)
        if holder is not None and holder != customer:
            other = self._subscriptions[holder, meter]
            other.end_period = min(other.end_period, period)
        self._holder_of[meter] = customer

    def top_up(self, customer: str, meter: str, amount_ueur: int) -> None:
        """Add to a deposit; a debt is repaid first."""
        subscription = self.subscription_of(customer, meter)
        self._add(subscription, amount_ueur, 0)
        self._subscriptions[customer, meter] = subscription

    def unsubscribe(
        self,
        block: int,
        customer: str,
        meter: str,
        by: str | None = None,
        *,
        supplier: bool = False,
    ) -> None:
        """End a subscription with the present period; before its first one, at once.

        Parameters
        ----------
        block : int
        customer, meter : str
        by : str, optional
            Sender; default: the customer.
        supplier : bool
            True if the sender is the supplier, who ends with the last period whose price is fixed,
            and only while the debt is above the credit limit.
        """
        terms, subscription = self.terms, self.subscription_of(customer, meter)
        moment = terms.starts_at(0)
        if supplier or (by is not None and by != customer):
            may = supplier and subscription.debt_ueur > terms.credit_limit_ueur
            self._require(may, "not yours to end")
            moment = terms.opens_at(0)
        end = terms.begun(moment, block)
        self._require(end < subscription.end_period, "nothing to end")
        subscription.end_period = end

    def withdraw(self, customer: str, meter: str) -> int:
        """Take out what the last bill left of a deposit. [µEUR]"""
        subscription = self.subscription_of(customer, meter)
        self._require(subscription.next_period == subscription.end_period, "bills to come")
        amount, subscription.deposit_ueur = subscription.deposit_ueur, 0
        return amount

    def declare(self, block: int, meter: str, period: int, energy_wh: int) -> tuple[Bill, ...]:
        """Declare the consumption of a period.

        Returns
        -------
        tuple of Bill
            Of earlier periods that nobody paid for.

        Raises
        ------
        ContractRevert
            If it is not the declaration phase, the energy is out of range, the meter serves no
            subscription in the period, or has declared.
        """
        terms = self.terms
        in_phase = (
            terms.begun(terms.payment_at(0), block)
            <= period
            < terms.begun(terms.declaration_at(0), block)
        )
        self._require(in_phase, "not declaration phase")
        self._require(0 <= energy_wh <= MAX_ENERGY_WH, "energy out of range")
        customer = self._customer_of.get(meter, "")
        subscription = self.subscription_of(customer, meter)
        subscribed = (
            self._holder_of.get(meter) == customer
            and subscription.next_period <= period < subscription.end_period
            and period - subscription.next_period <= MAX_PERIODS_BEHIND
        )
        self._require(subscribed, "not subscribed")
        repeated = period == subscription.next_period and subscription.declared_wh is not None
        self._require(not repeated, "already declared")
        behind = period - subscription.next_period
        bills = tuple(self._bill(customer, meter, subscription) for _ in range(behind))
        subscription.declared_wh = energy_wh
        return bills

    def pay(self, block: int, sender: str, period: int, customer: str, meter: str) -> Bill:
        """Pay the bill of a period out of the deposit.

        Raises
        ------
        ContractRevert
            If the payment phase has not begun, somebody else pays before it is over, or no such
            bill is due.
        """
        terms = self.terms
        self._require(period < terms.begun(terms.payment_at(0), block), "not payment phase")
        over = period < terms.begun(terms.over_at(0), block)
        self._require(sender == customer or over, "not your bill yet")
        subscription = self.subscription_of(customer, meter)
        due = subscription.next_period == period < subscription.end_period
        self._require(due, "no bill due")
        return self._bill(customer, meter, subscription)

    def finalize(self, block: int, period: int) -> int:
        """Credit the supplier with what was paid for a period, and earlier ones. [µEUR]

        Raises
        ------
        ContractRevert
            If the payment phase is not over, or the period is final.
        """
        terms = self.terms
        over = period < terms.begun(terms.over_at(0), block)
        self._require(over, "payments not over")
        self._require(period >= self.open_period, "already final")
        return self._close(period + 1)

    def set_price(self, block: int, sender_is_supplier: bool, period: int, price: int) -> None:
        """Set the price from a period on.

        Raises
        ------
        ContractRevert
            If the sender is not the supplier, the price above the cap, or fixed.
        """
        terms = self.terms
        self._require(sender_is_supplier, "not the supplier")
        self._require(price <= terms.price_cap_ueur_per_kwh, "price above the cap")
        since = self._prices[-1][0]
        first = max(terms.begun(terms.opens_at(0), block), since)
        self._require(first <= period < MAX_PERIODS, "price is fixed")
        if period == since:
            self._prices.pop()
        self._prices.append((period, price))

    def withdraw_proceeds(self) -> int:
        """Take out what the supplier was credited. [µEUR]"""
        amount, self.proceeds_ueur = self.proceeds_ueur, 0
        return amount

    # --- internal ---

    def _bill(self, customer: str, meter: str, subscription: Subscription) -> Bill:
        period, declared_wh = subscription.next_period, subscription.declared_wh
        energy_wh = self.terms.silent_estimate_wh if declared_wh is None else declared_wh
        bill_ueur = amount_due_ueur(energy_wh, self.price_of(period))
        paid_ueur = min(bill_ueur, subscription.deposit_ueur)
        if period > self.open_period:
            self._close(period)
        if period == self.open_period:
            self.takings_ueur += paid_ueur
        else:
            self.proceeds_ueur += paid_ueur
        subscription.deposit_ueur -= paid_ueur
        subscription.debt_ueur += bill_ueur - paid_ueur
        subscription.next_period = period + 1
        subscription.declared_wh = None
        return Bill(period, customer, meter, energy_wh, declared_wh is None, bill_ueur, paid_ueur)

    def _close(self, open_period: int) -> int:
        takings_ueur, self.takings_ueur = self.takings_ueur, 0
        self.proceeds_ueur += takings_ueur
        self.open_period = open_period
        return takings_ueur

    def _add(self, subscription: Subscription, amount_ueur: int, least_ueur: int) -> None:
        total_ueur = subscription.deposit_ueur + amount_ueur
        repaid_ueur = min(subscription.debt_ueur, total_ueur)
        deposit_ueur = total_ueur - repaid_ueur
        in_range = least_ueur <= deposit_ueur <= MAX_DEPOSIT_UEUR
        self._require(in_range and amount_ueur <= MAX_DEPOSIT_UEUR, "deposit out of range")
        subscription.deposit_ueur = deposit_ueur
        subscription.debt_ueur -= repaid_ueur
        self.proceeds_ueur += repaid_ueur
