"""The chain: which transaction is included in which block, at what fee, and what is undone again.

A transaction is a candidate for a block when it was sent before the block's timestamp; candidates
enter by effective tip, then by time of sending, then by order of submission, the ones of one sender
in the order in which it sent them, as long as their gas limit fits into the gas that the block has
left. Fees are accounted here, from the engine's exact gas; during execution the gas price is 0, so
accounts need no native coin.

Blocks come every ``block_time_s`` until :meth:`Chain.begin` hands over to the schedule of a
consensus. A reorganisation goes back to the state before the first block that is left behind,
returns its transactions to the mempool, and mines the competing blocks in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cosim.chain.blocks import (
    Background,
    FeeStrategy,
    Included,
    Mempool,
    Transaction,
    next_base_fee_wei,
)
from cosim.chain.building import BlockHead, Refusal, fill_block
from cosim.chain.consensus import BlockPlan, BlockSchedule, Regular
from cosim.chain.records import BlockRow, LedgerRecords, Reorganisation, records
from cosim.chain.window import Window
from cosim.errors import EngineError
from cosim.evm.contracts import Artifact
from cosim.evm.engine import ZERO_ADDRESS, BlockEngine, Engine, check_transaction

__all__ = ["Chain", "FeeStrategy", "Included", "LedgerRecords", "Reorganisation", "Transaction"]


class Chain:
    """A chain of blocks over an EVM engine.

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
    tip_wei : int
        Tip of transactions that name none. [wei/gas]

    Attributes
    ----------
    confirmations : int
        How many blocks must lie on top of a transaction before users act on it.
    refuse : callable, optional
        Which transactions a proposer keeps out of its block.
    background : Background
        What other users take of every block.
    n_reorganisations : int
        How often blocks were replaced.
    """

    def __init__(
        self,
        engine: Engine,
        genesis_s: int,
        block_time_s: int,
        block_gas_limit: int,
        initial_base_fee_wei: int = 0,
        tip_wei: int = 0,
    ) -> None:
        if block_time_s <= 0:
            raise EngineError(f"block time of {block_time_s} s: it must be above 0")
        self.engine = engine
        self.block_time_s = block_time_s
        self.block_gas_limit = block_gas_limit
        self.confirmations = 0
        self.refuse: Refusal | None = None
        self.background = Background()
        self.n_reorganisations = 0
        self._fees = FeeStrategy(tip_wei)
        self._fees_of: dict[bytes, FeeStrategy] = {}
        self._base_fee_wei = initial_base_fee_wei
        self._next_base_fee_wei = initial_base_fee_wei
        self._number = 0
        self._timestamp_s = genesis_s
        self._schedule: BlockSchedule = Regular(block_time_s)
        self._plan = self._schedule.following(genesis_s)
        self._propagation_s = 0.0
        self._window = Window(engine)
        self._engine_block = -1
        # asked once: isinstance of a protocol takes longer than a small block
        self._builder = engine if isinstance(engine, BlockEngine) else None
        self._mempool = Mempool()
        self._n_submitted = 0
        self._included: dict[int, Included] = {}
        self._included_earlier: dict[int, Included] = {}
        self._dropped: list[Transaction] = []
        self._reorganisations: list[Reorganisation] = []
        self._contracts: dict[bytes, Artifact] = {}
        self._blocks: list[BlockRow] = [
            (0, genesis_s, 0, block_gas_limit, initial_base_fee_wei, 0, 0, 0)
        ]
        self._set_engine_block()

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
            How many blocks can be replaced at most; 0: none, and no state is kept for it.
        propagation_s : float
            Who mines a competing branch does not know what was sent so shortly before a block. [s]
        """
        self._schedule = schedule
        self._plan = schedule.following(self._timestamp_s)
        self.confirmations = confirmations
        self._window.horizon = horizon_blocks
        self._propagation_s = propagation_s
        if block_gas_limit is not None:
            self.block_gas_limit = block_gas_limit

    def set_fees(self, sender: bytes, strategy: FeeStrategy) -> None:
        """Let an account offer fees of its own from now on."""
        self._fees_of[sender] = strategy

    @property
    def now_s(self) -> int:
        """Timestamp of the latest block, Unix time. [s]"""
        return self._timestamp_s

    @property
    def next_block_s(self) -> int:
        """Timestamp of the next block, Unix time. [s]"""
        return self._plan.timestamp_s

    @property
    def block(self) -> int:
        """Number of the latest block."""
        return self._number

    @property
    def base_fee_wei(self) -> int:
        """Base fee of the next block. [wei/gas]"""
        return self._next_base_fee_wei

    @property
    def pending(self) -> int:
        """How many transactions were submitted and neither included nor withdrawn."""
        return len(self._mempool)

    @property
    def can_reorganise(self) -> bool:
        """Whether blocks can be replaced."""
        return self._window.horizon > 0

    def pending_transactions(self) -> list[Transaction]:
        """What lies in the public mempool now, in the order of sending."""
        return self._mempool.seen(self._timestamp_s)

    def register(self, address: bytes, artifact: Artifact) -> None:
        """Tell the chain what lies at an address, so that its records name contract and events."""
        self._contracts[address] = artifact

    def submit(
        self,
        sender: bytes,
        to: bytes | None,
        data: bytes,
        sent_at_s: float,
        gas_limit: int,
        *,
        tip_wei: int | None = None,
        max_fee_wei: int | None = None,
        value_wei: int = 0,
        interval: int = -1,
        label: str = "",
    ) -> int:
        """Send a transaction at a time; it waits in the mempool for a block.

        Its ``max_fee_wei`` is a multiple of the base fee at submission plus the tip, as wallets do.

        Parameters
        ----------
        sender, to : bytes
            Addresses; ``to=None`` deploys.
        data : bytes
            Calldata or init code.
        sent_at_s : float
            Unix time; blocks up to this time cannot include it. [s]
        gas_limit : int
            Most gas it may use.
        tip_wei : int, optional
            Priority fee; default: that of the sender's fee strategy. [wei/gas]
        max_fee_wei : int, optional
            Most that it pays; default: by the sender's fee strategy. [wei/gas]
        value_wei : int
            Native coin sent along. [wei]
        interval : int
            Delivery interval it serves, for the records; -1 for the set-up phase.
        label : str
            Free text for the records.

        Returns
        -------
        int
            Handle for :meth:`included` and :meth:`drop`.

        Raises
        ------
        EngineError
            If no block could ever include it.
        """
        check_transaction(data, to is None, gas_limit, self.block_gas_limit)
        fees = self._fees_of.get(sender, self._fees)
        tip = fees.tip_wei if tip_wei is None else tip_wei
        if max_fee_wei is None:
            max_fee_wei = fees.base_fee_factor * self._next_base_fee_wei + tip
        handle = self._n_submitted
        self._n_submitted = handle + 1
        self._mempool.add(
            Transaction(
                handle,
                sent_at_s,
                sender,
                to,
                data,
                gas_limit,
                max_fee_wei,
                tip,
                value_wei,
                interval,
                label,
                fees.rise_permille,
            )
        )
        return handle

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
        """Whether a competing miner did not know a transaction in time for the present block."""
        return transaction.sent_at_s + self._propagation_s >= self._timestamp_s

    def _add_block(self, plan: BlockPlan, refuse: Refusal | None) -> None:
        """Append one block."""
        self._window.open(plan, self._next_base_fee_wei)
        self._number += 1
        self._timestamp_s = plan.timestamp_s
        base_fee_wei = self._base_fee_wei = self._next_base_fee_wei
        others_gas = self.background.gas(self.block_gas_limit, base_fee_wei)
        done: list[Included] = []
        if self._mempool.has_candidates(self._timestamp_s):
            # a node fills its blocks by itself: it must not give the community the others' gas
            own_gas = self.block_gas_limit - others_gas
            self._set_engine_block(own_gas if self._builder is not None else self.block_gas_limit)
            head = BlockHead(
                self._number,
                self._timestamp_s,
                own_gas,
                base_fee_wei,
                plan.proposer,
            )
            done = fill_block(self.engine, self._mempool, head, refuse, self._builder)
            self._included.update((one.transaction.handle, one) for one in done)
        gas_used = sum(included.receipt.gas_used for included in done)
        if base_fee_wei:
            self._next_base_fee_wei = next_base_fee_wei(
                base_fee_wei, gas_used + others_gas, self.block_gas_limit
            )
        self._window.fill([one.transaction for one in done])
        self._blocks.append(
            (
                self._number,
                self._timestamp_s,
                gas_used,
                self.block_gas_limit,
                base_fee_wei,
                len(done),
                plan.proposer,
                others_gas,
            )
        )

    def _set_engine_block(self, gas_limit: int | None = None) -> None:
        if self._engine_block != self._number:
            self._engine_block = self._number
            limit = self.block_gas_limit if gas_limit is None else gas_limit
            self.engine.set_block(self._number, self._timestamp_s, limit, self._base_fee_wei)

    # --- what is undone ---

    def reorganise(
        self, depth_blocks: int, exclude: Callable[[Transaction], bool]
    ) -> Reorganisation:
        """Let a longer branch replace the last blocks, and add one block to it.

        Parameters
        ----------
        depth_blocks : int
            How many blocks are left behind.
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

    def checkpoint(self) -> None:
        """Declare everything up to now final: no later branch reaches behind it."""
        self._window.close()

    @property
    def replaceable(self) -> int:
        """How many blocks can still be replaced."""
        return len(self._window)

    def _replace(self, depth: int, cause: str, refuse: Refusal) -> Reorganisation:
        """Mine competing blocks, of the same timestamps, in the place of the last ones."""
        gone = self._window.undo(depth)
        del self._blocks[-depth:]
        returned = [transaction for block in gone for transaction in block.transactions]
        for transaction in returned:
            del self._included[transaction.handle]
        self._mempool.put_back(returned)
        first = self._number - depth + 1
        seen_s = self._timestamp_s
        self._number = first - 1
        self._next_base_fee_wei = gone[0].base_fee_wei
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

    def included(self, handle: int) -> Included | None:
        """A transaction's place in the chain; None if it is in none.

        Kept until the drain of the records after the next, so that memory stays bounded.
        """
        return self._included.get(handle) or self._included_earlier.get(handle)

    def drop(self, handles: Iterable[int]) -> None:
        """Withdraw transactions that no block has included; the others are passed over."""
        self._dropped += self._mempool.drop(handles)

    def call(self, to: bytes, data: bytes, sender: bytes = ZERO_ADDRESS) -> bytes:
        """Execute a call on the state after the latest block and forget its effects.

        Raises
        ------
        ContractRevert
            If the contract refuses.
        """
        self._set_engine_block()
        return self.engine.call(sender, to, data)

    def drain_records(self) -> LedgerRecords:
        """Records of what became final since the last drain, in the columns of the result tables.

        Blocks that may still be replaced wait for the next drain.
        """
        final = self._number - len(self._window)
        included = {h: i for h, i in self._included.items() if i.block <= final}
        n_blocks = len(self._blocks) - len(self._window)
        drained = records(
            included.values(),
            self._blocks[:n_blocks],
            self._dropped,
            self._contracts,
            self._reorganisations,
        )
        self._included_earlier = included
        self._included = {h: i for h, i in self._included.items() if i.block > final}
        self._blocks = self._blocks[n_blocks:]
        self._dropped = []
        self._reorganisations = []
        return drained
