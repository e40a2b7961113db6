"""Transactions on their way into blocks, the blocks, and the base fee.

The base fee follows EIP-1559 with elasticity 2 and denominator 8. A chain whose initial base fee
is 0 is a consortium chain without fees: its base fee stays 0, where the letter of the EIP would
raise it by 1 wei per full block.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from cosim.evm.engine import Receipt

ELASTICITY = 2
BASE_FEE_CHANGE_DENOMINATOR = 8


class Transaction(NamedTuple):
    """A transaction as an account sends it to the chain.

    Parameters
    ----------
    handle : int
        Its number in the order of submission, counted from 0.
    sent_at_s : float
        When it reaches the mempool, Unix time. [s]
    sender : bytes
        20 bytes. The nonce is given at inclusion, in the order of sending.
    to : bytes or None
        Contract or account called; None deploys.
    data : bytes
        Calldata or init code.
    gas_limit : int
        Most gas it may use.
    max_fee_wei, tip_wei : int
        Most it pays per gas, and most of that for the block proposer. [wei/gas]
    value_wei : int
        Native coin sent along. [wei]
    interval : int
        Delivery interval it serves; -1 for the set-up phase.
    rise_permille : int
        Its sender raises both fees by so much with every block that leaves it waiting: it sends
        the same transaction again, with the same nonce. [‰]
    """

    handle: int
    sent_at_s: float
    sender: bytes
    to: bytes | None
    data: bytes
    gas_limit: int
    max_fee_wei: int
    tip_wei: int
    value_wei: int = 0
    interval: int = -1
    rise_permille: int = 0

    def after_waiting(self, blocks: int) -> Transaction:
        """Return it with the fees that its sender offers after so many blocks."""
        if not self.rise_permille or blocks <= 0:
            return self
        up, down = (1_000 + self.rise_permille) ** blocks, 1_000**blocks
        return self._replace(
            max_fee_wei=self.max_fee_wei * up // down, tip_wei=self.tip_wei * up // down
        )


@dataclass(frozen=True)
class FeeStrategy:
    """Fees that an account offers for its transactions.

    Parameters
    ----------
    tip_wei : int
        Priority fee. [wei/gas]
    rise_permille : int
        It raises both fees by so much with every block that leaves a transaction waiting. [‰]
    base_fee_factor : int
        Its most fee is so many times the base fee, plus the tip.
    """

    tip_wei: int
    rise_permille: int = 0
    base_fee_factor: int = 2


@dataclass(frozen=True)
class Background:
    """Gas that other users of the chain take in every block, before the community's own.

    Their demand is ``share`` of the gas limit while the base fee is ``base_fee_wei`` or below, and
    falls in inverse proportion above (elasticity of 1). With a share of a half, the target of
    EIP-1559, the base fee stays where it is and comes back to it after a wave of demand.

    Parameters
    ----------
    share : float
        Of the gas limit, below 1. [-]
    base_fee_wei : int
        [wei/gas]
    """

    share: float = 0.0
    base_fee_wei: int = 0

    def gas(self, gas_limit: int, base_fee_wei: int) -> int:
        """Return the gas that others take of a block."""
        most = round(self.share * gas_limit)
        if base_fee_wei <= self.base_fee_wei:
            return most
        return most * self.base_fee_wei // base_fee_wei


class Included(NamedTuple):
    """A transaction in its block.

    Parameters
    ----------
    transaction : Transaction
        What was sent.
    receipt : Receipt
        What became of it.
    block, index : int
        Number of the block, position in it.
    included_at_s : int
        Timestamp of the block, Unix time. [s]
    nonce : int
        Nonce given by the chain.
    fee_wei : int
        Gas used times base fee and effective tip. [wei]
    """

    transaction: Transaction
    receipt: Receipt
    block: int
    index: int  # type: ignore[assignment]  # hides the method of tuples
    included_at_s: int
    nonce: int
    fee_wei: int


def next_base_fee_wei(base_fee_wei: int, gas_used: int, gas_limit: int) -> int:
    """Return the base fee of the block after one with this gas (EIP-1559). [wei/gas]

    Parameters
    ----------
    base_fee_wei : int
        Base fee of the block; 0 stays 0.
    gas_used, gas_limit : int
        Gas of the block and its limit; the target is half the limit.
    """
    if not base_fee_wei:
        return 0
    target = gas_limit // ELASTICITY
    if gas_used == target:
        return base_fee_wei
    change = base_fee_wei * abs(gas_used - target) // target // BASE_FEE_CHANGE_DENOMINATOR
    if gas_used > target:
        return base_fee_wei + max(change, 1)
    return base_fee_wei - change


class Mempool:
    """Transactions that wait: first for their time, then for a block that holds them."""

    def __init__(self) -> None:
        self._future: list[tuple[float, int, Transaction]] = []
        # per sender in the order of sending, which is the order of nonces
        self._ready: dict[bytes, deque[Transaction]] = {}
        self._waiting: dict[int, Transaction] = {}
        # block that first could have included a transaction whose fees rise
        self._since: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, transaction: Transaction) -> None:
        """Take a transaction in; it is a candidate once its time has come."""
        heapq.heappush(self._future, (transaction.sent_at_s, transaction.handle, transaction))
        self._waiting[transaction.handle] = transaction

    def put_back(self, transactions: Iterable[Transaction]) -> None:
        """Take transactions back that were taken: their block is not part of the chain.

        Each is a candidate again from the time on at which it was sent, with whatever else waits,
        so that the order of sending stays, and no earlier block holds what was sent later.
        """
        ready = [one for queue in self._ready.values() for one in queue]
        waiting = [one for one in ready if one.handle in self._waiting]
        self._ready = {}
        for transaction in (*transactions, *waiting):
            self._waiting[transaction.handle] = transaction
            heapq.heappush(self._future, (transaction.sent_at_s, transaction.handle, transaction))

    def drop(self, handles: Iterable[int]) -> None:
        """Withdraw transactions; those that were included already are passed over."""
        for handle in handles:
            self._waiting.pop(handle, None)
            self._since.pop(handle, None)

    def seen(self, timestamp_s: float) -> list[Transaction]:
        """Return what lies in the public mempool at a time, in the order of sending."""
        ready = [one for queue in self._ready.values() for one in queue]
        ready += [one for sent_at_s, _, one in self._future if sent_at_s <= timestamp_s]
        waiting = [one for one in ready if one.handle in self._waiting]
        return sorted(waiting, key=lambda one: (one.sent_at_s, one.handle))

    def has_candidates(self, timestamp_s: int) -> bool:
        """True if any transaction was sent before a time, or waits since an earlier block."""
        return bool(self._ready) or bool(self._future and self._future[0][0] < timestamp_s)

    def candidates(
        self, timestamp_s: int, base_fee_wei: int, block: int = 0
    ) -> Iterator[Transaction]:
        """Yield transactions sent before the block, best effective tip first, then first sent.

        The generator is told by :meth:`taken` that the last one was included; else its sender's
        later ones stay behind it, because nonces leave no gap.
        """
        arrived = self._arrived(timestamp_s)
        if not self._ready and _are_alike(arrived):
            yield from self._in_order(arrived, base_fee_wei)
            return
        for transaction in arrived:
            self._append(transaction)
        heads: list[tuple[int, float, int, Transaction]] = []
        for sender in list(self._ready):
            self._push_head(heads, sender, base_fee_wei, block)
        while heads:
            transaction = heapq.heappop(heads)[3]
            yield transaction
            if transaction.handle not in self._waiting:  # taken
                self._push_head(heads, transaction.sender, base_fee_wei, block)

    def _arrived(self, timestamp_s: float) -> list[Transaction]:
        """Take out what was sent before a time, in the order of sending."""
        future, waiting = self._future, self._waiting
        if not future or future[0][0] >= timestamp_s:
            return []
        future.sort()  # what is left of a sorted list is a heap
        n = bisect_left(future, timestamp_s, key=itemgetter(0))
        arrived = [one for _, handle, one in future[:n] if handle in waiting]
        del future[:n]
        return arrived

    def _append(self, transaction: Transaction) -> None:
        queue = self._ready.get(transaction.sender)
        if queue is None:
            self._ready[transaction.sender] = deque((transaction,))
        else:
            queue.append(transaction)

    def _in_order(self, arrived: list[Transaction], base_fee_wei: int) -> Iterator[Transaction]:
        """Yield transactions of equal fees, which go in the order of sending."""
        if arrived and arrived[0].max_fee_wei < base_fee_wei:
            for transaction in arrived:
                self._append(transaction)
            return
        waiting, ready = self._waiting, self._ready
        for transaction in arrived:
            if transaction.sender not in ready:
                yield transaction
                if transaction.handle not in waiting:  # taken
                    continue
            self._append(transaction)

    def _push_head(
        self,
        heads: list[tuple[int, float, int, Transaction]],
        sender: bytes,
        base_fee_wei: int,
        block: int,
    ) -> None:
        queue = self._ready[sender]
        while queue and queue[0].handle not in self._waiting:
            queue.popleft()
        if not queue:
            del self._ready[sender]
            return
        head = queue[0]
        if head.rise_permille:
            head = head.after_waiting(block - self._since.setdefault(head.handle, block))
        if head.max_fee_wei >= base_fee_wei:
            tip_wei = effective_tip_wei(head, base_fee_wei)
            heapq.heappush(heads, (-tip_wei, head.sent_at_s, head.handle, head))

    def taken(self, transaction: Transaction) -> None:
        """Note that a candidate was included."""
        del self._waiting[transaction.handle]
        if self._since:
            self._since.pop(transaction.handle, None)


def _are_alike(transactions: list[Transaction]) -> bool:
    """Return True if all offer the same fees, which waiting does not raise."""
    offers = {(one.tip_wei, one.max_fee_wei, one.rise_permille) for one in transactions}
    return len(offers) <= 1 and not any(rise for _, _, rise in offers)


def effective_tip_wei(transaction: Transaction, base_fee_wei: int) -> int:
    """Return what the block proposer gets per gas. [wei/gas]"""
    return min(transaction.tip_wei, transaction.max_fee_wei - base_fee_wei)
