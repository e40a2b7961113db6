"""Debts of accounts and of the supplier in a report: by role at the end, and over time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cosim.report.chart_style import AFTER, BEFORE, Chart, TimeAxis, filled, styled
from cosim.report.roles import OTHERS, SUPPLIER, WITH_PV, WITHOUT_PV, roles_of_points
from cosim.results.reader import Results
from cosim.units import UEUR_PER_EUR, FloatArray, eur_from_ueur


def debts_eur(results: Results) -> dict[str, float]:
    """Return debts at the end of a run by the role of who owes. [EUR]"""
    rows = results.frame("debts")
    found = dict.fromkeys((WITH_PV, WITHOUT_PV, SUPPLIER), 0)
    group = {} if rows.empty else roles_of_points(results)
    last = rows.groupby("account", observed=True)[["debt_ueur", "claim_ueur"]].last()
    for name, debt, claim in last.itertuples():
        role = group.get(str(name), OTHERS)
        if debt:
            found[role] = found.get(role, 0) + int(debt)
        found[SUPPLIER] += int(claim)
    return {role: float(eur_from_ueur(ueur)) for role, ueur in found.items()}


def dues_left(results: Results) -> pd.DataFrame:
    """Return what members owe the supplier, and it them, at the end of a run.

    Returns
    -------
    pandas.DataFrame
        As :meth:`cosim.plugins.reported.Reported.dues` says.
    """
    rows = results.frame("debts")
    last = rows.groupby(rows["account"].astype(str))[["debt_ueur", "claim_ueur"]].last()
    owing, owed = last[last["debt_ueur"] > 0], last[last["claim_ueur"] > 0]
    return pd.DataFrame(
        {
            "debtor": [*owing.index, *[SUPPLIER] * len(owed)],
            "creditor": [*[SUPPLIER] * len(owing), *owed.index],
            "owed_ueur": [*owing["debt_ueur"], *owed["claim_ueur"]],
        }
    )


def debts_peak_eur(results: Results) -> float:
    """Return the highest sum of what members owe the supplier after a settlement. [EUR]"""
    rows = results.frame("debts")
    if rows.empty:
        return 0.0
    return float(_sums_eur(rows, "debt_ueur", results.n_intervals).max())


def debts_chart(results: Results) -> Chart:
    """Draw debts to the supplier, and of the supplier, after each interval."""
    chart = Chart(
        "debts",
        "Debts of the local market",
        "Sums over all accounts after the settlement of each interval: what members could not pay "
        "the supplier, and what it could not pay them.",
        None,
        "Every account paid what it owed, and so did the supplier.",
        wide=True,
    )
    rows = results.frame("debts")
    if rows.empty:
        return chart
    axis, figure = TimeAxis(results), go.Figure()
    for column, name, colour in (
        ("debt_ueur", "owed to the supplier [EUR]", BEFORE),
        ("claim_ueur", "owed by the supplier [EUR]", AFTER),
    ):
        figure.add_trace(axis.line(_sums_eur(rows, column, results.n_intervals), name, colour))
    return filled(chart, styled(figure, ["debts [EUR]"]))


def _sums_eur(rows: pd.DataFrame, column: str, n_intervals: int) -> FloatArray:
    """Return the sum over accounts after each interval, (n_intervals,). [EUR]"""
    by_account = rows.pivot(index="interval", columns="account", values=column)
    states = by_account.reindex(range(n_intervals)).ffill().fillna(0)
    return states.sum(axis=1).to_numpy(dtype=np.float64) / UEUR_PER_EUR
