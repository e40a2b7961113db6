"""The engine on a node whose clock and blocks can be set: anvil.

Blocks get our numbers and timestamps; between them lie empty ones. All transactions of a block are
sent together, signed, each with a nonce and offering 1 wei less per gas than the one before, so
that the node takes them in our order; the base fee is 0 and so are the fees paid.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cosim.errors import EngineError, NodeError
from cosim.evm.engine import (
    CHAIN_ID,
    COINBASE,
    DEFAULT_BLOCK_GAS_LIMIT,
    PREVRANDAO,
    Message,
    Receipt,
    check_transaction,
    too_poor,
)
from cosim.evm.fork import check_fork
from cosim.evm.hashing import keccak
from cosim.evm.history import Allocation, Signed, ToldBlock, left_over, receipts_digest
from cosim.evm.node import Block, NodeRefused, NodeUnavailable, to_bytes
from cosim.evm.node_chain import PURSE_WEI, NodeChain
from cosim.evm.options import NodeSettings
from cosim.evm.rpc import TRACER, PlainNode, created_by, receipt_of, text_of
from cosim.evm.signing import sign
from cosim.evm.snapshots import Snapshots
from cosim.evm.trie import storage_root

HIGHEST_FEE_WEI = 10**9
"""Offer of a block's first transaction; each of the next offers 1 wei less. [wei/gas]"""


class _Place(NamedTuple):
    """A place in the history: how many steps, the last of them, what its block executed."""

    length: int
    last: Allocation | ToldBlock | None
    messages: tuple[Message, ...]


class TimedNode(NodeChain):
    """Engine on anvil; see :class:`cosim.evm.engine.BlockEngine`.

    Parameters
    ----------
    settings, keys, takes_over
        See :class:`cosim.evm.node_chain.NodeChain`.
    """

    def __init__(
        self,
        settings: NodeSettings,
        keys: Mapping[bytes, bytes],
        *,
        takes_over: bool = False,
    ) -> None:
        super().__init__(settings, keys, takes_over=takes_over)
        self._snapshots: Snapshots[_Place] = Snapshots()
        self._block = (0, 0, DEFAULT_BLOCK_GAS_LIMIT)
        self._messages: list[Message] = []
        self._seen: dict[tuple[bytes, int], int | None] = {}
        self._roots: dict[str, dict[int, int]] = {}

    # --- the block ---

    def set_block(
        self, number: int, timestamp_s: int, gas_limit: int, base_fee_wei: int = 0
    ) -> None:
        """Set the block of the next transactions; the node hears of it when there are any."""
        if self._block != (number, timestamp_s, gas_limit):
            self._block = (number, timestamp_s, gas_limit)
            self._messages = []

    def transact(
        self, sender: bytes, to: bytes | None, data: bytes, gas_limit: int, value_wei: int = 0
    ) -> Receipt:
        """Execute one more transaction in the block: the node builds the block anew with it."""
        (receipt,) = self.execute_block([Message(sender, to, data, gas_limit, value_wei)])
        if receipt is None:
            raise EngineError(f"block {self._block[0]} cannot hold another {gas_limit} gas")
        return receipt

    def execute_block(self, messages: Sequence[Message]) -> list[Receipt | None]:
        """Execute what fits into the block; None for what does not."""
        number, timestamp_s, gas_limit = self._block
        for message in messages:
            check_transaction(message.data, message.to is None, message.gas_limit, gas_limit)
            self.key_of(message.sender)
            if message.value_wei and message.value_wei > (own := self.balance(message.sender)):
                raise too_poor(message.sender, own, message.value_wei)
        earlier = self._reopen(number)
        everything = [*self._messages, *messages]
        signed, nonces = self._sign(everything)
        answers = self.patiently(lambda: self._build(everything, signed))
        included = [i for i, one in enumerate(signed) if one.hash in answers]
        if [signed[i].hash for i in included] != list(answers):
            raise EngineError(f"the node did not keep the order of block {number}")
        receipts = [
            receipt_of(answers[signed[i].hash])._replace(
                contract_address=created_by(everything[i], nonces[i])
            )
            for i in included
        ]
        held, digest = tuple(signed[i] for i in included), receipts_digest(receipts)
        self._history.add(ToldBlock(number, timestamp_s, gas_limit, held, digest))
        outputs = self._outputs(included, signed)
        by_message: list[Receipt | None] = [None] * len(everything)
        for i, receipt, output in zip(included, receipts, outputs, strict=True):
            is_deployment = everything[i].to is None and receipt.status
            by_message[i] = receipt._replace(output=b"" if is_deployment else output)
        self._messages = [everything[i] for i in included]
        return by_message[earlier:]

    def assume_block(self, messages: Sequence[Message], receipts: Sequence[Receipt | None]) -> None:
        """Take a block as executed that a journal tells of; the node is not asked."""
        number, timestamp_s, gas_limit = self._block
        earlier = self._reopen(number)
        assert not earlier, "a journal holds whole blocks"
        signed, _ = self._sign(messages)
        kept = [i for i, receipt in enumerate(receipts) if receipt is not None]
        digest = receipts_digest(receipt for receipt in receipts if receipt is not None)
        for sender in dict.fromkeys(message.sender for message in messages):
            if sender not in self._history.funded:
                own = self._history.allocated_wei(sender)
                self._history.add(Allocation(sender, own, own + PURSE_WEI, True))
        transactions = tuple(signed[i] for i in kept)
        self._history.add(ToldBlock(number, timestamp_s, gas_limit, transactions, digest))
        self._messages = [messages[i] for i in kept]
        self.on_trouble()

    def _reopen(self, number: int) -> int:
        """Take the block out of the history if it has transactions; return their number."""
        last = self._history.last_block
        if last is None or last.number < number:
            self._messages = []
            return 0
        if last.number > number or not isinstance(self._history.steps[-1], ToldBlock):
            raise EngineError(
                f"block {number} is closed: a later block or an allocation of native coin follows"
            )
        self._cut(len(self._history) - 1)
        return len(self._messages)

    def _sign(self, messages: Sequence[Message]) -> tuple[list[Signed], list[int]]:
        counted = dict(self._history.nonces)
        signed, nonces = [], []
        for index, message in enumerate(messages):
            nonce = counted.get(message.sender, 0)
            counted[message.sender] = nonce + 1
            raw = sign(
                self.key_of(message.sender),
                chain_id=self.chain_id,
                nonce=nonce,
                to=message.to,
                data=message.data,
                gas_limit=message.gas_limit,
                max_fee_wei=HIGHEST_FEE_WEI - index,
                value_wei=message.value_wei,
            )
            signed.append(Signed(message.sender, text_of(keccak(raw)), raw))
            nonces.append(nonce)
        return signed, nonces

    def _build(self, messages: Sequence[Message], signed: Sequence[Signed]) -> dict[str, Any]:
        """Have the node build the block; return receipts by hash. May be repeated after trouble."""
        head = self._synchronise(self._block[0])
        self._fund([one.sender for one in signed])
        answers = self._mine(head, *self._block, signed)
        gas_used = {one: int(answer["gasUsed"], 16) for one, answer in answers.items()}
        _check_filling(messages, [gas_used.get(one.hash) for one in signed], self._block[2])
        return answers

    def _outputs(self, included: Sequence[int], signed: Sequence[Signed]) -> list[bytes]:
        """Return what transactions returned or reverted with, by the node's traces."""
        calls = [("debug_traceTransaction", (signed[i].hash, TRACER)) for i in included]
        return [to_bytes(trace.get("output")) for trace in self.read(calls)]

    def _set_head(self, head: Block) -> None:
        super()._set_head(head)
        self._seen = dict.fromkeys(self._seen)
        self._roots = {}

    # --- reading ---

    def storage(self, address: bytes, slot: int) -> int:
        """Return a slot's value; slots that were read before are read together once a block."""
        if self._head is None:
            self._seen = dict.fromkeys(self._seen)
        if (value := self._seen.get((address, slot))) is not None:
            return value
        self._seen[address, slot] = None
        wanted = [key for key, known in self._seen.items() if known is None]
        answers = self.read(
            [("eth_getStorageAt", (text_of(a), hex(s), "latest")) for a, s in wanted]
        )
        self._seen.update(zip(wanted, (int(answer, 16) for answer in answers), strict=True))
        return int(self._seen[address, slot] or 0)

    def storage_root(self, address: bytes) -> bytes:
        """Return the root over the node's slots: anvil's trie keeps those set back to 0."""
        if self._head is None or not self._roots:
            dump = json.loads(gzip.decompress(to_bytes(self.read([("anvil_dumpState", ())])[0])))
            self._roots = {
                owner.lower(): {int(k, 16): int(v, 16) for k, v in entry["storage"].items()}
                for owner, entry in dump["accounts"].items()
            }
        return storage_root(self._roots.get(text_of(address), {}))

    def nonce(self, address: bytes) -> int:
        """Transactions sent, or contracts created, by an account."""
        if address in self.keys:
            return self._history.nonces.get(address, 0)
        return super().nonce(address)

    def balance(self, address: bytes) -> int:
        """Native coin of an account, less the purse that it shows the node. [wei]"""
        return super().balance(address) - self._purse(address)

    def _purse(self, address: bytes) -> int:
        return PURSE_WEI if address in self._history.funded else 0

    def set_balance(self, address: bytes, balance_wei: int) -> None:
        """Set the native coin of an account. [wei]"""
        self._note_allocation(address, super().balance(address), balance_wei)

    def assume_balance(self, address: bytes, balance_wei: int) -> None:
        """Take an allocation as done that a journal tells of; the node is not asked."""
        self._note_allocation(address, self._history.allocated_wei(address), balance_wei)

    def _note_allocation(self, address: bytes, before_wei: int, balance_wei: int) -> None:
        after_wei = balance_wei + self._purse(address)
        self._history.add(Allocation(address, before_wei, after_wei, False))
        self.on_trouble()  # the next contact tells the node

    def call(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        """Execute a call in the block set and forget its effects; raises ContractRevert."""
        number, timestamp_s, gas_limit = self._block
        request = {
            "from": text_of(sender),
            "to": text_of(to),
            "data": text_of(data),
            "gas": hex(gas_limit),
        }
        block = {
            "number": hex(number),
            "time": hex(timestamp_s),
            "gasLimit": hex(gas_limit),
            "feeRecipient": text_of(COINBASE),
            "prevRandao": text_of(PREVRANDAO),
            "baseFeePerGas": hex(0),
        }
        return self.ask(request, "latest", {}, block)

    # --- going back ---

    def snapshot(self) -> int:
        """Remember where the history stands; costs nothing."""
        steps = self._history.steps
        last = steps[-1] if steps else None
        return self._snapshots.add(_Place(len(steps), last, tuple(self._messages)))

    def restore(self, snapshot_id: int) -> None:
        """Take what came later back, at the next contact with the node."""
        length, last, messages = self._snapshots.pop(snapshot_id)
        steps = self._history.steps
        if isinstance(last, ToldBlock) and steps[length - 1] is not last:
            # the block was built anew with more in it: it becomes what it was
            self._cut(length - 1)
            self._history.add(last)
        elif length < len(steps):
            self._cut(length)
        self._messages = list(messages)

    def discard(self, snapshot_id: int) -> None:
        """Forget a snapshot and every earlier one."""
        self._snapshots.discard(snapshot_id)


def _check_filling(
    messages: Sequence[Message], gas_used: Sequence[int | None], gas_limit: int
) -> None:
    """Refuse a block that was not filled by our rule: the node's chain would not be ours."""
    behind: set[bytes] = set()
    limits, used = [], []
    for message, one in zip(messages, gas_used, strict=True):
        if message.sender in behind:
            if one is not None:
                raise EngineError("the node executed a transaction before an earlier one")
            continue
        limits.append(message.gas_limit)
        used.append(one)
        if one is None:
            behind.add(message.sender)
    if not left_over(limits, used, gas_limit):
        # also a pool that was not in order after an answer was lost: tried again
        raise NodeUnavailable("the node does not fill the block by our rule")


def connect(
    settings: NodeSettings, keys: Mapping[bytes, bytes], *, takes_over: bool = False
) -> TimedNode | PlainNode:
    """Return an engine on a node, by what the node offers.

    Parameters
    ----------
    settings, keys, takes_over
        See :class:`cosim.evm.node_chain.NodeChain`.

    Raises
    ------
    NodeError
        If it does not answer, or its fork lacks what the contracts need.
    """
    plain = PlainNode(settings, keys)
    check_fork(plain, same_gas=False)
    try:
        plain.read([("anvil_nodeInfo", ())])
    except NodeRefused:
        return plain
    return TimedNode(settings, keys, takes_over=takes_over)


def connect_timed(
    settings: NodeSettings, keys: Mapping[bytes, bytes], *, takes_over: bool = False
) -> TimedNode:
    """Return an engine on a node that can play a run, or play one again.

    Parameters
    ----------
    settings, keys, takes_over
        See :class:`cosim.evm.node_chain.NodeChain`.

    Raises
    ------
    NodeError
        If it does not answer, its clock cannot be set, its chain id is not that of a run, or its
        fork is older than Prague.
    """
    engine = connect(settings, keys, takes_over=takes_over)
    if not isinstance(engine, TimedNode):
        raise NodeError(
            "a run needs a node whose clock can be set: contracts read the time of their block, "
            "and a simulated day does not pass in a node's own time",
            remedy="run anvil --no-mining and give its URL; on this node contracts can be "
            "deployed, called and read",
        )
    if engine.chain_id != CHAIN_ID:
        raise NodeError(
            f"the node has chain id {engine.chain_id}, a run {CHAIN_ID}",
            remedy=f"start it with --chain-id {CHAIN_ID}",
        )
    check_fork(engine, same_gas=True)
    return engine
