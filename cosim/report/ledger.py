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
from cosim.report.stretches import (
    added,
    by_interval_of_all,
    columns_of,
    of_each,
    rows_of_all,
)
from cosim.report.subjects import subjects
from cosim.results.reader import Results
from cosim.units import WEI_PER_ETH, FloatArray, IntArray, eur_from_ueur

ATTACKER_SHARES_PERCENT = (10, 20, 30)
"""Shares of the hash power for which a run says how probable a reversal is."""

SENT_COLUMNS = (
    "block",
    "interval",
    "contract",
    "method",
    "status",
    "gas_used",
    "max_fee_wei",
    "tip_wei",
    "to",
    "revert_reason",
)
"""Columns of ``transactions``, the same for everything that reads it by stretches."""

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
    return {
        **_block_usage(results),
        "prosumer_fees_eur": eur_from_ueur(settled_fees_ueur(results)),
        "ledger_fees_eur": float(fees_eur(results).sum()),
        **_finality(results),
        "reversal_probability": _reversal_probabilities(results),
    }


def settled_fees_ueur(results: Results) -> int:
    """Return the fees that prosumers paid over the run. [µEUR]"""
    return results.kept("settled fees", lambda: added(results, fees_of_settlement))


def fees_of_settlement(part: Results) -> int:
    """Return the fees that prosumers paid in a stretch. [µEUR]"""
    return int(part.frame("settlement", ("fees_ueur",))["fees_ueur"].sum())


def gas_sums(part: Results) -> IntArray:
    """Return gas of a stretch before the first interval, and since, (2,). [-]"""
    rows = part.frame("transactions", SENT_COLUMNS)
    is_setup = rows["interval"] < 0
    own = [rows.loc[chosen, "gas_used"].sum() for chosen in (is_setup, ~is_setup)]
    return np.array(own, dtype=np.int64)


def gas_indicators(results: Results, prosumers: int) -> dict[str, Any]:
    """Return gas before the first interval, since, per prosumer, and by method."""
    setup, running = added(results, gas_sums).tolist()
    return {
        "setup_gas": setup,
        "running_gas": running,
        "gas_per_prosumer_and_interval": ratio(running, prosumers * results.n_intervals),
        "gas_by_method": {
            str(name): {
                "transactions": int(row.transactions),
                "reverted": int(row.reverted),
                "gas": int(row.gas),
                "mean_gas": float(row.gas / row.transactions),
            }
            for name, row in gas_of_run(results).iterrows()
        },
    }


def gas_of_run(results: Results) -> pd.DataFrame:
    """Return the gas of all transactions, as :func:`gas_by_method` does."""
    return results.kept("gas by method", lambda: _gas_of_run(results))


def gas_of_stretch(part: Results) -> pd.DataFrame:
    """Return the gas of a stretch's transactions, as :func:`gas_by_method` does."""
    return gas_by_method(part.frame("transactions", SENT_COLUMNS))


def _gas_of_run(results: Results) -> pd.DataFrame:
    parts = list(of_each(results, gas_of_stretch))
    if len(parts) == 1:
        return parts[0]
    grouped = pd.concat(parts).groupby(level=0)
    total = grouped[["transactions", "reverted", "gas"]].sum()
    total["setup"] = grouped["setup"].all()
    return total.sort_values("gas", ascending=False, kind="stable")


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
    contract = contract_names(transactions["contract"]).fillna("(unknown)")
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


def contract_names(contract: pd.Series) -> pd.Series:
    """Return contracts by name, those of several local markets as one."""
    names = contract.astype(object)
    instances = [name for name in names.dropna().unique() if "/" in name]
    return names.replace({name: name.partition("/")[0] for name in instances})


def confirmations(results: Results) -> int:
    """Return how many blocks users of the run wait for."""
    return int(results.scenario_fields["ledger"].get("confirmations") or 0)


def settlement_finality(results: Results) -> Finality:
    """Return when the settlement of each interval became final."""
    return results.kept("finality", lambda: _settlement_finality(results))


def last_settling_block(part: Results) -> pd.DataFrame:
    """Return the last block of each interval's settlement in a stretch."""
    named = part.run.kept(
        "settling methods",
        lambda: [name.split(".") for each in subjects(part.run) for name in each.settling_methods],
    )
    rows = part.frame("transactions", SENT_COLUMNS)
    rows = rows[(rows["interval"] >= 0) & (rows["status"] == 1)]
    settles, called = pd.Series(False, index=rows.index), contract_names(rows["contract"])
    for contract, method in named:
        settles |= (called == contract) & (rows["method"] == method)
    return rows[settles].groupby("interval")[["block"]].max().reset_index()


def _settlement_finality(results: Results) -> Finality:
    last = rows_of_all(results, last_settling_block).set_index("interval")["block"]
    interval = last.index.to_numpy(dtype=np.int64)
    chain = block_times(results)
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

    def of_run() -> pd.Series:
        price = float(results.scenario_fields["ledger"]["eur_per_eth"])
        return by_interval_of_all(results, paid_wei)["wei"] / WEI_PER_ETH * price

    return results.kept("fees", of_run)


def paid_wei(part: Results) -> pd.DataFrame:
    """Return fees of a stretch's transactions by its intervals. [wei]"""
    rows = part.frame("transactions", SENT_COLUMNS)
    rows = rows[rows["interval"] >= 0]
    # whole wei of a long run do not fit into 64 bits, those of one transaction into a float
    paid = rows["gas_used"].to_numpy(dtype=np.float64) * gas_price_wei(part, rows)
    by_interval = pd.Series(paid).groupby(rows["interval"].to_numpy()).sum()
    return by_interval.reindex(range(part.n_intervals), fill_value=0.0).to_frame("wei")


def gas_price_wei(results: Results, transactions: pd.DataFrame) -> IntArray:
    """Return what each transaction paid per gas: base fee and tip, at most its maximum. [wei]

    Parameters
    ----------
    results : Results
    transactions : pandas.DataFrame
        With ``block``, ``max_fee_wei`` and ``tip_wei``.
    """
    base_wei = base_fees(results.run).at(transactions["block"].to_numpy(dtype=np.int64))
    price_wei = np.minimum(base_wei + transactions["tip_wei"], transactions["max_fee_wei"])
    return np.asarray(price_wei, dtype=np.int64)


@dataclass(frozen=True)
class BaseFees:
    """Base fees of blocks by number.

    Parameters
    ----------
    number, fee_wei : (n,) int64
        Of the blocks with a base fee, in their order. [-, wei]
    """

    number: IntArray
    fee_wei: IntArray

    def at(self, number: IntArray) -> IntArray:
        """Return the base fees of blocks; 0 of what is not on record. [wei]"""
        found = np.zeros(len(number), dtype=np.int64)
        if len(self.number):
            place = np.minimum(np.searchsorted(self.number, number), len(self.number) - 1)
            is_known = self.number[place] == number
            found[is_known] = self.fee_wei[place[is_known]]
        return found


def base_fees(results: Results) -> BaseFees:
    """Return the base fees of a run's blocks."""

    def of_run() -> BaseFees:
        parts = []
        for number, fee_wei in columns_of(results, "blocks", ("block", "base_fee_wei"), np.int64):
            own = fee_wei != 0
            parts.append((number[own], fee_wei[own]))
        number, fee_wei = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(number, kind="stable")
        return BaseFees(number[order], fee_wei[order])

    return results.kept("base fees", of_run)


def block_times(results: Results) -> BlockTimes:
    """Return the timestamps of a run's blocks."""
    return results.kept("block times", lambda: BlockTimes(results))


class BlockTimes:
    """Timestamps of blocks by number."""

    def __init__(self, results: Results) -> None:
        parts = list(columns_of(results, "blocks", ("block", "timestamp_s"), np.float64))
        self._number, self._timestamp_s = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        if (np.diff(self._number) < 0).any():
            order = np.argsort(self._number, kind="stable")
            self._number, self._timestamp_s = self._number[order], self._timestamp_s[order]

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
    last = np.fmax.reduce(list(of_each(results, last_block)))
    opens_s, closes_s = order_window_s(results)
    usages, times = [], []
    columns = ("block", "timestamp_s", "gas_used", "gas_limit")
    for block, timestamp_s, gas_used, gas_limit in columns_of(results, "blocks", columns, np.int64):
        counts = (timestamp_s > opens_s) & (block <= last)
        usages.append(gas_used[counts] / gas_limit[counts])
        times.append(timestamp_s[counts])
    usage = np.concatenate(usages)
    if not usage.size:
        return dict.fromkeys(
            ("block_usage_mean", "block_usage_max", "order_window_block_usage_mean")
        )
    since_s = (np.concatenate(times) - opens_s) % results.step_s
    # a block at the opening holds nothing that was sent since, one at the closure does
    inside = (since_s > 0) & (since_s <= closes_s - opens_s)
    return {
        "block_usage_mean": float(usage.mean()),
        "block_usage_max": float(usage.max()),
        "order_window_block_usage_mean": float(usage[inside].mean()) if inside.any() else None,
    }


def last_block(part: Results) -> float:
    """Return the last block with a transaction of a stretch; NaN without one."""
    sent = part.frame("transactions", SENT_COLUMNS)
    return float(sent.loc[sent["interval"] >= 0, "block"].max())


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
