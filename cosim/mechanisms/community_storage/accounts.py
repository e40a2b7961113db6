"""Accounts of the community storage: shares, bills of losses and credits, settled by share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from cosim.errors import ContractRevert
from cosim.mechanisms.accounts import EscrowAccounts
from cosim.mechanisms.community_storage.terms import StorageTerms
from cosim.units import amount_due_ueur


@dataclass(frozen=True, slots=True)
class StorageAccount:
    """An account: shares, stored energy [Wh], and the first interval that it may nominate next."""

    shares: int = 0
    energy_wh: int = 0
    next_interval: int = 0


class StorageAccounts(EscrowAccounts):
    """Free balances, debts to the owner, and what every share was billed and credited.

    Parameters
    ----------
    terms : StorageTerms
    """

    subject: ClassVar[str] = "community storage"

    def __init__(self, terms: StorageTerms) -> None:
        super().__init__()
        self.terms = terms
        self._debts: dict[str, int] = {}
        self._accounts = {terms.owner: StorageAccount(terms.total_shares)}
        self._settled: dict[str, tuple[int, int]] = {}
        self._overbilled_ueur = 0
        self._uncredited_ueur = 0
        self.billed_ueur_per_share = 0
        self.credited_ueur_per_share = 0
        self.owner_owes_ueur = 0
        self.set_aside_ueur = 0

    def debt_of(self, account: str) -> int:
        """Debt of the account to the owner. [µEUR]"""
        return self._debts.get(account, 0)

    def debts_of(self, accounts: Iterable[str]) -> dict[str, int]:
        """Debts of accounts to the owner, and its own to the members under its name. [µEUR]"""
        debts = {account: self.debt_of(account) for account in accounts}
        return debts | {self.terms.owner: self.owner_owes_ueur}

    def accrued_of(self, account: str) -> tuple[int, int]:
        """Bills and credits of the account that are not settled yet. [µEUR]"""
        billed, credited = self._settled.get(account, (0, 0))
        shares = self.account_of(account).shares
        return (
            shares * (self.billed_ueur_per_share - billed),
            shares * (self.credited_ueur_per_share - credited),
        )

    def account_of(self, account: str) -> StorageAccount:
        """Shares and energy of an account."""
        return self._accounts.get(account, StorageAccount())

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
            self._take(account, amount_ueur)

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

    def _bill_members(self, loss_wh: int, price_ueur_per_kwh: int) -> None:
        bill = amount_due_ueur(loss_wh, price_ueur_per_kwh)
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
