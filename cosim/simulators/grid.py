"""mosaik simulator of the physical grid: the AC power flow of what was delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cosim.errors import PowerFlowMismatchError
from cosim.grid.network_model import Topology
from cosim.grid.power_flow import GridState, PowerFlow
from cosim.messages import DeliveryMessage, FlowMessage
from cosim.messages.conversion import frozen
from cosim.simulators.base import Children, Inbox, PopulationSimulator
from cosim.units import energy_wh_from_mw

TOLERANCE_PU = 1e-6


class ReferenceCheck:
    """Re-solves a sample of intervals with the reference engine and keeps the largest difference.

    Parameters
    ----------
    reference : PowerFlow
        The other engine.
    intervals : sequence of int
        Which intervals are re-solved.
    tolerance_pu : float
        Largest voltage difference that is believed. [pu]
    """

    def __init__(
        self, reference: PowerFlow, intervals: tuple[int, ...], tolerance_pu: float = TOLERANCE_PU
    ) -> None:
        self.reference = reference
        self.intervals = intervals
        self.tolerance_pu = tolerance_pu
        self.done: list[int] = []
        self.vm_pu = 0.0
        self.loading_percent = 0.0

    def compare(self, interval: int, p_mw: Any, q_mvar: Any, state: GridState) -> None:
        """Compare one interval if it is in the sample.

        Raises
        ------
        PowerFlowMismatchError
            If the engines differ by more than the tolerance, or only one of them converges.
        """
        if interval not in self.intervals:
            return
        other = self.reference.solve(p_mw, q_mvar)
        self.done.append(interval)
        if bool(other.converged) != bool(state.converged):
            raise PowerFlowMismatchError(
                f"interval {interval}: only one power-flow engine converges "
                f"({self.reference.name}: {bool(other.converged)})"
            )
        if not state.converged:
            return
        vm_pu = float(np.nanmax(np.abs(other.vm_pu - state.vm_pu)))
        loading = max(
            (
                float(np.abs(mine - theirs).max())
                for mine, theirs in (
                    (state.line_loading_percent, other.line_loading_percent),
                    (state.trafo_loading_percent, other.trafo_loading_percent),
                )
                if mine.size
            ),
            default=0.0,
        )
        self.vm_pu = max(self.vm_pu, vm_pu)
        self.loading_percent = max(self.loading_percent, loading)
        if vm_pu > self.tolerance_pu:
            raise PowerFlowMismatchError(
                f"interval {interval}: voltages differ by {vm_pu:.3g} pu from "
                f"{self.reference.name}, more than {self.tolerance_pu:g} pu"
            )


def initial_flow(topology: Topology, n_points: int) -> FlowMessage:
    """Return what the market knows of the grid before anything was delivered."""
    unknown = float("nan")
    return frozen(
        FlowMessage(
            interval=-1,
            converged=False,
            delivered_wh=np.zeros(n_points, dtype=np.int64),
            vm_pu=np.full(topology.bus_idx.size, unknown),
            va_degree=np.full(topology.bus_idx.size, unknown),
            line_loading_percent=np.full(topology.line_idx.size, unknown),
            trafo_loading_percent=np.full(topology.trafo_idx.size, unknown),
            losses_mw=unknown,
            p_slack_mw=unknown,
            q_slack_mvar=unknown,
        )
    )


@dataclass(frozen=True)
class GridParts:
    """Domain objects of the grid: its power-flow engine, and the comparison with another one."""

    engine: PowerFlow
    reference_check: ReferenceCheck


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
        self.state = state = self.parts.engine.solve(p_mw, q_mvar)
        with self.timer.measure("reference power flow"):
            self.parts.reference_check.compare(interval, p_mw, q_mvar, state)
        flow = FlowMessage(
            interval=interval,
            converged=bool(state.converged),
            delivered_wh=energy_wh_from_mw(p_mw, self.step_s),
            vm_pu=state.vm_pu,
            va_degree=state.va_degree,
            line_loading_percent=state.line_loading_percent,
            trafo_loading_percent=state.trafo_loading_percent,
            losses_mw=float(state.losses_mw),
            p_slack_mw=float(state.p_slack_mw),
            q_slack_mvar=float(state.q_slack_mvar),
        )
        return (flow,)
