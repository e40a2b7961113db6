"""Questions to an engine and its answers, on disk, so that a run can go on where it stopped.

A run is deterministic: started again, it asks the same. As long as it does, the journal answers,
and the engine on the node only takes note (:meth:`TimedNode.assume_block`). At the journal's end
the node is compared with all of that, told again what it lost, and asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO, runtime_checkable

from cosim.errors import ContractRevert, ResultFolderError
from cosim.evm.engine import BlockEngine, Log, Message, Receipt

JOURNAL = "ledger.journal"

_FORMAT = 1


@runtime_checkable
class ResumableEngine(BlockEngine, Protocol):
    """A node's engine that can be told what it did before."""

    def assume_block(self, messages: Sequence[Message], receipts: Sequence[Receipt | None]) -> None:
        """Take a block as executed that a journal tells of; the node is not asked."""
        ...

    def assume_balance(self, address: bytes, balance_wei: int) -> None:
        """Take an allocation as done that a journal tells of; the node is not asked."""
        ...


class JournalledEngine:
    """A node's engine with a journal before it; a :class:`~cosim.evm.engine.BlockEngine`.

    Parameters
    ----------
    engine : ResumableEngine
        Asked when the journal has no answer any more.
    path : Path
        The journal; one line of JSON per question: running digest of all questions so far, answer.
    digest : str
        Of the scenario: a journal of another one is refused.
    resume : bool
        Read what is there; else it is begun anew.

    Raises
    ------
    ResultFolderError
        If there is nothing to resume, or it belongs to another scenario.
    """

    name = "rpc"

    def __init__(self, engine: ResumableEngine, path: Path, digest: str, *, resume: bool) -> None:
        self.engine = engine
        self._path = path
        self._asked = hashlib.sha256()
        head = {"format": _FORMAT, "scenario": digest}
        self._old = _read(path, head) if resume else iter(())
        self._recalled: Any = next(self._old, None)
        self.answered = 0
        if resume:
            # a line that was cut off is written again: copy what is whole, then go on behind it
            _keep_whole_lines(path)
        self._file: TextIO = path.open("a" if resume else "w", encoding="utf-8")
        if not resume:
            self._write(head)

    def close(self) -> None:
        """Close the journal."""
        self._file.close()

    def _write(self, line: Any) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._file.flush()

    def _note(self, *question: Any) -> str:
        """Return the digest of this and all earlier questions."""
        self._asked.update(repr(question).encode())
        return self._asked.hexdigest()[:16]

    def _recall(self, digest: str) -> Any:
        """Return the journal's answer to a question; None if it has no more."""
        if self._recalled is None:
            return None
        noted, answer = self._recalled
        if noted != digest:
            raise ResultFolderError(
                f"the run asks something else than before, at question {self.answered + 1}: the "
                "scenario, its files or the program have changed",
                file=self._path,
                remedy="run it from the start, without --resume, on a fresh node",
            )
        self.answered += 1
        self._recalled = next(self._old, None)
        return answer

    def _answer(self, ask: Callable[[], Any], *question: Any) -> Any:
        """Return the answer to a question, as JSON: the journal's, or else the engine's."""
        digest = self._note(*question)
        if (answer := self._recall(digest)) is None:
            answer = ask()
            self._write([digest, answer])
        return answer

    def set_block(
        self, number: int, timestamp_s: int, gas_limit: int, base_fee_wei: int = 0
    ) -> None:
        """See :class:`~cosim.evm.engine.Engine`."""
        self._note("block", number, timestamp_s, gas_limit)
        self.engine.set_block(number, timestamp_s, gas_limit, base_fee_wei)

    def execute_block(self, messages: Sequence[Message]) -> list[Receipt | None]:
        """See :class:`~cosim.evm.engine.BlockEngine`."""
        digest = self._note("execute", *map(tuple, messages))
        if (old := self._recall(digest)) is not None:
            receipts = [None if one is None else _receipt(one) for one in old]
            self.engine.assume_block(messages, receipts)
            return receipts
        receipts = self.engine.execute_block(messages)
        self._write([digest, [None if one is None else _plain(one) for one in receipts]])
        os.fsync(self._file.fileno())
        return receipts

    def transact(
        self, sender: bytes, to: bytes | None, data: bytes, gas_limit: int, value_wei: int = 0
    ) -> Receipt:
        """See :class:`~cosim.evm.engine.Engine`."""
        (receipt,) = self.execute_block([Message(sender, to, data, gas_limit, value_wei)])
        assert receipt is not None
        return receipt

    def call(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        """See :class:`~cosim.evm.engine.Engine`."""

        def ask() -> dict[str, str]:
            try:
                return {"output": self.engine.call(sender, to, data).hex()}
            except ContractRevert as revert:
                return {"refused": revert.text}

        answer = self._answer(ask, "call", sender, to, data)
        if "refused" in answer:
            raise ContractRevert(answer["refused"])
        return bytes.fromhex(answer["output"])

    def storage(self, address: bytes, slot: int) -> int:
        """Value of a storage slot."""
        ask = self.engine.storage
        return int(self._answer(lambda: hex(ask(address, slot)), "storage", address, slot), 16)

    def storage_root(self, address: bytes) -> bytes:
        """Merkle-Patricia root of an account's storage."""
        ask = self.engine.storage_root
        return bytes.fromhex(self._answer(lambda: ask(address).hex(), "root", address))

    def code(self, address: bytes) -> bytes:
        """Runtime code of an account."""
        ask = self.engine.code
        return bytes.fromhex(self._answer(lambda: ask(address).hex(), "code", address))

    def nonce(self, address: bytes) -> int:
        """Transactions sent by an account; counted, not asked."""
        return self.engine.nonce(address)

    def balance(self, address: bytes) -> int:
        """Native coin of an account. [wei]"""
        ask = self.engine.balance
        return int(self._answer(lambda: hex(ask(address)), "balance", address), 16)

    def set_balance(self, address: bytes, balance_wei: int) -> None:
        """Set the native coin of an account. [wei]"""
        digest = self._note("allocate", address, balance_wei)
        if self._recall(digest) is not None:
            self.engine.assume_balance(address, balance_wei)
            return
        self.engine.set_balance(address, balance_wei)
        self._write([digest, True])

    def snapshot(self) -> int:
        """Remember the state."""
        return self.engine.snapshot()

    def restore(self, snapshot_id: int) -> None:
        """Go back to a snapshot."""
        self._note("restore", snapshot_id)
        self.engine.restore(snapshot_id)

    def discard(self, snapshot_id: int) -> None:
        """Forget a snapshot and every earlier one."""
        self.engine.discard(snapshot_id)


def _read(path: Path, head: Mapping[str, Any]) -> Iterator[Any]:
    """Return the lines of a journal behind its head."""
    try:
        with path.open(encoding="utf-8") as file:
            first = file.readline()
    except FileNotFoundError:
        raise ResultFolderError(
            "there is no run to resume here",
            file=path.parent,
            remedy="run without --resume; only runs on a node (--engine rpc) can be resumed",
        ) from None
    with contextlib.suppress(ValueError):
        if json.loads(first) == head:
            return _answers(path)
    raise ResultFolderError(
        "the run to resume is of another scenario",
        file=path,
        remedy="resume it with the scenario as it was, or run without --resume",
    )


def _answers(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as file:
        file.readline()
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def _keep_whole_lines(path: Path) -> None:
    """Cut off a last line that was not written to its end."""
    size = path.stat().st_size
    with path.open("rb+") as file:
        while size:
            start = max(0, size - 65_536)
            file.seek(start)
            found = file.read(size - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            size = start


def _plain(receipt: Receipt) -> list[Any]:
    logs = [
        [one.address.hex(), [t.hex() for t in one.topics], one.data.hex()] for one in receipt.logs
    ]
    created = receipt.contract_address
    return [
        receipt.status,
        receipt.gas_used,
        receipt.output.hex(),
        logs,
        None if created is None else created.hex(),
    ]


def _receipt(plain: Sequence[Any]) -> Receipt:
    status, gas_used, output, logs, created = plain
    unhex = bytes.fromhex
    return Receipt(
        status,
        gas_used,
        unhex(output),
        tuple(Log(unhex(a), tuple(map(unhex, topics)), unhex(data)) for a, topics, data in logs),
        None if created is None else unhex(created),
    )
