"""The session of a run: every mechanism's part of an interval, stage by stage.

Orders and nominations leave in the order window; after gate closure the interval is cleared; while
a limit is violated the DSO's decisions are carried out; after delivery meters report and contracts
settle. What the chain includes in time, and what it does not, decides the outcome: a late order is
an outcome here, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.areas import area_names
from cosim.mechanisms.play import Readings, Schedules, Statement
from cosim.mechanisms.rows import ledger_tables, settlement_columns
from cosim.mechanisms.treasury import Treasury
from cosim.messages import (
    BidsMessage,
    Columns,
    DecisionMessage,
    DeliveryMessage,
    DispatchMessage,
    Extras,
    FlowMessage,
    OffersMessage,
    PricesMessage,
    ScheduleMessage,
    SessionMessage,
)
from cosim.messages.extras import OwnOutcomes
from cosim.timing import StageTimer
from cosim.units import IntArray


@dataclass
class _Interval:
    """An interval between its clearing and the DSO's acceptance."""

    number: int
    bids: BidsMessage
    schedules: Schedules
    round: int = 0
    offers: OffersMessage | None = None


class Session:
    """Mechanisms of a run, played one interval after the other.

    Parameters
    ----------
    deployment : Deployment
        Chain, contracts and accounts, set up.
    clock : DeliveryClock
        Times of the run.
    eur_per_eth : float
        Price of the native coin, for the fees. [EUR]
    timer : StageTimer
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        eur_per_eth: float,
        timer: StageTimer,
    ) -> None:
        self.deployment = deployment
        self.plays = tuple(deployment.plays)
        self._chain = deployment.chain
        self._clock = clock
        self._attack = deployment.attack
        self._eur_per_eth = eur_per_eth
        self._timer = timer
        self._names = np.array([account.name for account in deployment.prosumers], dtype=object)
        self._members = np.array(deployment.members, dtype=bool)
        self._areas = area_names(deployment.areas, len(self._names))
        self._open: _Interval | None = None
        self._n_reorganisations = 0
        self.announced = Extras()
        self._last = Statement.empty(len(self._names))
        for play in self.plays:
            play.timer = timer
            play.open()
        self._treasury = Treasury(deployment, self.plays)

    def is_open(self, interval: int) -> bool:
        """Tell if an interval is cleared and its schedules are not accepted yet."""
        return self._open is not None and self._open.number == interval

    def open(self, bids: BidsMessage) -> ScheduleMessage:
        """Send what is sent in the order window, clear, and return the schedules."""
        interval, chain = bids.interval, self._chain
        self._n_reorganisations = chain.n_reorganisations
        for play in self.plays:
            if chain.can_reorganise:
                play.mark()
            play.announce(interval, self.announced)
        # the lower the rank, the later it leaves: a nomination precedes its sender's order
        for play in reversed(self.plays):
            play.submit(interval, bids)
        chain.mine_until(self._clock.gate_closes_s(interval))
        chain.mine_blocks(chain.confirmations)
        zeros = np.zeros(len(self._names), dtype=np.int64)
        schedules = Schedules(zeros, bids.firm_wh, zeros, zeros)
        for play in self.plays:
            play.gate_closed(interval)
            schedules = play.schedule(interval, schedules)
        self._open = _Interval(interval, bids, schedules)
        return self._schedule(self._open)

    def relieve(self, decision: DecisionMessage) -> ScheduleMessage:
        """Carry out what the DSO decided, and return the schedules that follow."""
        state = self._opened()
        state.round += 1
        state.offers = None
        schedules = replace(state.schedules, curtailed_wh=decision.curtailed_wh)
        for play in self.plays:
            schedules = play.relieve(state.number, decision, schedules)
            state.offers = play.offers(state.number) or state.offers
        state.schedules = schedules
        return self._schedule(state)

    def close(
        self,
        decision: DecisionMessage,
        delivery: DeliveryMessage | None,
        flow: FlowMessage | None,
    ) -> tuple[DispatchMessage, PricesMessage, SessionMessage]:
        """Dispatch what the DSO accepted, and settle the interval before.

        What the DSO curtails stays in force whatever the chain says: its order is none of the
        ledger's.

        Parameters
        ----------
        decision : DecisionMessage
            The one that accepts, with what is announced of the next interval.
        delivery, flow : DeliveryMessage, FlowMessage or None
            Of the interval before.
        """
        state, chain = self._opened(), self._chain
        self.announced = decision.extras
        self._open = None
        interval = state.number
        self._attack.before_delivery(interval)
        chain.mine_until(self._clock.delivery_start_s(interval))
        if chain.n_reorganisations != self._n_reorganisations:
            for play in self.plays:
                state.schedules = play.reread(interval, state.schedules)
        chain.checkpoint()
        decided = state.schedules
        dispatch = DispatchMessage(
            interval,
            decided.contracted_wh,
            decided.nominated_wh,
            decided.activated_wh,
            decided.curtailed_wh,
            decided.unserved_wh,
        )
        tables: dict[str, Columns] = {}
        for play in self.plays:
            tables |= play.rows(interval)
        settled = interval - 1 if interval > 0 else None
        tables |= self.settle(interval - 1, delivery, flow)
        prices = self._prices(interval, decided.contracted_wh)
        return dispatch, prices, SessionMessage(tables, settled, dispatch)

    def settle(
        self, interval: int, delivery: DeliveryMessage | None, flow: FlowMessage | None
    ) -> Mapping[str, Columns]:
        """Settle a delivered interval, reconcile it, and return the rows that follow.

        Raises
        ------
        ReconciliationError
            If anything does not balance to the integer.
        """
        tables: dict[str, Columns] = {}
        if interval >= 0:
            if delivery is None or flow is None:
                raise LookupError(f"nothing was delivered in interval {interval}")
            reported_wh, delivered_wh = delivery.metered_wh, flow.delivered_wh
            for play in self.plays:
                reported_wh = play.reported_wh(interval, reported_wh)
                delivered_wh = play.reported_wh(interval, delivered_wh)
            readings = Readings(delivery, reported_wh, delivered_wh)
            statement = Statement.empty(len(self._names))
            self._chain.mine_until(self._clock.delivery_start_s(interval + 1))
            for play in self.plays:
                tables |= play.settle(interval, readings, statement)
                self._treasury.book(play.transfers())
            self._last = statement
            self._chain.checkpoint()
            with self._timer.measure("models"):
                for play in self.plays:
                    play.forget(interval)
                self._treasury.check(interval)
            tables["settlement"] = settlement_columns(
                interval,
                self._names,
                self._members,
                statement,
                self._eur_per_eth,
                self._areas,
            )
        return tables | ledger_tables(self._chain.drain_records())

    def _opened(self) -> _Interval:
        if self._open is None:
            raise LookupError("no interval is open")
        return self._open

    def _schedule(self, state: _Interval) -> ScheduleMessage:
        schedules, bids = state.schedules, state.bids
        down_wh = np.maximum(bids.curtailable_down_wh - schedules.unserved_sales_wh, 0)
        up_wh = np.maximum(bids.curtailable_up_wh - schedules.unserved_purchases_wh, 0)
        asked = Extras()
        for play in self.plays:
            asked |= play.asked(state.number, schedules)
        return ScheduleMessage(
            interval=state.number,
            round=state.round,
            nominated_wh=schedules.position_wh,
            activated_wh=schedules.activated_wh,
            curtailed_wh=schedules.curtailed_wh,
            forecast_q_mvar=bids.forecast_q_mvar,
            curtailable_down_wh=down_wh,
            curtailable_up_wh=up_wh,
            offers=state.offers,
            extras=asked,
        )

    def _prices(self, interval: int, contracted_wh: IntArray) -> PricesMessage:
        price_ueur_per_kwh, volume_wh = np.zeros((2, len(self._names)), dtype=np.int64)
        last = self._last
        own = (contracted_wh, last.traded_ueur, last.billed_ueur, last.flexibility_ueur)
        known = Extras(OwnOutcomes(*own))
        for play in self.plays:
            known |= play.known()
            found = play.price(interval)
            if found is not None:
                price_ueur_per_kwh[:], volume_wh[:] = found
        return PricesMessage(interval, price_ueur_per_kwh, volume_wh, known)
