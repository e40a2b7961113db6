"""Spam that fills blocks before gate closure, so that orders miss the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cosim.chain.blocks import next_base_fee_wei
from cosim.chain.chain import Chain
from cosim.clock import DeliveryClock
from cosim.evm.accounts import Account
from cosim.mechanisms.local_market.interference import LedgerAttack, SendOrder
from cosim.mechanisms.local_market.orders import Order

SPIN = bytes.fromhex("5b5f56")
"""Runtime code that uses up all gas it is given: ``JUMPDEST PUSH0 JUMP``."""
CREATE_SPIN = bytes.fromhex("62" + SPIN.hex() + "5f526003601df3")
"""Init code that leaves it behind: ``PUSH3 code PUSH0 MSTORE PUSH1 3 PUSH1 29 RETURN``."""
CREATE_GAS = 60_000
PART_GAS = 80_000
"""Gas of one spam transaction: what a block has left over is too little for an order."""


@dataclass
class Spam(LedgerAttack):
    """An account whose transactions burn the gas of the last blocks before gate closure.

    It calls a contract of three bytes that loops until its gas is used up, at a tip above that of
    the orders. The transactions revert, and are paid for like others.

    Parameters
    ----------
    chain : Chain
    clock : DeliveryClock
    attacker : Account
        Who pays; belongs to nobody on the grid.
    intervals : range
        Delivery intervals whose orders are kept out.
    blocks : int
        How many blocks before gate closure are filled.
    until_delivery : bool
        The blocks from gate closure to delivery are filled too: the clearing is late, and
        requests, offers and awards do not fit.
    tip_wei : int
        Of each transaction. [wei/gas]
    gas_share : float
        Of a block's gas that is asked for. [-]
    budget_wei : int, optional
        The attack ends before it costs more. [wei]
    """

    chain: Chain
    clock: DeliveryClock
    attacker: Account
    intervals: range
    blocks: int
    until_delivery: bool
    tip_wei: int
    gas_share: float = 1.0
    budget_wei: int | None = None
    spent_wei: int = field(default=0, init=False)
    _contract: bytes | None = field(default=None, init=False)
    _ahead: list[int] = field(default_factory=list, init=False)
    _promised_wei: int = field(default=0, init=False)

    def orders_sent(self, interval: int, held: Mapping[int, Order], send: SendOrder) -> None:
        """Fill block after block, as far as the budget reaches."""
        if interval not in self.intervals:
            return
        chain, block_s = self.chain, self.clock.block_time_s
        closes_s = self.clock.gate_closes_s(interval)
        contract = self._create(interval)
        chain.mine_until(closes_s - (self.blocks + 1) * block_s)
        while contract is not None and chain.next_block_s < closes_s:
            handles = self._fill(interval, contract, chain.now_s)
            chain.mine_blocks()
            self._count(handles)
        if contract is not None and self.until_delivery:
            self._fill_ahead(interval, contract)

    def before_delivery(self, interval: int) -> None:
        """Withdraw what was meant for blocks before delivery and did not fit."""
        if self._ahead:
            self.chain.mine_until(self.clock.delivery_start_s(interval))
        self._count(self._ahead)
        self._ahead, self._promised_wei = [], 0

    def _count(self, handles: Sequence[int]) -> None:
        """Add up the fees of what a block took; what was left out is too cheap for the next."""
        included = [self.chain.included(handle) for handle in handles]
        self.spent_wei += sum(one.fee_wei for one in included if one is not None)
        self.chain.drop(handles)

    def _fill_ahead(self, interval: int, contract: bytes) -> None:
        """Send at its time what fits into each block until delivery."""
        step_s = self.clock.block_time_s
        first_s, starts_s = self.chain.now_s, self.clock.delivery_start_s(interval)
        for block, sent_at_s in enumerate(range(first_s, starts_s, step_s)):
            self._ahead += self._fill(interval, contract, sent_at_s, block)

    def _create(self, interval: int) -> bytes | None:
        """Address of the contract; None if no block took it in time."""
        if self._contract is None:
            chain = self.chain
            handle = chain.submit(
                self.attacker.address,
                None,
                CREATE_SPIN,
                chain.now_s,
                CREATE_GAS,
                tip_wei=self.tip_wei,
                interval=interval,
            )
            chain.mine_blocks()
            included = chain.included(handle)
            if included is None:
                chain.drop([handle])
                return None
            self.spent_wei += included.fee_wei
            self._contract = included.receipt.contract_address
        return self._contract

    def _fill(self, interval: int, contract: bytes, sent_at_s: int, ahead: int = 0) -> list[int]:
        """Send what fits into a block, the next one or one some blocks ahead; return the handles.

        What is sent ahead pays at most the base fee of that block after full ones.
        """
        chain = self.chain
        base_fee_wei = chain.base_fee_wei
        for _ in range(ahead):
            base_fee_wei = next_base_fee_wei(
                base_fee_wei, chain.block_gas_limit, chain.block_gas_limit
            )
        price_wei = base_fee_wei + self.tip_wei
        parts = max(1, int(chain.block_gas_limit * self.gas_share) // PART_GAS)
        if self.budget_wei is not None:
            left_wei = max(0, self.budget_wei - self.spent_wei - self._promised_wei)
            parts = min(parts, left_wei // max(1, PART_GAS * price_wei))
        if ahead:
            self._promised_wei += parts * PART_GAS * price_wei
        return [
            chain.submit(
                self.attacker.address,
                contract,
                b"",
                float(sent_at_s),
                PART_GAS,
                tip_wei=self.tip_wei,
                max_fee_wei=price_wei,
                interval=interval,
            )
            for _ in range(parts)
        ]
