"""Fills a block: the candidates in their order, as far as the gas suffices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from cosim.chain.blocks import Included, Mempool, Transaction
from cosim.evm.engine import BlockEngine, Engine, Message, Receipt

Refusal = Callable[[Transaction, int], bool]
"""True if a proposer, by its number, keeps a transaction out of its block."""


class BlockHead(NamedTuple):
    """A block before anything lies in it.

    Parameters
    ----------
    number, timestamp_s : int
        Number and Unix time. [-, s]
    gas_limit : int
        Most gas of its transactions: the block's less what other users take.
    base_fee_wei : int
        [wei/gas]
    proposer : int
        Validator that proposes it.
    """

    number: int
    timestamp_s: int
    gas_limit: int
    base_fee_wei: int
    proposer: int


def fill_block(
    engine: Engine,
    mempool: Mempool,
    head: BlockHead,
    refuse: Refusal | None,
    builder: BlockEngine | None = None,
) -> list[Included]:
    """Execute what fits into a block, and take it out of the mempool.

    Parameters
    ----------
    engine : Engine
        Set to the block.
    mempool : Mempool
    head : BlockHead
    refuse : callable, optional
        Says what its proposer keeps out.
    builder : BlockEngine, optional
        The same engine, if it decides by itself what fits.

    Returns
    -------
    list of Included
        In the order of the block.
    """
    candidates = mempool.candidates(head.timestamp_s, head.base_fee_wei, head.number)
    if refuse is not None:
        candidates = _admitted(candidates, refuse, head.proposer)
    if builder is not None:
        return _hand_over(builder, mempool, head, candidates)
    done: list[Included] = []
    gas_left = head.gas_limit
    for transaction in candidates:
        if transaction.gas_limit > gas_left or _is_too_poor(engine, transaction):
            continue
        sender = transaction.sender
        nonce = engine.nonce(sender)
        receipt = engine.transact(
            sender,
            transaction.to,
            transaction.data,
            transaction.gas_limit,
            transaction.value_wei,
        )
        mempool.taken(transaction)
        gas_left -= receipt.gas_used
        done.append(_included(head, transaction, receipt, len(done), nonce))
    return done


def _admitted(
    candidates: Iterator[Transaction], refuse: Refusal, proposer: int
) -> Iterator[Transaction]:
    """Yield the candidates that a proposer does not keep out."""
    return (transaction for transaction in candidates if not refuse(transaction, proposer))


def _is_too_poor(engine: Engine, transaction: Transaction) -> bool:
    """Return True if a sender does not have what it sends."""
    value_wei = transaction.value_wei
    return value_wei > 0 and value_wei > engine.balance(transaction.sender)


def _hand_over(
    engine: BlockEngine, mempool: Mempool, head: BlockHead, candidates: Iterable[Transaction]
) -> list[Included]:
    """Let a node build the block out of all candidates."""
    offered = []
    for transaction in candidates:
        if _is_too_poor(engine, transaction):
            continue
        mempool.taken(transaction)
        offered.append(transaction)
    if not offered:
        return []
    nonces = {sender: engine.nonce(sender) for sender in dict.fromkeys(t.sender for t in offered)}
    receipts = engine.execute_block(
        [Message(t.sender, t.to, t.data, t.gas_limit, t.value_wei) for t in offered]
    )
    done: list[Included] = []
    left = []
    for transaction, receipt in zip(offered, receipts, strict=True):
        if receipt is None:
            left.append(transaction)
            continue
        nonce = nonces[transaction.sender]
        nonces[transaction.sender] = nonce + 1
        done.append(_included(head, transaction, receipt, len(done), nonce))
    mempool.put_back(left)
    return done


def _included(
    head: BlockHead, transaction: Transaction, receipt: Receipt, index: int, nonce: int
) -> Included:
    # the base fee and the tip, as far as what it pays at most reaches
    price_wei = min(head.base_fee_wei + transaction.tip_wei, transaction.max_fee_wei)
    fee_wei = receipt.gas_used * price_wei
    fields = (transaction, receipt, head.number, index, head.timestamp_s, nonce, fee_wei)
    return tuple.__new__(Included, fields)  # in half the time that the class takes
