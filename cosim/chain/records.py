"""Columns of the tables ``transactions``, ``blocks``, ``events`` and ``reorganisations``."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cosim.chain.blocks import Included, Transaction
from cosim.evm.abi import revert_text
from cosim.evm.contracts import Artifact
from cosim.evm.engine import Log, Receipt

Columns = dict[str, list[Any]]

BlockRow = tuple[int, int, int, int, int, int, int, int]
"""Number, timestamp, gas used, gas limit, base fee, number of transactions, proposer, and gas that
other users took."""


class Reorganisation(NamedTuple):
    """Blocks that a competing branch replaced.

    Parameters
    ----------
    block : int
        Number of the first one.
    depth_blocks : int
        Their number.
    seen_at_s : int
        Timestamp of the last of them, Unix time. [s]
    cause : str
        ``fork`` (two miners at once) or ``attack``.
    n_transactions, n_left_out : int
        Transactions in the blocks left behind, and how many of them the branch does not hold.
    """

    block: int
    depth_blocks: int
    seen_at_s: int
    cause: str
    n_transactions: int
    n_left_out: int


_TRANSACTION_COLUMNS = (
    "block",
    "index",
    "sent_at_s",
    "included_at_s",
    "sender",
    "nonce",
    "to",
    "data",
    "value_wei",
    "gas_limit",
    "max_fee_wei",
    "tip_wei",
    "gas_used",
    "status",
    "fee_wei",
    "interval",
    "contract",
    "method",
    "revert_reason",
)
_BLOCK_COLUMNS = (
    "block",
    "timestamp_s",
    "gas_used",
    "gas_limit",
    "base_fee_wei",
    "n_transactions",
    "proposer",
    "others_gas",
)


@dataclass(frozen=True)
class LedgerRecords:
    """Columns of plain Python values since the last drain.

    Parameters
    ----------
    transactions : dict of list
        Included transactions in the order of the chain: those of the table, and ``fee_wei``,
        ``interval``, ``contract``, ``method`` and ``revert_reason``. Addresses are
        0x hex, ``data`` is bytes, ``to`` is None for deployments. ``value_wei`` and ``fee_wei`` may
        exceed 64 bits; they are Python ints, which Parquet holds as ``decimal128(38, 0)``.
    blocks : dict of list
        Blocks, empty ones too.
    events : dict of list
        Events, the arguments as compact JSON with sorted keys.
    reorganisations : dict of list
        Blocks that were replaced; the other columns hold the blocks in their place.
    """

    transactions: Columns
    blocks: Columns
    events: Columns
    reorganisations: Columns


def records(
    included: Iterable[Included],
    blocks: Sequence[BlockRow],
    contracts: Mapping[bytes, Artifact],
    reorganisations: Sequence[Reorganisation] = (),
) -> LedgerRecords:
    """Build the columns.

    Parameters
    ----------
    included : iterable of Included
        In the order of the chain.
    blocks : sequence of tuple
        Rows of the table of blocks.
    contracts : mapping
        Known contracts by address; events of others are shown undecoded.
    reorganisations : sequence of Reorganisation
        What was replaced.
    """
    included = list(included)
    return LedgerRecords(
        _transactions(included, contracts),
        _columns(_BLOCK_COLUMNS, blocks),
        _events(included, contracts),
        _columns(Reorganisation._fields, reorganisations),
    )


@functools.lru_cache(10_000)
def _hex(address: bytes) -> str:
    return "0x" + address.hex()


def _events(included: Iterable[Included], contracts: Mapping[bytes, Artifact]) -> Columns:
    """Return the columns of the log entries, arguments decoded by kinds of events."""
    logs: list[Log] = []
    blocks: list[Any] = []
    indices: list[Any] = []
    log_indices: list[Any] = []
    for item in included:
        own = item.receipt.logs
        if n := len(own):
            logs += own
            blocks += (item.block,) * n
            indices += (item.index,) * n
            log_indices += range(n)
    kinds: dict[tuple[bytes, bytes], list[int]] = {}
    for k, (address, topics, _) in enumerate(logs):
        kinds.setdefault((address, topics[0] if topics else b""), []).append(k)
    names: list[Any] = [None] * len(logs)
    events, arguments = list(names), list(names)
    for (address, topic), entries in kinds.items():
        artifact = contracts.get(address)
        decoder = None if artifact is None else artifact.events.get(topic)
        of_kind = [logs[k] for k in entries]
        if decoder is None:
            texts = [_undecoded(log) for log in of_kind]
        else:
            texts = decoder.to_json([log.topics for log in of_kind], [log.data for log in of_kind])
        name = "0x" + address.hex() if artifact is None else artifact.name
        event = "" if decoder is None else decoder.name
        for k, text in zip(entries, texts, strict=True):
            names[k], events[k], arguments[k] = name, event, text
    return {
        "block": blocks,
        "index": indices,
        "log_index": log_indices,
        "contract": names,
        "event": events,
        "arguments": arguments,
    }


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Columns:
    if not rows:
        return {name: [] for name in names}
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _transactions(included: Sequence[Included], contracts: Mapping[bytes, Artifact]) -> Columns:
    """Return the columns of the transactions."""
    if not included:
        return {name: [] for name in _TRANSACTION_COLUMNS}
    places = dict(zip(Included._fields, zip(*included, strict=True), strict=True))
    sent = dict(zip(Transaction._fields, zip(*places["transaction"], strict=True), strict=True))
    receipts = dict(zip(Receipt._fields, zip(*places["receipt"], strict=True), strict=True))
    named: dict[tuple[bytes, bytes], tuple[str | None, str | None]] = {}
    names: list[str | None] = []
    methods: list[str | None] = []
    for to, data, created in zip(
        sent["to"], sent["data"], receipts["contract_address"], strict=True
    ):
        called = (to or created or b"", data[:4] if to is not None else b"")
        found = named.get(called)
        if found is None:
            found = named[called] = _called(*called, contracts)
        names.append(found[0])
        methods.append(found[1])
    columns = {
        "block": places["block"],
        "index": places["index"],
        "sent_at_s": sent["sent_at_s"],
        "included_at_s": places["included_at_s"],
        "sender": map(_hex, sent["sender"]),
        "nonce": places["nonce"],
        "to": (None if to is None else _hex(to) for to in sent["to"]),
        "data": sent["data"],
        "value_wei": sent["value_wei"],
        "gas_limit": sent["gas_limit"],
        "max_fee_wei": sent["max_fee_wei"],
        "tip_wei": sent["tip_wei"],
        "gas_used": receipts["gas_used"],
        "status": receipts["status"],
        "fee_wei": places["fee_wei"],
        "interval": sent["interval"],
        "contract": names,
        "method": methods,
        "revert_reason": (
            None if status else revert_text(output)
            for status, output in zip(receipts["status"], receipts["output"], strict=True)
        ),
    }
    return {name: list(columns[name]) for name in _TRANSACTION_COLUMNS}


def _called(
    address: bytes, selector: bytes, contracts: Mapping[bytes, Artifact]
) -> tuple[str | None, str | None]:
    """Return the names of a contract and of the function that a selector calls, if known."""
    artifact = contracts.get(address)
    if artifact is None:
        return None, None
    function = artifact.functions.get(selector) if selector else None
    return artifact.name, None if function is None else function["name"]


def _undecoded(log: Log) -> str:
    """Topics and data of a log entry of an unknown contract."""
    raw = {"data": "0x" + log.data.hex(), "topics": ["0x" + topic.hex() for topic in log.topics]}
    return json.dumps(raw, sort_keys=True, separators=(",", ":"))
