"""Readings of an interval: reported by meters, or estimated where one stays silent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cosim.chain.blocks import Included
from cosim.chain.waiting import confirmed
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.local_market.submission.batching import Batching
from cosim.units import IntArray


class Reporting:
    """Readings of the members' meters on the ledger, one interval after the other.

    Parameters
    ----------
    deployment : Deployment
    clock : DeliveryClock
    batching : Batching, optional
        Of readings that the head end sends.
    """

    def __init__(
        self, deployment: Deployment, clock: DeliveryClock, batching: Batching | None = None
    ) -> None:
        self._batching = batching if batching is not None and batching.sends_readings else None
        self._deployment = deployment
        self._chain = deployment.chain
        self._settlement = deployment.client(MarketSettlement)
        self._clock = clock
        self._attack = deployment.attack
        self._members = tuple(i for i, joined in enumerate(deployment.members) if joined)
        self._stagger_s = clock.block_time_s / len(deployment.prosumers)

    def send(self, interval: int, metered_wh: IntArray) -> dict[int, int]:
        """Send the readings; return the transactions by prosumer.

        Parameters
        ----------
        interval : int
        metered_wh : (n,) int64
            Net injection. [Wh]
        """
        begin_s = self._chain.now_s
        times = [
            (begin_s + i * self._stagger_s, i)
            for i in self._members
            if not self._attack.is_silent(interval, i)
        ]
        if self._batching is not None:
            if self._attack.fails(interval, "head_end"):
                times = []
            return self._batching.send_readings(interval, times, metered_wh.tolist())
        return {
            i: self._settlement.report(
                self._deployment.meters[i].address,
                interval,
                int(metered_wh[i]),
                sent_at_s=sent_at_s,
            )
            for sent_at_s, i in times
        }

    def wait(self, interval: int, handles: Collection[int]) -> None:
        """Wait for readings up to the deadline.

        What has its confirmations is final: nobody settles twice.
        """
        chain, deadline_s = self._chain, self._deadline_s(interval)
        while chain.next_block_s <= deadline_s and any(
            chain.included(handle) is None for handle in handles
        ):
            chain.mine_blocks()
        chain.mine_blocks(chain.confirmations)
        chain.checkpoint()

    def paid_by(self, handles: Mapping[int, int]) -> Mapping[int, int]:
        """Return the transactions that meters sent, by prosumer; of batches none."""
        return handles if self._batching is None else {}

    def settled(self, interval: int, handles: Mapping[int, int]) -> list[Included]:
        """Return what settled an account, when readings were waited for.

        A meter whose report is not included in time is silent: the agreed estimate is settled.
        """
        chain, deadline_s = self._chain, self._deadline_s(interval)
        settling: dict[int, Included] = {}
        passed_over: set[int] = set()
        silent = [i for i in self._members if i not in handles]
        for i, handle in handles.items():
            included = chain.included(handle)
            if included is not None and included.receipt.status:
                if self._batching is not None and handle not in settling:
                    passed_over.update(self._batching.passed_over(included))
                settling[handle] = included
            if handle not in settling or i in passed_over:
                silent.append(i)
        if silent:
            chain.drop([h for h in handles.values() if chain.included(h) is None])
            chain.mine_until(deadline_s)
            estimated = self._estimate(interval, silent)
            chain.checkpoint()
            return [*settling.values(), *estimated]
        return list(settling.values())

    def _deadline_s(self, interval: int) -> int:
        return self._clock.delivery_start_s(interval + 1) + self._clock.metering_s

    def _estimate(self, interval: int, silent: Sequence[int]) -> list[Included]:
        # all at once: one block each would take a large population past the next gate closure
        operator = self._deployment.operator.address
        estimates = [
            self._settlement.settle_silent(operator, interval, self._deployment.account_of(i))
            for i in silent
        ]
        return [confirmed(self._settlement, handle) for handle in estimates]
