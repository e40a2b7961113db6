"""The transactions of a result, executed once more: by our engine, and by revm alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pyarrow.parquet as pq
import pyrevm

from cosim.ledger.engine import CHAIN_ID, COINBASE, PREVRANDAO
from cosim.ledger.revm import RevmEngine


@dataclass(frozen=True)
class Sent:
    """A transaction of the result's tables, in the order of the chain."""

    block: int
    timestamp_s: int
    block_gas_limit: int
    sender: bytes
    to: bytes | None
    data: bytes
    gas_limit: int
    gas_used: int
    interval: int
    method: str


Machine = tuple[Callable[[int, int, int], None], Callable[[Sent], None]]
"""How to set a block, and how to execute a transaction."""


def replay_transactions(result: str) -> dict[str, Any]:
    """Time the transactions of a result by method.

    Parameters
    ----------
    result : str
        A result folder.

    Returns
    -------
    dict
        ``intervals``, and ``methods``: for each its number per interval, mean gas, and median
        microseconds by the engine and by revm alone, which take turns.

    Raises
    ------
    ValueError
        If the replay's gas is not the gas of the tables.
    """
    sent = list(_read(Path(result) / "tables"))
    gas: dict[str, int] = defaultdict(int)
    count: dict[str, int] = defaultdict(int)
    for transaction in sent:
        if transaction.interval >= 0:
            gas[transaction.method] += transaction.gas_used
            count[transaction.method] += 1
    engine_s, bare_s = _timed(sent, _our_engine(sent), _bare_revm(sent))
    intervals = 1 + max(transaction.interval for transaction in sent)
    return {
        "intervals": intervals,
        "methods": [
            {
                "method": method,
                "per_interval": n / intervals,
                "gas": gas[method] / n,
                "engine_us": 1e6 * median(engine_s[method]),
                "bare_us": 1e6 * median(bare_s[method]),
            }
            for method, n in sorted(count.items(), key=lambda item: -sum(engine_s[item[0]]))
        ],
    }


def _read(tables: Path) -> Iterator[Sent]:
    blocks = {
        row["block"]: (row["timestamp_s"], row["gas_limit"])
        for row in pq.read_table(tables / "blocks.parquet").to_pylist()
    }
    for row in pq.read_table(tables / "transactions.parquet").to_pylist():
        timestamp_s, block_gas_limit = blocks[row["block"]]
        yield Sent(
            row["block"],
            timestamp_s,
            block_gas_limit,
            bytes.fromhex(row["sender"][2:]),
            None if row["to"] is None else bytes.fromhex(row["to"][2:]),
            row["data"],
            row["gas_limit"],
            row["gas_used"],
            row["interval"],
            row["method"] or "deploy",
        )


def _our_engine(sent: list[Sent]) -> Machine:
    """Our engine, whose gas must be the gas of the tables."""
    engine = RevmEngine()

    def execute(transaction: Sent) -> None:
        receipt = engine.transact(
            transaction.sender, transaction.to, transaction.data, transaction.gas_limit
        )
        if receipt.gas_used != transaction.gas_used:
            raise ValueError(
                f"block {transaction.block}: {transaction.method} took {receipt.gas_used} gas, "
                f"{transaction.gas_used} in the tables"
            )

    return engine.set_block, execute


def _bare_revm(sent: list[Sent]) -> Machine:
    """revm alone, in one open transaction that is never closed."""
    evm = pyrevm.EVM(
        env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID)), gas_limit=sent[0].block_gas_limit
    )

    def set_block(number: int, timestamp_s: int, gas_limit: int) -> None:
        evm.set_block_env(
            pyrevm.BlockEnv(
                number=number,
                coinbase="0x" + COINBASE.hex(),
                timestamp=timestamp_s,
                prevrandao=PREVRANDAO,
                gas_limit=gas_limit,
            )
        )

    def execute(transaction: Sent) -> None:
        sender = "0x" + transaction.sender.hex()
        try:
            if transaction.to is None:
                evm.deploy(sender, transaction.data, 0, transaction.gas_limit)
            else:
                evm.message_call(
                    sender,
                    "0x" + transaction.to.hex(),
                    transaction.data,
                    0,
                    transaction.gas_limit,
                )
        except RuntimeError:
            if evm.result is None:
                raise  # revm refused it; a revert by the contract is an outcome

    return set_block, execute


def _timed(sent: list[Sent], *machines: Machine) -> list[dict[str, list[float]]]:
    """Seconds of every transaction by method, for each machine; they take turns."""
    seconds: list[dict[str, list[float]]] = [defaultdict(list) for _ in machines]
    block = -1
    for transaction in sent:
        if transaction.block != block:
            block = transaction.block
            for set_block, _ in machines:
                set_block(block, transaction.timestamp_s, transaction.block_gas_limit)
        for (_, execute), own in zip(machines, seconds, strict=True):
            begin = perf_counter()
            execute(transaction)
            if transaction.interval >= 0:
                own[transaction.method].append(perf_counter() - begin)
    return seconds
