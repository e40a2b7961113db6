"""mosaik simulator that writes down what every other one sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.grid.limits import Limits, check
from cosim.grid.network_model import Topology
from cosim.grid.power_flow import GridState
from cosim.results.writer import TableWriter
from cosim.simulators.base import PopulationSimulator

Progress = Callable[[int, bool], None]


class RunInterrupted(Exception):
    """The user asked the run to stop; raised between two intervals, when the tables agree."""


@dataclass
class RunState:
    """How far a run is.

    Parameters
    ----------
    intervals_done, intervals_settled : int
        Intervals delivered and recorded, and of those settled and reconciled.
    """

    intervals_done: int = 0
    intervals_settled: int = 0


class RecorderSimulator(PopulationSimulator):
    """Steps once per interval, last of all, and keeps nothing.

    Inputs ``bids``, ``session``, ``checks``, ``delivery`` and ``flow``. Calls back with every
    interval that is recorded and whether its schedule violated a limit.
    """

    stage = "recording"

    def __init__(self) -> None:
        super().__init__(
            "Recorder", ("bids", "session", "checks", "delivery", "flow"), (), triggers=("session",)
        )

    def set_up(self, **domain: Any) -> None:
        """Take the writer, the population's names and buses, topology, limits and callbacks."""
        self.writer: TableWriter = domain["writer"]
        self.names: np.ndarray[Any, Any] = np.array(domain["names"], dtype=object)
        self.buses: np.ndarray[Any, Any] = np.asarray(domain["buses"])
        self.topology: Topology = domain["topology"]
        self.limits: Limits = domain["limits"]
        self.progress: Progress = domain["progress"]
        self.interrupted: Callable[[], bool] = domain["interrupted"]
        self.state: RunState = domain["state"]
        self._branches = np.array(
            ["line"] * len(self.topology.line_idx) + ["trafo"] * len(self.topology.trafo_idx),
            dtype=object,
        )

    def play(
        self, interval: int, messages: dict[str, Any], children: dict[str, dict[str, float]]
    ) -> dict[str, Any]:
        """Record one interval, and what was settled of the one before."""
        session = messages["session"]
        for table, columns in session["tables"].items():
            self.writer.append(table, columns)
        if session["settled"] is not None:
            self.state.intervals_settled = session["settled"] + 1
        if "flow" in messages and messages["flow"]["interval"] == interval:
            # none where a foreign market does not ask the DSO
            checks = messages.get("checks", {"stages": []})
            before = [self._check(interval, stage) for stage in checks["stages"]]
            self._schedules(interval, session["schedule"])
            self._prosumers(interval, messages["delivery"])
            self._flow(interval, messages["flow"])
            self.state.intervals_done = interval + 1
            self.progress(interval, bool(before[0]) if before else False)
        if self.interrupted():
            raise RunInterrupted(f"stopped after interval {interval}")
        return {}

    def _check(self, interval: int, stage: dict[str, Any]) -> bool:
        """One stage's check of every element; returns whether any limit is violated."""
        columns = {
            key: stage[key]
            for key in ("element", "element_idx", "quantity", "value", "limit", "violated")
        }
        own = {"interval": interval, "round": stage["round"], "stage": stage["stage"]}
        self.writer.append("grid_checks", own | columns)
        violated = np.flatnonzero(np.asarray(stage["violated"], dtype=bool))
        if violated.size:
            del columns["violated"]
            rows = {key: np.asarray(values)[violated] for key, values in columns.items()}
            self.writer.append("violations", own | rows | {"drivers": stage["drivers"]})
        return bool(violated.size)

    def _schedules(self, interval: int, schedule: dict[str, Any]) -> None:
        curtailed = -schedule["curtailed_wh"]  # as a change of the schedule
        self.writer.append(
            "schedules",
            {
                "interval": interval,
                "prosumer": self.names,
                "contracted_wh": schedule["contracted_wh"],
                "nominated_wh": schedule["nominated_wh"],
                "activated_wh": schedule["activated_wh"],
                "curtailed_wh": curtailed,
                "dispatched_wh": schedule["nominated_wh"] + schedule["activated_wh"] + curtailed,
            },
        )

    def _prosumers(self, interval: int, delivery: dict[str, Any]) -> None:
        parts = delivery["parts"]
        self.writer.append(
            "prosumers",
            {
                "interval": interval,
                "prosumer": self.names,
                "bus": self.buses,
                "p_inject_mw": delivery["p_inject_mw"],
                "q_inject_mvar": delivery["q_inject_mvar"],
                "soc_mwh": delivery["soc_mwh"],
                "deferred_mwh": delivery["owed_mwh"],
                "metered_wh": delivery["metered_wh"],
                **parts,
            },
        )

    def _flow(self, interval: int, flow: dict[str, Any]) -> None:
        self.writer.append(
            "grid_balance",
            {
                "interval": interval,
                **{key: [flow[key]] for key in ("p_slack_mw", "q_slack_mvar", "losses_mw")},
                "converged": [flow["converged"]],
            },
        )
        self.writer.append(
            "buses",
            {
                "interval": interval,
                "bus": self.topology.bus_idx,
                "vm_pu": flow["vm_pu"],
                "va_degree": flow["va_degree"],
            },
        )
        self.writer.append(
            "branches",
            {
                "interval": interval,
                "element": self._branches,
                "element_idx": np.concatenate([self.topology.line_idx, self.topology.trafo_idx]),
                "loading_percent": np.concatenate(
                    [flow["line_loading_percent"], flow["trafo_loading_percent"]]
                ),
            },
        )
        state = GridState(
            converged=np.asarray(flow["converged"]),
            vm_pu=flow["vm_pu"],
            va_degree=flow["va_degree"],
            line_loading_percent=flow["line_loading_percent"],
            trafo_loading_percent=flow["trafo_loading_percent"],
            p_slack_mw=np.asarray(flow["p_slack_mw"]),
            q_slack_mvar=np.asarray(flow["q_slack_mvar"]),
            losses_mw=np.asarray(flow["losses_mw"]),
        )
        result = check(state, self.limits, self.topology)
        self._check(
            interval,
            {
                "round": 0,
                "stage": "delivered",
                "element": result.element,
                "element_idx": result.element_idx,
                "quantity": result.quantity,
                "value": result.value,
                "limit": result.limit,
                "violated": result.violated,
                "drivers": [[] for _ in range(int(result.violated.sum()))],
            },
        )
