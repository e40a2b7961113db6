"""Debts between accounts of the local market and the supplier: rows of ``debts``.

What an account cannot pay at once stays its debt, and what the supplier cannot pay the account's
claim (``contracts/shared/supplier_dues.vy``); one number by account, so that both cancel.
"""

from __future__ import annotations

from collections.abc import Mapping

from cosim.messages import Columns


class Debts:
    """Debts and claims of a run, interval by interval."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}

    def rows(self, interval: int, dues_ueur: Mapping[str, int]) -> Columns:
        """Return the rows of ``debts``: accounts whose dues changed since the last call.

        Parameters
        ----------
        interval : int
            That was settled.
        dues_ueur : mapping of str to int
            What accounts owe the supplier; negative: it owes them. [µEUR]
        """
        changed = [name for name, dues in dues_ueur.items() if dues != self._before.get(name, 0)]
        self._before = dict(dues_ueur)
        return {
            "interval": interval,
            "account": changed,
            "debt_ueur": [max(dues_ueur[name], 0) for name in changed],
            "claim_ueur": [max(-dues_ueur[name], 0) for name in changed],
        }
