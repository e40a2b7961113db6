"""Gas of a run's transactions by what they call."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cosim.report.indicator import ratio
from cosim.results.reader import Results

GAS_COLUMNS = ("interval", "to", "contract", "method", "gas_used", "status")
"""Columns of ``transactions`` that :func:`gas_by_method` needs."""


def gas_indicators(results: Results, prosumers: int) -> dict[str, Any]:
    """Return gas before the first interval, since, per prosumer, and by method."""
    rows = results.frame("transactions", GAS_COLUMNS)
    running = int(rows.loc[rows["interval"] >= 0, "gas_used"].sum())
    return {
        "setup_gas": int(rows.loc[rows["interval"] < 0, "gas_used"].sum()),
        "running_gas": running,
        "gas_per_prosumer_and_interval": ratio(running, prosumers * results.n_intervals),
        "gas_by_method": {
            str(name): {
                "transactions": int(row.transactions),
                "reverted": int(row.reverted),
                "gas": int(row.gas),
                "mean_gas": float(row.gas / row.transactions),
            }
            for name, row in gas_by_method(rows).iterrows()
        },
    }


def gas_by_method(transactions: pd.DataFrame) -> pd.DataFrame:
    """Return gas of transactions by what they call.

    Parameters
    ----------
    transactions : pandas.DataFrame
        With the columns of :data:`GAS_COLUMNS`.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``contract.method``, the most expensive first, with ``transactions``,
        ``reverted``, ``gas`` and ``setup``: whether all of them precede the first interval.
    """
    contract = transactions["contract"].astype(object).fillna("(unknown)")
    method = transactions["method"].astype(object)
    method = method.fillna(transactions["to"].isna().map({True: "(create)", False: "(unknown)"}))
    rows = pd.DataFrame(
        {
            "call": contract + "." + method,
            "gas": transactions["gas_used"],
            "reverted": transactions["status"] == 0,
            "setup": transactions["interval"] < 0,
        }
    )
    grouped = rows.groupby("call").agg(
        transactions=("gas", "size"),
        reverted=("reverted", "sum"),
        gas=("gas", "sum"),
        setup=("setup", "all"),
    )
    return grouped.sort_values("gas", ascending=False, kind="stable")
