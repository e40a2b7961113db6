"""Orders of the local market, open or sealed, interval by interval."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cosim.errors import ContractRevert
from cosim.mechanisms.accounts import CreditAccounts
from cosim.mechanisms.local_market.clearing import Clearing
from cosim.mechanisms.local_market.committed import CommittedClearing
from cosim.mechanisms.local_market.orders import (
    MAX_ENERGY_WH,
    MAX_ORDERS,
    MAX_PRICE_UEUR_PER_KWH,
    Order,
    Reading,
)
from cosim.mechanisms.local_market.pricing import taker_price_ueur_per_kwh
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.units import amount_due_ueur

_SEALED = 1 << 255  # marks a slot that holds a commitment, and takes its highest bit


def escrow_ueur(order: Order, retail_price_ueur_per_kwh: int) -> int:
    """Escrow: a buyer's payment; of a seller, the supplier's price above its own. [µEUR]"""
    if not order.is_sell:
        return amount_due_ueur(order.energy_wh, order.price_ueur_per_kwh)
    margin = max(retail_price_ueur_per_kwh - order.price_ueur_per_kwh, 0)
    return amount_due_ueur(order.energy_wh, margin)


@dataclass
class Interval:
    """State of one delivery interval; lists go by arrival index.

    Parameters
    ----------
    accounts : list of str
        Who placed, or sealed, an order.
    book : list of Order or None
        None while it is sealed.
    commitments : list of int
        Of sealed orders, with the highest bit set; 0 of open ones.
    index_of : dict of str to int
        Arrival index of an account's order.
    clearing : Clearing or None
        By the contract itself.
    committed : CommittedClearing or None
        By a committer, until it is overturned.
    readings : dict of str to Reading
        Of the accounts that reported, or were estimated.
    settled : set of str
        Accounts that are settled: all with a reading, but for those whose committed fill is not
        claimed yet.
    """

    accounts: list[str] = field(default_factory=list)
    book: list[Order | None] = field(default_factory=list)
    commitments: list[int] = field(default_factory=list)
    index_of: dict[str, int] = field(default_factory=dict)
    clearing: Clearing | None = None
    committed: CommittedClearing | None = None
    readings: dict[str, Reading] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    def order_of(self, account: str) -> Order | None:
        """Order of an account, if it has one that is open or revealed."""
        index = self.index_of.get(account)
        return None if index is None else self.book[index]

    def is_open(self, account: str) -> bool:
        """Tell if the account has an order, sealed or not, that is not settled."""
        return account in self.index_of and account not in self.settled

    def is_unclaimed(self, account: str) -> bool:
        """Tell if the account has a fill of a committed clearing that nobody claimed."""
        if self.committed is None or self.order_of(account) is None:
            return False
        return self.index_of[account] not in self.committed.filled_wh

    def add(self, account: str, order: Order | None, commitment: int) -> None:
        """Append an order, or a commitment to one."""
        self.index_of[account] = len(self.book)
        self.accounts.append(account)
        self.book.append(order)
        self.commitments.append(commitment)


class IntervalOrders(CreditAccounts):
    """Orders of every interval, with their escrow and deposits.

    Parameters
    ----------
    supplier : str
        Account that buys and sells the residual.
    terms : MarketTerms
        Of the deployment; orders are sealed if they have time to be revealed.
    """

    subject: ClassVar[str] = "local market"

    def __init__(self, supplier: str, terms: MarketTerms) -> None:
        super().__init__(supplier)
        self.terms = terms
        self.is_sealed = terms.reveal_s > 0
        self._intervals: dict[int, Interval] = {}
        self._kept_at: dict[tuple[int, str], int] = {}

    def orders(self, interval: int) -> tuple[Order, ...]:
        """Open and revealed orders of an interval in the order of arrival."""
        return tuple(order for order in self._interval(interval).book if order is not None)

    def book(self, interval: int) -> tuple[Order | None, ...]:
        """Orders of an interval by arrival index; None where an order is sealed."""
        return tuple(self._interval(interval).book)

    def arrival_index(self, interval: int, account: str) -> int:
        """Place of an account's order in the order of arrival."""
        return self._interval(interval).index_of[account]

    def slot_in_use(self, interval: int, account: str) -> bool:
        """Tell if another interval a ring apart needs the account's slot.

        That is a later one, or an earlier one whose order is not settled.
        """
        kept = self._kept_at.get(self._slot(interval, account), interval)
        earlier = self._intervals.get(kept)
        is_open = earlier is not None and earlier.is_open(account)
        return kept > interval or (kept < interval and is_open)

    def clear_book(self, interval: int) -> Clearing:
        """Compute the clearing of the interval's order book, without doing it."""
        return self.terms.clear(self._interval(interval).book, interval)

    def place_order(self, interval: int, order: Order) -> None:
        """Accept an open order and lock its escrow.

        Raises
        ------
        ContractRevert
            If orders are sealed, a field is out of range, the price is not what the rule asks of
            price takers, another interval needs the account's slot, it has an order already, the
            book is full, or the free balance is too low, beyond what the supplier lends.
        """
        self._require(not self.is_sealed, "orders are sealed")
        self._check_fields(order)
        state = self._interval(interval)
        self._check_room(interval, order.account)
        escrow = escrow_ueur(order, self.terms.retail_price_ueur_per_kwh)
        self._take_on_credit(order.account, escrow)
        state.add(order.account, order, 0)
        self._keep(interval, order.account)

    def commit_order(self, interval: int, account: str, commitment: bytes) -> None:
        """Accept a commitment to an order, in its place in the order of arrival, and a deposit.

        Parameters
        ----------
        interval : int
        account : str
        commitment : bytes
            Hash of interval, account, order and salt, 32 bytes.

        Raises
        ------
        ContractRevert
            If orders are open, another interval needs the account's slot, it has an order
            already, the book is full, or the free balance is too low, beyond what the supplier
            lends.
        """
        self._require(self.is_sealed, "orders are open")
        self._lent_for(account, self.terms.sealed_deposit_ueur)
        state = self._interval(interval)
        self._check_room(interval, account)
        self._take_on_credit(account, self.terms.sealed_deposit_ueur)
        state.add(account, None, _sealed(commitment))
        self._keep(interval, account)

    def reveal_order(self, interval: int, order: Order, commitment: bytes) -> None:
        """Open a sealed order: the deposit comes back, the escrow is locked.

        Parameters
        ----------
        interval : int
        order : Order
        commitment : bytes
            Hash of what is revealed, 32 bytes.

        Raises
        ------
        ContractRevert
            If there is no sealed order of the account, it was revealed, it is not what was sealed,
            or it would not have been accepted as an open order.
        """
        state = self._interval(interval)
        index = state.index_of.get(order.account, -1)
        self._require(self.is_sealed and index >= 0, "no sealed order")
        self._require(state.book[index] is None, "already revealed")
        self._require(state.commitments[index] == _sealed(commitment), "not what was sealed")
        self._check_fields(order)
        escrow = escrow_ueur(order, self.terms.retail_price_ueur_per_kwh)
        self._add(order.account, self.terms.sealed_deposit_ueur)
        try:
            self._take_on_credit(order.account, escrow)
        except ContractRevert:
            self._add(order.account, -self.terms.sealed_deposit_ueur)
            raise
        self._settle_dues(order.account, 0)
        state.book[index] = order

    def _check_fields(self, order: Order) -> None:
        self._require(0 < order.energy_wh <= MAX_ENERGY_WH, "energy out of range")
        self._require(0 <= order.price_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH, "price out of range")
        if self.terms.rule.sets_price:
            price = taker_price_ueur_per_kwh(order.is_sell, self.terms.retail_price_ueur_per_kwh)
            self._require(order.price_ueur_per_kwh == price, "price is set by the rule")

    def _check_room(self, interval: int, account: str) -> None:
        state = self._interval(interval)
        self._check_slot(interval, account)
        self._require(account not in state.index_of, "order exists")
        self._require(len(state.book) < MAX_ORDERS, "book full")

    def _check_slot(self, interval: int, account: str) -> None:
        self._require(not self.slot_in_use(interval, account), "slot is in use")

    def _keep(self, interval: int, account: str) -> None:
        """Use an account's slot for an interval from now on."""
        if self.terms.ring:
            self._kept_at[self._slot(interval, account)] = interval

    def _slot(self, interval: int, account: str) -> tuple[int, str]:
        return interval % self.terms.ring if self.terms.ring else interval, account

    def _interval(self, interval: int) -> Interval:
        state = self._intervals.get(interval)
        if state is None:
            state = self._intervals[interval] = Interval()
        return state


def _sealed(commitment: bytes) -> int:
    return int.from_bytes(commitment, "big") | _SEALED
