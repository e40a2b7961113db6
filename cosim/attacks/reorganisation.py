"""A longer branch that replaces what an interval was settled on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from cosim.chain.blocks import Transaction
from cosim.chain.chain import Chain
from cosim.clock import DeliveryClock
from cosim.mechanisms.local_market.interference import LedgerAttack, SendOrder
from cosim.mechanisms.local_market.orders import Order


@dataclass
class Takeover(LedgerAttack):
    """Replaces the last blocks before delivery by a branch without the victims' transactions.

    Whatever rests on them fails in the branch: awards of flexibility that nobody offered revert,
    and the clearing fills what is left of the order book. Where the chain is final at once, or
    keeps fewer blocks open than the branch needs, nothing happens.

    Parameters
    ----------
    chain : Chain
    clock : DeliveryClock
    victims : collection of bytes
        Accounts whose transactions of the interval are left out.
    intervals : range
    depth_blocks : int, optional
        How many blocks are replaced; default: all since the order window opened.
    """

    chain: Chain
    clock: DeliveryClock
    victims: Collection[bytes]
    intervals: range
    depth_blocks: int | None = None
    _opened: dict[int, int] = field(default_factory=dict)

    def orders_sent(self, interval: int, held: Mapping[int, Order], send: SendOrder) -> None:
        """Note the last block before the window's first order."""
        self.chain.mine_until(self.clock.window_opens_s(interval))
        self._opened[interval] = self.chain.block

    def before_delivery(self, interval: int) -> None:
        """Publish the branch while its last block still comes before delivery."""
        chain, first = self.chain, self._opened.pop(interval)
        if interval not in self.intervals or not chain.can_reorganise:
            return
        chain.mine_until(self.clock.delivery_start_s(interval) - self.clock.block_time_s)
        depth = chain.block - first if self.depth_blocks is None else self.depth_blocks
        if not 0 < depth <= chain.replaceable:
            return

        def left_out(sent: Transaction) -> bool:
            return sent.interval == interval and sent.sender in self.victims

        chain.reorganise(depth, left_out)
