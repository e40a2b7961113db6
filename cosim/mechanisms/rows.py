"""Rows of the tables that belong to no single mechanism: settlement, and the ledger's own."""

from __future__ import annotations

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
    interval: int, names: Names, members: BoolArray, statement: Statement, eur_per_eth: float
) -> Columns:
    """Return the rows of ``settlement``: one account per member of the local market."""
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
    return {"interval": interval} | {key: column[members] for key, column in rows.items()}


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
