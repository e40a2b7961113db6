"""Replays the recorded transactions of a run on a fresh engine, block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from cosim.chain.blocks import Included, Transaction
from cosim.chain.records import records
from cosim.errors import EngineError
from cosim.evm.abi import unpack_values
from cosim.evm.contracts import Artifact, compile_contract, compile_source
from cosim.evm.engine import BlockEngine, Engine, Message, Receipt
from cosim.plugins import MECHANISMS
from cosim.results.inputs import EVERY_RUN
from cosim.results.reader import Results, rows_of

AfterBlock = Callable[[int, "Replayed"], None]


@dataclass(frozen=True)
class Call:
    """Call of a transaction, decoded.

    Parameters
    ----------
    position : int
        In the order of the chain, from 0.
    contract, method : str
        Empty if unknown; the method of a deployment is empty, too.
    arguments : dict
        By name; addresses and words as 20 and 32 bytes.
    instance : str
        Tells contracts of one name apart; empty where there is one.
    """

    position: int
    contract: str
    method: str
    arguments: dict[str, object]
    instance: str = ""


@dataclass
class Replayed:
    """Outcome of the recorded transactions on an engine.

    Parameters
    ----------
    engine : Engine
        In its final state.
    included : list of Included
        Transactions that it executed, in the order of the chain, with their receipts.
    refused : dict of int to str
        By position: why the engine did not execute one.
    addresses : dict of str to bytes
        Contracts by name, with the instance's where there are several of one.
    artifacts : dict of bytes to Artifact
        By address.
    unknown_code : dict of str to bytes
        Creation code that is not that of this version, by name or address, and of second contracts
        of a name.
    """

    engine: Engine
    included: list[Included] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    addresses: dict[str, bytes] = field(default_factory=dict)
    artifacts: dict[bytes, Artifact] = field(default_factory=dict)
    unknown_code: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Transactions and events as a run of the replayed transactions would write them.

        To be asked for when all transactions are replayed.
        """
        drained = records(self.included, [], self.artifacts)
        columns = {"transactions": drained.transactions, "events": drained.events}
        return {name: pd.DataFrame(values) for name, values in columns.items()}

    def call_of(self, position: int, transaction: Transaction) -> Call:
        """Decode what a transaction calls."""
        artifact = self.artifacts.get(transaction.to or b"")
        entry = None if artifact is None else artifact.functions.get(transaction.data[:4])
        contract, _, instance = ("" if artifact is None else artifact.name).partition("/")
        if entry is None:
            return Call(position, contract, "", {}, instance)
        types = [item["type"] for item in entry["inputs"]]
        names = [item["name"] for item in entry["inputs"]]
        values = unpack_values(types, transaction.data[4:])
        arguments = dict(zip(names, values, strict=True))
        return Call(position, contract, str(entry["name"]), arguments, instance)


def transactions_of(frame: pd.DataFrame) -> list[Transaction]:
    """Return the rows of the table of transactions as what was sent, in their order."""
    return [
        Transaction(
            handle=position,
            sent_at_s=float(row.sent_at_s),
            sender=address(row.sender),
            to=None if row.to is None else address(row.to),
            data=row.data,
            gas_limit=int(row.gas_limit),
            max_fee_wei=int(row.max_fee_wei),
            tip_wei=int(row.tip_wei),
            value_wei=int(row.value_wei),
            interval=int(row.interval),
        )
        for position, row in enumerate(rows_of(frame))
    ]


def address(text: str) -> bytes:
    """Return the 20 bytes of an address with ``0x``.

    Raises
    ------
    ValueError
        If it is none.
    """
    if len(text) != 42 or not text.startswith("0x"):
        raise ValueError(f"{text!r} is no address")
    return bytes.fromhex(text[2:])


def replay(results: Results, engine: Engine, after_block: Sequence[AfterBlock] = ()) -> Replayed:
    """Execute the recorded transactions in the recorded blocks.

    An engine that executes whole blocks gets each block's transactions together; others get them
    one after the other. Empty blocks are passed over.

    Parameters
    ----------
    results : Results
        Its tables of blocks and transactions.
    engine : Engine
        Fresh: no transaction was executed on it.
    after_block : sequence of callable
        Each is told of the number of every block that was executed, when the engine stands at it.

    Returns
    -------
    Replayed

    Raises
    ------
    ValueError
        If a transaction names a block that the table of blocks does not have, or an address that
        is none.
    """
    frame = results.table("transactions")
    sent, known = transactions_of(frame), installed_contracts()
    blocks = {int(row.block): row for row in rows_of(results.table("blocks"))}
    by_block: dict[int, list[int]] = {}
    for position, block in enumerate(frame["block"]):
        by_block.setdefault(int(block), []).append(position)
    done = Replayed(engine)
    n_sent: Counter[bytes] = Counter()
    for number in sorted(by_block):
        if number not in blocks:
            raise ValueError(f"transactions are in block {number}, which is not among the blocks")
        block = blocks[number]
        base_fee_wei = int(block.base_fee_wei)
        engine.set_block(number, int(block.timestamp_s), int(block.gas_limit), base_fee_wei)
        positions = by_block[number]
        receipts = _execute(engine, [sent[position] for position in positions])
        for index, (position, receipt) in enumerate(zip(positions, receipts, strict=True)):
            transaction = sent[position]
            nonce = n_sent[transaction.sender]
            n_sent[transaction.sender] += 1
            if isinstance(receipt, str):
                done.refused[position] = receipt
                continue
            tip_wei = min(transaction.tip_wei, transaction.max_fee_wei - base_fee_wei)
            done.included.append(
                Included(
                    transaction,
                    receipt,
                    number,
                    index,
                    int(block.timestamp_s),
                    nonce,
                    receipt.gas_used * (base_fee_wei + tip_wei),
                )
            )
            if transaction.to is None and receipt.contract_address is not None:
                name = frame["contract"].iloc[position]
                _register(done, known, transaction.data, receipt.contract_address, name)
        for tell in after_block:
            tell(number, done)
    return done


def _execute(engine: Engine, transactions: Sequence[Transaction]) -> list[Receipt | str]:
    """Receipts of a block's transactions, or why there is none."""
    messages = [Message(t.sender, t.to, t.data, t.gas_limit, t.value_wei) for t in transactions]
    if isinstance(engine, BlockEngine):
        missing = "the node did not include it"
        return [missing if one is None else one for one in engine.execute_block(messages)]
    receipts: list[Receipt | str] = []
    for message in messages:
        try:
            receipts.append(engine.transact(*message))
        except EngineError as error:
            receipts.append(str(error))
    return receipts


def _register(
    done: Replayed, known: Mapping[str, Artifact], data: bytes, at: bytes, name: object
) -> None:
    """Find out which contract lies at a new address, from its creation code."""
    same = (one for one in known.values() if data.startswith(one.bytecode))
    artifact = next(same, None)
    called = name if isinstance(name, str) and name else "0x" + at.hex()
    contract, _, instance = called.partition("/")
    if artifact is None:
        artifact = known.get(contract)
        done.unknown_code[called] = data
    if artifact is not None and artifact.name == contract:
        artifact = artifact.called(instance)
    if artifact is not None and called not in done.unknown_code and artifact.name in done.addresses:
        done.unknown_code[f"{artifact.name}, a second one"] = data
    if artifact is not None:
        done.addresses[artifact.name] = at
        done.artifacts[at] = artifact


def installed_contracts() -> dict[str, Artifact]:
    """Return the contracts that a run may deploy, by name: those of every installed mechanism."""
    found = {name: compile_contract(name) for name in EVERY_RUN}
    for mechanism in MECHANISMS.every().values():
        for name in mechanism.contracts:
            folder = mechanism.sources
            found[name] = (
                compile_contract(name) if folder is None else compile_source(folder / f"{name}.vy")
            )
    return found
