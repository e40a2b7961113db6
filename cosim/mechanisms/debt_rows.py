"""Rows of a mechanism's debts: what prosumers owe beyond what they could pay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cosim.results.columns import PROSUMER, Table, interval, ueur

if TYPE_CHECKING:
    from cosim.messages import Columns


def debts_table(name: str, title: str, owed: str) -> Table:
    """Return the declaration of a mechanism's table of debts.

    Parameters
    ----------
    name : str
        Of the table.
    title : str
        Of a row.
    owed : str
        To whom a debt is owed, and for what.
    """
    return Table(name, title, (interval(), PROSUMER, ueur("debt_ueur", owed)))


class DebtRows:
    """Debts of a run, interval by interval."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}

    def rows(self, interval: int, debts_ueur: Mapping[str, int]) -> Columns:
        """Return the prosumers whose debts changed since the last call.

        Parameters
        ----------
        interval : int
            That was settled.
        debts_ueur : mapping of str to int
            After it. [µEUR]
        """
        changed = [name for name, debt in debts_ueur.items() if debt != self._before.get(name, 0)]
        self._before = dict(debts_ueur)
        return {
            "interval": interval,
            "prosumer": changed,
            "debt_ueur": [debts_ueur[name] for name in changed],
        }
