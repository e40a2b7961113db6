"""Books of the community storage: model of ``contracts/CommunityStorage.vy``.

Membership and time are the contract's to check; the model is told what was accepted, keeps the same
balances, and refuses with the contract's own text what its money and state do not allow.

The accounting is that of collective self-consumption with virtual allocation (Directive (EU)
2018/2001, articles 21 and 22): the battery stands at a connection point of its own, and what a
member charges or discharges is allocated between its meter and the battery's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH
from cosim.units import amount_due_ueur, amount_earned_ueur

PERMILLE = 1_000
MAX_SHARES = 1_000_000
MAX_AMOUNT_UEUR = 2**96


@dataclass(frozen=True, slots=True)
class StorageTerms:
    """What the contract is deployed with.

    Parameters
    ----------
    owner : str
        Account of the battery.
    total_shares, share_price_ueur : int
        How many shares there are, and what the owner sells one for. [1], [µEUR]
    capacity_wh, power_wh : int
        What the accounts hold together; what is charged, or discharged, in one interval. [Wh]
    charge_permille, discharge_permille : int
        Efficiencies. [‰]
    loss_limit_wh : int
        Most loss of one interval that is billed. [Wh]
    retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh : int
        Of the supplier. [µEUR/kWh]
    """

    owner: str
    total_shares: int
    share_price_ueur: int
    capacity_wh: int
    power_wh: int
    charge_permille: int
    discharge_permille: int
    loss_limit_wh: int
    retail_price_ueur_per_kwh: int
    feed_in_price_ueur_per_kwh: int


@dataclass(frozen=True, slots=True)
class StorageAccount:
    """An account: shares, stored energy [Wh], and the first interval that it may nominate next."""

    shares: int = 0
    energy_wh: int = 0
    next_interval: int = 0


@dataclass(frozen=True, slots=True)
class Nominated:
    """What the nominations of an interval add up to.

    Parameters
    ----------
    charged_wh, discharged_wh : int
        At the connection point. [Wh]
    credited_wh, debited_wh : int
        In the accounts. [Wh]
    """

    charged_wh: int = 0
    discharged_wh: int = 0
    credited_wh: int = 0
    debited_wh: int = 0

    @property
    def stored_wh(self) -> int:
        """Change of all accounts together. [Wh]"""
        return self.credited_wh - self.debited_wh

    def loss_wh(self, net_wh: int) -> int:
        """What the battery drew beyond the nominations, at its net injection. [Wh]"""
        return self.discharged_wh - self.charged_wh - net_wh


def credited_wh(charged_wh: int, charge_permille: int) -> int:
    """What charging adds to an account: rounded down. [Wh]"""
    return charged_wh * charge_permille // PERMILLE


def debited_wh(discharged_wh: int, discharge_permille: int) -> int:
    """What discharging takes from an account: rounded up. [Wh]"""
    return -(-discharged_wh * PERMILLE // discharge_permille)


def allocated_wh(net_wh: int, nominated_wh: int) -> int:
    """What a member's meter reports to the local market.

    Parameters
    ----------
    net_wh : int
        Physical net injection. [Wh]
    nominated_wh : int
        What the member charges (positive) or discharges. [Wh]

    Returns
    -------
    int
        [Wh]
    """
    return net_wh - nominated_wh


class CommunityStorageModel:
    """State of the community storage.

    Parameters
    ----------
    terms : StorageTerms
    """

    def __init__(self, terms: StorageTerms) -> None:
        self.terms = terms
        self._free: dict[str, int] = {}
        self._debts: dict[str, int] = {}
        self._accounts = {terms.owner: StorageAccount(terms.total_shares)}
        self._offers: dict[tuple[str, str], tuple[int, int]] = {}
        self._nominations: dict[int, dict[str, int]] = {}
        self._nominated: dict[int, Nominated] = {}
        self._readings: dict[int, int] = {}
        self._settled: dict[str, tuple[int, int]] = {}
        self._overbilled_ueur = 0
        self._uncredited_ueur = 0
        self.billed_ueur_per_share = 0
        self.credited_ueur_per_share = 0
        self.owner_owes_ueur = 0
        self.set_aside_ueur = 0

    def balance_of(self, account: str) -> int:
        """Free balance. [µEUR]"""
        return self._free.get(account, 0)

    def free_total_ueur(self) -> int:
        """Sum of the free balances. [µEUR]"""
        return sum(self._free.values())

    def debt_of(self, account: str) -> int:
        """What the account owes the owner. [µEUR]"""
        return self._debts.get(account, 0)

    def accrued_of(self, account: str) -> tuple[int, int]:
        """What was billed and credited to the account and is not settled yet. [µEUR]"""
        billed, credited = self._settled.get(account, (0, 0))
        shares = self.account_of(account).shares
        return (
            shares * (self.billed_ueur_per_share - billed),
            shares * (self.credited_ueur_per_share - credited),
        )

    def account_of(self, account: str) -> StorageAccount:
        """Shares and energy of an account."""
        return self._accounts.get(account, StorageAccount())

    def energy_total_wh(self) -> int:
        """Sum of all accounts. [Wh]"""
        return sum(account.energy_wh for account in self._accounts.values())

    def capacity_of(self, shares: int) -> int:
        """Most energy that an account with so many shares can hold. [Wh]"""
        return self.terms.capacity_wh * shares // self.terms.total_shares

    def power_of(self, shares: int) -> int:
        """Most energy that an account with so many shares can nominate. [Wh]"""
        return self.terms.power_wh * shares // self.terms.total_shares

    def offer_of(self, account: str, to: str) -> tuple[int, int]:
        """Shares offered to another account, and the price of all of them. [1], [µEUR]"""
        return self._offers.get((account, to), (0, 0))

    def nomination_of(self, interval: int, account: str) -> int:
        """What the account charges (positive) or discharges. [Wh]"""
        return self._nominations.get(interval, {}).get(account, 0)

    def nominated_of(self, interval: int) -> Nominated:
        """What all accounts nominate."""
        return self._nominated.get(interval, Nominated())

    def reading_of(self, interval: int) -> int | None:
        """Net injection that the battery's meter reported, if it did. [Wh]"""
        return self._readings.get(interval)

    def deposit(self, account: str, amount_ueur: int) -> None:
        """Credit a deposit; a debt is repaid out of it."""
        self._add(account, amount_ueur)
        self._settle(account)

    def withdraw(self, account: str, amount_ueur: int) -> None:
        """Debit a withdrawal, after bills and what the owner owes.

        Raises
        ------
        ContractRevert
            If the free balance is too low.
        """
        with self._all_or_nothing():
            self._settle(account)
            if account == self.terms.owner:
                self._credit_members()
            self._require(amount_ueur <= self.balance_of(account), "balance too low")
            self._add(account, -amount_ueur)

    def buy_shares(self, account: str, shares: int) -> None:
        """Sell shares of the owner at the price set at deployment.

        Raises
        ------
        ContractRevert
            If the owner has not as many, or the account cannot pay.
        """
        price = min(shares, self.terms.total_shares) * self.terms.share_price_ueur
        self._transfer_shares(self.terms.owner, account, shares, price, False)

    def offer_shares(self, account: str, to: str, shares: int, price_ueur: int) -> None:
        """Offer shares to an account, for a price in all. [1], [µEUR]

        Raises
        ------
        ContractRevert
            If a number is out of range.
        """
        self._require(shares <= self.terms.total_shares, "shares out of range")
        self._require(price_ueur < MAX_AMOUNT_UEUR, "price out of range")
        self._offers[account, to] = (shares, price_ueur)

    def accept_shares(
        self, account: str, to: str, shares: int, price_ueur: int, pending: bool = False
    ) -> None:
        """Transfer shares that were offered.

        Parameters
        ----------
        account, to : str
            Who offered, and who accepts.
        shares, price_ueur : int
            What was offered. [1], [µEUR]
        pending : bool
            The gate of an interval that ``account`` nominated is open.

        Raises
        ------
        ContractRevert
            If there is no such offer, or the transfer is refused.
        """
        self._require(
            shares != 0 and self.offer_of(account, to) == (shares, price_ueur), "no such offer"
        )
        self._transfer_shares(account, to, shares, price_ueur, pending)
        self._offers[account, to] = (0, 0)

    def nominate(self, interval: int, account: str, energy_wh: int) -> StorageAccount:
        """Charge (positive) or discharge an account.

        Parameters
        ----------
        interval : int
        account : str
            A member of the local market.
        energy_wh : int
            At the connection point. [Wh]

        Returns
        -------
        StorageAccount
            The account afterwards.

        Raises
        ------
        ContractRevert
            If the account, its shares or earlier nominations do not allow it.
        """
        terms = self.terms
        self._require(account != terms.owner, "owner stores nothing")
        state = self.account_of(account)
        self._require(state.next_interval != interval + 1, "nomination exists")
        self._require(state.next_interval <= interval, "later interval nominated")
        energy = abs(energy_wh)
        self._require(0 < energy <= MAX_ENERGY_WH, "energy out of range")
        self._require(energy <= self.power_of(state.shares), "above share of power")
        nominated = self.nominated_of(interval)
        if energy_wh > 0:
            self._require(self.debt_of(account) == 0, "debt unpaid")
            added = credited_wh(energy, terms.charge_permille)
            stored = state.energy_wh + added
            self._require(stored <= self.capacity_of(state.shares), "above share of capacity")
            nominated = replace(
                nominated,
                charged_wh=nominated.charged_wh + energy,
                credited_wh=nominated.credited_wh + added,
            )
        else:
            taken = debited_wh(energy, terms.discharge_permille)
            stored = state.energy_wh - taken
            self._require(stored >= 0, "account too low")
            nominated = replace(
                nominated,
                discharged_wh=nominated.discharged_wh + energy,
                debited_wh=nominated.debited_wh + taken,
            )
        self._accounts[account] = StorageAccount(state.shares, stored, interval + 1)
        self._nominated[interval] = nominated
        self._nominations.setdefault(interval, {})[account] = energy_wh
        return self._accounts[account]

    def report(self, interval: int, net_wh: int) -> int:
        """Take the battery's reading, bill a loss or let the owner pay its opposite.

        Returns
        -------
        int
            What the battery drew beyond the nominations. [Wh]

        Raises
        ------
        ContractRevert
            If it was reported already, or the reading is out of range.
        """
        self._require(interval not in self._readings, "already reported")
        self._require(abs(net_wh) <= MAX_ENERGY_WH, "energy out of range")
        self._readings[interval] = net_wh
        loss = self.nominated_of(interval).loss_wh(net_wh)
        if loss > 0:
            self._bill_members(min(loss, self.terms.loss_limit_wh))
        else:
            self.owner_owes_ueur += amount_earned_ueur(-loss, self.terms.feed_in_price_ueur_per_kwh)
        self._credit_members()
        return loss

    def settle(self, accounts: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Collect bills and pay credits.

        Parameters
        ----------
        accounts : iterable of str

        Returns
        -------
        dict of str to tuple of int
            What was billed and what was credited, for accounts with either. [µEUR]
        """
        done = {}
        for account in accounts:
            billed, credited = self._settle(account)
            if billed + credited:
                done[account] = (billed, credited)
        return done

    def forget(self, interval: int) -> None:
        """Drop the nominations and the reading of an interval that is over."""
        for kept in (self._nominations, self._nominated, self._readings):
            kept.pop(interval, None)

    def _transfer_shares(
        self, account: str, to: str, shares: int, price_ueur: int, pending: bool
    ) -> None:
        with self._all_or_nothing():
            self._require(account != to, "own shares")
            self._require(0 < shares <= self.terms.total_shares, "shares out of range")
            self._settle(account)
            self._settle(to)
            giver = self.account_of(account)
            left = giver.shares - shares
            self._require(left >= 0, "not enough shares")
            self._require(self.debt_of(account) == 0, "debt unpaid")
            self._require(not pending, "nomination pending")
            self._require(giver.energy_wh <= self.capacity_of(left), "above share of capacity")
            self._require(price_ueur <= self.balance_of(to), "balance too low")
            self._accounts[account] = replace(giver, shares=left)
            taker = self.account_of(to)
            self._accounts[to] = replace(taker, shares=taker.shares + shares)
            self._add(to, -price_ueur)
            self._add(account, price_ueur)

    def _bill_members(self, loss_wh: int) -> None:
        bill = amount_due_ueur(loss_wh, self.terms.retail_price_ueur_per_kwh)
        shares = self.terms.total_shares
        per_share = -(-max(bill - self._overbilled_ueur, 0) // shares)
        self._overbilled_ueur += per_share * shares - bill
        self.billed_ueur_per_share += per_share

    def _credit_members(self) -> None:
        paid = min(self.owner_owes_ueur, self.balance_of(self.terms.owner))
        if paid == 0:
            return
        self._add(self.terms.owner, -paid)
        self.owner_owes_ueur -= paid
        self.set_aside_ueur += paid
        per_share, self._uncredited_ueur = divmod(
            self._uncredited_ueur + paid, self.terms.total_shares
        )
        self.credited_ueur_per_share += per_share

    def _settle(self, account: str) -> tuple[int, int]:
        billed, credited = self.accrued_of(account)
        self._settled[account] = (self.billed_ueur_per_share, self.credited_ueur_per_share)
        self.set_aside_ueur -= credited
        self._add(account, credited)
        if account == self.terms.owner:
            return 0, credited
        debt = self.debt_of(account) + billed
        paid = min(debt, self.balance_of(account))
        self._add(account, -paid)
        self._add(self.terms.owner, paid)
        self._debts[account] = debt - paid
        return billed, credited

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Money and shares are as before when what follows is refused."""
        before = {k: dict(v) if isinstance(v, dict) else v for k, v in vars(self).items()}
        try:
            yield
        except ContractRevert:
            vars(self).update(before)
            raise

    def _add(self, account: str, amount_ueur: int) -> None:
        self._free[account] = self.balance_of(account) + amount_ueur

    @staticmethod
    def _require(condition: bool, text: str) -> None:
        if not condition:
            raise ContractRevert(f"community storage: {text}")
