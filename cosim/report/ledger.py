"""Gas, use of blocks, fees and finality on the ledger of a run.

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
from cosim.report.indicator import ratio
from cosim.report.subjects import subjects
from cosim.results.reader import Results
from cosim.units import WEI_PER_ETH, FloatArray, IntArray, eur_from_ueur

ATTACKER_SHARES_PERCENT = (10, 20, 30)
"""Shares of the hash power for which a run says how probable a reversal is."""

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


GAS_COLUMNS = ("interval", "to", "contract", "method", "gas_used", "status")
"""Columns of ``transactions`` that :func:`gas_by_method` needs."""


@dataclass(frozen=True)
class Finality:
    """Time at which each interval's settlement became final.

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
    """Return use of blocks, fees, finality and the risk of a reversal, by name."""
    paid_ueur = int(results.frame("settlement")["fees_ueur"].sum())
    return {
        **_block_usage(results),
        "prosumer_fees_eur": eur_from_ueur(paid_ueur),
        "ledger_fees_eur": float(fees_eur(results).sum()),
        **_finality(results),
        "reversal_probability": _reversal_probabilities(results),
    }


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


def confirmations(results: Results) -> int:
    """Return how many blocks users of the run wait for."""
    return int(results.scenario_fields["ledger"].get("confirmations") or 0)


def settlement_finality(results: Results) -> Finality:
    """Return when the settlement of each interval became final."""
    rows = results.frame("transactions", _TRANSACTIONS)
    rows = rows[(rows["interval"] >= 0) & (rows["status"] == 1)]
    settles = pd.Series(False, index=rows.index)
    for subject in subjects(results):
        for name in subject.settling_methods:
            contract, method = name.split(".")
            settles |= (rows["contract"] == contract) & (rows["method"] == method)
    rows = rows[settles]
    last = rows.groupby("interval")["block"].max()
    interval = last.index.to_numpy(dtype=np.int64)
    chain = BlockTimes(results)
    final_s = chain.timestamp_s(last.to_numpy(dtype=np.float64) + confirmations(results))
    is_final = ~np.isnan(final_s)
    final_s[~is_final] = chain.end_s
    end_s = start_s(results) + (interval + 1) * results.step_s
    return Finality(interval, np.asarray(final_s - end_s, dtype=np.float64), is_final)


def start_s(results: Results) -> float:
    """Return the start of the first delivery interval on the ledger's clock, Unix time. [s]"""
    start = pd.Timestamp(results.scenario_fields["time"]["start"])
    return float(start.timestamp())  # without a zone it is UTC, as on the ledger


def order_window_s(results: Results) -> tuple[float, float]:
    """Return when the order window of the first interval opens and closes, Unix time. [s]"""
    market = results.scenario_fields["market"]
    first = start_s(results)
    return first - market["order_lead_s"], first - market["gate_closure_s"]


def fees_eur(results: Results) -> pd.Series:
    """Return fees of all transactions by interval, whoever paid them; 0 where there are none. [EUR]

    Every transaction pays its gas at base fee and effective tip (EIP-1559); the set-up is left out.
    """
    rows = results.frame("transactions", _TRANSACTIONS)
    rows = rows[rows["interval"] >= 0]
    # whole wei of a long run do not fit into 64 bits, those of one transaction into a float
    paid = rows["gas_used"].to_numpy(dtype=np.float64) * gas_price_wei(results, rows)
    price = float(results.scenario_fields["ledger"]["eur_per_eth"])
    by_interval = pd.Series(paid).groupby(rows["interval"].to_numpy()).sum()
    return by_interval.reindex(range(results.n_intervals), fill_value=0.0) / WEI_PER_ETH * price


def gas_price_wei(results: Results, transactions: pd.DataFrame) -> IntArray:
    """Return what each transaction paid per gas: base fee and tip, at most its maximum. [wei]

    Parameters
    ----------
    results : Results
    transactions : pandas.DataFrame
        With ``block``, ``max_fee_wei`` and ``tip_wei``.
    """
    blocks = results.frame("blocks").set_index("block")["base_fee_wei"]
    base_wei = blocks.reindex(transactions["block"]).fillna(0).to_numpy(dtype=np.int64)
    price_wei = np.minimum(base_wei + transactions["tip_wei"], transactions["max_fee_wei"])
    return np.asarray(price_wei, dtype=np.int64)


class BlockTimes:
    """Timestamps of blocks by number."""

    def __init__(self, results: Results) -> None:
        blocks = results.frame("blocks").sort_values("block")
        self._number = blocks["block"].to_numpy(dtype=np.float64)
        self._timestamp_s = blocks["timestamp_s"].to_numpy(dtype=np.float64)

    @property
    def end_s(self) -> float:
        """Timestamp of the last recorded block; NaN where there is none. [s]"""
        return float(self._timestamp_s[-1]) if len(self._timestamp_s) else np.nan

    def timestamp_s(self, number: FloatArray) -> FloatArray:
        """Return timestamps of blocks; NaN for a missing number and what is not on record. [s]"""
        found = np.full(len(number), np.nan)
        if len(self._number):
            place = np.minimum(np.searchsorted(self._number, number), len(self._number) - 1)
            is_known = self._number[place] == number
            found[is_known] = self._timestamp_s[place[is_known]]
        return found


def distribution(values_s: FloatArray) -> dict[str, float] | None:
    """Return mean, median, 95th percentile and largest of some times; None of none. [s]"""
    if not len(values_s):
        return None
    return {
        "mean": float(values_s.mean()),
        "median": float(np.median(values_s)),
        "p95": float(np.percentile(values_s, 95)),
        "max": float(values_s.max()),
    }


def _block_usage(results: Results) -> dict[str, Any]:
    """Return gas of gas limit, from the first order window to the last transaction that counts."""
    sent = results.frame("transactions", _TRANSACTIONS)
    last = sent.loc[sent["interval"] >= 0, "block"].max()
    blocks = results.frame("blocks")
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


def _finality(results: Results) -> dict[str, Any]:
    """Return the time until settlements are final, and how many are not final in time."""
    found = settlement_finality(results)
    is_late = ~found.is_final | (found.after_s > results.step_s)
    times_s = distribution(found.after_s)
    return {
        "settlement_finality_s": times_s and {key: times_s[key] for key in ("mean", "max")},
        "intervals_not_final": int(is_late.sum()),
    }


def _reversal_probabilities(results: Results) -> dict[str, float] | None:
    """Return the probability of a reversal by the attacker's share; None but under proof of work.

    Of a transaction that has its confirmations, as
    :func:`cosim.chain.finality.reversal_probability` defines it. [-]
    """
    if results.scenario_fields["ledger"].get("consensus") != "proof_of_work":
        return None
    return {
        f"share_{percent}_percent": reversal_probability(percent / 100, confirmations(results))
        for percent in ATTACKER_SHARES_PERCENT
    }
