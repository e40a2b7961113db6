"""Resident memory over very many transactions between the same accounts: it must not grow.

The state is as large after the last transaction as after the first: transfers of the euro token
among accounts that hold some. So what grows is kept for no purpose.
"""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.transactions import Machine, Sent, bare_pyrevm
from cosim.evm.abi import pack
from cosim.evm.contracts import compile_contract
from cosim.evm.engine import DEFAULT_BLOCK_GAS_LIMIT, create_engine
from cosim.evm.hashing import create_address, keccak

N_ACCOUNTS = 200
PER_BLOCK = 200
WINDOW = 12
"""Blocks that a chain which may be reorganised can go back."""

COUNTS = (10_000, 50_000, 100_000)
_GAS = 200_000
_ISSUER = keccak(b"issuer")[12:]
_HOLDERS = [keccak(f"holder {i}".encode())[12:] for i in range(N_ACCOUNTS)]

SUBJECTS = ("revm", f"revm, window of {WINDOW} snapshots", "pyrevm's message_call alone", "py-evm")
"""What is measured, each in a process of its own; py-evm up to the first count only."""


def measure_memory(subject: str, counts: Sequence[int] = COUNTS) -> dict[str, Any]:
    """Resident memory of this process after so many transactions.

    Parameters
    ----------
    subject : str
        One of :data:`SUBJECTS`.
    counts : sequence of int
        Numbers of transactions, ascending.

    Returns
    -------
    dict
        ``subject``, ``counts``, ``resident_mb`` after each of them, and ``start_mb`` before.
    """
    machine, next_block = _machine(subject)
    sent = 0
    for transaction in _opening():
        machine.execute(transaction)
    start_mb = resident_mb()
    resident = []
    for count in counts:
        while sent < count:
            machine.set_block(2 + sent // PER_BLOCK, 1_700_000_000, DEFAULT_BLOCK_GAS_LIMIT)
            next_block()
            for i in range(sent, min(count, sent + PER_BLOCK)):
                machine.execute(_transfer(i))
            sent = min(count, sent + PER_BLOCK)
        resident.append(resident_mb())
    return {
        "subject": subject,
        "counts": list(counts),
        "start_mb": start_mb,
        "resident_mb": resident,
    }


def resident_mb() -> float:
    """Resident memory of this process, or the most it had where only that is told. [MB]"""
    gc.collect()
    statm = Path("/proc/self/statm")
    if statm.is_file():
        pages = int(statm.read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _machine(subject: str) -> tuple[Machine, Callable[[], None]]:
    """How to execute, and what to do in every new block."""
    if subject == SUBJECTS[2]:
        return bare_pyrevm(DEFAULT_BLOCK_GAS_LIMIT), lambda: None
    engine = create_engine(subject.partition(",")[0])
    window: list[int] = []

    def execute(transaction: Sent) -> None:
        receipt = engine.transact(
            transaction.sender, transaction.to, transaction.data, transaction.gas_limit
        )
        if receipt.status != 1:
            raise ValueError(f"a transaction of the memory benchmark was reverted: {receipt}")

    def roll() -> None:
        window.append(engine.snapshot())
        if len(window) > WINDOW:
            engine.discard(window.pop(0))

    engine.set_block(1, 1_700_000_000, DEFAULT_BLOCK_GAS_LIMIT)
    return Machine(engine.set_block, execute), roll if "," in subject else lambda: None


def _sent(sender: bytes, to: bytes | None, data: bytes, gas_limit: int = _GAS) -> Sent:
    to_text = "" if to is None else "0x" + to.hex()
    return Sent(0, 0, 0, sender, to, data, 0, gas_limit, 0, 0, "", "0x" + sender.hex(), to_text)


def _opening() -> list[Sent]:
    """Deploy the token and give everyone some."""
    token = compile_contract("EuroToken")
    mint = token.selectors["mint"]
    return [
        _sent(_ISSUER, None, token.init_code(), 3_000_000),
        *(_sent(_ISSUER, _TOKEN, mint + pack(holder, 10**9)) for holder in _HOLDERS),
    ]


def _transfer(i: int) -> Sent:
    sender, to = _HOLDERS[i % N_ACCOUNTS], _HOLDERS[(i * 7 + 1 + i // N_ACCOUNTS) % N_ACCOUNTS]
    return _sent(sender, _TOKEN, _SELECTOR + pack(to, 1 + i % 97))


_TOKEN = create_address(_ISSUER, 0)
_SELECTOR = keccak(b"transfer(address,uint256)")[:4]
