"""Bases of contract models: refusals with the contract's own text, free balances, dues.

Models of ``escrow_accounts.vy``, ``supplier_dues.vy`` and ``credit_lines.vy`` in
``contracts/shared``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from cosim.errors import ContractRevert


class ContractModel:
    """Exact Python model of a contract. Membership and time are the contract's to check."""

    subject: ClassVar[str]
    """First words of the contract's refusals."""

    @classmethod
    def _require(cls, condition: bool, text: str) -> None:
        """Refuse with the contract's text."""
        if not condition:
            raise ContractRevert(f"{cls.subject}: {text}")


class EscrowAccounts(ContractModel):
    """Free balances."""

    def __init__(self) -> None:
        self._free: dict[str, int] = {}

    def balance_of(self, account: str) -> int:
        """Free balance. [µEUR]"""
        return self._free.get(account, 0)

    def free_total_ueur(self) -> int:
        """Sum of the free balances. [µEUR]"""
        return sum(self._free.values())

    def deposit(self, account: str, amount_ueur: int) -> None:
        """Credit a deposit."""
        self._add(account, amount_ueur)

    def withdraw(self, account: str, amount_ueur: int) -> None:
        """Debit a withdrawal.

        Raises
        ------
        ContractRevert
            If the free balance is too low.
        """
        self._take(account, amount_ueur)

    def _add(self, account: str, amount_ueur: int) -> None:
        self._free[account] = self.balance_of(account) + amount_ueur

    def _take(self, account: str, amount_ueur: int) -> None:
        self._require(amount_ueur <= self.balance_of(account), "balance too low")
        self._add(account, -amount_ueur)


class SupplierAccounts(EscrowAccounts):
    """Free balances, and one signed due per account with the supplier.

    A withdrawal of the supplier is of what it owes nobody.

    Parameters
    ----------
    supplier : str
        Account that owes and is owed.
    """

    def __init__(self, supplier: str) -> None:
        super().__init__()
        self.supplier = supplier
        self._dues: dict[str, int] = {}

    def debt_of(self, account: str) -> int:
        """Debt of the account to the supplier. [µEUR]"""
        return max(self._dues.get(account, 0), 0)

    def claim_of(self, account: str) -> int:
        """Debt of the supplier to the account. [µEUR]"""
        return max(-self._dues.get(account, 0), 0)

    @property
    def dues(self) -> Mapping[str, int]:
        """Dues to the supplier by account; negative: the supplier owes them. [µEUR]"""
        return self._dues

    @property
    def claims_total_ueur(self) -> int:
        """Debt of the supplier to all accounts. [µEUR]"""
        return sum(max(-dues, 0) for dues in self._dues.values())

    def deposit(self, account: str, amount_ueur: int) -> None:
        """Credit a deposit; a debt is repaid out of it."""
        self._receive(account, amount_ueur)

    def collect_claim(self, account: str) -> None:
        """Let the supplier pay what it owes the account, as far as it can.

        Raises
        ------
        ContractRevert
            If it owes nothing.
        """
        self._require(self.claim_of(account) > 0, "no claim")
        self._settle_dues(account, 0)

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

    def _receive(self, account: str, amount_ueur: int) -> None:
        """Credit what an account gets back; a debt is repaid out of it."""
        self._add(account, amount_ueur)
        self._settle_dues(account, 0)

    def _take(self, account: str, amount_ueur: int) -> None:
        """Take from a free balance; the supplier's is what it owes nobody."""
        self._require(amount_ueur <= self._available(account), "balance too low")
        self._add(account, -amount_ueur)

    def _available(self, account: str) -> int:
        """Free balance that an account may take out or lock; the supplier leaves what it owes."""
        free = self.balance_of(account)
        return free - min(free, self.claims_total_ueur) if account == self.supplier else free


MAX_CREDIT_UEUR = 2**104 - 1
"""Highest limit that fits the contract's word; a higher one is this one. [µEUR]"""


class CreditAccounts(SupplierAccounts):
    """Free balances and dues, and what the supplier lends to who promises more than it has.

    What is lent leaves the supplier's free balance at once and is a due of who borrowed it.

    Parameters
    ----------
    supplier : str
        Account that lends, owes and is owed.

    Attributes
    ----------
    now_s : int
        Time on the ledger, to be set by whoever grants credit that holds later. [s]
    """

    def __init__(self, supplier: str) -> None:
        super().__init__(supplier)
        self.now_s = 0
        self._credit_limits: dict[str, int] = {}
        self._raises: dict[str, tuple[int, int]] = {}

    def credit_limit_of(self, account: str) -> int:
        """Debt up to which the supplier lends to the account now. [µEUR]"""
        limit_ueur, from_s = self._raises.get(account, (0, self.now_s))
        if self.now_s > from_s:
            return limit_ueur
        return self._credit_limits.get(account, 0)

    def grant_credit(self, account: str, limit_ueur: int, from_s: int = 0) -> None:
        """Agree to a debt up to which the supplier lends; what is lent already stays lent.

        Parameters
        ----------
        account : str
        limit_ueur : int
            Replaces earlier limits, and raises that do not hold yet. [µEUR]
        from_s : int
            Time after which a raise holds; a cut does at once. [s]
        """
        before, limit_ueur = self.credit_limit_of(account), min(limit_ueur, MAX_CREDIT_UEUR)
        self._raises.pop(account, None)
        self._credit_limits[account] = limit_ueur
        if limit_ueur > before and from_s > self.now_s:
            self._credit_limits[account] = before
            self._raises[account] = (limit_ueur, from_s)

    def _take_on_credit(self, account: str, amount_ueur: int) -> None:
        """Take from a free balance, which the supplier fills up to what is taken.

        Raises
        ------
        ContractRevert
            If the account has no credit line, its debt is or would be above the limit, or the
            supplier's own balance is too low.
        """
        lent = self._lent_for(account, amount_ueur)
        if lent:
            self._add(self.supplier, -lent)
            self._add(account, lent)
            self._dues[account] = self._dues.get(account, 0) + lent
        self._add(account, -amount_ueur)

    def _lent_for(self, account: str, amount_ueur: int) -> int:
        """Return what the supplier lends for a promise; refuse as if it were made. [µEUR]"""
        available, limit = self._available(account), self.credit_limit_of(account)
        lent = max(amount_ueur - available, 0)
        if lent:
            self._require(limit > 0, "balance too low")
            after = self._dues.get(account, 0) + lent
            self._require(after <= limit, "credit limit reached")
            self._require(lent <= self._available(self.supplier), "supplier cannot lend")
        elif available == 0:  # who owes too much trades no more
            self._require(self.debt_of(account) <= limit, "credit limit reached")
        return lent
