"""mosaik simulator that writes down what every other one sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cosim.devices.deferral import caught_up_mw
from cosim.messages import (
    ChecksMessage,
    DeliveryMessage,
    DispatchMessage,
    FlowMessage,
    SessionMessage,
    StageMessage,
)
from cosim.results.writer import TableWriter
from cosim.simulators.base import Children, Inbox, PopulationSimulator
from cosim.simulators.state import RunState
from cosim.units import SECONDS_PER_HOUR, FloatArray, IntArray

Progress = Callable[[int, bool], None]


class RunInterrupted(Exception):
    """The user asked the run to stop; raised between two intervals, when the tables agree."""


@dataclass(frozen=True)
class RecorderParts:
    """Domain objects of the recorder.

    Parameters
    ----------
    writer : TableWriter
    names : sequence of str
        Connection points.
    bus_of_point, bus_idx, line_idx, trafo_idx : (n,), (buses,), (lines,), (trafos,) int64
        Bus of each connection point, and indices of the elements in the network.
    controlled_idx : (k,) int64
        Indices of transformers with a tap controller.
    delivered_check : callable
        Check of a solved power flow against the limits.
    violates : callable
        Whether injections, in MW and Mvar, violate a limit.
    state : RunState
        Kept up to date.
    progress : callable
        Told of every interval that is recorded and whether its schedule violated a limit.
    interrupted : callable
        Whether the user wants the run to stop.
    """

    writer: TableWriter
    names: tuple[str, ...]
    bus_of_point: IntArray
    bus_idx: IntArray
    line_idx: IntArray
    trafo_idx: IntArray
    controlled_idx: IntArray
    delivered_check: Callable[[FlowMessage], StageMessage]
    violates: Callable[[FloatArray, FloatArray], bool]
    state: RunState
    progress: Progress
    interrupted: Callable[[], bool]


class RecorderSimulator(PopulationSimulator[RecorderParts]):
    """Steps once per interval, last of all, and keeps nothing but what consumption is owed."""

    role: ClassVar[str] = "recorder"
    stage: ClassVar[str] = "recording"

    def set_up(self, parts: RecorderParts) -> None:
        """Take the writer, what names the rows, and the callbacks."""
        self.parts = parts
        self._append = parts.writer.append
        self._names = np.array(parts.names, dtype=object)
        kinds = ["line"] * len(parts.line_idx) + ["trafo"] * len(parts.trafo_idx)
        self._branches = np.array(kinds, dtype=object)
        self._branch_idx = np.concatenate([parts.line_idx, parts.trafo_idx])
        if parts.state.owed_mwh is None:
            parts.state.owed_mwh = np.zeros(len(parts.names))

    def play(self, interval: int, inbox: Inbox, children: Children) -> Iterable[object]:
        """Record one interval, and what was settled of the one before."""
        session, state = inbox.need(SessionMessage), self.parts.state
        for table, columns in session.tables.items():
            self._append(table, columns)
        if session.settled is not None:
            state.intervals_settled = session.settled + 1
        flow, schedule = inbox.of(FlowMessage), session.schedule
        if flow is not None and flow.interval == interval and schedule is not None:
            # none where a foreign market does not ask the DSO
            checks = inbox.of(ChecksMessage) or ChecksMessage([])
            before = [self._check(interval, stage) for stage in checks.stages]
            dispatched_wh = self._schedules(interval, schedule)
            delivery = inbox.need(DeliveryMessage)
            self._prosumers(interval, delivery, dispatched_wh)
            self._rebound(interval, delivery, self._flow(interval, flow))
            state.intervals_done = interval + 1
            self.parts.progress(interval, before[0] if before else False)
        if self.parts.interrupted():
            raise RunInterrupted(f"stopped after interval {interval}")
        return ()

    def _check(self, interval: int, stage: StageMessage) -> bool:
        """Record one stage's check of every element; return whether any limit is violated."""
        own = {"interval": interval, "round": stage.round, "stage": stage.stage}
        columns = {
            "element": stage.element,
            "element_idx": stage.element_idx,
            "quantity": stage.quantity,
            "value": stage.value,
            "limit": stage.limit,
        }
        self._append("grid_checks", own | columns | {"violated": stage.violated})
        violated = np.flatnonzero(stage.violated)
        if violated.size:
            rows = {name: values[violated] for name, values in columns.items()}
            self._append("violations", own | rows | {"drivers": stage.drivers})
        return bool(violated.size)

    def _schedules(self, interval: int, schedule: DispatchMessage) -> IntArray:
        """Record the schedules; return them as dispatched. [Wh]"""
        curtailed = -schedule.curtailed_wh  # as a change of the schedule
        dispatched = schedule.nominated_wh + schedule.activated_wh + curtailed
        bound = {}
        if schedule.unserved_wh is not None:
            bound["unserved_wh"] = -schedule.unserved_wh
            dispatched = dispatched - schedule.unserved_wh
        self._append(
            "schedules",
            {
                "interval": interval,
                "prosumer": self._names,
                "contracted_wh": schedule.contracted_wh,
                "nominated_wh": schedule.nominated_wh,
                "activated_wh": schedule.activated_wh,
                "curtailed_wh": curtailed,
                "dispatched_wh": dispatched,
                **bound,
            },
        )
        return dispatched

    def _prosumers(self, interval: int, delivery: DeliveryMessage, dispatched_wh: IntArray) -> None:
        self._append(
            "prosumers",
            {
                "interval": interval,
                "prosumer": self._names,
                "bus": self.parts.bus_of_point,
                "p_inject_mw": delivery.p_inject_mw,
                "q_inject_mvar": delivery.q_inject_mvar,
                "soc_mwh": delivery.soc_mwh,
                "deferred_mwh": delivery.owed_mwh,
                "metered_wh": delivery.metered_wh,
                "imbalance_wh": delivery.metered_wh - dispatched_wh,
                **delivery.parts,
            },
        )

    def _rebound(self, interval: int, delivery: DeliveryMessage, violated: bool) -> None:
        """Record whether a violation is there without the consumption that is caught up, too."""
        before_mwh, self.parts.state.owed_mwh = self.parts.state.owed_mwh, delivery.owed_mwh
        assert before_mwh is not None
        more_mw = caught_up_mw(before_mwh, delivery.owed_mwh, self.step_s / SECONDS_PER_HOUR)
        if violated and more_mw.any():
            without = self.parts.violates(delivery.p_inject_mw + more_mw, delivery.q_inject_mvar)
            self._append(
                "rebounds",
                {
                    "interval": interval,
                    "caught_up_mw": [float(more_mw.sum())],
                    "violated_without": [without],
                },
            )

    def _flow(self, interval: int, flow: FlowMessage) -> bool:
        """Record the power flow and its check; return whether any limit is violated."""
        self._append(
            "grid_balance",
            {
                "interval": interval,
                "p_slack_mw": [flow.p_slack_mw],
                "q_slack_mvar": [flow.q_slack_mvar],
                "losses_mw": [flow.losses_mw],
                "converged": [flow.converged],
            },
        )
        if flow.tap_pos is not None:
            columns = {"trafo": self.parts.controlled_idx, "tap_pos": flow.tap_pos}
            self._append("taps", {"interval": interval, **columns})
        self._append(
            "buses",
            {
                "interval": interval,
                "bus": self.parts.bus_idx,
                "vm_pu": flow.vm_pu,
                "va_degree": flow.va_degree,
            },
        )
        loadings = [flow.line_loading_percent, flow.trafo_loading_percent]
        self._append(
            "branches",
            {
                "interval": interval,
                "element": self._branches,
                "element_idx": self._branch_idx,
                "loading_percent": np.concatenate(loadings),
            },
        )
        return self._check(interval, self.parts.delivered_check(flow))
