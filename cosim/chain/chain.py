"""The chain as its users see it: sending, what was included, calls, and the records of it all."""

from __future__ import annotations

from collections.abc import Iterable

from cosim.chain.blocks import FeeStrategy, Included, Transaction
from cosim.chain.production import BlockProduction
from cosim.chain.records import LedgerRecords, records
from cosim.errors import EngineError
from cosim.evm.contracts import Artifact
from cosim.evm.engine import ZERO_ADDRESS, Engine, check_transaction


class Chain(BlockProduction):
    """A chain of blocks over an EVM engine, to which users send transactions.

    Parameters
    ----------
    engine, genesis_s, block_time_s, block_gas_limit, initial_base_fee_wei
        See :class:`cosim.chain.production.BlockProduction`, which also has the attributes.
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
        super().__init__(engine, genesis_s, block_time_s, block_gas_limit, initial_base_fee_wei)
        self._fees = FeeStrategy(tip_wei)
        self._fees_of: dict[bytes, FeeStrategy] = {}
        self._n_submitted = 0
        self._included_earlier: dict[int, Included] = {}
        self._contracts: dict[bytes, Artifact] = {}

    def set_fees(self, sender: bytes, strategy: FeeStrategy) -> None:
        """Let an account offer fees of its own from now on."""
        self._fees_of[sender] = strategy

    @property
    def pending(self) -> int:
        """Number of transactions submitted and neither included nor withdrawn."""
        return len(self._mempool)

    def pending_transactions(self) -> list[Transaction]:
        """Return what lies in the public mempool now, in the order of sending."""
        return self._mempool.seen(self.now_s)

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

        Returns
        -------
        int
            Handle for :meth:`included` and :meth:`drop`.

        Raises
        ------
        EngineError
            If no block could ever include it, or the rules of the chain refuse it.
        """
        check_transaction(data, to is None, gas_limit, self.block_gas_limit)
        cap = self.transaction_gas_limit
        if cap is not None and gas_limit > cap:
            raise EngineError(
                f"gas limit {gas_limit} is above the {cap} that a transaction may have by the "
                "rules of the chain (EIP-7825): send less at once, or take ledger.rules: prague"
            )
        fees = self._fees_of.get(sender, self._fees)
        tip = fees.tip_wei if tip_wei is None else tip_wei
        if max_fee_wei is None:
            max_fee_wei = fees.base_fee_factor * self.base_fee_wei + tip
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
                fees.rise_permille,
            )
        )
        return handle

    def included(self, handle: int) -> Included | None:
        """Return a transaction's place in the chain; None if it is in none.

        Kept until the drain of the records after the next, so that memory stays bounded.
        """
        return self._included.get(handle) or self._included_earlier.get(handle)

    def drop(self, handles: Iterable[int]) -> None:
        """Withdraw transactions that no block has included; the others are passed over."""
        self._mempool.drop(handles)

    def call(self, to: bytes, data: bytes, sender: bytes = ZERO_ADDRESS) -> bytes:
        """Execute a call on the state after the latest block and forget its effects.

        Raises
        ------
        ContractRevert
            If the contract refuses.
        """
        self._set_engine_block(self.block_gas_limit)
        return self.engine.call(sender, to, data)

    def drain_records(self) -> LedgerRecords:
        """Return what became final since the last drain, in the columns of the result tables.

        Blocks that may still be replaced wait for the next drain.
        """
        final = self.block - self.replaceable
        n_blocks = len(self._blocks) - self.replaceable
        included, left = self._included, dict[int, Included]()
        if self.replaceable:
            left = {h: i for h, i in included.items() if i.block > final}
            included = {h: i for h, i in included.items() if i.block <= final}
        drained = records(
            included.values(), self._blocks[:n_blocks], self._contracts, self._reorganisations
        )
        self._included_earlier = included
        self._included = left
        self._blocks = self._blocks[n_blocks:]
        self._reorganisations = []
        return drained
