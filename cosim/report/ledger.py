"""What the ledger let through, how fast, how full its blocks were, and what it cost.

Times are read from the recorded chain, whatever its blocks' times are. A transaction is final when
``ledger.confirmations`` blocks lie on top of its own; where the chain ends before that, it is not
known to be final.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cosim.chain.finality import reversal_probability
from cosim.results.reader import Results
from cosim.units import WEI_PER_ETH, WH_PER_KWH, FloatArray, IntArray, eur_from_ueur

ATTACKER_SHARES_PERCENT = (10, 20, 30)
"""Shares of the hash power for which a run says how probable a reversal is."""

SETTLING_METHODS = {
    "LocalMarket": ("report", "settleSilent", "claimFill"),
    "FlexibilityMarket": ("settle", "closeRequest"),
}
"""Transactions after which an interval's money is where it belongs."""

_TRANSACTIONS = (
    "block",
    "interval",
    "contract",
    "method",
    "status",
    "gas_used",
    "max_fee_wei",
    "tip_wei",
)
"""Columns of the table, the same for everything here, so that it is read once."""


@dataclass(frozen=True)
class OrderTimes:
    """How long orders took.

    Parameters
    ----------
    n_orders : int
        All that were sent, missed ones among them.
    inclusion_s : (n_included,) float
        From sending to the block that includes it, in the order of the table. [s]
    confirmation_s : (n_confirmed,) float
        From sending to the last confirmation, of those that have it on record. [s]
    """

    n_orders: int
    inclusion_s: FloatArray
    confirmation_s: FloatArray


@dataclass(frozen=True)
class Finality:
    """When each interval's settlement became final.

    Parameters
    ----------
    interval : (n,) int64
        Intervals with a settling transaction.
    after_s : (n,) float
        From the end of delivery to the last confirmation of the last settling transaction; to the
        last recorded block where the chain ends before. [s]
    is_final : (n,) bool
        Whether the chain goes on long enough.
    """

    interval: IntArray
    after_s: FloatArray
    is_final: npt.NDArray[np.bool_]


def ledger_indicators(results: Results) -> dict[str, Any]:
    """Latency of orders, missed ones, use of blocks, fees and finality.

    Returns
    -------
    dict
        The fields of :class:`cosim.report.indicators.Indicators` of these names.
    """
    times, ledger = order_times(results), results.scenario_fields["ledger"]
    orders = results.frame("orders", ("interval", "energy_wh", "status"))
    missed = orders.loc[orders["status"] == "late", "energy_wh"]
    is_work = ledger.get("consensus") == "proof_of_work"
    return {
        "order_latency_s": _distribution(times.inclusion_s),
        "order_confirmation_s": _distribution(times.confirmation_s)
        if confirmations(results)
        else None,
        "orders_missed": len(missed),
        "orders_missed_share": len(missed) / len(orders) if len(orders) else None,
        "orders_missed_kwh": float(missed.sum()) / WH_PER_KWH,
        **_block_usage(results),
        **_fees(results),
        **_settlement(results),
        "reversal_probability": {
            f"share_{percent}_percent": reversal_probability(percent / 100, confirmations(results))
            for percent in ATTACKER_SHARES_PERCENT
        }
        if is_work
        else None,
    }


def confirmations(results: Results) -> int:
    """How many blocks users of the run wait for."""
    return int(results.scenario_fields["ledger"].get("confirmations") or 0)


def order_times(results: Results) -> OrderTimes:
    """How long the orders of a run took to be included and confirmed.

    An order that the contract refused is included all the same.
    """
    orders = results.frame("orders", ("interval", "sent_at_s", "block"))
    chain = _Blocks(results)
    sent_s = orders["sent_at_s"].to_numpy(dtype=np.float64)
    block = orders["block"].to_numpy(dtype=np.float64, na_value=np.nan)
    inclusion_s, confirmation_s = (
        chain.timestamp_s(block + depth) - sent_s for depth in (0, confirmations(results))
    )
    return OrderTimes(
        len(orders),
        inclusion_s[~np.isnan(inclusion_s)],
        confirmation_s[~np.isnan(confirmation_s)],
    )


def settlement_finality(results: Results) -> Finality:
    """When the settlement of each interval became final."""
    rows = results.frame("transactions", _TRANSACTIONS)
    settles = pd.Series(False, index=rows.index)
    for contract, methods in SETTLING_METHODS.items():
        settles |= (rows["contract"] == contract) & rows["method"].isin(methods)
    rows = rows[settles & (rows["interval"] >= 0) & (rows["status"] == 1)]
    last = rows.groupby("interval")["block"].max()
    interval = last.index.to_numpy(dtype=np.int64)
    chain = _Blocks(results)
    final_s = chain.timestamp_s(last.to_numpy(dtype=np.float64) + confirmations(results))
    is_final = ~np.isnan(final_s)
    final_s[~is_final] = chain.end_s
    end_s = start_s(results) + (interval + 1) * results.step_s
    return Finality(interval, np.asarray(final_s - end_s, dtype=np.float64), is_final)


def start_s(results: Results) -> float:
    """Start of the first delivery interval on the ledger's clock, Unix time. [s]"""
    start = pd.Timestamp(results.scenario_fields["time"]["start"])
    return float(start.timestamp())  # without a zone it is UTC, as on the ledger


def order_window_s(results: Results) -> tuple[float, float]:
    """When the order window of the first interval opens and closes, Unix time. [s]"""
    market = results.scenario_fields["market"]
    first = start_s(results)
    return first - market["order_lead_s"], first - market["gate_closure_s"]


def fees_eur(results: Results) -> pd.Series:
    """Fees of all transactions by interval, whoever paid them; 0 where there are none. [EUR]

    Every transaction pays its gas at base fee and effective tip (EIP-1559). The set-up is left out.
    """
    rows = results.frame("transactions", _TRANSACTIONS)
    rows = rows[rows["interval"] >= 0]
    blocks = results.frame("blocks", ("block", "base_fee_wei")).set_index("block")["base_fee_wei"]
    base_wei = blocks.reindex(rows["block"]).fillna(0).to_numpy(dtype=np.int64)
    tip_wei = np.minimum(rows["tip_wei"], rows["max_fee_wei"] - base_wei)
    # whole wei of a long run do not fit into 64 bits, those of one transaction into a float
    paid = rows["gas_used"].to_numpy(dtype=np.float64) * (base_wei + tip_wei.to_numpy())
    price = float(results.scenario_fields["ledger"]["eur_per_eth"])
    by_interval = pd.Series(paid).groupby(rows["interval"].to_numpy()).sum()
    return by_interval.reindex(range(results.n_intervals), fill_value=0.0) / WEI_PER_ETH * price


class _Blocks:
    """Timestamps of blocks by number."""

    def __init__(self, results: Results) -> None:
        blocks = results.frame("blocks", ("block", "timestamp_s")).sort_values("block")
        self._number = blocks["block"].to_numpy(dtype=np.float64)
        self._timestamp_s = blocks["timestamp_s"].to_numpy(dtype=np.float64)

    @property
    def end_s(self) -> float:
        """Timestamp of the last recorded block; NaN where there is none. [s]"""
        return float(self._timestamp_s[-1]) if len(self._timestamp_s) else np.nan

    def timestamp_s(self, number: FloatArray) -> FloatArray:
        """Timestamps of blocks; NaN for a missing number and for blocks not on record. [s]"""
        found = np.full(len(number), np.nan)
        if len(self._number):
            place = np.minimum(np.searchsorted(self._number, number), len(self._number) - 1)
            is_known = self._number[place] == number
            found[is_known] = self._timestamp_s[place[is_known]]
        return found


def _distribution(values_s: FloatArray) -> dict[str, float] | None:
    if not len(values_s):
        return None
    return {
        "mean": float(values_s.mean()),
        "median": float(np.median(values_s)),
        "p95": float(np.percentile(values_s, 95)),
        "max": float(values_s.max()),
    }


def _block_usage(results: Results) -> dict[str, float | None]:
    """Gas of gas limit, from the first order window to the last transaction that counts."""
    sent = results.frame("transactions", _TRANSACTIONS)
    last = sent.loc[sent["interval"] >= 0, "block"].max()
    blocks = results.frame("blocks", ("block", "timestamp_s", "gas_used", "gas_limit"))
    opens_s, closes_s = order_window_s(results)
    blocks = blocks[(blocks["timestamp_s"] > opens_s) & (blocks["block"] <= last)]
    if blocks.empty:
        return dict.fromkeys(
            ("block_usage_mean", "block_usage_max", "order_window_block_usage_mean")
        )
    usage = (blocks["gas_used"] / blocks["gas_limit"]).to_numpy()
    since_s = (blocks["timestamp_s"].to_numpy() - opens_s) % results.step_s
    # a block at the opening holds nothing that was sent since, one at the closure does
    inside = (since_s > 0) & (since_s <= closes_s - opens_s)
    return {
        "block_usage_mean": float(usage.mean()),
        "block_usage_max": float(usage.max()),
        "order_window_block_usage_mean": float(usage[inside].mean()) if inside.any() else None,
    }


def _fees(results: Results) -> dict[str, float | None]:
    paid_ueur = int(results.frame("settlement", ("interval", "fees_ueur"))["fees_ueur"].sum())
    traded_wh = int(results.frame("trades", ("interval", "energy_wh"))["energy_wh"].sum())
    return {
        "prosumer_fees_eur": eur_from_ueur(paid_ueur),
        "ledger_fees_eur": float(fees_eur(results).sum()),
        "fee_eur_per_kwh_traded": eur_from_ueur(paid_ueur) / (traded_wh / WH_PER_KWH)
        if traded_wh
        else None,
    }


def _settlement(results: Results) -> dict[str, Any]:
    found = settlement_finality(results)
    is_late = ~found.is_final | (found.after_s > results.step_s)
    n = len(found.interval)
    return {
        "settlement_finality_s": {
            "mean": float(found.after_s.mean()),
            "max": float(found.after_s.max()),
        }
        if n
        else None,
        "intervals_not_final": int(is_late.sum()),
    }
