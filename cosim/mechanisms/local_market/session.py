"""The market session of each delivery interval: what the actors send to the contracts, and when.

Prosumers send orders at their own times in the order window; after gate closure the interval is
cleared; the DSO opens requests, prosumers answer with offers, the DSO awards; after delivery the
meters report and what was awarded is settled. What the chain includes in time, and what it does
not, decides the outcome: a late order is an outcome here, never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from cosim.chain.blocks import Included
from cosim.chain.waiting import confirmed, wait_for
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.flexibility_market.client import MAX_BATCH, award_gas, settle_gas
from cosim.mechanisms.local_market.interference import LedgerAttack
from cosim.mechanisms.local_market.outcomes import (
    FlexibilityStep,
    OrderBook,
    Request,
    Rewritten,
    Settled,
)
from cosim.mechanisms.local_market.trading import ClearOffChain, Trading
from cosim.units import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class _Step:
    """A transaction of the flexibility market before delivery: a request, an offer, or awards."""

    handle: int
    request: int
    opens: Request | None = None
    offer: tuple[int, int, int, int] | None = None
    awards: Mapping[int, int] = field(default_factory=dict)


class MarketSession:
    """The population's side of the ledger, one interval after the other.

    Parameters
    ----------
    deployment : Deployment
        Chain, contracts and accounts, set up.
    clock : DeliveryClock
        Times of the run.
    form, reveal_s
        How orders are cleared; see :class:`cosim.mechanisms.local_market.trading.Trading`.
    attack : LedgerAttack, optional
        What somebody does to an interval; default: nothing.
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        form: str = "on_chain",
        reveal_s: int = 0,
        attack: LedgerAttack | None = None,
    ) -> None:
        self.deployment = deployment
        self.attack = attack or LedgerAttack()
        self.chain = deployment.chain
        self.clock = clock
        self.n = len(deployment.prosumers)
        self.members = tuple(i for i, joined in enumerate(deployment.members) if joined)
        # as many accounts as fit into one block's gas, and at most what the contract takes
        self._award_batch = _batch(award_gas, self.chain.block_gas_limit)
        self._settle_batch = _batch(settle_gas, self.chain.block_gas_limit)
        self._trading = Trading(deployment, clock, form, reveal_s, self.attack)
        self._index = {account.address: i for i, account in enumerate(deployment.prosumers)}
        self._requests: dict[int, list[Request]] = {}
        self._steps: dict[int, list[_Step]] = {}
        self._n_reorganisations = 0

    def trade(
        self,
        interval: int,
        is_sell: BoolArray,
        energy_wh: IntArray,
        price_ueur_per_kwh: IntArray,
        sent_fraction: FloatArray,
        clear_off_chain: ClearOffChain | None = None,
    ) -> OrderBook:
        """Send the orders of an interval, wait for gate closure, and have it cleared.

        Parameters
        ----------
        interval : int
        is_sell : (n,) bool
        energy_wh, price_ueur_per_kwh : (n,) int64
            No order where the energy is 0. An attacker writes a price that it chooses later.
        sent_fraction : (n,) float
            When each order leaves, as a fraction of the order window less the two last blocks:
            who sends later cannot expect to be included before the gate closes.
        clear_off_chain : callable, optional
            What the market operator clears; the forms verified and committed need it.
        """
        self._n_reorganisations = self.chain.n_reorganisations
        self._steps[interval] = []
        return self._trading.trade(
            interval,
            is_sell,
            energy_wh,
            price_ueur_per_kwh,
            sent_fraction,
            clear_off_chain,
        )

    def request(
        self, interval: int, direction: int, quantity_wh: int, price_cap_ueur_per_kwh: int
    ) -> Request | None:
        """Open a request of the DSO; None if the contract or the chain did not let it in time."""
        flexibility = self.deployment.flexibility
        handle = flexibility.open_request(
            self.deployment.dso.address,
            interval,
            direction > 0,
            quantity_wh,
            price_cap_ueur_per_kwh,
        )
        included = wait_for(self.chain, handle, self.clock.delivery_start_s(interval))
        if included is None or not included.receipt.status:
            return None
        request = Request(self._number(included), interval, direction, quantity_wh)
        self._requests.setdefault(interval, []).append(request)
        self._steps.setdefault(interval, []).append(_Step(handle, request.number, opens=request))
        return request

    def offer(
        self,
        request: Request,
        energy_wh: IntArray,
        price_ueur_per_kwh: IntArray,
        baseline_wh: IntArray,
    ) -> None:
        """Let every prosumer with energy to offer answer a request; keeps what was accepted.

        Parameters
        ----------
        request : Request
        energy_wh, price_ueur_per_kwh : (n,) int64
            No offer where the energy is 0 or the price above the cap.
        baseline_wh : (n,) int64
            Nominated schedules that delivery is measured against. [Wh]
        """
        chain, flexibility = self.chain, self.deployment.flexibility
        sent_at_s = float(chain.now_s)
        handles = {
            i: flexibility.offer(
                self.deployment.prosumers[i].address,
                request.number,
                int(energy_wh[i]),
                int(price_ueur_per_kwh[i]),
                int(baseline_wh[i]),
                sent_at_s=sent_at_s,
                interval=request.interval,
            )
            for i in np.flatnonzero(energy_wh).tolist()
        }
        self._await_offers(request.interval, handles.values())
        chain.drop([handle for handle in handles.values() if chain.included(handle) is None])
        for i, handle in handles.items():
            row = (i, int(energy_wh[i]), int(price_ueur_per_kwh[i]), int(baseline_wh[i]))
            self._steps.setdefault(request.interval, []).append(
                _Step(handle, request.number, offer=row)
            )
            included = chain.included(handle)
            if included is not None and included.receipt.status:
                request.add_offer(*row)

    def _await_offers(self, interval: int, handles: Collection[int]) -> None:
        """Wait a block, and for whatever found no room as long as there is time for an award."""
        chain = self.chain
        award_s = (1 + chain.confirmations) * self.clock.block_time_s
        last_s = self.clock.delivery_start_s(interval) - award_s - chain.block_time_s
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
        for start in range(0, len(chosen), self._award_batch):
            batch = chosen[start : start + self._award_batch]
            handle = self.deployment.flexibility.award(
                self.deployment.dso.address,
                request.number,
                [self.deployment.account_of(request.prosumers[o]) for o in batch],
                [int(energy_wh[o]) for o in batch],
                interval=request.interval,
            )
            included = wait_for(self.chain, handle, self.clock.delivery_start_s(request.interval))
            if included is None or not included.receipt.status:
                continue
            done.append(batch)
            awarded = {request.prosumers[o]: int(energy_wh[o]) for o in batch}
            self._steps.setdefault(request.interval, []).append(
                _Step(handle, request.number, awards=awarded)
            )
            for o in batch:
                request.awarded_wh[o] += int(energy_wh[o])
        return done

    def at_delivery(self, interval: int) -> Rewritten | None:
        """Mine until delivery starts, and read again what a reorganisation may have changed.

        From then on nothing of the interval's trade is undone any more.

        Returns
        -------
        Rewritten or None
            What the chain says now; None if no block was replaced since the orders were sent.
        """
        chain = self.chain
        self.attack.before_delivery(interval)
        chain.mine_until(self.clock.delivery_start_s(interval))
        changed = None
        if chain.n_reorganisations != self._n_reorganisations:
            orders = self._trading.restore(interval)
            changed = Rewritten(orders, self._reread(interval))
        chain.checkpoint()
        return changed

    def _reread(self, interval: int) -> tuple[FlexibilityStep, ...]:
        """Requests, offers and awards of an interval as the chain holds them, in its order."""
        taken = []
        for step in self._steps.get(interval, ()):
            included = self.chain.included(step.handle)
            if included is not None and included.receipt.status:
                taken.append((included.block, included.index, step, included))
        requests: dict[int, Request] = {}
        steps = []
        for _, _, step, included in sorted(taken, key=lambda row: row[:2]):
            if step.opens is not None:
                number = self._number(included)
                opened = step.opens
                requests[number] = Request(number, interval, opened.direction, opened.quantity_wh)
                steps.append(FlexibilityStep(requests[number]))
                continue
            request = requests[step.request]
            if step.offer is not None:
                request.add_offer(*step.offer)
                steps.append(FlexibilityStep(request, offer=len(request.prosumers) - 1))
            else:
                awarded = {request.prosumers.index(i): wh for i, wh in step.awards.items()}
                for o, wh in awarded.items():
                    request.awarded_wh[o] += wh
                steps.append(FlexibilityStep(request, awarded_wh=awarded))
        self._requests[interval] = list(requests.values())
        return tuple(steps)

    def _number(self, included: Included) -> int:
        """Number of the request that a transaction opened."""
        return next(
            int(arguments["request"])
            for name, arguments in self.deployment.flexibility.events(included)
            if name == "RequestOpened"
        )

    def settle(self, interval: int, metered_wh: IntArray) -> Settled:
        """Let the meters report an interval after its end, and settle what follows from it.

        A meter whose report is not included in time is silent: the agreed estimate is settled. Who
        did not join the market neither reports nor is settled.

        Parameters
        ----------
        interval : int
        metered_wh : (n,) int64
            Readings, net injection. [Wh]
        """
        chain, market = self.chain, self.deployment.local_market
        ends = self.clock.delivery_start_s(interval + 1)
        chain.mine_until(ends)
        claimed = self._trading.claim(interval)
        begin_s = chain.now_s
        stagger_s = self.clock.block_time_s / self.n
        handles = {
            i: market.report(
                self.deployment.meters[i].address,
                interval,
                int(metered_wh[i]),
                sent_at_s=begin_s + i * stagger_s,
            )
            for i in self.members
            if not self.attack.is_silent(interval, i)
        }
        reports = self._reported(interval, handles, ends + self.clock.metering_s)
        columns = {
            key: np.zeros(self.n, dtype=np.int64)
            for key in ("contracted_wh", "metered_wh", "trade_ueur", "supplier_ueur")
        }
        estimated = np.zeros(self.n, dtype=np.bool_)
        for included in reports:
            for name, arguments in market.events(included):
                if name == "IntervalSettled":
                    i = self._index[arguments["account"]]
                    for key, column in columns.items():
                        column[i] = arguments[key]
                elif name == "MeterReported":
                    estimated[self._index[arguments["account"]]] = arguments["estimated"]
        requests = tuple(self._requests.pop(interval, ()))
        flexibility_ueur = self._settle_flexibility(requests)
        fees = self._fees(interval, handles)
        chain.checkpoint()
        return Settled(
            contracted_wh=columns["contracted_wh"],
            metered_wh=columns["metered_wh"],
            estimated=estimated,
            traded_ueur=columns["trade_ueur"],
            supplier_ueur=columns["supplier_ueur"],
            flexibility_ueur=flexibility_ueur,
            fees_wei=fees,
            requests=requests,
            claimed=claimed,
        )

    def _reported(self, interval: int, handles: dict[int, int], deadline_s: int) -> list[Included]:
        """Wait for the meters; have the agreed estimate settled for those that stay silent.

        What has its confirmations is final: nobody settles twice.
        """
        chain, market = self.chain, self.deployment.local_market
        while chain.next_block_s <= deadline_s and any(
            chain.included(handle) is None for handle in handles.values()
        ):
            chain.mine_blocks()
        chain.mine_blocks(chain.confirmations)
        chain.checkpoint()
        reports = []
        silent = [i for i in self.members if i not in handles]
        for i, handle in handles.items():
            included = chain.included(handle)
            if included is not None and included.receipt.status:
                reports.append(included)
            else:
                silent.append(i)
        if silent:
            chain.drop([h for h in handles.values() if chain.included(h) is None])
            chain.mine_until(deadline_s)
            # all at once: one block each would take a large population past the next gate closure
            operator = self.deployment.operator.address
            estimates = [
                market.settle_silent(operator, interval, self.deployment.account_of(i))
                for i in silent
            ]
            reports += [confirmed(market, handle) for handle in estimates]
            chain.checkpoint()
        return reports

    def _fees(self, interval: int, reports: Mapping[int, int]) -> list[int]:
        """Fees of every prosumer for an interval's orders, offers and reports. [wei]"""
        fees = [0] * self.n
        steps = self._steps.pop(interval, [])
        offers = [(step.offer[0], step.handle) for step in steps if step.offer is not None]
        for i, handle in (*self._trading.paid_by(interval), *offers, *reports.items()):
            included = self.chain.included(handle)
            if included is not None:
                fees[i] += included.fee_wei
        self._trading.forget(interval)
        return fees

    def _settle_flexibility(self, requests: tuple[Request, ...]) -> IntArray:
        """Settle and close the requests of an interval; what each prosumer received. [µEUR]"""
        flexibility, operator = self.deployment.flexibility, self.deployment.operator.address
        received = np.zeros(self.n, dtype=np.int64)
        for request in requests:
            offer_of = {i: o for o, i in enumerate(request.prosumers)}
            for start in range(0, len(request.prosumers), self._settle_batch):
                batch = request.prosumers[start : start + self._settle_batch]
                handle = flexibility.settle(
                    operator,
                    request.number,
                    [self.deployment.account_of(i) for i in batch],
                    interval=request.interval,
                )
                included = confirmed(flexibility, handle)
                self.chain.checkpoint()
                for name, arguments in flexibility.events(included):
                    if name == "OfferSettled":
                        i = self._index[arguments["account"]]
                        o = offer_of[i]
                        request.delivered_wh[o] = arguments["delivered_wh"]
                        request.paid_ueur[o] = arguments["paid_ueur"]
                        request.penalty_ueur[o] = arguments["penalty_ueur"]
                        received[i] += arguments["paid_ueur"] - arguments["penalty_ueur"]
            handle = flexibility.close_request(operator, request.number, interval=request.interval)
            confirmed(flexibility, handle)
        return received


def _batch(gas_of: Callable[[int], int], block_gas_limit: int) -> int:
    """Most accounts in one transaction that still fits into half a block."""
    per_account = gas_of(1) - gas_of(0)
    return max(1, min(MAX_BATCH, (block_gas_limit // 2 - gas_of(0)) // per_account))
