"""mosaik simulator of the physical grid: the AC power flow of what was delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cosim.grid.network_model import Topology
from cosim.grid.operation import ControlledState
from cosim.grid.power_flow import GridState, PowerFlow, no_state
from cosim.grid.reference import ReferenceCheck
from cosim.messages import DeliveryMessage, FlowMessage
from cosim.messages.conversion import frozen
from cosim.simulators.base import Children, Inbox, PopulationSimulator
from cosim.units import IntArray, energy_wh_from_mw


def flow_message(interval: int, state: GridState, delivered_wh: IntArray) -> FlowMessage:
    """Return a state as the other simulators take it.

    Parameters
    ----------
    interval : int
        -1 before the first.
    state : GridState
    delivered_wh : (n,) int64
        Energy that the grid took from each connection point. [Wh]
    """
    return FlowMessage(
        interval=interval,
        converged=bool(state.converged),
        delivered_wh=delivered_wh,
        vm_pu=state.vm_pu,
        va_degree=state.va_degree,
        line_loading_percent=state.line_loading_percent,
        trafo_loading_percent=state.trafo_loading_percent,
        losses_mw=float(state.losses_mw),
        p_slack_mw=float(state.p_slack_mw),
        q_slack_mvar=float(state.q_slack_mvar),
        tap_pos=state.tap_pos if isinstance(state, ControlledState) else None,
    )


def initial_flow(topology: Topology, n_points: int) -> FlowMessage:
    """Return what the market knows of the grid before anything was delivered."""
    return frozen(flow_message(-1, no_state(topology), np.zeros(n_points, dtype=np.int64)))


@dataclass(frozen=True)
class GridParts:
    """Domain objects of the grid.

    Parameters
    ----------
    engine : PowerFlow
    reference_check : ReferenceCheck
        Comparison with another engine.
    dso_engine : PowerFlow
        With which the DSO checks schedules: it is told where delivery left the taps.
    """

    engine: PowerFlow
    reference_check: ReferenceCheck
    dso_engine: PowerFlow


class GridSimulator(PopulationSimulator[GridParts]):
    """Steps once per interval, when the devices have delivered.

    Buses, lines and transformers are child entities with mosaik-pandapower-2's entity and attribute
    names.
    """

    role: ClassVar[str] = "grid"
    stage: ClassVar[str] = "power flow"

    def __init__(self) -> None:
        super().__init__(
            {
                "Bus": ("Vm[pu]", "Va[deg]"),
                "Line": ("loading[%]",),
                "Trafo": ("loading[%]",),
                "ExternalGrid": ("P[MW]", "Q[MVar]"),
            }
        )

    def set_up(self, parts: GridParts) -> None:
        """Take the power-flow engine and the reference check."""
        self.parts = parts
        self.state: GridState | None = None
        topology = parts.engine.topology
        self._position = {
            kind: {int(idx): i for i, idx in enumerate(indices)}
            for kind, indices in (
                ("Bus", topology.bus_idx),
                ("Line", topology.line_idx),
                ("Trafo", topology.trafo_idx),
                ("ExternalGrid", np.zeros(1, dtype=np.int64)),
            )
        }

    def child_entities(self) -> list[dict[str, Any]]:
        """One per bus, line, transformer, and the external grid."""
        return [
            {"eid": f"{kind}-{idx}", "type": kind}
            for kind, positions in self._position.items()
            for idx in positions
        ]

    def child_value(self, eid: str, attribute: str) -> Any:
        """Value of the last power flow, as a plain number; NaN before the first."""
        if self.state is None:
            return float("nan")
        kind, _, idx = eid.partition("-")
        array = {
            ("Bus", "Vm[pu]"): self.state.vm_pu,
            ("Bus", "Va[deg]"): self.state.va_degree,
            ("Line", "loading[%]"): self.state.line_loading_percent,
            ("Trafo", "loading[%]"): self.state.trafo_loading_percent,
            ("ExternalGrid", "P[MW]"): self.state.p_slack_mw,
            ("ExternalGrid", "Q[MVar]"): self.state.q_slack_mvar,
        }[kind, attribute]
        return float(np.atleast_1d(array)[self._position[kind][int(idx)]])

    def play(self, interval: int, inbox: Inbox, children: Children) -> Iterable[object]:
        """Solve what was delivered."""
        delivery = inbox.of(DeliveryMessage)
        if delivery is None:
            return ()
        p_mw, q_mvar = delivery.p_inject_mw, delivery.q_inject_mvar
        engine = self.parts.engine
        engine.begin(interval)
        self.state = state = engine.solve(p_mw, q_mvar)
        engine.require_rest(state)
        with self.timer.measure("reference power flow"):
            self.parts.reference_check.compare(interval, p_mw, q_mvar, state)
        engine.settle(state)
        if self.parts.dso_engine is not engine:
            self.parts.dso_engine.settle(state)
        return (flow_message(interval, state, energy_wh_from_mw(p_mw, self.step_s)),)
