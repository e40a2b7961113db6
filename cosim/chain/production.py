"""Production of blocks: mined by a schedule, filled from the mempool, replaced by other branches.

A transaction is a candidate for a block when it was sent before the block's timestamp; candidates
enter by effective tip, then by time of sending, then by order of submission, the ones of one sender
in the order in which it sent them, as long as their gas limit fits into the gas that the block has
left. Fees are accounted here, from the engine's exact gas; during execution the gas price is 0, so
accounts need no native coin.

Blocks come every ``block_time_s`` until :meth:`BlockProduction.begin` hands over to the schedule of
a consensus. A reorganisation goes back to the state before the first block that is left behind,
returns its transactions to the mempool, and mines the competing blocks in its place.
"""

from __future__ import annotations

from collections.abc import Callable

from cosim.chain.blocks import Background, Included, Mempool, Transaction, next_base_fee_wei
from cosim.chain.building import BlockHead, Refusal, fill_block
from cosim.chain.consensus import BlockPlan, BlockSchedule, Regular
from cosim.chain.records import BlockRow, Reorganisation
from cosim.chain.window import Window
from cosim.errors import EngineError
from cosim.evm.engine import BlockEngine, Engine


class BlockProduction:
    """Blocks over an EVM engine.

    Parameters
    ----------
    engine : Engine
        Executes the transactions.
    genesis_s : int
        Timestamp of block 0, which is empty. [s]
    block_time_s : int
        Seconds between blocks until :meth:`begin`. [s]
    block_gas_limit : int
        Most gas of a block.
    initial_base_fee_wei : int
        Base fee of the first blocks; 0 keeps it 0 for ever. [wei/gas]

    Attributes
    ----------
    block, now_s : int
        Number of the latest block, and its timestamp, Unix time. [-, s]
    base_fee_wei : int
        Base fee of the next block. [wei/gas]
    transaction_gas_limit : int or None
        Most gas of a transaction, where the rules of the chain set it.
    confirmations : int
        Blocks that must lie on top of a transaction before users act on it.
    refuse : callable, optional
        Says which transactions a proposer keeps out of its block.
    background : Background
        Gas that other users take of every block.
    n_reorganisations : int
        Number of times that blocks were replaced.

    Raises
    ------
    EngineError
        If the block time is not above 0.
    """

    def __init__(
        self,
        engine: Engine,
        genesis_s: int,
        block_time_s: int,
        block_gas_limit: int,
        initial_base_fee_wei: int = 0,
    ) -> None:
        if block_time_s <= 0:
            raise EngineError(f"block time of {block_time_s} s: it must be above 0")
        self.engine = engine
        self.block_time_s = block_time_s
        self.block_gas_limit = block_gas_limit
        self.block = 0
        self.now_s = genesis_s
        self.base_fee_wei = self._block_fee_wei = initial_base_fee_wei
        self.transaction_gas_limit: int | None = None
        self.confirmations = 0
        self.refuse: Refusal | None = None
        self.background = Background()
        self.n_reorganisations = 0
        self._schedule: BlockSchedule = Regular(block_time_s)
        self._plan = self._schedule.following(genesis_s)
        self._propagation_s = 0.0
        self._window = Window(engine)
        self._engine_block = -1
        # asked once: isinstance of a protocol takes longer than a small block
        self._builder = engine if isinstance(engine, BlockEngine) else None
        self._mempool = Mempool()
        # since the last drain of the records
        self._included: dict[int, Included] = {}
        self._reorganisations: list[Reorganisation] = []
        self._blocks: list[BlockRow] = [
            (0, genesis_s, 0, block_gas_limit, initial_base_fee_wei, 0, 0, 0)
        ]
        self._set_engine_block(block_gas_limit)

    def begin(
        self,
        schedule: BlockSchedule,
        *,
        block_gas_limit: int | None = None,
        confirmations: int = 0,
        horizon_blocks: int = 0,
        propagation_s: float = 0.0,
    ) -> None:
        """End the set-up: from the next block on the schedule decides.

        Parameters
        ----------
        schedule : BlockSchedule
        block_gas_limit : int, optional
            Of the blocks from now on; default: as before.
        confirmations : int
            Blocks that must lie on top of a transaction before users act on it.
        horizon_blocks : int
            Most blocks that can be replaced; 0: none, and no state is kept for it.
        propagation_s : float
            Miners of a competing branch do not know what was sent so shortly before a block. [s]
        """
        self._schedule = schedule
        self._plan = schedule.following(self.now_s)
        self.confirmations = confirmations
        self._window.horizon = horizon_blocks
        self._propagation_s = propagation_s
        if block_gas_limit is not None:
            self.block_gas_limit = block_gas_limit

    @property
    def most_gas(self) -> int:
        """Most gas that a transaction can have in a block."""
        cap = self.transaction_gas_limit
        return self.block_gas_limit if cap is None else min(self.block_gas_limit, cap)

    @property
    def next_block_s(self) -> int:
        """Timestamp of the next block, Unix time. [s]"""
        return self._plan.timestamp_s

    def mine_until(self, timestamp_s: float) -> None:
        """Mine every block with a timestamp of at most ``timestamp_s``."""
        while self._plan.timestamp_s <= timestamp_s:
            self._mine()

    def mine_blocks(self, n: int = 1) -> None:
        """Mine so many blocks."""
        for _ in range(n):
            self._mine()

    def _mine(self) -> None:
        """Mine the next block, after what it leaves behind was replaced."""
        plan = self._plan
        orphans = min(plan.orphans, len(self._window))
        if orphans:
            self._replace(orphans, "fork", self._unknown)
        self._add_block(plan, self.refuse)
        self._plan = self._schedule.following(plan.timestamp_s)

    def _unknown(self, transaction: Transaction, proposer: int) -> bool:
        """Return True if a competing miner learnt of a transaction too late for the block."""
        return transaction.sent_at_s + self._propagation_s >= self.now_s

    def _add_block(self, plan: BlockPlan, refuse: Refusal | None) -> None:
        """Append one block."""
        self._window.open(plan, self.base_fee_wei)
        self.block += 1
        self.now_s = plan.timestamp_s
        limit, base_fee_wei = self.block_gas_limit, self.base_fee_wei
        self._block_fee_wei = base_fee_wei
        others_gas = self.background.gas(limit, base_fee_wei)
        done: list[Included] = []
        if self._mempool.has_candidates(self.now_s):
            # a node fills its blocks by itself: it must not give the community the others' gas
            own_gas = limit - others_gas
            self._set_engine_block(limit if self._builder is None else own_gas)
            head = BlockHead(self.block, self.now_s, own_gas, base_fee_wei, plan.proposer)
            done = fill_block(self.engine, self._mempool, head, refuse, self._builder)
            for one in done:
                self._included[one.transaction.handle] = one
        gas_used = sum([included.receipt.gas_used for included in done])
        self.base_fee_wei = next_base_fee_wei(base_fee_wei, gas_used + others_gas, limit)
        if done:
            self._window.fill([one.transaction for one in done])
        of_users = gas_used, limit, base_fee_wei, len(done)
        self._blocks.append((self.block, self.now_s, *of_users, plan.proposer, others_gas))

    def _set_engine_block(self, gas_limit: int) -> None:
        if self._engine_block != self.block:
            self._engine_block = self.block
            self.engine.set_block(self.block, self.now_s, gas_limit, self._block_fee_wei)

    # --- what is undone ---

    @property
    def can_reorganise(self) -> bool:
        """True if blocks can be replaced."""
        return self._window.horizon > 0

    @property
    def replaceable(self) -> int:
        """Number of blocks that can still be replaced."""
        return len(self._window)

    def checkpoint(self) -> None:
        """Declare everything up to now final: no later branch reaches behind it."""
        self._window.close()

    def reorganise(
        self, depth_blocks: int, exclude: Callable[[Transaction], bool]
    ) -> Reorganisation:
        """Let a longer branch replace the last blocks, and add one block to it.

        Parameters
        ----------
        depth_blocks : int
            Blocks that are left behind.
        exclude : callable
            Transactions that the competing branch does not hold. They lie in the mempool
            afterwards, and the block on top of the branch may include them.

        Raises
        ------
        EngineError
            If fewer blocks can be replaced.
        """
        done = self._replace(depth_blocks, "attack", lambda sent, proposer: exclude(sent))
        self._mine()
        return done

    def _replace(self, depth: int, cause: str, refuse: Refusal) -> Reorganisation:
        """Mine competing blocks, of the same timestamps, in the place of the last ones."""
        gone = self._window.undo(depth)
        del self._blocks[-depth:]
        returned = [transaction for block in gone for transaction in block.transactions]
        for transaction in returned:
            del self._included[transaction.handle]
        self._mempool.put_back(returned)
        first, seen_s = self.block - depth + 1, self.now_s
        self.block = first - 1
        self.base_fee_wei = gone[0].base_fee_wei
        self._engine_block = -1
        own = self.refuse

        def keep_out(transaction: Transaction, proposer: int) -> bool:
            return refuse(transaction, proposer) or (own is not None and own(transaction, proposer))

        for block in gone:
            self._add_block(block.plan, keep_out)
        left_out = sum(transaction.handle not in self._included for transaction in returned)
        self.n_reorganisations += 1
        done = Reorganisation(first, depth, seen_s, cause, len(returned), left_out)
        self._reorganisations.append(done)
        return done
