"""Spam that fills blocks before gate closure, so that orders miss the gate."""

from __future__ import annotations

from collections.abc import Mapping

from cosim.clock import DeliveryClock
from cosim.ledger.accounts import Account
from cosim.ledger.attacks.base import LedgerAttack, SendOrder
from cosim.ledger.chain import Chain
from cosim.market.orders import Order

SPIN = bytes.fromhex("5b5f56")
"""Runtime code that uses up all gas it is given: ``JUMPDEST PUSH0 JUMP``."""
CREATE_SPIN = bytes.fromhex("62" + SPIN.hex() + "5f526003601df3")
"""Init code that leaves it behind: ``PUSH3 code PUSH0 MSTORE PUSH1 3 PUSH1 29 RETURN``."""
CREATE_GAS = 60_000
PARTS = 8
"""Spam transactions that fill one block: smaller ones still fit beside a few dearer orders."""
LEAST_GAS = 30_000


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
    tip_wei : int
        Of each transaction. [wei/gas]
    gas_share : float
        Of a block's gas that is asked for. [-]
    budget_wei : int, optional
        The attack ends before it costs more. [wei]
    """

    def __init__(
        self,
        chain: Chain,
        clock: DeliveryClock,
        attacker: Account,
        intervals: range,
        blocks: int,
        tip_wei: int,
        gas_share: float = 1.0,
        budget_wei: int | None = None,
    ) -> None:
        self.chain = chain
        self.clock = clock
        self.attacker = attacker
        self.intervals = intervals
        self.blocks = blocks
        self.tip_wei = tip_wei
        self.gas = max(LEAST_GAS, int(chain.block_gas_limit * gas_share) // PARTS)
        self.parts = max(1, int(chain.block_gas_limit * gas_share) // self.gas)
        self.budget_wei = budget_wei
        self.spent_wei = 0
        self._contract: bytes | None = None

    def orders_sent(self, interval: int, held: Mapping[int, Order], send: SendOrder) -> None:
        """Fill block after block, as far as the budget reaches."""
        if interval not in self.intervals:
            return
        chain, block_s = self.chain, self.clock.block_time_s
        closes_s = self.clock.gate_closes_s(interval)
        contract = self._create(interval)
        chain.mine_until(closes_s - (self.blocks + 1) * block_s)
        while contract is not None and chain.next_block_s < closes_s:
            handles = self._fill(interval, contract)
            chain.mine_blocks()
            included = [chain.included(handle) for handle in handles]
            self.spent_wei += sum(one.fee_wei for one in included if one is not None)
            chain.drop(handles)  # what was left out is too cheap for the next block

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

    def _fill(self, interval: int, contract: bytes) -> list[int]:
        """Send what the next block has room for; the handles."""
        chain = self.chain
        price_wei = chain.base_fee_wei + self.tip_wei
        parts = self.parts
        if self.budget_wei is not None:
            left_wei = max(0, self.budget_wei - self.spent_wei)
            parts = min(parts, left_wei // max(1, self.gas * price_wei))
        return [
            chain.submit(
                self.attacker.address,
                contract,
                b"",
                chain.now_s,
                self.gas,
                tip_wei=self.tip_wei,
                max_fee_wei=price_wei,
                interval=interval,
            )
            for _ in range(parts)
        ]
