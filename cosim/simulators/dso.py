"""mosaik simulator of the DSO: checks every schedule, asks for flexibility, awards, curtails."""

from __future__ import annotations

from typing import Any

from cosim.dso.operator import GridOperator, StageCheck
from cosim.simulators.base import PopulationSimulator
from cosim.simulators.messages import frozen


class DsoSimulator(PopulationSimulator):
    """Steps whenever the market has new schedules, until they fit the grid.

    Input ``schedule``, outputs ``decision`` (to the market) and, once the schedules are accepted,
    ``checks`` (to the recorder): one dictionary per stage, with the columns of ``grid_checks`` and
    the names of the connection points that drive each violation.
    """

    stage = "clearing check"

    def __init__(self) -> None:
        super().__init__("Dso", ("schedule",), ("decision", "checks"), triggers=("schedule",))

    def set_up(self, **domain: Any) -> None:
        """Take the grid operator and the names of the connection points."""
        self.operator: GridOperator = domain["operator"]
        self.names: tuple[str, ...] = tuple(domain["names"])

    def play(
        self, interval: int, messages: dict[str, Any], children: dict[str, dict[str, float]]
    ) -> dict[str, Any]:
        """Answer the schedules of one round."""
        if "schedule" not in messages:
            return {}
        decision = self.operator.decide(messages["schedule"])
        outputs: dict[str, Any] = {
            "decision": frozen(
                {
                    "interval": interval,
                    "accepted": decision.accepted,
                    "request_down_wh": decision.request_down_wh,
                    "request_up_wh": decision.request_up_wh,
                    "awarded_wh": decision.awarded_wh,
                    "curtailed_wh": decision.curtailed_wh,
                }
            )
        }
        if decision.accepted:
            outputs["checks"] = {"stages": [self._message(stage) for stage in self.operator.checks]}
        return outputs

    def _message(self, stage: StageCheck) -> dict[str, Any]:
        check = stage.assessment.check
        drivers = [
            [self.names[driver.point] for driver in violation.drivers]
            for violation in stage.assessment.violations
        ]
        # without convergence everything counts as violated, and nobody is known to drive it
        drivers += [[] for _ in range(int(check.violated.sum()) - len(drivers))]
        return {
            "stage": stage.stage,
            "round": stage.round,
            "element": check.element,
            "element_idx": check.element_idx,
            "quantity": check.quantity,
            "value": check.value,
            "limit": check.limit,
            "violated": check.violated,
            "drivers": drivers,
        }
