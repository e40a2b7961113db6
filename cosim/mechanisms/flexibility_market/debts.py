"""Debts of prosumers to the DSO for flexibility: model of ``delivery_debts.vy``."""

from __future__ import annotations

from collections.abc import Mapping

from cosim.mechanisms.accounts import EscrowAccounts


class DeliveryAccounts(EscrowAccounts):
    """Free balances, and what accounts owe the DSO beyond them.

    Parameters
    ----------
    dso : str
        Account that is owed.
    """

    def __init__(self, dso: str) -> None:
        super().__init__()
        self.dso = dso
        self._debts: dict[str, int] = {}

    @property
    def debts(self) -> Mapping[str, int]:
        """Debts to the DSO by account. [µEUR]"""
        return self._debts

    def deposit(self, account: str, amount_ueur: int) -> None:
        """Credit a deposit; a debt is repaid out of it."""
        self._add(account, amount_ueur)
        self._charge(account, 0)

    def _charge(self, account: str, added_ueur: int) -> None:
        """Add to what an account owes the DSO; it pays what it has."""
        owed = self._debts.get(account, 0) + added_ueur
        if owed:
            paid = min(owed, self.balance_of(account))
            self._add(account, -paid)
            self._add(self.dso, paid)
            self._debts[account] = owed - paid
