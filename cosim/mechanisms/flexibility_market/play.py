"""The flexibility market in a run: requests of the DSO, offers, awards and their settlement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.escrow_play import EscrowPlay
from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
from cosim.mechanisms.flexibility_market.model import (
    FlexibilityMarketModel,
    FlexibilitySettlement,
)
from cosim.mechanisms.flexibility_market.outcomes import Request
from cosim.mechanisms.flexibility_market.requests import Requests
from cosim.mechanisms.flexibility_market.rows import (
    AppraisedRound,
    appraisal_tables,
    flexibility_columns,
)
from cosim.mechanisms.flexibility_market.terms import FlexibilityTerms
from cosim.mechanisms.local_market.play import LocalMarketPlay
from cosim.mechanisms.play import Deposit, Readings, Schedules, Statement
from cosim.mechanisms.reconciliation import check_equal
from cosim.messages import BidsMessage, Columns, DecisionMessage, OffersMessage
from cosim.messages.extras import ReliefAppraisal
from cosim.units import IntArray


@dataclass
class _Interval:
    """Flexibility that prosumers have in one interval, and their offers of the round."""

    bids: BidsMessage
    offers: list[tuple[Request, int]] = field(default_factory=list)
    appraised: list[AppraisedRound] = field(default_factory=list)


class FlexibilityMarketPlay(EscrowPlay[FlexibilityMarket, FlexibilityMarketModel]):
    """The DSO's requests and prosumers' offers in a run.

    Parameters
    ----------
    deployment : Deployment
        With the contract.
    clock : DeliveryClock
    terms : FlexibilityTerms
    market : LocalMarketPlay
        Whose readings deliveries are measured by.
    """

    answers_for = (FlexibilityMarket.contract,)
    free_of = "escrow._free_of"

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        terms: FlexibilityTerms,
        market: LocalMarketPlay,
    ) -> None:
        super().__init__(
            deployment,
            deployment.client(FlexibilityMarket),
            FlexibilityMarketModel(deployment.dso.name, terms.penalty_ueur_per_kwh),
            (deployment.supplier, deployment.dso),
        )
        self.terms = terms
        self._market = market
        self._requests = Requests(deployment, clock)
        self._intervals: dict[int, _Interval] = {}

    # --- before the first interval ---

    def deposits(self) -> Sequence[Deposit]:
        """Return the deposits of the members and of the DSO."""
        terms, deployment = self.terms, self._deployment
        return [
            *(Deposit(one.address, terms.prosumer_deposit_ueur) for one in deployment.joined),
            Deposit(deployment.dso.address, terms.dso_deposit_ueur),
        ]

    # --- before delivery ---

    def submit(self, interval: int, bids: BidsMessage) -> None:
        """Note what members could offer: nothing is sent before the DSO asks."""
        self._requests.begin(interval)
        down_wh = np.where(self._members, bids.flex_down_wh, 0)
        up_wh = np.where(self._members, bids.flex_up_wh, 0)
        own = replace(bids, flex_down_wh=down_wh, flex_up_wh=up_wh)
        self._intervals[interval] = _Interval(own)

    def relieve(self, interval: int, decision: DecisionMessage, schedules: Schedules) -> Schedules:
        """Award what the DSO chose of the last offers, then ask for what it asks."""
        state = self._intervals[interval]
        appraisal = decision.extras.of(ReliefAppraisal)
        if appraisal is not None and state.offers:
            prices = tuple(request.prices_ueur_per_kwh[o] for request, o in state.offers)
            last = max(request.number for request, _ in state.offers)
            state.appraised.append(AppraisedRound(last, prices, appraisal))
        if len(decision.awarded_wh):
            activated_wh = self._award(state, decision.awarded_wh, schedules.activated_wh)
            schedules = replace(schedules, activated_wh=activated_wh)
        state.offers = []
        for direction, quantity_wh in ((-1, decision.request_down_wh), (1, decision.request_up_wh)):
            if quantity_wh:
                self._request(interval, state, direction, int(quantity_wh), schedules)
        return schedules

    def offers(self, interval: int) -> OffersMessage | None:
        """Return what the contract took in answer to the last requests."""
        rows = [
            (
                request.number,
                request.prosumers[o],
                request.direction,
                request.offered_wh[o],
                request.prices_ueur_per_kwh[o],
            )
            for request, o in self._intervals[interval].offers
        ]
        return OffersMessage(*np.array(rows, dtype=np.int64).T) if rows else None

    def reread(self, interval: int, schedules: Schedules) -> Schedules:
        """Follow in the model what the chain holds after a reorganisation."""
        steps = self._requests.reread(interval)
        self._back_to_mark()
        activated_wh = np.zeros_like(schedules.activated_wh)
        for step in steps:
            request = step.request
            if step.offer is not None:
                self._offer_in_model(request, step.offer)
            elif step.awarded_wh is not None:
                self._award_in_model(request, step.awarded_wh)
                for o, energy_wh in step.awarded_wh.items():
                    activated_wh[request.prosumers[o]] += request.direction * energy_wh
            else:
                self._open_in_model(request)
        return replace(schedules, activated_wh=activated_wh)

    # --- after delivery ---

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Settle and close the requests of an interval."""
        requests = self._requests.settle(interval)
        for request in requests:
            for o, i in enumerate(request.prosumers):
                received_ueur = request.paid_ueur[o] - request.penalty_ueur[o]
                statement.flexibility_ueur[i] += received_ueur
        self._add_fees(statement, self._requests.paid_by(interval))
        with self.timer.measure("models"):
            for request in requests:
                self._settle_in_model(interval, request)
        appraised = self._intervals[interval].appraised
        return {
            "flexibility": flexibility_columns(interval, self._names, requests),
            **appraisal_tables(interval, self._names, appraised),
        }

    def forget(self, interval: int) -> None:
        """Drop a settled interval."""
        self.model.forget(interval)
        self._intervals.pop(interval, None)

    # --- parts ---

    def _request(
        self,
        interval: int,
        state: _Interval,
        direction: int,
        quantity_wh: int,
        schedules: Schedules,
    ) -> None:
        """Ask for flexibility; every prosumer offers what it has left at its own price."""
        cap_ueur_per_kwh = self.terms.price_cap_ueur_per_kwh
        request = self._requests.open(interval, direction, quantity_wh, cap_ueur_per_kwh)
        if request is None:
            return
        self._open_in_model(request)
        bids, activated_wh = state.bids, schedules.activated_wh
        unserved_wh = 0 if schedules.unserved_wh is None else schedules.unserved_wh
        if direction > 0:
            price = bids.flex_up_price_ueur_per_kwh
            energy = bids.flex_up_wh - activated_wh - np.maximum(-unserved_wh, 0)
            other_way = activated_wh < 0
        else:
            price = np.where(
                schedules.contracted_wh > 0,
                bids.flex_down_price_if_sold_ueur_per_kwh,
                bids.flex_down_price_ueur_per_kwh,
            )
            energy = bids.flex_down_wh + activated_wh - np.maximum(unserved_wh, 0)
            other_way = activated_wh > 0
        refused = other_way | (schedules.curtailed_wh != 0) | (price > cap_ueur_per_kwh)
        energy = np.where(refused, 0, np.maximum(energy, 0))
        self._requests.offer(request, energy, price, schedules.position_wh)
        for o in range(len(request.prosumers)):
            self._offer_in_model(request, o)
            state.offers.append((request, o))

    def _award(self, state: _Interval, awarded_wh: IntArray, activated_wh: IntArray) -> IntArray:
        """Award offers on the ledger; only what the ledger took changes a schedule."""
        activated = activated_wh.copy()
        for request in dict.fromkeys(request for request, _ in state.offers):
            energy = np.zeros(len(request.prosumers), dtype=np.int64)
            for (own, o), wh in zip(state.offers, awarded_wh, strict=True):
                if own is request:
                    energy[o] = wh
            for batch in self._requests.award(request, energy):
                self._award_in_model(request, {o: int(energy[o]) for o in batch})
                for o in batch:
                    activated[request.prosumers[o]] += request.direction * energy[o]
        return activated

    def _open_in_model(self, request: Request) -> None:
        self.model.open_request(
            request.interval,
            request.direction > 0,
            request.quantity_wh,
            self.terms.price_cap_ueur_per_kwh,
        )

    def _offer_in_model(self, request: Request, o: int) -> None:
        self.model.offer(
            request.number,
            str(self._names[request.prosumers[o]]),
            request.offered_wh[o],
            request.prices_ueur_per_kwh[o],
            request.baselines_wh[o],
        )

    def _award_in_model(self, request: Request, awarded_wh: Mapping[int, int]) -> None:
        self.model.award(
            request.number,
            [str(self._names[request.prosumers[o]]) for o in awarded_wh],
            list(awarded_wh.values()),
        )

    def _settle_in_model(self, interval: int, request: Request) -> None:
        """Settle and close a request once more, by the readings of the local market."""
        names = self._names.tolist()
        readings = {
            name: reading
            for name in names
            if (reading := self._market.reading_of(interval, name)) is not None
        }
        in_model = self.model.settle(request.number, names, readings)
        self.model.close_request(request.number)
        on_ledger = {
            names[i]: FlexibilitySettlement(
                request.delivered_wh[o], request.paid_ueur[o], request.penalty_ueur[o]
            )
            for o, i in enumerate(request.prosumers)
        }
        check_equal(
            interval,
            on_ledger,
            in_model,
            "flexibility settled by the contract",
            "flexibility settled by the model",
        )

    def _locked_ueur(self) -> int:
        return self.model.locked_total_ueur()
