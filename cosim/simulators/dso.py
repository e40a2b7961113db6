"""mosaik simulator of the DSO: answers every schedule with a decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from cosim.dso.operator import GridOperator
from cosim.messages import ScheduleMessage
from cosim.simulators.base import Children, Inbox, PopulationSimulator


@dataclass(frozen=True)
class DsoParts:
    """Domain object of the DSO: its operator."""

    operator: GridOperator


class DsoSimulator(PopulationSimulator[DsoParts]):
    """Steps whenever the market has new schedules, until they are accepted.

    Then it sends every check of the interval to the recorder.
    """

    role: ClassVar[str] = "dso"
    stage: ClassVar[str] = "clearing check"

    def set_up(self, parts: DsoParts) -> None:
        """Take the grid operator."""
        self.operator = parts.operator

    def play(self, interval: int, inbox: Inbox, children: Children) -> Iterable[object]:
        """Answer the schedules of one round."""
        schedule = inbox.of(ScheduleMessage)
        if schedule is None:
            return ()
        decision = self.operator.decide(schedule)
        return (decision, self.operator.checks_message()) if decision.accepted else (decision,)
