"""Rows of the tables that belong to no single mechanism: settlement, and the ledger's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cosim.chain.records import LedgerRecords
from cosim.mechanisms.play import Statement
from cosim.messages import Columns
from cosim.units import BoolArray, fee_ueur

PRICES = (
    "retail_price_ueur_per_kwh",
    "feed_in_price_ueur_per_kwh",
    "network_ueur_per_kwh",
    "taxes_ueur_per_kwh",
)
"""Columns of ``settlement`` with the supplier's prices, where they have parts or change."""

Names = np.ndarray[Any, Any]


def settlement_columns(
    interval: int,
    names: Names,
    members: BoolArray,
    statement: Statement,
    eur_per_eth: float,
    areas: Names | None = None,
) -> Columns:
    """Return the rows of ``settlement``: one account per member of the local market.

    With the area of each one's market, (n,), where there are several.
    """
    rows = {
        "prosumer": names,
        "contracted_wh": statement.contracted_wh,
        "metered_wh": statement.metered_wh,
        "residual_wh": statement.metered_wh - statement.contracted_wh,
        "traded_ueur": statement.traded_ueur,
        "supplier_ueur": statement.supplier_ueur,
        "flexibility_ueur": statement.flexibility_ueur,
        "fees_ueur": np.array([fee_ueur(fee, eur_per_eth) for fee in statement.fees_wei], np.int64),
        "estimated": statement.estimated,
    }
    if (charges := statement.charges) is not None:
        rows |= {
            name: np.full(len(names), getattr(charges.tariff, name), dtype=np.int64)
            for name in PRICES
        }
        rows |= {
            "local_charge_ueur": charges.local_ueur,
            "network_ueur": charges.network_ueur,
            "taxes_ueur": charges.taxes_ueur,
        }
    if areas is not None:
        rows["area"] = areas
    return {"interval": interval} | {key: column[members] for key, column in rows.items()}


def joined_rows(parts: Mapping[str, Mapping[str, Columns]]) -> dict[str, Columns]:
    """Return rows of several local markets as one table each, with their area.

    Parameters
    ----------
    parts : mapping of str to mapping of str to columns
        By area: rows by table. A value that stands for every row is the same in all.
    """
    found: dict[str, Columns] = {}
    for name in dict.fromkeys(name for tables in parts.values() for name in tables):
        own = {area: tables[name] for area, tables in parts.items() if name in tables}
        columns: dict[str, Any] = {}
        n_rows: dict[str, int] = {}
        for column in next(iter(own.values())):
            values: list[Any] = [rows[column] for rows in own.values()]
            if isinstance(values[0], np.ndarray):
                columns[column] = np.concatenate(values)
            elif isinstance(values[0], list):
                columns[column] = [value for each in values for value in each]
            else:
                columns[column] = values[0]
                continue
            n_rows = {area: len(each) for area, each in zip(own, values, strict=True)}
        columns["area"] = [area for area, n in n_rows.items() for _ in range(n)]
        found[name] = columns
    return found


def ledger_tables(records: LedgerRecords) -> dict[str, Columns]:
    """Return the rows of ``transactions``, ``blocks``, ``events`` and ``reorganisations``."""
    transactions = dict(records.transactions)
    del transactions["fee_wei"]
    return {
        "transactions": transactions,
        "blocks": dict(records.blocks),
        "events": dict(records.events),
        "reorganisations": dict(records.reorganisations),
    }
