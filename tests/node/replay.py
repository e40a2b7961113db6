"""A run's transactions once more, on an Ethereum node over JSON-RPC.

What a run recorded is read from its result folder alone; test keys follow from the scenario. Every
block of ours that holds transactions becomes the node's block of the same number and timestamp: the
supply contract counts in blocks, the others read their time.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import eth_abi
import pandas as pd
import rlp
from anvil_node import Node
from eth_account import Account as Signer
from trie import HexaryTrie

from cosim.evm.abi import revert_text
from cosim.evm.contracts import compile_contract
from cosim.evm.engine import CHAIN_ID, Log
from cosim.evm.hashing import keccak
from cosim.replay.participants import Participants
from cosim.results.reader import Results

PURSE_WEI = 10**24
"""Native coin given to every sender: a node wants to see it, although a run pays no fee there."""

HIGHEST_FEE_WEI = 10**9
"""Fee of the first transaction of a block; each of the next offers 1 wei less."""


@dataclass(frozen=True)
class NodeReceipt:
    """Outcome of one transaction, by the node or as a run recorded it.

    ``block`` counts the blocks that hold transactions, from 0.
    """

    block: int
    index: int
    status: int
    gas_used: int
    contract_address: bytes | None
    logs: tuple[Log, ...]
    revert_reason: str | None


@dataclass(frozen=True)
class RecordedTransaction:
    """A row of the table of transactions, as far as a node is told of it."""

    block: int
    timestamp_s: int
    sender: bytes
    nonce: int
    to: bytes | None
    data: bytes
    value_wei: int
    gas_limit: int


def recorded_transactions(folder: Path) -> list[RecordedTransaction]:
    """Transactions of a result folder, in the order of its chain."""
    table = _table(folder, "transactions").sort_values(["block", "index"])
    return [
        RecordedTransaction(
            block=int(row.block),
            timestamp_s=int(row.included_at_s),
            sender=_bytes(row.sender),
            nonce=int(row.nonce),
            to=None if row.to is None else _bytes(row.to),
            data=row.data,
            value_wei=int(row.value_wei),
            gas_limit=int(row.gas_limit),
        )
        for row in table.itertuples()
    ]


def recorded_receipts(folder: Path) -> list[NodeReceipt]:
    """What a result folder says became of its transactions, in the order of its chain.

    The table of events holds arguments by name; here they are encoded again, by ``eth_abi`` and
    the contract's ABI, so that topics and data can be compared byte by byte.
    """
    contracts = manifest(folder)["contracts"]
    encoders = {name: _EventEncoder(name, entry["address"]) for name, entry in contracts.items()}
    logs: dict[tuple[int, int], list[Log]] = {}
    for row in _table(folder, "events").sort_values(["block", "index", "log_index"]).itertuples():
        log = encoders[row.contract].encode(row.event, json.loads(row.arguments))
        logs.setdefault((row.block, row.index), []).append(log)
    table = _table(folder, "transactions").sort_values(["block", "index"])
    position = {block: i for i, block in enumerate(sorted(set(table["block"])))}
    return [
        NodeReceipt(
            block=position[row.block],
            index=int(row.index),
            status=int(row.status),
            gas_used=int(row.gas_used),
            contract_address=(
                _bytes(contracts[row.contract]["address"]) if row.to is None else None
            ),
            logs=tuple(logs.get((row.block, row.index), ())),
            revert_reason=row.revert_reason,
        )
        for row in table.itertuples()
    ]


class _EventEncoder:
    """Turns arguments of one contract's events back into log entries."""

    def __init__(self, contract: str, address: str) -> None:
        self._address = _bytes(address)
        abi = compile_contract(contract).abi
        self._events = {entry["name"]: entry for entry in abi if entry["type"] == "event"}

    def encode(self, event: str, arguments: Mapping[str, Any]) -> Log:
        inputs = self._events[event]["inputs"]
        signature = f"{event}({','.join(item['type'] for item in inputs)})"
        values = {
            item["name"]: _bytes(arguments[item["name"]])
            if item["type"].startswith("bytes")
            else arguments[item["name"]]
            for item in inputs
        }
        topics = [keccak(signature.encode())]
        topics += [
            eth_abi.encode([item["type"]], [values[item["name"]]])
            for item in inputs
            if item["indexed"]
        ]
        plain = [item for item in inputs if not item["indexed"]]
        data = eth_abi.encode(
            [item["type"] for item in plain], [values[item["name"]] for item in plain]
        )
        return Log(self._address, tuple(topics), data)


def manifest(folder: Path) -> dict[str, Any]:
    """Manifest of a result folder."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def _table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "tables" / f"{name}.parquet")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def signing_keys(folder: Path) -> dict[bytes, bytes]:
    """Private keys by address of everybody who sends in the run of a result folder."""
    return Participants(Results(folder)).keys


def replay(
    node: Node, transactions: Sequence[RecordedTransaction], keys: Mapping[bytes, bytes]
) -> list[NodeReceipt]:
    """Send transactions to a fresh node as signed EIP-1559 ones, block by block.

    Parameters
    ----------
    node : Node
        Told to mine by ``evm_mine`` at times set by ``evm_setNextBlockTimestamp``.
    transactions : sequence of RecordedTransaction
        In the order of the chain. Blocks keep their numbers: contracts may count in blocks.
    keys : mapping of bytes to bytes
        Private keys by address.

    Returns
    -------
    list of NodeReceipt
        In the order in which the node executed them.

    Raises
    ------
    NodeError
        If the node refuses a transaction.
    """
    for sender in dict.fromkeys(one.sender for one in transactions):
        node.request("anvil_setBalance", "0x" + sender.hex(), hex(PURSE_WEI))
    blocks: dict[int, list[RecordedTransaction]] = {}
    for one in transactions:
        blocks.setdefault(one.block, []).append(one)
    receipts: list[NodeReceipt] = []
    mined = 0
    for number, (block, content) in enumerate(blocks.items()):
        if empty := block - mined - 1:
            node.request("anvil_mine", hex(empty), hex(1))
        mined = block
        node.request("evm_setNextBlockTimestamp", content[0].timestamp_s)
        node.send(
            "eth_sendRawTransaction",
            [
                _signed(one, keys[one.sender], HIGHEST_FEE_WEI - index)
                for index, one in enumerate(content)
            ],
        )
        node.request("evm_mine")
        answers = node.request("eth_getBlockReceipts", "latest")
        receipts += [_receipt(node, number, answer) for answer in answers]
    return receipts


def _signed(transaction: RecordedTransaction, key: bytes, max_fee_wei: int) -> str:
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": transaction.nonce,
        "gas": transaction.gas_limit,
        "maxFeePerGas": max_fee_wei,
        "maxPriorityFeePerGas": 0,
        "value": transaction.value_wei,
        "data": transaction.data,
    }
    if transaction.to is not None:
        fields["to"] = transaction.to
    return "0x" + bytes(Signer.sign_transaction(fields, key).raw_transaction).hex()


def _receipt(node: Node, block: int, answer: Mapping[str, Any]) -> NodeReceipt:
    created = answer["contractAddress"]
    status = int(answer["status"], 16)
    reason = None
    if not status:
        trace = node.request(
            "debug_traceTransaction", answer["transactionHash"], {"tracer": "callTracer"}
        )
        reason = revert_text(_bytes(trace.get("output", "")))
    return NodeReceipt(
        block=block,
        index=int(answer["transactionIndex"], 16),
        status=status,
        gas_used=int(answer["gasUsed"], 16),
        contract_address=None if created is None else _bytes(created),
        logs=tuple(
            Log(
                _bytes(log["address"]),
                tuple(_bytes(topic) for topic in log["topics"]),
                _bytes(log["data"]),
            )
            for log in answer["logs"]
        ),
        revert_reason=reason,
    )


def code_hash(node: Node, address: str) -> str:
    """Hash of the runtime code at an address, as the manifest names it."""
    return "0x" + keccak(_bytes(node.request("eth_getCode", address, "latest"))).hex()


def proven_storage_root(node: Node, address: str) -> str:
    """Storage root of a contract by ``eth_getProof``."""
    root: str = node.request("eth_getProof", address, [], "latest")["storageHash"]
    return root


def dumped_storage(node: Node) -> dict[str, dict[int, int]]:
    """Every slot that anvil holds, by address, including those that were set back to 0."""
    dump = json.loads(gzip.decompress(_bytes(node.request("anvil_dumpState"))))
    return {
        address.lower(): {int(slot, 16): int(value, 16) for slot, value in entry["storage"].items()}
        for address, entry in dump["accounts"].items()
    }


def trie_root(slots: Mapping[int, int]) -> str:
    """Root of a Merkle-Patricia trie over exactly these slots, by the ``trie`` package.

    A proper storage trie has no leaf for a 0; whoever wants that leaves zeros out.
    """
    tree = HexaryTrie({})
    for slot, value in slots.items():
        tree[keccak(slot.to_bytes(32, "big"))] = rlp.encode(value)
    return "0x" + tree.root_hash.hex()
