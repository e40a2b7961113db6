"""The chain of a node whose clock and blocks can be set, held equal to a history.

Before every contact after trouble, the node's chain is compared with what it was told. Blocks that
it lost are told again, blocks that it has beyond ours (an answer was lost) are taken back, so that
nothing is ever executed twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosim.errors import NodeError
from cosim.evm.engine import COINBASE
from cosim.evm.history import Allocation, History, Signed, ToldBlock, receipts_digest
from cosim.evm.node import Block, NodeRefused, NodeUnavailable, Request, block_of, to_bytes
from cosim.evm.options import NodeSettings
from cosim.evm.rpc import NodeEngine, receipt_of, text_of

PURSE_WEI = 10**24
"""Native coin that a sender must be seen to have, although nobody pays a fee; not in balances."""

_LATEST: Request = ("eth_getBlockByNumber", ("latest", False))


class NodeChain(NodeEngine):
    """The blocks of a node that this program alone builds.

    Parameters
    ----------
    settings, keys
        See :class:`cosim.evm.rpc.NodeEngine`.
    takes_over : bool
        True if the node may hold blocks of ours already: of a run that is resumed. Else it must
        be fresh.
    """

    def __init__(
        self,
        settings: NodeSettings,
        keys: Mapping[bytes, bytes],
        *,
        takes_over: bool = False,
    ) -> None:
        super().__init__(settings, keys)
        self._takes_over = takes_over
        self._history = History()
        self._undone: dict[bytes, int] = {}
        self._first_cut: int | None = None
        self._head: Block | None = None

    def on_trouble(self) -> None:
        """Expect that the node lost blocks, or mined one of which we did not hear."""
        self._head = None

    def _synchronise(self, coming: int = 0) -> Block:
        """Bring the node's chain to the state of our history; return its latest block.

        Empty blocks of ours below the coming block may stay: their answer was lost, and a node that
        mined many at once may not be able to go back before them.
        """
        node = self.node
        head = block_of(node.read([_LATEST])[0])
        if self._head is not None and head == self._head:
            return head
        node.request("evm_setAutomine", False)
        blocks = self._history.blocks()
        while blocks and blocks[-1][1].number > head.number:
            blocks.pop()
        while blocks and not self._holds(blocks[-1][1]):
            if self._first_cut is None or blocks[-1][1].number < self._first_cut:
                raise NodeError(
                    f"block {blocks[-1][1].number} of the node is not the one that this run made",
                    remedy="start a fresh node; the run tells it again what it had",
                )
            blocks.pop()  # the node still has what was replaced
        position, target = (blocks[-1][0], blocks[-1][1].number) if blocks else (-1, 0)
        told_last = position + 1 == len(self._history.steps)
        if head.number > target and not (
            told_last and head.number < coming and self._are_empty(target, head.number)
        ):
            self._take_back(head, target)
        if self._undone:
            self._allocate(list(self._undone.items()))
            self._undone = {}
        for step in self._history.steps[position + 1 :]:
            if isinstance(step, Allocation):
                self._allocate([(step.address, step.after_wei)])
            else:
                self._tell_again(step)
        self._set_head(block_of(node.read([_LATEST])[0]))
        assert self._head is not None
        self._first_cut = None
        self._takes_over = True  # what the node has beyond our history from now on is ours
        return self._head

    def _are_empty(self, after: int, last: int) -> bool:
        """Return True if blocks of the node that this run made hold no transactions."""
        if not self._takes_over:
            return False
        numbers = range(after + 1, last + 1)
        answers = self.node.read([("eth_getBlockByNumber", (hex(i), False)) for i in numbers])
        return not any(one["transactions"] for one in answers)

    def _holds(self, ours: ToldBlock) -> bool:
        """Return True if the node has this block."""
        answer = self.node.request("eth_getBlockByNumber", hex(ours.number), False)
        theirs = block_of(answer)
        held = tuple(one.hash for one in ours.transactions)
        return (theirs.timestamp_s, theirs.transactions) == (ours.timestamp_s, held)

    def _take_back(self, head: Block, target: int) -> None:
        """Undo the node's blocks above a number: ours, but not in our history."""
        if not self._takes_over:
            raise NodeError(
                f"the node has {head.number} blocks already",
                remedy="start a fresh one, or resume the run that made them with --resume",
            )
        numbers = range(target + 1, head.number + 1)
        answers = self.node.read([("eth_getBlockByNumber", (hex(i), True)) for i in numbers])
        senders = {to_bytes(one["from"]) for block in answers for one in block["transactions"]}
        if strangers := sorted(senders - set(self.keys)):
            raise NodeError(
                f"the node has blocks with transactions of {text_of(strangers[0])}, who is not in "
                "this run",
                remedy="start a fresh node for this run",
            )
        self.node.request("anvil_rollback", head.number - target)

    def _tell_again(self, block: ToldBlock) -> None:
        """Mine a block that the node lost, and compare what comes out."""
        head = block_of(self.node.read([_LATEST])[0])
        answers = self._mine(
            head, block.number, block.timestamp_s, block.gas_limit, block.transactions
        )
        found = [answers[one.hash] for one in block.transactions if one.hash in answers]
        if receipts_digest(map(receipt_of, found)) != block.digest:
            raise NodeError(
                f"told again, block {block.number} comes out another way",
                remedy="use the same version of the node throughout a run",
            )

    def _cut(self, length: int) -> None:
        """Forget the end of the history; the node is brought back at the next contact."""
        numbers = [s.number for s in self._history.steps[length:] if isinstance(s, ToldBlock)]
        if numbers:
            self._undone = {}  # taking the blocks back undoes it
        if self._first_cut is not None:
            numbers.append(self._first_cut)
        self._first_cut = min(numbers, default=None)
        self._undone |= dict(self._history.cut(length))
        self.on_trouble()

    def _fund(self, senders: Sequence[bytes]) -> None:
        """Let the node see native coin at senders that send for the first time."""
        poor = [s for s in dict.fromkeys(senders) if s not in self._history.funded]
        held = self.node.read([("eth_getBalance", (text_of(s), "latest")) for s in poor])
        steps = [
            Allocation(sender, own, own + PURSE_WEI, True)
            for sender, own in zip(poor, (int(one, 16) for one in held), strict=True)
        ]
        for step in steps:
            self._history.add(step)
        self._allocate([(step.address, step.after_wei) for step in steps])

    def _allocate(self, balances: Sequence[tuple[bytes, int]]) -> None:
        self.node.read([("anvil_setBalance", (text_of(a), hex(wei))) for a, wei in balances])

    def _mine(
        self,
        head: Block,
        number: int,
        timestamp_s: int,
        gas_limit: int,
        signed: Sequence[Signed],
    ) -> dict[str, Any]:
        """Mine one block with these transactions upon the head; return receipts by hash."""
        node = self.node
        if empty := number - head.number - 1:
            # the node's clock runs while it mines: it is set back, and the empty blocks lie before
            node.request("anvil_setTime", timestamp_s - empty - 1)
            node.request("anvil_mine", hex(empty), hex(1))
        if empty or head.timestamp_s >= timestamp_s:
            node.request("anvil_setTime", timestamp_s - 1)
        settings: list[Request] = [
            ("evm_setNextBlockTimestamp", (timestamp_s,)),
            ("evm_setBlockGasLimit", (hex(gas_limit),)),
            ("anvil_setNextBlockBaseFeePerGas", (hex(0),)),
            ("anvil_setCoinbase", (text_of(COINBASE),)),
        ]
        node.read(settings)
        # what an attempt without an answer left in the pool is no obstacle
        node.batch([("anvil_dropTransaction", (one.hash,)) for one in signed])
        for answer in node.batch(
            [("eth_sendRawTransaction", (text_of(one.raw),)) for one in signed]
        ):
            if isinstance(answer, NodeRefused) and not answer.is_known_transaction:
                raise answer
        node.request("evm_mine")
        drops: list[Request] = [("anvil_dropTransaction", (one.hash,)) for one in signed]
        latest, answers = node.read([_LATEST, ("eth_getBlockReceipts", (hex(number),))])
        mined = block_of(latest)
        if (mined.number, mined.timestamp_s) != (number, timestamp_s) or answers is None:
            raise NodeUnavailable(
                f"the node mined block {mined.number} at {mined.timestamp_s} instead of {number}"
            )
        held = {str(one["transactionHash"]): one for one in answers}
        if len(held) < len(signed):
            node.batch([drop for drop in drops if drop[1][0] not in held])
        self._set_head(mined)
        return held

    def _set_head(self, head: Block) -> None:
        self._head = head

    def read(self, calls: Sequence[Request]) -> list[Any]:
        """Return answers of a node that is known to stand where our history ends."""

        def attempt() -> list[Any]:
            if self._head is None:
                self._synchronise()
            head, *answers = self.node.batch([_LATEST, *calls])
            if isinstance(head, NodeRefused) or block_of(head) != self._head:
                raise NodeUnavailable("the node lost or gained blocks")
            for answer in answers:
                if isinstance(answer, NodeRefused):
                    raise answer
            return answers

        return self.patiently(attempt)
