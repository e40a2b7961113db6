"""The DSO's conduct within one interval: check, let an instrument act, check again, accept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import numpy as np

from cosim.dso.instruments.base import Action, Instrument
from cosim.dso.procurement import Assessment, DsoNetwork
from cosim.dso.rounds import Round
from cosim.messages import ChecksMessage, DecisionMessage, Extras, ScheduleMessage
from cosim.messages.extras import UnservedOrders
from cosim.units import IntArray


@dataclass(frozen=True)
class StageCheck:
    """A check of the schedules at one stage: ``scheduled`` in round 0, then ``relieved``."""

    stage: str
    round: int
    assessment: Assessment


class GridOperator:
    """DSO that keeps schedules within the grid's limits by its instruments.

    In each round it checks the schedules and asks its instruments in turn; the first that acts
    decides the round, and the schedules that the ledger made of it are the next round. When none
    acts, the schedules stand.

    Parameters
    ----------
    network : DsoNetwork
        Model of the network.
    step_s : int
        Length of an interval. [s]
    instruments : sequence of Instrument
        In the order in which they are asked.
    names : tuple of str
        Connection points, (n,).

    Raises
    ------
    ScenarioError
        If an instrument's options name a connection point that there is not.
    """

    def __init__(
        self,
        network: DsoNetwork,
        step_s: int,
        instruments: Sequence[Instrument[Any]] = (),
        names: tuple[str, ...] = (),
    ) -> None:
        self.network = network
        self.step_s = step_s
        self.instruments = tuple(instruments)
        self.names = names
        for instrument in self.instruments:
            instrument.meet(names)
        self.checks: list[StageCheck] = []
        self._asked: Instrument[Any] | None = None
        self._curtailed_wh: IntArray = np.zeros(0, dtype=np.int64)
        self._unserved_wh: IntArray = np.zeros(0, dtype=np.int64)

    def announce(self, interval: int) -> Extras:
        """Return what the instruments announce of an interval before its order window opens."""
        parts = (one.announce(interval, self.network) for one in self.instruments)
        return reduce(or_, parts, Extras())

    def decide(self, schedule: ScheduleMessage) -> DecisionMessage:
        """Answer the schedules of one round.

        Parameters
        ----------
        schedule : ScheduleMessage
            With offers after a request.

        Returns
        -------
        DecisionMessage
            The one that accepts carries what is announced of the next interval.
        """
        if schedule.round == 0:
            self._begin(schedule)
        round = Round(schedule, self.network, self.step_s, self.names, self._unserved_wh)
        asked, self._asked = self._asked, None
        if asked is not None:
            return self._decision(schedule, asked.award(round, cut_rest=self._cuts_behind(asked)))
        assessment = self.network.assess(round.p_mw, round.q_mvar)
        stage = "relieved" if self.checks else "scheduled"
        self.checks.append(StageCheck(stage, len(self.checks), assessment))
        for instrument in self.instruments:
            action = instrument.act(round, assessment)
            if action is not None:
                self._asked = instrument if action.asks else None
                return self._decision(schedule, action)
        announced = Action(extras=self.announce(schedule.interval + 1))
        return self._decision(schedule, announced, accepted=True)

    def checks_message(self) -> ChecksMessage:
        """Return every check of the interval, with the names of who drives a violation."""
        return ChecksMessage(
            [
                stage.assessment.check.message(
                    stage.stage,
                    stage.round,
                    [
                        [self.names[driver.point] for driver in violation.drivers]
                        for violation in stage.assessment.violations
                    ],
                )
                for stage in self.checks
            ]
        )

    def _begin(self, schedule: ScheduleMessage) -> None:
        self.network.engine.begin(schedule.interval)
        self.checks, self._asked = [], None
        self._curtailed_wh = np.zeros(schedule.nominated_wh.size, dtype=np.int64)
        self._unserved_wh = np.zeros_like(self._curtailed_wh)
        for instrument in self.instruments:
            instrument.begin(schedule.interval)

    def _cuts_behind(self, asked: Instrument[Any]) -> bool:
        """Return True if a last resort behind an instrument leaves its cuts to the award."""
        behind = self.instruments[self.instruments.index(asked) + 1 :]
        return any(one.cuts_with_awards for one in behind)

    def _decision(
        self, schedule: ScheduleMessage, action: Action, *, accepted: bool = False
    ) -> DecisionMessage:
        if action.curtailed_wh is not None:
            self._curtailed_wh = self._curtailed_wh + action.curtailed_wh
        if (unserved := action.extras.of(UnservedOrders)) is not None:
            self._unserved_wh = self._unserved_wh + unserved.energy_wh
        none = np.zeros(0, dtype=np.int64)
        return DecisionMessage(
            interval=schedule.interval,
            accepted=accepted,
            request_down_wh=action.request_down_wh,
            request_up_wh=action.request_up_wh,
            awarded_wh=none if action.awarded_wh is None else action.awarded_wh,
            curtailed_wh=self._curtailed_wh,
            extras=action.extras,
        )
