"""The transactions of a result, executed once more: by our engines, and by what lies underneath.

Our engine and its bare machines replay the whole run in one process and take turns, block by
block, so that a busy neighbour slows all of them.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pyrevm
from eth.constants import CREATE_CONTRACT_ADDRESS

from cosim.evm.engine import CHAIN_ID, COINBASE, PREVRANDAO, Engine, create_engine
from cosim.evm.py_evm import PyEvmEngine, _Transaction


@dataclass(frozen=True)
class Sent:
    """A transaction of the result's tables, in the order of the chain."""

    block: int
    timestamp_s: int
    block_gas_limit: int
    sender: bytes
    to: bytes | None
    data: bytes
    value_wei: int
    gas_limit: int
    gas_used: int
    interval: int
    method: str
    # as pyrevm takes them
    sender_text: str
    to_text: str


class Machine(NamedTuple):
    """How to set a block (number, timestamp, gas limit), and how to execute a transaction."""

    set_block: Callable[[int, int, int], None]
    execute: Callable[[Sent], None]


@dataclass(frozen=True)
class Replay:
    """How to replay transactions with one of our engines, and without it.

    Parameters
    ----------
    engine : callable
        Makes our engine.
    bare : mapping of str to callable
        Make bare machines, by what they do; the first is what the engine is compared with. Each
        gets the block gas limit.
    """

    engine: Callable[[], Engine]
    bare: Mapping[str, Callable[[int], Machine]]


def our_engine(engine: Engine) -> Machine:
    """An engine of ours, whose gas must be the gas of the tables."""

    def execute(transaction: Sent) -> None:
        receipt = engine.transact(
            transaction.sender,
            transaction.to,
            transaction.data,
            transaction.gas_limit,
            transaction.value_wei,
        )
        if receipt.gas_used != transaction.gas_used:
            raise ValueError(
                f"block {transaction.block}: {transaction.method} took {receipt.gas_used} gas, "
                f"{transaction.gas_used} in the tables"
            )

    return Machine(engine.set_block, execute)


def bare_pyrevm(block_gas_limit: int, with_receipts: bool = False) -> Machine:
    """pyrevm alone, in one open transaction that is never closed: its gas is wrong.

    Parameters
    ----------
    block_gas_limit : int
    with_receipts : bool
        Whether status, gas and logs are read after each call, too.
    """
    evm = pyrevm.EVM(
        env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID)), gas_limit=block_gas_limit
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
        try:
            if transaction.to is None:
                evm.deploy(
                    transaction.sender_text,
                    transaction.data,
                    transaction.value_wei,
                    transaction.gas_limit,
                )
            else:
                evm.message_call(
                    transaction.sender_text,
                    transaction.to_text,
                    transaction.data,
                    transaction.value_wei,
                    transaction.gas_limit,
                )
        except RuntimeError:
            if evm.result is None:
                raise  # revm refused it; a revert by the contract is an outcome

    def execute_and_read(transaction: Sent) -> None:
        execute(transaction)
        result: Any = evm.result
        _ = result.is_success, result.gas_used, [(log.address, log.data) for log in result.logs]

    return Machine(set_block, execute_and_read if with_receipts else execute)


def bare_py_evm(block_gas_limit: int) -> Machine:
    """py-evm's own ``apply_transaction`` alone; nothing is locked between transactions."""
    engine = PyEvmEngine()  # for its machine with Prague rules
    state = engine._state
    nonces: dict[bytes, int] = defaultdict(int)

    def execute(transaction: Sent) -> None:
        state.apply_transaction(
            _Transaction(
                transaction.sender,
                CREATE_CONTRACT_ADDRESS if transaction.to is None else transaction.to,
                transaction.data,
                transaction.gas_limit,
                transaction.value_wei,
                nonces[transaction.sender],
            )
        )
        nonces[transaction.sender] += 1

    return Machine(engine.set_block, execute)


REPLAYS: Mapping[str, Replay] = {
    "revm": Replay(
        lambda: create_engine("revm"),
        {
            "pyrevm's message_call alone": bare_pyrevm,
            "pyrevm's message_call, status, gas and logs read": lambda limit: bare_pyrevm(
                limit, with_receipts=True
            ),
        },
    ),
    "py-evm": Replay(
        lambda: create_engine("py-evm"), {"py-evm's apply_transaction alone": bare_py_evm}
    ),
}
"""Engines that are compared with what lies underneath; for the engine rpc see benchmarks.nodes."""


def replay_transactions(result: str, engine: str = "revm", max_blocks: int = 0) -> dict[str, Any]:
    """Time all transactions of a result, and by method.

    Parameters
    ----------
    result : str
        A result folder.
    engine : str
        One of :data:`REPLAYS`.
    max_blocks : int
        At most so many blocks; 0 takes all.

    Returns
    -------
    dict
        ``engine``, ``intervals``, ``transactions``, ``mgas``; ``machines``: seconds of all
        transactions by machine, ours first; ``methods``: for each its number per interval, mean
        gas, and median microseconds by our engine and by the first bare machine.

    Raises
    ------
    ValueError
        If the replay's gas is not the gas of the tables.
    """
    sent = list(read_transactions(Path(result) / "tables", max_blocks))
    replay = REPLAYS[engine]
    machines = {f"our engine {engine}": our_engine(replay.engine())} | {
        name: make(sent[0].block_gas_limit) for name, make in replay.bare.items()
    }
    seconds = take_turns(sent, list(machines.values()))
    by_method: dict[str, list[int]] = defaultdict(list)
    for i, transaction in enumerate(sent):
        if transaction.interval >= 0:
            by_method[transaction.method].append(i)
    intervals = 1 + max(0, *(transaction.interval for transaction in sent))
    ours, bare, *_ = seconds
    return {
        "engine": engine,
        "intervals": intervals,
        "transactions": len(sent),
        "mgas": sum(transaction.gas_used for transaction in sent) / 1e6,
        "machines": {name: sum(own) for name, own in zip(machines, seconds, strict=True)},
        "methods": [
            {
                "method": method,
                "per_interval": len(places) / intervals,
                "gas": sum(sent[i].gas_used for i in places) / len(places),
                "engine_us": 1e6 * median(ours[i] for i in places),
                "bare_us": 1e6 * median(bare[i] for i in places),
            }
            for method, places in sorted(
                by_method.items(), key=lambda item: -sum(ours[i] for i in item[1])
            )
        ],
    }


def read_transactions(tables: Path, max_blocks: int) -> Iterator[Sent]:
    """Transactions of a result's tables, of at most so many blocks; 0 takes all."""
    blocks = {
        row["block"]: (row["timestamp_s"], row["gas_limit"])
        for row in pq.read_table(tables / "blocks.parquet").to_pylist()
    }
    read: set[int] = set()
    for row in pq.read_table(tables / "transactions.parquet").to_pylist():
        read.add(row["block"])
        if 0 < max_blocks < len(read):
            return
        timestamp_s, block_gas_limit = blocks[row["block"]]
        yield Sent(
            row["block"],
            timestamp_s,
            block_gas_limit,
            bytes.fromhex(row["sender"][2:]),
            None if row["to"] is None else bytes.fromhex(row["to"][2:]),
            row["data"],
            int(row["value_wei"]),
            row["gas_limit"],
            row["gas_used"],
            row["interval"],
            row["method"] or "deploy",
            row["sender"],
            row["to"] or "",
        )


def take_turns(sent: list[Sent], machines: list[Machine]) -> list[list[float]]:
    """Seconds of every transaction for each machine; they take turns, block by block.

    Parameters
    ----------
    sent : list of Sent
        In the order of the chain.
    machines : list of Machine
        The one that begins changes from block to block.
    """
    seconds: list[list[float]] = [[] for _ in machines]
    order = list(zip(machines, seconds, strict=True))
    gc.collect()
    gc.freeze()  # so that no collection walks through the list of transactions
    try:
        for transactions in _blocks(sent):
            first = transactions[0]
            for (set_block, execute), own in order:
                set_block(first.block, first.timestamp_s, first.block_gas_limit)
                for transaction in transactions:
                    begin = perf_counter()
                    execute(transaction)
                    own.append(perf_counter() - begin)
            order.append(order.pop(0))
    finally:
        gc.unfreeze()
    return seconds


def _blocks(sent: list[Sent]) -> Iterator[list[Sent]]:
    begin = 0
    for end in range(1, len(sent) + 1):
        if end == len(sent) or sent[end].block != sent[begin].block:
            yield sent[begin:end]
            begin = end
