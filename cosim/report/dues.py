"""Debts that are left at the end of a run: who owes whom, and what it makes of each role.

A payment of the money by role counts from the moment at which it is owed. What of it was not paid
is here: every debt has a debtor and a creditor, so that what roles are owed less what they owe adds
up to zero. The creditor carries the credit: nobody else is paid later because of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cosim.report.panel import TableFigure, TextTable, Tile
from cosim.report.roles import DSO, OTHERS, ROLES, STATE, SUPPLIER, roles_of_points
from cosim.report.subjects import subjects
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.units import eur_from_ueur

__all__ = ["DSO", "SUPPLIER", "debt_tile", "debts_left", "debts_left_ueur", "dues_by_role_eur"]

_NAMED = {"supplier": SUPPLIER, "DSO": DSO, "state": STATE}


def debts_left(results: Results, table: str, creditor: str) -> pd.DataFrame:
    """Return what is left of the debts in a mechanism's table, at the end of a run.

    Parameters
    ----------
    results : Results
    table : str
        With ``prosumer`` and ``debt_ueur``, a row where a debt changed.
    creditor : str
        Role, or connection point, that is owed.

    Returns
    -------
    pandas.DataFrame
        As :meth:`cosim.plugins.reported.Reported.dues` says.
    """
    rows = results.frame(table)
    last = rows.groupby(rows["prosumer"].astype(str))["debt_ueur"].last()
    last = last[last > 0]
    return pd.DataFrame(
        {"debtor": last.index.to_list(), "creditor": creditor, "owed_ueur": last.to_list()}
    )


def debts_left_ueur(results: Results, table: str) -> int:
    """Return the sum of the debts that are left in a mechanism's table. [µEUR]"""
    return int(debts_left(results, table, "")["owed_ueur"].sum())


def debt_tile(title: str, owed_eur: float) -> tuple[Tile, ...]:
    """Return a tile of debts at the end of a run; none where there are none."""
    if not owed_eur:
        return ()
    return (Tile(title, "at the end of the run", number(owed_eur, "EUR", 2), tone="violated"),)


def _owed_by_role(results: Results) -> dict[str, list[int]]:
    """Return what each role owes and is owed. [µEUR]"""
    found = {role: [0, 0] for role in ROLES}
    parts = [part for each in subjects(results) if (part := each.dues(results)) is not None]
    rows = [row for part in parts for row in part[["debtor", "creditor", "owed_ueur"]].itertuples()]
    group = roles_of_points(results) if rows else {}
    for _, debtor, creditor, owed_ueur in rows:
        for place, name in enumerate((str(debtor), str(creditor))):
            found[group.get(name, _NAMED.get(name, OTHERS))][place] += int(owed_ueur)
    return found


def dues_by_role_eur(results: Results) -> dict[str, float]:
    """Return what each role is owed less what it owes at the end of a run: adds up to 0. [EUR]"""
    return {
        role: float(eur_from_ueur(is_owed - owes))
        for role, (owes, is_owed) in _owed_by_role(results).items()
    }


def dues_figures(results: Results) -> Sequence[TableFigure]:
    """Return a table of who owes and who is owed, by role; none where all is paid."""
    owed = {role: both for role, both in _owed_by_role(results).items() if any(both)}
    if not owed:
        return ()
    sums = [sum(both[place] for both in owed.values()) for place in (0, 1)]
    rows = [
        (title, *(number(float(eur_from_ueur(x)), "", 2) for x in (-owes, is_owed, is_owed - owes)))
        for title, (owes, is_owed) in (
            *((ROLES[role], both) for role, both in owed.items()),
            ("Together", sums),
        )
    ]
    return (
        TableFigure(
            "dues-table",
            "Debts by role, at the end of the run",
            (
                "Of the money by role, what is not paid yet, in EUR. Who is owed carries the "
                "credit; everybody else has been paid.",
            ),
            (TextTable("", ("Role", "Owes", "Is owed", "Sum"), rows),),
        ),
    )
