"""Baselines in a run: ranges at the set-up, schedules within them, and what a limit pays for.

Under a capacity limit an award pays for all that lies between the registered capacity and the
limit, so first for what the schedule leaves unused anyway: it is *idle*. Only what an award holds
beyond it changes the schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.flexibility_market.baselines import Baselines, NetRange
from cosim.mechanisms.flexibility_market.client import MAX_BATCH, FlexibilityMarket
from cosim.mechanisms.flexibility_market.curves import Block, Blocks
from cosim.mechanisms.flexibility_market.offering import few
from cosim.mechanisms.flexibility_market.terms import FlexibilityTerms
from cosim.mechanisms.play import Schedules


class BaselinePlay:
    """Part of a flexibility market that depends on its baseline.

    Parameters
    ----------
    deployment : Deployment
        With the ranges of the connection points.
    clock : DeliveryClock
    terms : FlexibilityTerms
    """

    def __init__(
        self, deployment: Deployment, clock: DeliveryClock, terms: FlexibilityTerms
    ) -> None:
        self.terms = terms.baselines
        self._deployment = deployment
        self._clock = clock
        self._idle_factor = terms.idle_price_factor
        ranges = np.array(deployment.ranges_wh, dtype=np.int64).reshape(-1, 2)
        self._low_wh, self._high_wh = ranges.T

    def model(self) -> Baselines:
        """Return the model of the contract's baselines, with the ranges of the members."""
        clock = self._clock
        baselines = Baselines(self.terms, clock.step_s, clock.delivery_start_s(0))
        for i, account in self._ranged():
            own = NetRange(int(self._low_wh[i]), int(self._high_wh[i]))
            baselines.register(account, own)
        return baselines

    def register(self, client: FlexibilityMarket) -> list[int]:
        """Let the DSO register the ranges of the members; return the handles."""
        rows = [i for i, _ in self._ranged()]
        handles = []
        for start in range(0, len(rows), MAX_BATCH // 2):
            batch = rows[start : start + MAX_BATCH // 2]
            handles.append(
                client.register_ranges(
                    self._deployment.dso.address,
                    [self._deployment.prosumers[i].address for i in batch],
                    self._low_wh[batch].tolist(),
                    self._high_wh[batch].tolist(),
                )
            )
        return handles

    def within(self, schedules: Schedules) -> Schedules:
        """Return schedules within the registered ranges: no nomination beyond them is one."""
        if not self.terms.is_ranged:
            return schedules
        nominated_wh = schedules.nominated_wh.copy()
        for i, _ in self._ranged():
            nominated_wh[i] = np.clip(nominated_wh[i], self._low_wh[i], self._high_wh[i])
        return replace(schedules, nominated_wh=nominated_wh)

    def with_idle(
        self,
        direction: int,
        offers: Mapping[int, Blocks],
        schedules: Schedules,
        bought_wh: Callable[[int], int],
    ) -> tuple[dict[int, Blocks], dict[int, int]]:
        """Return offers with what is idle in front, at a share of the price of the first block.

        Parameters
        ----------
        direction : int
            +1 raises net injection, -1 lowers it.
        offers : mapping of int to sequence of Block
            What changes schedules, by position of the prosumer.
        schedules : Schedules
        bought_wh : callable
            Energy awarded to a prosumer for the interval already. [Wh]

        Returns
        -------
        tuple of dict
            Offers as the contract gets them, and what is idle of each. [Wh]
        """
        if not self.terms.is_limit:
            return dict(offers), {}
        capacity_wh = self._low_wh if direction > 0 else self._high_wh
        net_wh = schedules.reported_wh + schedules.activated_wh
        whole, idle = {}, {}
        for i, blocks in offers.items():
            unused_wh = direction * (int(net_wh[i]) - int(capacity_wh[i]))
            idle[i] = max(unused_wh - bought_wh(i), 0)
            price = int(blocks[0].price_ueur_per_kwh * self._idle_factor)
            first = (Block(idle[i], price),) if idle[i] else ()
            whole[i] = few((*first, *blocks))
        return whole, idle

    def _ranged(self) -> list[tuple[int, str]]:
        """Return position and name of everybody whose range is registered."""
        if not self.terms.is_ranged:
            return []
        pairs = zip(self._deployment.prosumers, self._deployment.members, strict=True)
        return [(i, account.name) for i, (account, joins) in enumerate(pairs) if joins]
