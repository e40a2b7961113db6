"""Comparison of the power flows of a run with another engine's, on a sample of its intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from cosim.errors import PowerFlowMismatchError, UserError
from cosim.grid.operation import make_operated
from cosim.grid.power_flow import GridState, PowerFlow
from cosim.plugins import POWER_FLOW
from cosim.units import FloatArray

TOLERANCE_PU = 1e-6


class ReferenceCheck:
    """Sample of intervals solved again by the reference engine, and the largest difference.

    Parameters
    ----------
    reference : PowerFlow
        The engine to compare with.
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

    def compare(
        self, interval: int, p_mw: FloatArray, q_mvar: FloatArray, state: GridState
    ) -> None:
        """Compare one interval if it is in the sample.

        Raises
        ------
        PowerFlowMismatchError
            If the engines differ by more than the tolerance, or only one of them converges.
        """
        if interval not in self.intervals:
            return
        other = self.reference.under(interval, state).solve(p_mw, q_mvar)
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


def make_reference(engine: PowerFlow, net: Any, slack_vm_pu: FloatArray | None = None) -> PowerFlow:
    """Return the engine that another one names as its reference.

    Parameters
    ----------
    engine : PowerFlow
    net : pandapowerNet
        Of which the engine was made.
    slack_vm_pu : (T,) float, optional
        As of :func:`cosim.grid.operation.make_operated`.

    Raises
    ------
    UserError
        If there is no such engine, or it solves other phases.
    """
    name, known = engine.reference, POWER_FLOW.names
    if name not in known or POWER_FLOW.load(name).phases != engine.phases:
        raise UserError(
            f"engine {engine.name} names the reference {name!r}, which is no engine of the phases "
            f"{', '.join(engine.phases)}",
            field="grid.power_flow",
            remedy="install an engine of that name, or choose another engine: " + ", ".join(known),
        )
    return make_operated(name, net, slack_vm_pu)


def sample(n_intervals: int, size: int) -> tuple[int, ...]:
    """Return intervals to be solved again: evenly spread, the middle of each part of the run."""
    size = min(size, n_intervals)
    return tuple(int((i + 0.5) * n_intervals / size) for i in range(size))
