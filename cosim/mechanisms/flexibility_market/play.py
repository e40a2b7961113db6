"""The flexibility market in a run: requests of the DSO, offers, awards and their settlement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from cosim.clock import DeliveryClock
from cosim.mechanisms.debt_rows import DebtRows
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.flexibility_market.baseline_play import BaselinePlay
from cosim.mechanisms.flexibility_market.budget import affordable_wh
from cosim.mechanisms.flexibility_market.calling_play import CallingPlay
from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
from cosim.mechanisms.flexibility_market.curves import Blocks
from cosim.mechanisms.flexibility_market.mirroring import MirroredFlexibility
from cosim.mechanisms.flexibility_market.model import FlexibilityMarketModel
from cosim.mechanisms.flexibility_market.offering import bonds_ueur, offered
from cosim.mechanisms.flexibility_market.outcomes import (
    AppraisedRound,
    CallStep,
    FlexibilityInterval,
    Request,
    Wish,
    outcomes_of,
)
from cosim.mechanisms.flexibility_market.requests import Requests
from cosim.mechanisms.flexibility_market.rows import (
    appraisal_tables,
    flexibility_columns,
    requests_columns,
)
from cosim.mechanisms.flexibility_market.terms import FlexibilityTerms
from cosim.mechanisms.local_market.mirroring import MemberReadings
from cosim.mechanisms.local_market.top_ups import TopUps, listed_transfers
from cosim.mechanisms.play import Deposit, Readings, Schedules, Statement, TokenTransfer
from cosim.messages import BidsMessage, Columns, DecisionMessage, Extras, OffersMessage
from cosim.messages.extras import (
    CoveredRequests,
    IdleFlexibility,
    ReliefAppraisal,
)
from cosim.units import IntArray


class FlexibilityMarketPlay(MirroredFlexibility):
    """The DSO's requests and prosumers' offers in a run.

    Parameters
    ----------
    deployment : Deployment
        With the contract.
    clock : DeliveryClock
    terms : FlexibilityTerms
    market : MemberReadings
        Whose readings deliveries are measured by.
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        terms: FlexibilityTerms,
        market: MemberReadings,
    ) -> None:
        self._baselines = BaselinePlay(deployment, clock, terms)
        self._requests = Requests(deployment, clock, terms.baselines, terms.calling.is_random)
        self._calls = CallingPlay(deployment, clock, terms.calling, self._requests)
        super().__init__(
            deployment,
            deployment.client(FlexibilityMarket),
            FlexibilityMarketModel(
                deployment.dso.name,
                terms.penalty_ueur_per_kwh,
                terms.is_uncapped,
                self._baselines.model(),
                self._calls.model(deployment),
            ),
            (deployment.supplier, deployment.dso),
        )
        self.terms = terms
        self._market = market
        self._debts = DebtRows()
        # a bond comes back with the settlement: the balance needs to cover bonds alone
        full_ueur = terms.prosumer_deposit_ueur
        self._top_ups = TopUps(deployment, self.client, full_ueur, 0, approves=True)
        self._intervals: dict[int, FlexibilityInterval] = {}

    # --- before the first interval ---

    def deposits(self) -> Sequence[Deposit]:
        """Return the deposits of the members and of the DSO."""
        terms, deployment = self.terms, self._deployment
        return [
            *(Deposit(one.address, terms.prosumer_deposit_ueur) for one in deployment.joined),
            Deposit(deployment.dso.address, terms.dso_deposit_ueur),
        ]

    def enrol(self) -> Collection[int]:
        """Let the DSO register ranges of net injection, where the baseline needs them."""
        return self._baselines.register(self.client)

    # --- before delivery ---

    def submit(self, interval: int, bids: BidsMessage) -> None:
        """Note what members could offer: nothing is sent before the DSO asks."""
        self._requests.begin(interval)
        blocks = bids.flexibility
        own_wh = np.where(self._members[blocks.prosumer], blocks.energy_wh, 0)
        kept_wh = np.minimum(blocks.withheld_wh, own_wh)
        flexibility = replace(blocks, energy_wh=own_wh, withheld_wh=kept_wh)
        own = replace(bids, flexibility=flexibility)
        self._intervals[interval] = FlexibilityInterval(own)

    def schedule(self, interval: int, schedules: Schedules) -> Schedules:
        """Keep nominations within the registered ranges, where the baseline has them."""
        return self._baselines.within(schedules)

    def relieve(self, interval: int, decision: DecisionMessage, schedules: Schedules) -> Schedules:
        """Award what the DSO chose of the last offers, then ask for what it asks."""
        state = self._intervals[interval]
        appraisal = decision.extras.of(ReliefAppraisal)
        answered = [*state.offers, *state.left_out]
        if appraisal is not None and answered:
            prices = tuple(block.price_ueur_per_kwh for _, _, block in state.rows())
            last = max(request.number for request, _ in answered)
            state.appraised.append(
                AppraisedRound(
                    last,
                    prices,
                    appraisal,
                    self._idle(state),
                    self._calls.appraised(interval, state, decision, self.model.calling),
                )
            )
        if len(decision.awarded_wh):
            activated_wh = self._award(state, decision.awarded_wh, schedules.activated_wh)
            schedules = replace(schedules, activated_wh=activated_wh)
        self._calls.order_cuts(interval, state, schedules.curtailed_wh, self.model.calling)
        state.offers, state.left_out, state.covered = [], [], None
        if decision.request_down_wh or decision.request_up_wh:
            self._ask(state, decision, schedules)
        return schedules

    def asked(self, interval: int, schedules: Schedules) -> Extras:
        """Return what of the last requests the DSO's deposit covered, and what is idle."""
        state = self._intervals[interval]
        idle = self._idle(state)
        drawn = self.terms.calling.is_random and (state.offers or state.left_out)
        left_out = state.uncalled_offers() if drawn else None
        return Extras(*(part for part in (state.covered, idle, left_out) if part is not None))

    def offers(self, interval: int) -> OffersMessage | None:
        """Return what the contract took in answer to the last requests."""
        rows = [
            (request.number, request.prosumers[o], request.direction, *block)
            for request, o, block in self._intervals[interval].rows()
        ]
        return OffersMessage(*np.array(rows, dtype=np.int64).T) if rows else None

    def known(self) -> Extras:
        """Return what became of the last offers in either direction, in the last interval."""
        if not self._intervals:
            return Extras()
        wishes = self._intervals[max(self._intervals)].wishes
        return Extras(outcomes_of(wishes, self._members.size))

    def reread(self, interval: int, schedules: Schedules) -> Schedules:
        """Follow in the model what the chain holds after a reorganisation."""
        steps = self._requests.reread(interval)
        self._top_ups.close(interval)
        self._back_to_mark()
        state = self._intervals[interval]
        state.top_ups = self._top_ups.taken(interval)
        for name, amount_ueur in state.top_ups:
            self.model.deposit(name, amount_ueur)
        activated_wh = np.zeros_like(schedules.activated_wh)
        for step in steps:
            if isinstance(step, CallStep):
                self._calls.reread(interval, step, self.model.calling)
                continue
            request = step.request
            if step.offer is not None:
                self._offer_in_model(request, step.offer)
            elif step.awarded_wh is not None:
                self._award_in_model(request, step.awarded_wh)
                for o, energy_wh in step.awarded_wh.items():
                    activated_wh[request.prosumers[o]] += request.effect_wh(o, energy_wh)
            else:
                self._open_in_model(request)
        return replace(self._baselines.within(schedules), activated_wh=activated_wh)

    # --- after delivery ---

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Settle and close the requests of an interval."""
        wishes = self._intervals[interval].wishes
        numbers = [self._requests.number_of(one.request) for one in wishes]
        requests = self._requests.settle(interval)
        for request in requests:
            for o, i in enumerate(request.prosumers):
                received_ueur = request.paid_ueur[o] - request.penalty_ueur[o]
                statement.flexibility_ueur[i] += received_ueur
        paid = (*self._top_ups.paid_by(interval), *self._requests.paid_by(interval))
        self._add_fees(statement, paid)
        self._top_ups.forget(interval)
        with self.timer.measure("models"):
            metered = self._readings(interval)
            self.model.baselines.read(interval, metered)
            for request in requests:
                self._settle_in_model(interval, request, metered)
        appraised = self._intervals[interval].appraised
        return {
            "requests": requests_columns(interval, wishes, numbers),
            "flexibility": flexibility_columns(
                interval, self._names, requests, self.terms, self.model.calling
            ),
            "flexibility_debts": self._debts.rows(interval, self.model.debts),
            **appraisal_tables(interval, self._names, appraised, self.terms.calling.is_random),
        }

    def forget(self, interval: int) -> None:
        """Drop a settled interval."""
        self.model.forget(interval)
        self._intervals.pop(interval, None)

    def transfers(self) -> Sequence[TokenTransfer]:
        """Return the top-ups since the last call."""
        return listed_transfers(self._intervals.values(), self.client.contract)

    # --- parts ---

    def _idle(self, state: FlexibilityInterval) -> IdleFlexibility | None:
        return state.idle() if self.terms.baselines.is_limit and state.offers else None

    def _ask(
        self, state: FlexibilityInterval, decision: DecisionMessage, schedules: Schedules
    ) -> None:
        """Ask for flexibility down and up, as far as the DSO can pay for it; collect offers."""
        wanted_wh = (int(decision.request_down_wh), int(decision.request_up_wh))
        interval, cap_ueur_per_kwh = decision.interval, self.terms.price_cap_ueur_per_kwh
        free_ueur = self.model.balance_of(self.model.dso)
        offers, idle = {}, {}
        for direction in (-1, 1):
            own = offered(direction, state.bids, schedules, cap_ueur_per_kwh)
            offers[direction], idle[direction] = self._baselines.with_idle(
                direction, own, schedules, partial(self._bought_wh, interval)
            )
        idle_wh = [sum(idle[direction].values()) for direction in (-1, 1)]
        # whatever changes a schedule comes after what is idle of the same offer
        down_wh, up_wh = wanted_wh
        wanted_wh = (down_wh and down_wh + idle_wh[0], up_wh and up_wh + idle_wh[1])
        covered_wh = affordable_wh(*wanted_wh, cap_ueur_per_kwh, free_ueur)
        effective = (max(wh - own, 0) for wh, own in zip(covered_wh, idle_wh, strict=True))
        state.covered = CoveredRequests(*effective)
        round = 1 + max((one.round for one in state.wishes), default=-1)
        for direction, wanted, asked in zip((-1, 1), wanted_wh, covered_wh, strict=True):
            request = None
            if asked:
                request = self._requests.open(interval, direction, asked, cap_ueur_per_kwh)
            if wanted:
                state.wishes.append(Wish(round, direction, wanted, asked, request))
            if request is not None:
                self._open_in_model(request)
                stated_wh = schedules.reported_wh
                self._collect(state, request, offers[direction], stated_wh, idle[direction])
        if self.terms.calling.is_random and state.offers:
            self._calls.draw(interval, state, self.model.calling)

    def _collect(
        self,
        state: FlexibilityInterval,
        request: Request,
        offers: Mapping[int, Blocks],
        stated_wh: IntArray,
        idle_wh: Mapping[int, int],
    ) -> None:
        """Let every prosumer offer what it has left, after topping up for its bond."""
        terms, interval, before = self.terms, request.interval, 0
        if terms.tops_up:
            bonds = bonds_ueur(offers, terms.bond_ueur_per_kwh)
            free = {str(self._names[i]): self.model.balance_of(self._names[i]) for i in bonds}
            before = self._top_ups.send(interval, bonds, free, self.model.debts)
        self._requests.offer(request, offers, stated_wh, idle_wh)
        self._top_ups.close(interval)
        for name, amount_ueur in self._top_ups.taken(interval, before):
            self.model.deposit(name, amount_ueur)
            state.top_ups.append((name, amount_ueur))
        for o in range(len(request.prosumers)):
            self._offer_in_model(request, o)
            state.offers.append((request, o))
