"""The DSO's conduct within one interval: check, request, award, curtail, accept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.dso.procurement import Assessment, DsoNetwork, Offers
from cosim.messages import DecisionMessage, OffersMessage, ScheduleMessage
from cosim.units import FloatArray, IntArray, energy_wh_from_mw, p_mw_from_wh

LAST_RESORT_TRIES = 2
"""How often the DSO curtails without the market after its last round, before it accepts what it
cannot relieve (which is then recorded as violated)."""


@dataclass(frozen=True)
class StageCheck:
    """A check of the schedules at one stage: ``scheduled`` in round 0, then ``relieved``."""

    stage: str
    round: int
    assessment: Assessment


class GridOperator:
    """Keeps schedules within the grid's limits, interval by interval.

    In each interval it checks the schedules; asks for flexibility, awards offers at least cost and
    curtails what they leave; and checks again what the ledger made of it, until the limits hold
    with their margins or nothing is left to be done.

    Parameters
    ----------
    network : DsoNetwork
        Model of the network.
    step_s : int
        Length of an interval. [s]
    procure : bool
        Whether anything is done about violations.
    request_margin : float
        Energy requested beyond the least technical need. [-]
    max_rounds : int
        Most rounds of request and award in an interval.
    curtail : bool
        Whether it cuts without a market what offers cannot relieve. If not, that stays violated.
    """

    def __init__(
        self,
        network: DsoNetwork,
        step_s: int,
        *,
        procure: bool = True,
        request_margin: float = 0.5,
        max_rounds: int = 3,
        curtail: bool = True,
    ) -> None:
        self.network = network
        self.step_s = step_s
        self.procure = procure
        self.request_margin = request_margin
        self.max_rounds = max_rounds
        self.curtail = curtail
        self.checks: list[StageCheck] = []
        self._interval = -1
        self._requests = 0
        self._tries = 0
        self._requested_wh = {-1: 0, 1: 0}  # by direction; what awaits offers
        self._curtailed_wh: IntArray = np.zeros(0, dtype=np.int64)

    def decide(self, schedule: ScheduleMessage) -> DecisionMessage:
        """Answer the schedules of one round.

        Parameters
        ----------
        schedule : ScheduleMessage
            With offers after a request.
        """
        self._interval = schedule.interval
        nominated = schedule.nominated_wh
        if schedule.round == 0:
            self._begin(nominated.size)
        net_wh = nominated + schedule.activated_wh - schedule.curtailed_wh
        p_mw, q_mvar = p_mw_from_wh(net_wh, self.step_s), schedule.forecast_q_mvar
        if any(self._requested_wh.values()):
            return self._award(schedule, p_mw, q_mvar)
        assessment = self.network.assess(p_mw, q_mvar)
        stage = "relieved" if self.checks else "scheduled"
        self.checks.append(StageCheck(stage, len(self.checks), assessment))
        if not (self.procure and assessment.needs_relief):
            return self._decision(accepted=True)
        if self._requests < self.max_rounds:
            request = self._request(schedule, p_mw, q_mvar)
            if request is not None:
                return request
        if self.curtail and self._tries < LAST_RESORT_TRIES:
            self._tries += 1
            return self._award(schedule, p_mw, q_mvar)
        return self._decision(accepted=True)

    def _begin(self, n: int) -> None:
        self.checks = []
        self._requests = self._tries = 0
        self._requested_wh = {-1: 0, 1: 0}
        self._curtailed_wh = np.zeros(n, dtype=np.int64)

    def _request(
        self, schedule: ScheduleMessage, p_mw: FloatArray, q_mvar: FloatArray
    ) -> DecisionMessage | None:
        """Ask for what the limits need, with a margin; None if nothing that exists would help."""
        down, up = self._curtailable_wh(schedule)
        need = self.network.need(
            p_mw, q_mvar, p_mw_from_wh(down, self.step_s), p_mw_from_wh(up, self.step_s)
        )
        wanted = np.array([need.total_down_mw, need.total_up_mw]) * (1.0 + self.request_margin)
        down_wh, up_wh = (int(wh) for wh in energy_wh_from_mw(wanted, self.step_s))
        if not down_wh and not up_wh:
            return None
        self._requests += 1
        self._requested_wh = {-1: down_wh, 1: up_wh}
        return self._decision(request_down_wh=down_wh, request_up_wh=up_wh)

    def _award(
        self, schedule: ScheduleMessage, p_mw: FloatArray, q_mvar: FloatArray
    ) -> DecisionMessage:
        """Award offers at least cost, no more than was requested, and curtail the rest.

        When the request is used up while there are more offers, the rest is asked for in another
        round instead.
        """
        requested_wh, self._requested_wh = self._requested_wh, {-1: 0, 1: 0}
        offers = schedule.offers
        if offers is None:
            empty = np.zeros(0, dtype=np.int64)
            offers = OffersMessage(empty, empty, empty, empty, empty)
        prosumer, direction = offers.prosumer, offers.direction
        down, up = self._curtailable_wh(schedule)
        # what a prosumer offers to do cannot be cut a second time
        for curtailable, sign in ((down, -1), (up, 1)):
            own = direction == sign
            np.subtract.at(curtailable, prosumer[own], offers.energy_wh[own])
            np.maximum(curtailable, 0, out=curtailable)
        choice = Offers(
            prosumer=prosumer,
            direction=direction,
            energy_mw=p_mw_from_wh(offers.energy_wh, self.step_s),
            price=np.asarray(offers.price_ueur_per_kwh, dtype=np.float64),
        )
        down_mw, up_mw = p_mw_from_wh(down, self.step_s), p_mw_from_wh(up, self.step_s)
        most_mw = [float(p_mw_from_wh(requested_wh[sign], self.step_s)) for sign in (-1, 1)]
        result = self.network.procure(p_mw, q_mvar, choice, down_mw, up_mw, *most_mw)
        left_over = any(
            offers.energy_wh[direction == sign].sum() > wh for sign, wh in requested_wh.items()
        )
        if result.curtailed_mw.any() and left_over and self._requests < self.max_rounds:
            none = np.zeros_like(down_mw)
            without = self.network.procure(p_mw, q_mvar, choice, none, none, *most_mw)
            result = without if without.converged else result
        awarded = np.minimum(energy_wh_from_mw(result.awarded_mw, self.step_s), offers.energy_wh)
        for sign, wh in requested_wh.items():
            _trim(awarded, np.flatnonzero(direction == sign), wh)
        _net_out(awarded, prosumer, direction)
        if self.curtail:
            self._curtailed_wh = self._curtailed_wh + energy_wh_from_mw(
                result.curtailed_mw, self.step_s
            )
        return self._decision(awarded_wh=awarded)

    def _curtailable_wh(self, schedule: ScheduleMessage) -> tuple[IntArray, IntArray]:
        """What could still be cut of injection and consumption."""
        used = schedule.activated_wh - schedule.curtailed_wh
        return (
            np.maximum(schedule.curtailable_down_wh - np.maximum(-used, 0), 0),
            np.maximum(schedule.curtailable_up_wh - np.maximum(used, 0), 0),
        )

    def _decision(
        self,
        *,
        accepted: bool = False,
        request_down_wh: int = 0,
        request_up_wh: int = 0,
        awarded_wh: IntArray | None = None,
    ) -> DecisionMessage:
        return DecisionMessage(
            interval=self._interval,
            accepted=accepted,
            request_down_wh=request_down_wh,
            request_up_wh=request_up_wh,
            awarded_wh=np.zeros(0, dtype=np.int64) if awarded_wh is None else awarded_wh,
            curtailed_wh=self._curtailed_wh,
        )


def _trim(awarded_wh: IntArray, own: IntArray, requested_wh: int) -> None:
    """Take back what rounding to Wh awarded beyond the request, from the largest awards."""
    excess = int(awarded_wh[own].sum()) - requested_wh
    largest = own[np.argsort(-awarded_wh[own], kind="stable")]
    for offer in largest[: max(excess, 0)]:
        awarded_wh[offer] -= 1


def _net_out(awarded_wh: IntArray, prosumer: IntArray, direction: IntArray) -> None:
    """Cancel awards in both directions to one prosumer: the contract takes only one of them."""
    for point in np.intersect1d(
        prosumer[(direction > 0) & (awarded_wh > 0)], prosumer[(direction < 0) & (awarded_wh > 0)]
    ):
        up = np.flatnonzero((prosumer == point) & (direction > 0))[0]
        down = np.flatnonzero((prosumer == point) & (direction < 0))[0]
        both = min(awarded_wh[up], awarded_wh[down])
        awarded_wh[up] -= both
        awarded_wh[down] -= both
