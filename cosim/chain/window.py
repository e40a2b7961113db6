"""The last blocks of a chain, which another branch may replace, and the states before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cosim.chain.blocks import Transaction
from cosim.chain.consensus import BlockPlan
from cosim.errors import EngineError
from cosim.evm.engine import Engine


@dataclass
class RecentBlock:
    """A block that may still be replaced.

    Parameters
    ----------
    plan : BlockPlan
        Its time and proposer.
    base_fee_wei : int
        [wei/gas]
    snapshot : int
        The engine's state before it.
    transactions : list of Transaction
        Its content.
    """

    plan: BlockPlan
    base_fee_wei: int
    snapshot: int
    transactions: list[Transaction] = field(default_factory=list)


class Window:
    """At most ``horizon`` blocks that are replaceable; with 0 it keeps nothing."""

    def __init__(self, engine: Engine) -> None:
        self.horizon = 0
        self._engine = engine
        self._blocks: list[RecentBlock] = []

    def __len__(self) -> int:
        return len(self._blocks)

    def open(self, plan: BlockPlan, base_fee_wei: int) -> None:
        """Remember the state before a block."""
        if not self.horizon:
            return
        self._blocks.append(RecentBlock(plan, base_fee_wei, self._engine.snapshot()))
        if len(self._blocks) > self.horizon:
            self._engine.discard(self._blocks.pop(0).snapshot)

    def fill(self, transactions: Sequence[Transaction]) -> None:
        """Note what the block opened last holds."""
        if self._blocks:
            self._blocks[-1].transactions = list(transactions)

    def undo(self, depth: int) -> list[RecentBlock]:
        """Go back to the state before the last blocks, and forget them; the oldest comes first.

        Raises
        ------
        EngineError
            If fewer blocks can be replaced.
        """
        if not 0 < depth <= len(self._blocks):
            raise EngineError(
                f"{depth} blocks cannot be replaced: the chain keeps {len(self._blocks)}"
            )
        gone = self._blocks[-depth:]
        del self._blocks[-depth:]
        self._engine.restore(gone[0].snapshot)
        return gone

    def close(self) -> None:
        """Let nothing be replaceable any more."""
        if self._blocks:
            self._engine.discard(self._blocks[-1].snapshot)
            self._blocks = []
