"""Batches in a run: what is collected leaves when a batch is full, and the rest at the last moment.

An entry that a contract passes over is told by an event of the batch's transaction, which succeeds
all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self

from cosim.chain.blocks import Included
from cosim.chain.chain import Chain
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.local_market.submission.client import (
    CAUSES,
    PASSED_OVER,
    Submissions,
    order_batch_gas,
    reading_batch_gas,
    signed_order_batch_gas,
    signed_reading_batch_gas,
)
from cosim.mechanisms.local_market.submission.terms import SubmissionTerms


def most_entries(chain: Chain, size: int, gas_of: Callable[[int], int]) -> int:
    """Return how many entries a batch has at most: as half a block, and a transaction, hold.

    Parameters
    ----------
    chain : Chain
    size : int
        Wanted.
    gas_of : callable
        Gas limit of a batch by its length; linear.
    """
    most_gas = min(chain.block_gas_limit // 2, chain.most_gas)
    fits = (most_gas - gas_of(0)) // (gas_of(1) - gas_of(0))
    return max(min(size, fits), 1)


def batches(
    entries: Iterable[tuple[float, int]], size: int, last_s: float
) -> list[tuple[float, tuple[int, ...]]]:
    """Return batches of entries that come in one after the other.

    Parameters
    ----------
    entries : iterable of (float, int)
        When each comes in, and whose it is, by position. [s]
    size : int
        Of a batch, which leaves when it is full.
    last_s : float
        When the rest leaves, or with the last entry if that comes later. [s]

    Returns
    -------
    list of (float, tuple of int)
        When each batch leaves, and whose entries it has, in the order in which they came in.
    """
    ordered = sorted(entries)
    found = []
    for k in range(0, len(ordered), size):
        part = ordered[k : k + size]
        full_s = part[-1][0]
        leaves_s = full_s if len(part) == size else max(last_s, full_s)
        found.append((leaves_s, tuple(i for _, i in part)))
    return found


class Batching:
    """Batches of a run's orders, by the aggregator, and of its readings, by the head end.

    Where entries are signed the same accounts send them, without a role in the contract.

    Parameters
    ----------
    deployment : Deployment
        With the submissions.
    orders, readings : SubmissionTerms
    """

    def __init__(
        self, deployment: Deployment, orders: SubmissionTerms, readings: SubmissionTerms
    ) -> None:
        self._chain = deployment.chain
        self._market = deployment.client(LocalMarket)
        self._settlement = deployment.client(MarketSettlement)
        self._client = deployment.client(Submissions)
        self._aggregator = deployment.aggregator.address
        self._head_end = deployment.metering_operator.address
        self._orders, self._readings = orders, readings
        self._accounts = {one.name: one.address for one in deployment.prosumers}
        self._keys = {one.name: one.private_key for one in deployment.prosumers}
        self._meters = tuple(one.address for one in deployment.meters)
        self._meter_keys = {one.address: one.private_key for one in deployment.meters}
        self._index = {one.address: i for i, one in enumerate(deployment.prosumers)}
        self._index |= {address: i for i, address in enumerate(self._meters)}

    @classmethod
    def of(
        cls, deployment: Deployment, orders: SubmissionTerms, readings: SubmissionTerms
    ) -> Self | None:
        """Return the batches of a run; None where everybody sends its own."""
        if not (orders.batched or readings.batched):
            return None
        return cls(deployment, orders, readings)

    @property
    def sends_orders(self) -> bool:
        """True if the aggregator sends orders."""
        return self._orders.batched

    @property
    def sends_readings(self) -> bool:
        """True if the head end sends readings."""
        return self._readings.batched

    def appoint(self, accounts: Iterable[bytes]) -> list[int]:
        """Let accounts appoint the aggregator, where it sends by a role; return the handles."""
        if not self._orders.batched or self._orders.signed:
            return []
        return [self._client.appoint(account, self._aggregator) for account in accounts]

    def send_orders(
        self,
        interval: int,
        arriving: Iterable[tuple[float, int]],
        order_of: Callable[[int], Order],
        last_s: float,
    ) -> list[tuple[int, tuple[int, ...]]]:
        """Send orders in batches.

        Parameters
        ----------
        interval : int
        arriving : iterable of (float, int)
            When the aggregator gets each order, and whose it is, by position. [s]
        order_of : callable
            Order of a prosumer by position.
        last_s : float
            Last moment. [s]

        Returns
        -------
        list of (int, tuple of int)
            Handle and prosumers of every batch.
        """
        client, spare = self._client, self._market.order_spare_gas
        gas = signed_order_batch_gas if self._orders.signed else order_batch_gas
        size = most_entries(self._chain, self._orders.size, lambda n: gas(n, spare))
        sent = []
        for leaves_s, who in batches(arriving, size, last_s):
            orders = [order_of(i) for i in who]
            what = (self._aggregator, interval, orders, self._accounts)
            if self._orders.signed:
                handle = client.send_signed_orders(*what, self._keys, leaves_s, spare)
            else:
                handle = client.send_orders(*what, leaves_s, spare)
            sent.append((handle, who))
        return sent

    def send_readings(
        self, interval: int, arriving: Iterable[tuple[float, int]], net_wh: Sequence[int]
    ) -> dict[int, int]:
        """Send readings in batches, the last when the last reading is there.

        Parameters
        ----------
        interval : int
        arriving : iterable of (float, int)
            When the head end gets each reading, and whose it is, by position. [s]
        net_wh : sequence of int
            Net injection by position. [Wh]

        Returns
        -------
        dict of int to int
            Handles of transactions, by prosumer.
        """
        client, signed = self._client, self._readings.signed
        gas = signed_reading_batch_gas if signed else reading_batch_gas
        size = most_entries(self._chain, self._readings.size, gas)
        handles: dict[int, int] = {}
        for leaves_s, who in batches(arriving, size, 0.0):
            readings = [(self._meters[i], int(net_wh[i])) for i in who]
            what = (self._head_end, interval, readings)
            if signed:
                handle = client.send_signed_readings(*what, self._meter_keys, leaves_s)
            else:
                handle = client.send_readings(*what, leaves_s)
            handles |= dict.fromkeys(who, handle)
        return handles

    def passed_over(self, included: Included) -> Mapping[int, str]:
        """Return whose entries of a batch the contracts passed over, by position, and why."""
        clients = (self._market, self._settlement, self._client)
        found = {}
        for client in clients:
            for _, said in client.events(included, PASSED_OVER):
                whose = said.get("account") or said.get("meter") or said["whose"]
                if whose in self._index:
                    found[self._index[whose]] = f"local market: {CAUSES[said['cause']]}"
        return found
