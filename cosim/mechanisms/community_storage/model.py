"""Model of ``contracts/CommunityStorage.vy``.

Membership and time are the contract's to check; the model is told what was accepted, keeps the same
balances, and refuses with the contract's own text what its money and state do not allow.

The accounting is that of collective self-consumption with virtual allocation (Directive (EU)
2018/2001, articles 21 and 22): the battery stands at a connection point of its own, and what a
member charges or discharges is allocated between its meter and the battery's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cosim.mechanisms.community_storage.accounts import StorageAccount, StorageAccounts
from cosim.mechanisms.community_storage.terms import StorageTerms
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH
from cosim.units import amount_earned_ueur

PERMILLE = 1_000
MAX_AMOUNT_UEUR = 2**96


@dataclass(frozen=True, slots=True)
class Nominated:
    """Sums of an interval's nominations.

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
        """Energy that the battery drew beyond the nominations, at its net injection. [Wh]"""
        return self.discharged_wh - self.charged_wh - net_wh


def credited_wh(charged_wh: int, charge_permille: int) -> int:
    """Energy that charging adds to an account, rounded down. [Wh]"""
    return charged_wh * charge_permille // PERMILLE


def debited_wh(discharged_wh: int, discharge_permille: int) -> int:
    """Energy that discharging takes from an account, rounded up. [Wh]"""
    return -(-discharged_wh * PERMILLE // discharge_permille)


class CommunityStorageModel(StorageAccounts):
    """State of the community storage.

    Parameters
    ----------
    terms : StorageTerms
    """

    def __init__(self, terms: StorageTerms) -> None:
        super().__init__(terms)
        self._offers: dict[tuple[str, str], tuple[int, int]] = {}
        self._nominations: dict[int, dict[str, int]] = {}
        self._nominated: dict[int, Nominated] = {}
        self._readings: dict[int, int] = {}

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
        """Energy that the account charges (positive) or discharges. [Wh]"""
        return self._nominations.get(interval, {}).get(account, 0)

    def nominated_of(self, interval: int) -> Nominated:
        """Sums of all accounts' nominations."""
        return self._nominated.get(interval, Nominated())

    def reading_of(self, interval: int) -> int | None:
        """Net injection that the battery's meter reported, if it did. [Wh]"""
        return self._readings.get(interval)

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
        loss, prices = self.nominated_of(interval).loss_wh(net_wh), self.terms.prices_at(interval)
        if loss > 0:
            billed = min(loss, self.terms.loss_limit_wh)
            self._bill_members(billed, prices.retail_price_ueur_per_kwh)
        else:
            self.owner_owes_ueur += amount_earned_ueur(-loss, prices.feed_in_price_ueur_per_kwh)
        self._credit_members()
        return loss

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
