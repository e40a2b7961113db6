"""Changes of a transaction, read from the journal of revm, which pyrevm prints as text.

The text is Rust's ``{:?}`` of revm's ``JournaledState``: ``state`` with all touched accounts and
their slots, ``logs``, and ``journal`` with one entry for every change that was not taken back:
``StorageChange { address, key, had_value: Some(…) }`` for a slot that got another value (``None``
where it was only loaded), ``NonceChange`` when a contract creates another, and so on. Numbers are
decimal, addresses and hashes have lower-case hexadecimal digits.

These few thousand characters are read for every transaction, so the order of the searches
matters: Python finds a single character about ten times faster than a word.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyrevm

from cosim.errors import EngineError
from cosim.evm.hashing import keccak

_ENTRIES = "journal: [["
_ACCOUNT = re.compile(
    r"0x([0-9a-f]{40}): Account \{ info: AccountInfo \{ balance: (\d+), nonce: (\d+), "
    r"code_hash: 0x([0-9a-f]{64}), code: (?:None|Some\(Bytecode \{ bytecode: 0x([0-9a-f]*), "
    r"state: Analysed \{ len: (\d+))"
)
_CODE = re.compile(r"bytecode: 0x(?!00,)")
_STATUS = re.compile(r"\}, status: AccountStatus\(([^)]*)\)")
_BEHIND_KEY = len(", had_value: Some")
_JUMPDEST, _PUSH1, _PUSH32 = 0x5B, 0x60, 0x7F
_CREATE = frozenset((0xF0, 0xF5))
_ENDS = frozenset((0x00, 0x56, 0xF3, 0xFD, 0xFE, 0xFF))  # STOP, JUMP, RETURN, REVERT, …
_REVERT_OUTPUT = re.compile(r"output: 0x([0-9a-f]*)")


class JournalAccount(NamedTuple):
    """An account that a transaction touched, as it is afterwards.

    Parameters
    ----------
    address : bytes
    balance_wei, nonce : int
    code_hash : bytes
    has_code : bool
        True if its code was printed.
    code_length : int
        Bytes of that code without padding; 0 if it was not printed.
    is_gone : bool
        Created and destroyed in this transaction (EIP-6780).
    """

    address: bytes
    balance_wei: int
    nonce: int
    code_hash: bytes
    has_code: bool
    code_length: int
    is_gone: bool


def entries_at(journal: str) -> int:
    """Return the position of the journal's entries, behind accounts and logs.

    Raises
    ------
    EngineError
        If a new pyrevm prints its journal in another way.
    """
    start = journal.rfind("j")  # in no word behind this one
    if not journal.startswith(_ENTRIES, start):
        raise EngineError(f"cannot read the journal of revm: {journal[-200:]}")
    return start


def tells_of_creation(journal: str, entries: int) -> bool:
    """Return True if a contract created another one, or tried to."""
    return journal.find("NonceChange", entries) >= 0


def changed_slots(journal: str, entries: int) -> Iterable[str]:
    """Return what was stored, as ``0x…, key: N``, in the order in which it first was.

    A slot may have its old value again.
    """
    changed: dict[str, None] = {}
    # among the entries only a value that a slot had is in parentheses, only addresses have an x
    end = journal.find("(", entries)
    while end >= 0:
        changed[journal[journal.rfind("x", entries, end) - 1 : end - _BEHIND_KEY]] = None
        end = journal.find("(", end + 1)
    return changed


def has_code(journal: str) -> bool:
    """Return True if code was printed, which makes the journal long."""
    return _CODE.search(journal) is not None


def accounts_in(journal: str) -> Iterator[JournalAccount]:
    """Yield all accounts of the journal."""
    for match in _ACCOUNT.finditer(journal):
        status = _STATUS.search(journal, match.end())
        if status is None:
            raise EngineError(f"cannot read the journal of revm: {match[0]}")
        yield JournalAccount(
            address=bytes.fromhex(match[1]),
            balance_wei=int(match[2]),
            nonce=int(match[3]),
            code_hash=bytes.fromhex(match[4]),
            has_code=match[5] not in (None, "00"),
            code_length=int(match[6] or 0),
            is_gone="SelfDestructed" in status[1] and "Created" in status[1],
        )


def new_code(length: int, info: pyrevm.AccountInfo) -> bytes:
    """Return the code of a new contract without the zeros that revm pads it with."""
    code: bytes = (info.code or b"")[:length]
    if keccak(code) != info.code_hash:
        raise EngineError("cannot read the code of a new contract from the journal of revm")
    return code


@functools.lru_cache(256)
def may_create(code: bytes) -> bool:
    """Return True if code has a CREATE or CREATE2 that a jump, or what precedes it, reaches.

    Code is executed from its beginning or from a JUMPDEST on; what stands behind an instruction
    that ends or jumps away is data unless there is one.
    """
    i, reachable = 0, True
    while i < len(code):
        opcode = code[i]
        if opcode == _JUMPDEST:
            reachable = True
        elif reachable and opcode in _CREATE:
            return True
        elif opcode in _ENDS:
            reachable = False
        i += opcode - _PUSH1 + 2 if _PUSH1 <= opcode <= _PUSH32 else 1
    return False


def revert_output(error: str) -> bytes:
    """Return the revert data in the text of pyrevm's exception; empty when execution halted."""
    match = _REVERT_OUTPUT.search(error)
    return bytes.fromhex(match[1]) if match and error.startswith("Revert") else b""
