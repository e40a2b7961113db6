"""Books of the local market: twin of ``contracts/LocalMarket.vy`` and ``supplier_dues.vy``.

Membership and time are the contract's to check; the twin is told what was accepted, keeps the same
balances, and refuses with the contract's own text what its money and state do not allow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cosim.errors import ContractRevert
from cosim.market.clearing import Clearing, clear
from cosim.market.orders import (
    MAX_ENERGY_WH,
    MAX_ORDERS,
    MAX_PRICE_UEUR_PER_KWH,
    Order,
    Reading,
    Settlement,
)
from cosim.units import amount_due_ueur, amount_earned_ueur


def escrow_ueur(order: Order, retail_price_ueur_per_kwh: int) -> int:
    """Escrow: a buyer's payment; of a seller, the supplier's price above its own. [µEUR]"""
    if not order.is_sell:
        return amount_due_ueur(order.energy_wh, order.price_ueur_per_kwh)
    margin = max(retail_price_ueur_per_kwh - order.price_ueur_per_kwh, 0)
    return amount_due_ueur(order.energy_wh, margin)


def settle_reading(
    order: Order | None,
    filled_wh: int,
    price_ueur_per_kwh: int,
    reading: Reading,
    retail_price_ueur_per_kwh: int,
    feed_in_price_ueur_per_kwh: int,
) -> Settlement:
    """What is due for one account's interval, whether or not anybody can pay it.

    Parameters
    ----------
    order : Order or None
        The account's order of the interval.
    filled_wh : int
        How much of it was filled. [Wh]
    price_ueur_per_kwh, retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh : int
        Of the clearing, and of the supplier. [µEUR/kWh]
    reading : Reading
        Of the account's meter.

    Returns
    -------
    Settlement
    """
    contracted_wh = trade_ueur = 0
    if order is not None and order.is_sell:
        contracted_wh = filled_wh
        trade_ueur = amount_earned_ueur(filled_wh, price_ueur_per_kwh)
    elif order is not None:
        contracted_wh = -filled_wh
        trade_ueur = -amount_due_ueur(filled_wh, price_ueur_per_kwh)
    residual_wh = reading.net_wh - contracted_wh
    if residual_wh < 0:
        supplier_ueur = -amount_due_ueur(-residual_wh, retail_price_ueur_per_kwh)
    else:
        supplier_ueur = amount_earned_ueur(residual_wh, feed_in_price_ueur_per_kwh)
    return Settlement(contracted_wh, reading.net_wh, trade_ueur, supplier_ueur, reading.estimated)


@dataclass
class _Interval:
    orders: list[Order] = field(default_factory=list)
    clearing: Clearing | None = None
    readings: dict[str, Reading] = field(default_factory=dict)
    position_of: dict[str, int] = field(default_factory=dict)


class LocalMarketTwin:
    """State of the local market.

    Parameters
    ----------
    supplier : str
        Account that buys and sells the residual.
    retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh : int
        What it is paid, and what it pays. [µEUR/kWh]
    silent_estimate_wh : int
        Consumption settled for a meter that stays silent. [Wh]
    """

    def __init__(
        self,
        supplier: str,
        retail_price_ueur_per_kwh: int,
        feed_in_price_ueur_per_kwh: int,
        silent_estimate_wh: int,
    ) -> None:
        self.supplier = supplier
        self.retail_price_ueur_per_kwh = retail_price_ueur_per_kwh
        self.feed_in_price_ueur_per_kwh = feed_in_price_ueur_per_kwh
        self.silent_estimate_wh = silent_estimate_wh
        self._free: dict[str, int] = {}
        self._dues: dict[str, int] = {}
        self._intervals: dict[int, _Interval] = {}

    def balance_of(self, account: str) -> int:
        """Free balance. [µEUR]"""
        return self._free.get(account, 0)

    def debt_of(self, account: str) -> int:
        """What the account owes the supplier. [µEUR]"""
        return max(self._dues.get(account, 0), 0)

    def claim_of(self, account: str) -> int:
        """What the supplier owes the account. [µEUR]"""
        return max(-self._dues.get(account, 0), 0)

    @property
    def claims_total_ueur(self) -> int:
        """What the supplier owes to all accounts. [µEUR]"""
        return sum(max(-dues, 0) for dues in self._dues.values())

    def orders(self, interval: int) -> tuple[Order, ...]:
        """Orders of an interval in the order of arrival."""
        return tuple(self._interval(interval).orders)

    def clearing(self, interval: int) -> Clearing | None:
        """Clearing of an interval, if it happened."""
        return self._interval(interval).clearing

    def reading_of(self, interval: int, account: str) -> Reading | None:
        """Reading that the account's interval was settled with, if it was."""
        return self._interval(interval).readings.get(account)

    def locked_of(self, interval: int, account: str) -> int:
        """Escrow of an order, after clearing with its proceeds or less its cost. [µEUR]"""
        state = self._interval(interval)
        position = state.position_of.get(account)
        if position is None or account in state.readings:
            return 0
        return self._released_ueur(state, position)

    def locked_total_ueur(self) -> int:
        """Sum of ``locked_of`` over all orders of all intervals kept. [µEUR]"""
        return sum(
            self._released_ueur(state, position)
            for state in self._intervals.values()
            for position, order in enumerate(state.orders)
            if order.account not in state.readings
        )

    def free_total_ueur(self) -> int:
        """Sum of the free balances. [µEUR]"""
        return sum(self._free.values())

    def deposit(self, account: str, amount_ueur: int) -> None:
        """Credit a deposit; a debt is repaid out of it."""
        self._add(account, amount_ueur)
        self._settle_dues(account, 0)

    def withdraw(self, account: str, amount_ueur: int) -> None:
        """Debit a withdrawal.

        Raises
        ------
        ContractRevert
            If the free balance, for the supplier less what it owes, is below the amount.
        """
        available = self.balance_of(account)
        if account == self.supplier:
            available -= min(available, self.claims_total_ueur)
        self._require(amount_ueur <= available, "balance too low")
        self._add(account, -amount_ueur)

    def collect_claim(self, account: str) -> None:
        """Let the supplier pay what it owes the account, as far as it can.

        Raises
        ------
        ContractRevert
            If it owes nothing.
        """
        self._require(self.claim_of(account) > 0, "no claim")
        self._settle_dues(account, 0)

    def place_order(self, interval: int, order: Order) -> None:
        """Accept an order and lock its escrow.

        Raises
        ------
        ContractRevert
            If a field is out of range, the account has an order already, the book is full, or the
            free balance is too low.
        """
        state = self._interval(interval)
        self._require(0 < order.energy_wh <= MAX_ENERGY_WH, "energy out of range")
        self._require(0 <= order.price_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH, "price out of range")
        self._require(order.account not in state.position_of, "order exists")
        self._require(len(state.orders) < MAX_ORDERS, "book full")
        escrow = escrow_ueur(order, self.retail_price_ueur_per_kwh)
        self._require(self.balance_of(order.account) >= escrow, "balance too low")
        self._add(order.account, -escrow)
        state.position_of[order.account] = len(state.orders)
        state.orders.append(order)

    def clear(self, interval: int) -> Clearing:
        """Clear an interval; the supplier gets the dust.

        Raises
        ------
        ContractRevert
            If it was cleared already.
        """
        state = self._interval(interval)
        self._require(state.clearing is None, "already cleared")
        state.clearing = clear(state.orders)
        self._add(self.supplier, state.clearing.dust_ueur)
        return state.clearing

    def report(self, interval: int, account: str, net_wh: int) -> Settlement:
        """Settle an account's interval by its meter.

        Raises
        ------
        ContractRevert
            If the reading is out of range, the interval not cleared, or settled already.
        """
        self._require(abs(net_wh) <= MAX_ENERGY_WH, "energy out of range")
        return self._settle(interval, account, Reading(net_wh))

    def settle_silent(self, interval: int, account: str) -> Settlement:
        """Settle an account's interval by the agreed estimate.

        Raises
        ------
        ContractRevert
            If the interval is not cleared, or settled already.
        """
        return self._settle(interval, account, Reading(-self.silent_estimate_wh, estimated=True))

    def forget(self, interval: int) -> None:
        """Drop the orders and readings of an interval that is settled.

        Raises
        ------
        ValueError
            If one of its orders is not settled: its escrow would be lost.
        """
        state = self._interval(interval)
        open_accounts = [o.account for o in state.orders if o.account not in state.readings]
        if open_accounts:
            raise ValueError(f"interval {interval} is not settled for {', '.join(open_accounts)}")
        self._intervals.pop(interval, None)

    def _settle(self, interval: int, account: str, reading: Reading) -> Settlement:
        state = self._interval(interval)
        self._require(state.clearing is not None, "not cleared")
        assert state.clearing is not None
        self._require(account not in state.readings, "already reported")
        position = state.position_of.get(account)
        order = None if position is None else state.orders[position]
        filled_wh = 0 if position is None else state.clearing.fills_wh[position]
        settlement = settle_reading(
            order,
            filled_wh,
            state.clearing.price_ueur_per_kwh,
            reading,
            self.retail_price_ueur_per_kwh,
            self.feed_in_price_ueur_per_kwh,
        )
        if position is not None:
            self._add(account, self._released_ueur(state, position))
        state.readings[account] = reading
        self._settle_dues(account, -settlement.supplier_ueur)
        return settlement

    def _settle_dues(self, account: str, added_ueur: int) -> None:
        """Add to what the account owes the supplier; who owes pays what it has."""
        dues = self._dues.get(account, 0) + added_ueur
        if dues > 0:
            paid = min(dues, self.balance_of(account))
        else:
            paid = -min(-dues, self.balance_of(self.supplier))
        self._add(account, -paid)
        self._add(self.supplier, paid)
        self._dues[account] = dues - paid

    def _released_ueur(self, state: _Interval, position: int) -> int:
        order = state.orders[position]
        escrow = escrow_ueur(order, self.retail_price_ueur_per_kwh)
        if state.clearing is None:
            return escrow
        filled_wh, price = state.clearing.fills_wh[position], state.clearing.price_ueur_per_kwh
        if order.is_sell:
            return escrow + amount_earned_ueur(filled_wh, price)
        return escrow - amount_due_ueur(filled_wh, price)

    def _interval(self, interval: int) -> _Interval:
        return self._intervals.setdefault(interval, _Interval())

    def _add(self, account: str, amount_ueur: int) -> None:
        self._free[account] = self.balance_of(account) + amount_ueur

    @staticmethod
    def _require(condition: bool, text: str) -> None:
        if not condition:
            raise ContractRevert(f"local market: {text}")
