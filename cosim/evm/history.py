"""History of what a node was told, in order: enough to tell it again.

A node that lost its last blocks, or all of them, gets them again from here: the same signed bytes
in blocks of the same numbers and timestamps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cosim.evm.engine import Receipt


@dataclass(frozen=True, slots=True)
class Allocation:
    """Native coin that an account was given.

    Parameters
    ----------
    address : bytes
        20 bytes.
    before_wei, after_wei : int
        As the node had it and was told to have it. [wei]
    is_purse : bool
        True for what the node wants to see before it takes a transaction.
    """

    address: bytes
    before_wei: int
    after_wei: int
    is_purse: bool


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction in a block.

    Parameters
    ----------
    sender : bytes
        20 bytes.
    hash : str
        Of the raw transaction.
    raw : bytes
        Signed.
    """

    sender: bytes
    hash: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class ToldBlock:
    """A block that a node built of what it was sent.

    Parameters
    ----------
    number, timestamp_s, gas_limit : int
        [-, s, -]
    transactions : tuple of Signed
        Its content, in order.
    digest : bytes
        Of the receipts.
    """

    number: int
    timestamp_s: int
    gas_limit: int
    transactions: tuple[Signed, ...]
    digest: bytes


@dataclass
class History:
    """Allocations and blocks in order, and what follows from them.

    Attributes
    ----------
    nonces : dict
        Transactions by sender.
    funded : set
        Senders with a purse.
    """

    steps: list[Allocation | ToldBlock] = field(default_factory=list)
    nonces: dict[bytes, int] = field(default_factory=dict)
    funded: set[bytes] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, step: Allocation | ToldBlock) -> None:
        """Append a step."""
        self.steps.append(step)
        if isinstance(step, ToldBlock):
            for one in step.transactions:
                self.nonces[one.sender] = self.nonces.get(one.sender, 0) + 1
        elif step.is_purse:
            self.funded.add(step.address)

    @property
    def last_block(self) -> ToldBlock | None:
        """The latest block; None if there is none."""
        return next((s for s in reversed(self.steps) if isinstance(s, ToldBlock)), None)

    def allocated_wei(self, address: bytes) -> int:
        """Return the native coin that an account was last given; 0 if none. [wei]"""
        for step in reversed(self.steps):
            if isinstance(step, Allocation) and step.address == address:
                return step.after_wei
        return 0

    def blocks(self) -> list[tuple[int, ToldBlock]]:
        """Return the blocks with their positions among the steps."""
        return [(i, s) for i, s in enumerate(self.steps) if isinstance(s, ToldBlock)]

    def cut(self, length: int) -> list[tuple[bytes, int]]:
        """Forget the steps from a position on.

        Returns
        -------
        list of tuple
            Accounts and the native coin that they have again once the forgotten blocks are gone:
            allocations before the first of these blocks are no part of it.
        """
        gone, self.steps = self.steps[length:], self.steps[:length]
        for step in gone:
            if isinstance(step, ToldBlock):
                for one in step.transactions:
                    self.nonces[one.sender] -= 1
            elif step.is_purse:
                self.funded.discard(step.address)
        restored: dict[bytes, int] = {}
        for step in gone:
            if isinstance(step, ToldBlock):
                break
            restored.setdefault(step.address, step.before_wei)
        return list(restored.items())


def receipts_digest(receipts: Iterable[Receipt]) -> bytes:
    """Return a digest of status, gas, addresses and logs of receipts; not of their output."""
    digest = hashlib.sha256()
    for one in receipts:
        digest.update(repr((one.status, one.gas_used, one.logs, one.contract_address)).encode())
    return digest.digest()


def left_over(gas_limits: Sequence[int], gas_used: Sequence[int | None], limit: int) -> bool:
    """Return True if a block holds exactly what our rule lets in.

    Parameters
    ----------
    gas_limits : sequence of int
        Of the candidates that could have been next of their sender, in order.
    gas_used : sequence of int or None
        None for what the block does not hold.
    limit : int
        Most gas of the block.
    """
    gas_left = limit
    for wanted, used in zip(gas_limits, gas_used, strict=True):
        if (wanted <= gas_left) != (used is not None):
            return False
        gas_left -= used or 0
    return True
