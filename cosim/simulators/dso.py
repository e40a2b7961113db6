"""mosaik simulator of the DSO: checks every schedule, asks for flexibility, awards, curtails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from cosim.dso.operator import GridOperator, StageCheck
from cosim.messages import ChecksMessage, ScheduleMessage, StageMessage
from cosim.simulators.base import Children, Inbox, PopulationSimulator


@dataclass(frozen=True)
class DsoParts:
    """Domain objects of the DSO: its operator, and the names of the connection points."""

    operator: GridOperator
    names: tuple[str, ...]


class DsoSimulator(PopulationSimulator[DsoParts]):
    """Steps whenever the market has new schedules, until they fit the grid.

    Once the schedules are accepted it sends every check of the interval to the recorder.
    """

    role: ClassVar[str] = "dso"
    stage: ClassVar[str] = "clearing check"

    def set_up(self, parts: DsoParts) -> None:
        """Take the grid operator."""
        self.parts = parts

    def play(self, interval: int, inbox: Inbox, children: Children) -> Iterable[object]:
        """Answer the schedules of one round."""
        schedule = inbox.of(ScheduleMessage)
        if schedule is None:
            return ()
        operator = self.parts.operator
        decision = operator.decide(schedule)
        if not decision.accepted:
            return (decision,)
        return decision, ChecksMessage([self._message(stage) for stage in operator.checks])

    def _message(self, stage: StageCheck) -> StageMessage:
        check = stage.assessment.check
        drivers = [
            [self.parts.names[driver.point] for driver in violation.drivers]
            for violation in stage.assessment.violations
        ]
        # without convergence everything counts as violated, and nobody is known to drive it
        drivers += [[] for _ in range(int(check.violated.sum()) - len(drivers))]
        return StageMessage(
            stage=stage.stage,
            round=stage.round,
            element=check.element,
            element_idx=check.element_idx,
            quantity=check.quantity,
            value=check.value,
            limit=check.limit,
            violated=check.violated,
            drivers=drivers,
        )
