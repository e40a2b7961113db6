"""Debts of prosumers to the DSO for flexibility: rows of ``flexibility_debts``."""

from __future__ import annotations

from collections.abc import Mapping

from cosim.messages import Columns


class DeliveryDebts:
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
