"""Transactions with the orders of one interval, and what became of each on the chain."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cosim.chain.blocks import Included
from cosim.chain.waiting import refusal
from cosim.mechanisms.local_market.clearing import Clearing
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.orders import LATE
from cosim.mechanisms.local_market.outcomes import Orders
from cosim.mechanisms.local_market.submission.batching import Batching
from cosim.units import FloatArray, IntArray


@dataclass
class SentOrders:
    """Transactions of one interval.

    Attributes
    ----------
    what : Orders
        What the prosumers wanted.
    sent_at_s : (n,) float
        When each was sent, or handed to the aggregator; NaN for those that were not. [s]
    orders, reveals : dict of int to int
        Handles of transactions, by prosumer; those of a batch have the same.
    batching : Batching or None
        Reads what became of the entries of batches.
    places : dict of int to int
        Place in its batch, by prosumer.
    unsent : tuple of int
        Prosumers whose orders the aggregator did not send.
    commitments : dict of int to bytes
        What seals the orders, by prosumer.
    clearing : int
        Handle of the clearing.
    off_chain : Clearing or None
        What the operator computed.
    known_at_s : int
        When the clearing was confirmed. [s]
    """

    what: Orders
    sent_at_s: FloatArray
    batching: Batching | None = None
    places: dict[int, int] = field(default_factory=dict)
    unsent: tuple[int, ...] = ()
    orders: dict[int, int] = field(default_factory=dict)
    commitments: dict[int, bytes] = field(default_factory=dict)
    reveals: dict[int, int] = field(default_factory=dict)
    clearing: int = -1
    off_chain: Clearing | None = None
    known_at_s: int = 0

    def order(self, interval: int, i: int) -> tuple[int, bool, int, int]:
        """Arguments of a prosumer's order."""
        return (
            interval,
            bool(self.what.is_sell[i]),
            int(self.what.energy_wh[i]),
            int(self.what.price_ueur_per_kwh[i]),
        )

    def statuses(
        self, market: LocalMarket
    ) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_], IntArray]:
        """Status, reason and block of every order before it is cleared."""
        n = len(self.sent_at_s)
        status = np.full(n, "", dtype=object)
        reason = np.full(n, None, dtype=object)
        block = np.full(n, -1, dtype=np.int64)
        passed_over = self._passed_over(market)
        for i in self.unsent:
            status[i], reason[i] = "late", "not included before gate closure"
        for i, handle in self.orders.items():
            included = market.chain.included(handle)
            if included is None:
                status[i], reason[i] = "late", "not included before gate closure"
                continue
            block[i] = included.block
            status[i], reason[i] = _outcome(market, included)
            if i in passed_over:
                status[i], reason[i] = "rejected", passed_over[i]
        for i, handle in self.reveals.items():
            included = market.chain.included(handle)
            outcome: tuple[str, str | None] = ("late", "not revealed in time")
            if included is not None:
                outcome = _outcome(market, included)
            if status[i] == "unmatched" and outcome[0] != "unmatched":
                status[i], reason[i] = "unrevealed", outcome[1]
        return status, reason, block

    def arrivals(
        self, market: LocalMarket, status: npt.NDArray[np.object_]
    ) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """Prosumers whose orders the contract took, in its order, and whose could be cleared."""
        arrived = self.arrived(market)
        return arrived, tuple(status[i] == "unmatched" for i in arrived)

    def arrived(self, market: LocalMarket) -> tuple[int, ...]:
        """Prosumers whose orders the contract took, in its order."""
        passed_over = self._passed_over(market)
        places = sorted(
            (included.block, included.index, self.places.get(i, 0), i)
            for i, handle in self.orders.items()
            if (included := market.chain.included(handle)) is not None
            and included.receipt.status
            and i not in passed_over
        )
        return tuple(i for *_, i in places)

    def _passed_over(self, market: LocalMarket) -> dict[int, str]:
        """Prosumers whose orders in a batch the contracts passed over, and why."""
        if self.batching is None:
            return {}
        included = map(market.chain.included, dict.fromkeys(self.orders.values()))
        return {
            i: text
            for one in included
            if one is not None
            for i, text in self.batching.passed_over(one).items()
        }


def _outcome(market: LocalMarket, included: Included) -> tuple[str, str | None]:
    """Status of an order by its transaction, and why it was refused."""
    if included.receipt.status:
        return "unmatched", None
    text = refusal(market, included.transaction.handle)
    return ("late" if text in LATE else "rejected"), text
