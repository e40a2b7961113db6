"""The market session of each delivery interval: what the actors send to the contracts, and when.

Prosumers send orders at their own times in the order window; after gate closure the interval is
cleared; the DSO opens requests, prosumers answer with offers, the DSO awards; after delivery the
meters report and what was awarded is settled. What the chain includes in time, and what it does
not, decides the outcome: a late order is an outcome here, never an error.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cosim.clock import DeliveryClock
from cosim.ledger.attacks.base import LedgerAttack
from cosim.ledger.blocks import Included
from cosim.ledger.clients.flexibility_market import MAX_BATCH, award_gas, settle_gas
from cosim.ledger.deployment import Deployment
from cosim.ledger.outcomes import OrderBook, Request, Settled
from cosim.ledger.trading import ClearOffChain, Trading
from cosim.ledger.waiting import confirmed, wait_for
from cosim.units import BoolArray, FloatArray, IntArray


class MarketSession:
    """The population's side of the ledger, one interval after the other.

    Parameters
    ----------
    deployment : Deployment
        Chain, contracts and accounts, set up.
    clock : DeliveryClock
        Times of the run.
    form, reveal_s
        How orders are cleared; see :class:`cosim.ledger.trading.Trading`.
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
        self._trading = Trading(deployment, clock, form, reveal_s)
        self._index = {account.address: i for i, account in enumerate(deployment.prosumers)}
        self._requests: dict[int, list[Request]] = {}
        self._fees_wei: dict[int, list[int]] = {}

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
            No order is sent where the energy is 0.
        sent_fraction : (n,) float
            When each order leaves, as a fraction of the order window less the two last blocks:
            who sends later cannot expect to be included before the gate closes.
        clear_off_chain : callable, optional
            What the market operator clears; the forms verified and committed need it.
        """
        fees_wei = self._fees_wei.setdefault(interval, [0] * self.n)
        return self._trading.trade(
            interval,
            is_sell,
            energy_wh,
            price_ueur_per_kwh,
            sent_fraction,
            fees_wei,
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
        number = next(
            arguments["request"]
            for name, arguments in flexibility.events(included)
            if name == "RequestOpened"
        )
        request = Request(number, interval, direction, quantity_wh)
        self._requests.setdefault(interval, []).append(request)
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
        chain.mine_until(chain.now_s + self.clock.block_time_s)
        chain.drop([handle for handle in handles.values() if chain.included(handle) is None])
        fees = self._fees_wei.setdefault(request.interval, [0] * self.n)
        for i, handle in handles.items():
            included = chain.included(handle)
            if included is None:
                continue
            fees[i] += included.fee_wei
            if included.receipt.status:
                request.prosumers.append(i)
                request.offered_wh.append(int(energy_wh[i]))
                request.prices_ueur_per_kwh.append(int(price_ueur_per_kwh[i]))
                request.baselines_wh.append(int(baseline_wh[i]))
                request.awarded_wh.append(0)
                request.delivered_wh.append(0)
                request.paid_ueur.append(0)
                request.penalty_ueur.append(0)

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
            for o in batch:
                request.awarded_wh[o] += int(energy_wh[o])
        return done

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
        operator = self.deployment.operator.address
        ends = self.clock.delivery_start_s(interval + 1)
        chain.mine_until(ends)
        claimed = self._trading.claim(interval)
        begin_s = chain.now_s
        stagger_s = self.clock.block_time_s / self.n
        fees = self._fees_wei.pop(interval, [0] * self.n)
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
        deadline = ends + self.clock.metering_s
        while chain.pending and chain.now_s + self.clock.block_time_s <= deadline:
            chain.mine_until(chain.now_s + self.clock.block_time_s)
        reports: list[Included] = []
        silent = [i for i in self.members if i not in handles]
        for i, handle in handles.items():
            included = chain.included(handle)
            if included is not None:
                fees[i] += included.fee_wei
            if included is not None and included.receipt.status:
                reports.append(included)
            else:
                silent.append(i)
        if silent:
            chain.drop([h for h in handles.values() if chain.included(h) is None])
            chain.mine_until(deadline)
            # all at once: one block each would take a large population past the next gate closure
            estimates = [
                market.settle_silent(operator, interval, self.deployment.account_of(i))
                for i in silent
            ]
            reports += [confirmed(market, handle) for handle in estimates]
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
