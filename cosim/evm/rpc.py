"""Engines on an Ethereum node over JSON-RPC: what every node offers.

A node whose clock and blocks can be set (anvil) is :class:`cosim.evm.timed_node.TimedNode`; it
runs a whole simulation. Any other is a :class:`PlainNode`: contracts are deployed, called and read
there, blocks and time are its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from cosim.errors import ContractRevert, EngineError, NodeError
from cosim.evm.abi import revert_text
from cosim.evm.engine import (
    DEFAULT_BLOCK_GAS_LIMIT,
    Log,
    Message,
    Receipt,
    check_transaction,
    too_poor,
)
from cosim.evm.hashing import create_address, keccak
from cosim.evm.node import Node, NodeRefused, NodeUnavailable, Request, to_bytes
from cosim.evm.options import NodeSettings
from cosim.evm.signing import sign

T = TypeVar("T")

TRACER = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
"""Options of a trace that tells what a transaction returned or reverted with."""

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


class NodeEngine:
    """Base of plain and timed nodes: patience, and reading.

    Parameters
    ----------
    settings : NodeSettings
    keys : mapping of bytes to bytes
        Private keys by address of everybody who may send.
    """

    name = "rpc"

    def __init__(self, settings: NodeSettings, keys: Mapping[bytes, bytes]) -> None:
        self.settings = settings
        self.keys = keys
        self.node = Node(settings.url, settings.timeout_s)
        self._chain_id: int | None = None

    @property
    def chain_id(self) -> int:
        """Chain id of the node, asked once."""
        if self._chain_id is None:
            self._chain_id = int(self.patiently(lambda: self.node.request("eth_chainId")), 16)
        return self._chain_id

    def patiently(self, action: Callable[[], T]) -> T:
        """Try something that may be done twice until the node answers.

        Raises
        ------
        NodeError
            If it does not within the patience.
        """
        begin = time.monotonic()
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return action()
            except NodeUnavailable as trouble:
                waited_s = time.monotonic() - begin
                if waited_s + pause_s > self.settings.patience_s:
                    raise NodeError(
                        f"the node does not answer: {trouble} (tried for {waited_s:.0f} s)",
                        remedy="start it again, or give it more time with --patience; "
                        "'cosim run ... --resume' goes on where the run stopped",
                    ) from trouble
                self.on_trouble()
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def on_trouble(self) -> None:
        """Expect that what is known of the node is wrong now."""

    def read(self, calls: Sequence[Request]) -> list[Any]:
        """Return the answers to requests that change nothing."""
        return self.patiently(lambda: self.node.read(calls))

    def code(self, address: bytes) -> bytes:
        """Runtime code of an account."""
        return to_bytes(self.read([("eth_getCode", (text_of(address), "latest"))])[0])

    def storage(self, address: bytes, slot: int) -> int:
        """Value of a storage slot."""
        call = ("eth_getStorageAt", (text_of(address), hex(slot), "latest"))
        return int(self.read([call])[0], 16)

    def nonce(self, address: bytes) -> int:
        """Transactions sent, or contracts created, by an account."""
        call = ("eth_getTransactionCount", (text_of(address), "latest"))
        return int(self.read([call])[0], 16)

    def balance(self, address: bytes) -> int:
        """Native coin of an account. [wei]"""
        return int(self.read([("eth_getBalance", (text_of(address), "latest"))])[0], 16)

    def call(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        """Execute a call on the latest state and forget its effects; raises ContractRevert."""
        request = {"from": text_of(sender), "to": text_of(to), "data": text_of(data)}
        return self.ask(request, "latest")

    def ask(self, request: Mapping[str, str], block: str, *overrides: Any) -> bytes:
        """Return the answer of ``eth_call``; raises ContractRevert."""
        try:
            return to_bytes(self.read([("eth_call", (request, block, *overrides))])[0])
        except NodeRefused as refusal:
            if refusal.is_execution:
                raise ContractRevert(revert_text(refusal.data)) from None
            raise

    def key_of(self, sender: bytes) -> bytes:
        """Return the private key of a sender.

        Raises
        ------
        EngineError
            If there is none.
        """
        try:
            return self.keys[sender]
        except KeyError:
            raise EngineError(f"no key for account {text_of(sender)}: it cannot sign") from None


class PlainNode(NodeEngine):
    """Any node: it mines by itself, and its time is its own.

    Fees are the node's: twice its gas price. Senders must own native coin. Implements
    :class:`cosim.evm.engine.BlockEngine` but for snapshots and allocations, which no plain node
    can do. ``output`` of a receipt is empty for what succeeded, and by ``eth_call`` on the parent
    block for what was reverted, unless the node traces transactions.
    """

    def __init__(self, settings: NodeSettings, keys: Mapping[bytes, bytes]) -> None:
        super().__init__(settings, keys)
        self._gas_limit = DEFAULT_BLOCK_GAS_LIMIT
        self._nonces: dict[bytes, int] = {}
        self._traces = True

    def set_block(
        self, number: int, timestamp_s: int, gas_limit: int, base_fee_wei: int = 0
    ) -> None:
        """Keep the gas limit as a bound; number and time are the node's."""
        self._gas_limit = gas_limit

    def transact(
        self, sender: bytes, to: bytes | None, data: bytes, gas_limit: int, value_wei: int = 0
    ) -> Receipt:
        """Sign and send one transaction, and wait for the block that holds it."""
        check_transaction(data, to is None, gas_limit, self._gas_limit)
        key = self.key_of(sender)
        if value_wei and value_wei > (balance := self.balance(sender)):
            raise too_poor(sender, balance, value_wei)
        if sender not in self._nonces:
            call = ("eth_getTransactionCount", (text_of(sender), "pending"))
            self._nonces[sender] = int(self.read([call])[0], 16)
        nonce = self._nonces[sender]
        price_wei = int(self.read([("eth_gasPrice", ())])[0], 16)
        raw = sign(
            key,
            chain_id=self.chain_id,
            nonce=nonce,
            to=to,
            data=data,
            gas_limit=gas_limit,
            max_fee_wei=2 * price_wei,
            tip_wei=min(price_wei, 10**9),
            value_wei=value_wei,
        )
        answer = self._send(raw, text_of(keccak(raw)))
        self._nonces[sender] = nonce + 1
        receipt = receipt_of(answer)
        output = self._output(answer, receipt, Message(sender, to, data, gas_limit, value_wei))
        return receipt._replace(output=output)

    def execute_block(self, messages: Sequence[Message]) -> list[Receipt | None]:
        """Send one after the other; the node decides about blocks, and each finds its place."""
        return [self.transact(*message) for message in messages]

    def _send(self, raw: bytes, transaction: str) -> Any:
        """Send signed bytes, again and again if need be, until the node has a receipt for them."""

        def attempt() -> Any:
            answer = self.node.request("eth_getTransactionReceipt", transaction)
            if answer is not None:
                return answer
            try:
                self.node.request("eth_sendRawTransaction", text_of(raw))
            except NodeRefused as refusal:
                if not refusal.is_known_transaction:
                    raise
            answer = self.node.request("eth_getTransactionReceipt", transaction)
            if answer is None:
                raise NodeUnavailable("no block holds the transaction yet")
            return answer

        return self.patiently(attempt)

    def _output(self, answer: Any, receipt: Receipt, message: Message) -> bytes:
        if message.to is None and receipt.status:
            return b""
        if self._traces:
            trace = (answer["transactionHash"], TRACER)
            (traced,) = self.patiently(lambda: self.node.batch([("debug_traceTransaction", trace)]))
            if not isinstance(traced, NodeRefused):
                return to_bytes(traced.get("output"))
            self._traces = False
        if receipt.status or message.to is None:
            return b""
        request = {
            "from": text_of(message.sender),
            "to": text_of(message.to),
            "data": text_of(message.data),
            "gas": hex(message.gas_limit),
            "value": hex(message.value_wei),
        }
        parent = hex(int(answer["blockNumber"], 16) - 1)
        try:
            self.read([("eth_call", (request, parent))])
        except NodeRefused as refusal:
            return refusal.data
        return b""

    def storage_root(self, address: bytes) -> bytes:
        """Return the storage root by ``eth_getProof``."""
        call: Request = ("eth_getProof", (text_of(address), [], "latest"))
        return to_bytes(self.read([call])[0]["storageHash"])

    def snapshot(self) -> int:
        """No plain node goes back: raises EngineError."""
        raise _no("keep snapshots")

    def restore(self, snapshot_id: int) -> None:
        """No plain node goes back: raises EngineError."""
        raise _no("go back to a snapshot")

    def discard(self, snapshot_id: int) -> None:
        """No plain node keeps snapshots: raises EngineError."""
        raise _no("keep snapshots")

    def set_balance(self, address: bytes, balance_wei: int) -> None:
        """No plain node gives native coin away: raises EngineError."""
        raise _no("allocate native coin")


def _no(what: str) -> EngineError:
    return EngineError(f"a plain node cannot {what}; anvil can")


def text_of(data: bytes) -> str:
    """Return 0x and hexadecimal digits."""
    return "0x" + data.hex()


def receipt_of(answer: Any) -> Receipt:
    """Return a node's receipt; the output is not in it."""
    logs = tuple(
        Log(to_bytes(log["address"]), tuple(map(to_bytes, log["topics"])), to_bytes(log["data"]))
        for log in answer["logs"]
    )
    created = to_bytes(answer["contractAddress"]) or None
    return Receipt(int(answer["status"], 16), int(answer["gasUsed"], 16), b"", logs, created)


def created_by(message: Message, nonce: int) -> bytes | None:
    """Address that a deployment creates, also a reverted one."""
    return create_address(message.sender, nonce) if message.to is None else None
