"""The chain: which transaction is included in which block, at what fee.

Blocks come every ``block_time_s`` seconds. A transaction is a candidate for a block when it was
sent before the block's timestamp; candidates enter by effective tip, then by time of sending, then
by order of submission, the ones of one sender in the order in which it sent them, as long as their
gas limit fits into the gas that the block has left. Fees are accounted here, from the engine's
exact gas; during execution the gas price is 0, so accounts need no native coin.
"""

from __future__ import annotations

from collections.abc import Iterable

from cosim.errors import EngineError
from cosim.ledger.blocks import (
    Included,
    Mempool,
    Transaction,
    effective_tip_wei,
    next_base_fee_wei,
)
from cosim.ledger.contracts import Artifact
from cosim.ledger.engine import ZERO_ADDRESS, Engine, check_transaction
from cosim.ledger.records import BlockRow, LedgerRecords, records

__all__ = ["Chain", "Included", "LedgerRecords", "Transaction"]


class Chain:
    """A chain of blocks over an EVM engine.

    Parameters
    ----------
    engine : Engine
        Executes the transactions.
    genesis_s : int
        Timestamp of block 0, which is empty; block ``n`` follows ``n * block_time_s`` later. [s]
    block_time_s : int
        Seconds between blocks. [s]
    block_gas_limit : int
        Most gas of a block.
    initial_base_fee_wei : int
        Base fee of the first blocks; 0 keeps it 0 for ever. [wei/gas]
    tip_wei : int
        Tip of transactions that name none. [wei/gas]
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
        self._tip_wei = tip_wei
        self._base_fee_wei = initial_base_fee_wei
        self._next_base_fee_wei = initial_base_fee_wei
        self._number = 0
        self._timestamp_s = genesis_s
        self._engine_block = -1
        self._mempool = Mempool()
        self._n_submitted = 0
        self._included: dict[int, Included] = {}
        self._included_earlier: dict[int, Included] = {}
        self._dropped: list[Transaction] = []
        self._contracts: dict[bytes, Artifact] = {}
        self._blocks: list[BlockRow] = [(0, genesis_s, 0, block_gas_limit, initial_base_fee_wei, 0)]
        self._set_engine_block()

    @property
    def now_s(self) -> int:
        """Timestamp of the latest block, Unix time. [s]"""
        return self._timestamp_s

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
        value_wei: int = 0,
        interval: int = -1,
        label: str = "",
    ) -> int:
        """Send a transaction at a time; it waits in the mempool for a block.

        Its ``max_fee_wei`` is twice the base fee at submission plus the tip, as wallets do.

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
            Priority fee; default: the chain's. [wei/gas]
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
        tip = self._tip_wei if tip_wei is None else tip_wei
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
                2 * self._next_base_fee_wei + tip,
                tip,
                value_wei,
                interval,
                label,
            )
        )
        return handle

    def mine_until(self, timestamp_s: float) -> None:
        """Mine every block with a timestamp of at most ``timestamp_s``."""
        mempool = self._mempool
        block_time_s = self.block_time_s
        while self._timestamp_s + block_time_s <= timestamp_s:
            self._number += 1
            self._timestamp_s += block_time_s
            base_fee_wei = self._base_fee_wei = self._next_base_fee_wei
            gas_used = 0
            count = 0
            if mempool.has_candidates(self._timestamp_s):
                gas_used, count = self._fill_block()
            if base_fee_wei:
                self._next_base_fee_wei = next_base_fee_wei(
                    base_fee_wei, gas_used, self.block_gas_limit
                )
            self._blocks.append(
                (
                    self._number,
                    self._timestamp_s,
                    gas_used,
                    self.block_gas_limit,
                    base_fee_wei,
                    count,
                )
            )

    def _fill_block(self) -> tuple[int, int]:
        """Execute what the block has room for; gas used and number of transactions."""
        self._set_engine_block()
        engine = self.engine
        base_fee_wei = self._base_fee_wei
        gas_left = self.block_gas_limit
        index = 0
        for transaction in self._mempool.candidates(self._timestamp_s, base_fee_wei):
            if transaction.gas_limit > gas_left:
                continue
            sender = transaction.sender
            if transaction.value_wei and transaction.value_wei > engine.balance(sender):
                continue
            nonce = engine.nonce(sender)
            receipt = engine.transact(
                sender,
                transaction.to,
                transaction.data,
                transaction.gas_limit,
                transaction.value_wei,
            )
            self._mempool.taken(transaction)
            gas_left -= receipt.gas_used
            price_wei = base_fee_wei + effective_tip_wei(transaction, base_fee_wei)
            self._included[transaction.handle] = Included(
                transaction,
                receipt,
                self._number,
                index,
                self._timestamp_s,
                nonce,
                receipt.gas_used * price_wei,
            )
            index += 1
        return self.block_gas_limit - gas_left, index

    def _set_engine_block(self) -> None:
        if self._engine_block != self._number:
            self._engine_block = self._number
            self.engine.set_block(
                self._number, self._timestamp_s, self.block_gas_limit, self._base_fee_wei
            )

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
        """Records of what happened since the last drain, in the columns of the result tables."""
        drained = records(self._included.values(), self._blocks, self._dropped, self._contracts)
        self._included_earlier, self._included = self._included, {}
        self._blocks = []
        self._dropped = []
        return drained
