"""Requests, offers, awards and their settlement on the ledger, interval by interval."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from cosim.chain.waiting import confirmed, wait_for
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
from cosim.mechanisms.flexibility_market.client import (
    CALLING_GAS,
    MAX_BATCH,
    admission_gas,
    award_gas,
    cuts_gas,
    offer_gas,
    settle_gas,
)
from cosim.mechanisms.flexibility_market.curves import Blocks
from cosim.mechanisms.flexibility_market.outcomes import CallStep, Request
from cosim.mechanisms.flexibility_market.request_steps import RequestSteps, Step
from cosim.units import IntArray

JOINED_GAS = 15_000
"""Gas that a call may use on top where several local markets are asked as one."""


class Requests(RequestSteps):
    """Requests of a run on the ledger.

    Parameters
    ----------
    deployment : Deployment
        With the contract.
    clock : DeliveryClock
    terms : BaselineTerms
        What the contract looks up of the past, and so the gas limits, depends on them.
    is_random : bool
        Whether a draw comes between offers and awards.
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        terms: BaselineTerms,
        is_random: bool = False,
    ) -> None:
        super().__init__(deployment)
        self._deployment = deployment
        self._clock = clock
        self._is_random = is_random
        self._calling_gas = CALLING_GAS if is_random else 0
        self._joined_gas = JOINED_GAS if deployment.areas else 0
        self._terms = terms
        self._index = {account.address: i for i, account in enumerate(deployment.prosumers)}

    def _settle_gas(self, n: int) -> int:
        """Return gas that settling so many prosumers takes at most."""
        return settle_gas(n, most_readings=self._terms.most_readings)

    def _award_gas(self, n: int) -> int:
        """Return gas that so many awards take at most."""
        return award_gas(n, marks=self._terms.is_measured) + self._joined_gas

    def open(
        self, interval: int, direction: int, quantity_wh: int, price_cap_ueur_per_kwh: int
    ) -> Request | None:
        """Open a request of the DSO; None if the contract or the chain did not let it in time."""
        handle = self.client.open_request(
            self._deployment.dso.address,
            interval,
            direction > 0,
            quantity_wh,
            price_cap_ueur_per_kwh,
        )
        included = wait_for(self.chain, handle, self._clock.delivery_start_s(interval))
        if included is None or not included.receipt.status:
            return None
        request = Request(self._number(included), interval, direction, quantity_wh)
        self._requests.setdefault(interval, []).append(request)
        self._note(interval, Step(handle, request.number, opens=request))
        return request

    def offer(
        self,
        request: Request,
        offers: Mapping[int, Blocks],
        baseline_wh: IntArray,
        idle_wh: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """Let every prosumer with energy to offer answer a request; keep what was accepted.

        Parameters
        ----------
        request : Request
        offers : mapping of int to sequence of Block
            By position of the prosumer.
        baseline_wh : (n,) int64
            Nominated schedules that delivery is measured against. [Wh]
        idle_wh : mapping of int to int
            Of each offer, what changes no schedule. [Wh]
        """
        chain = self.chain
        sent_at_s = float(chain.now_s)
        handles = {
            i: self.client.send(
                self._deployment.prosumers[i].address,
                "offer",
                request.number,
                int(baseline_wh[i]),
                [block.energy_wh for block in blocks],
                [block.price_ueur_per_kwh for block in blocks],
                gas=offer_gas(len(blocks))
                + admission_gas(self._terms)
                + self._calling_gas
                + self._joined_gas,
                sent_at_s=sent_at_s,
                interval=request.interval,
            )
            for i, blocks in offers.items()
        }
        self._await_offers(request.interval, handles.values())
        chain.drop([handle for handle in handles.values() if chain.included(handle) is None])
        for i, handle in handles.items():
            row = (i, int(baseline_wh[i]), offers[i], idle_wh.get(i, 0))
            self._note(request.interval, Step(handle, request.number, offer=row))
            included = chain.included(handle)
            if included is not None and included.receipt.status:
                request.add_offer(*row)

    def _await_offers(self, interval: int, handles: Collection[int]) -> None:
        """Wait a block, and for whatever found no space as long as there is time for an award.

        And for what is drawn before it.
        """
        chain = self.chain
        blocks = 3 if self._is_random else 1
        award_s = blocks * (1 + chain.confirmations) * self._clock.block_time_s
        last_s = self._clock.delivery_start_s(interval) - award_s - chain.block_time_s
        chain.mine_blocks()
        while chain.next_block_s <= last_s and any(
            chain.included(handle) is None for handle in handles
        ):
            chain.mine_blocks()
        chain.mine_blocks(chain.confirmations)

    def award(self, request: Request, energy_wh: IntArray) -> list[list[int]]:
        """Award offers of a request.

        Parameters
        ----------
        request : Request
        energy_wh : (offers,) int64
            Energy awarded to each. [Wh]

        Returns
        -------
        list of list of int
            Positions of the offers that the ledger took, by transaction.
        """
        chosen = [int(o) for o in np.flatnonzero(energy_wh)]
        done = []
        for batch in self._batches(chosen, self._award_gas):
            handle = self.client.send(
                self._deployment.dso.address,
                "award",
                request.number,
                [self._deployment.account_of(request.prosumers[o]) for o in batch],
                [int(energy_wh[o]) for o in batch],
                gas=self._award_gas(len(batch)),
                interval=request.interval,
            )
            until_s = self._clock.delivery_start_s(request.interval)
            included = wait_for(self.chain, handle, until_s)
            if included is None or not included.receipt.status:
                continue
            done.append(batch)
            awarded = {request.prosumers[o]: int(energy_wh[o]) for o in batch}
            self._note(request.interval, Step(handle, request.number, awards=awarded))
            for o in batch:
                request.awarded_wh[o] += int(energy_wh[o])
        return done

    def close_offers(self, interval: int) -> bool:
        """Let the DSO take no further offers for an interval; return whether it was in time."""
        handle = self.client.close_offers(self._deployment.dso.address, interval)
        return self._in_time(interval, handle, CallStep())

    def draw(self, interval: int, link: bytes, skipped: int) -> bool:
        """Let the DSO show the link of an interval; return whether it was in time.

        ``skipped`` intervals before it have had no draw.
        """
        handle = self.client.draw_calls(self._deployment.dso.address, interval, link, skipped)
        return self._in_time(interval, handle, CallStep(link=link))

    def order_cuts(self, interval: int, cuts_wh: Mapping[int, int]) -> Iterator[list[int]]:
        """Let the DSO note cuts of prosumers by position; yield those that a block took in time."""
        for batch in self._batches(list(cuts_wh), cuts_gas):
            handle = self.client.order_cuts(
                self._deployment.dso.address,
                interval,
                [self._deployment.prosumers[i].address for i in batch],
                [cuts_wh[i] for i in batch],
            )
            noted = CallStep(cuts_wh={i: cuts_wh[i] for i in batch})
            if self._in_time(interval, handle, noted):
                yield batch

    def _in_time(self, interval: int, handle: int, step: CallStep) -> bool:
        included = wait_for(self.chain, handle, self._clock.delivery_start_s(interval))
        if included is None or not included.receipt.status:
            return False
        self._note(interval, Step(handle, 0, call=step))
        return True

    def settle(self, interval: int) -> tuple[Request, ...]:
        """Settle and close the requests of an interval."""
        requests = tuple(self._requests.pop(interval, ()))
        operator = self._deployment.operator.address
        for request in requests:
            offer_of = {i: o for o, i in enumerate(request.prosumers)}
            for batch in self._batches(request.prosumers, self._settle_gas):
                handle = self.client.send(
                    operator,
                    "settle",
                    request.number,
                    [self._deployment.account_of(i) for i in batch],
                    gas=self._settle_gas(len(batch)),
                    interval=interval,
                )
                included = confirmed(self.client, handle)
                self.chain.checkpoint()
                for name, arguments in self.client.events(included):
                    if name not in ("OfferSettled", "BaselineMeasured"):
                        continue
                    o = offer_of[self._index[arguments["account"]]]
                    if name == "BaselineMeasured":
                        request.measured_wh[o] = arguments["baseline_wh"]
                    else:
                        request.delivered_wh[o] = arguments["delivered_wh"]
                        request.paid_ueur[o] = arguments["paid_ueur"]
                        request.penalty_ueur[o] = arguments["penalty_ueur"]
            handle = self.client.close_request(operator, request.number, interval=interval)
            confirmed(self.client, handle)
        return requests

    def _batches(self, rows: list[int], gas: Callable[[int], int]) -> Iterator[list[int]]:
        """Rows by transaction: as many as fit into half a block, which the set-up does not know."""
        most = min(self.chain.block_gas_limit // 2, self.chain.most_gas)
        fitting = (most - gas(0)) // (gas(1) - gas(0))
        size = max(1, min(MAX_BATCH, fitting))
        return (rows[start : start + size] for start in range(0, len(rows), size))
