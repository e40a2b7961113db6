"""Ratings, and the comparison of a power-flow result with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosim.grid.network_model import Topology
from cosim.grid.power_flow import GridState
from cosim.messages import FlowMessage, StageMessage
from cosim.units import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Limits:
    """Limits of voltage and loading.

    Attributes
    ----------
    vm_min_pu, vm_max_pu : float
        Voltage band at every bus. [pu]
    line_loading_percent, trafo_loading_percent : float
        Largest loading by current. [%]
    """

    vm_min_pu: float = 0.9
    vm_max_pu: float = 1.1
    line_loading_percent: float = 100.0
    trafo_loading_percent: float = 100.0

    def tightened(self, loading_margin_percent: float, voltage_margin_pu: float) -> Limits:
        """Return the same limits with a distance kept from each. [%, pu]"""
        return Limits(
            vm_min_pu=self.vm_min_pu + voltage_margin_pu,
            vm_max_pu=self.vm_max_pu - voltage_margin_pu,
            line_loading_percent=self.line_loading_percent - loading_margin_percent,
            trafo_loading_percent=self.trafo_loading_percent - loading_margin_percent,
        )


@dataclass(frozen=True)
class GridCheck:
    """Every supplied bus, line and transformer against its limit, in flat columns, phase by phase.

    The last row is the grid itself: quantity ``convergence``, value 1 or 0, limit 1. When the power
    flow did not converge, every value is NaN and every row counts as violated: nothing is known
    to be within limits.

    Attributes
    ----------
    element : (k,) object
        ``bus``, ``line``, ``trafo`` or ``grid``.
    element_idx : (k,) int64
        pandapower index.
    quantity : (k,) object
        ``vm_pu``, ``loading_percent`` or ``convergence``; of one of several phases ``vm_a_pu``,
        ``loading_a_percent`` and so on.
    value, limit : (k,) float
        For a bus, the nearer of its two limits.
    violated : (k,) bool
    """

    element: npt.NDArray[np.object_]
    element_idx: IntArray
    quantity: npt.NDArray[np.object_]
    value: FloatArray
    limit: FloatArray
    violated: BoolArray

    def message(self, stage: str, round: int, drivers: Sequence[Sequence[str]]) -> StageMessage:
        """Return the check as the recorder takes it.

        Parameters
        ----------
        stage : str
            ``scheduled``, ``relieved`` or ``delivered``.
        round : int
        drivers : sequence of sequence of str
            Names of the connection points behind each violated row, as far as they are known.
        """
        unknown = int(self.violated.sum()) - len(drivers)
        return StageMessage(
            stage=stage,
            round=round,
            element=self.element,
            element_idx=self.element_idx,
            quantity=self.quantity,
            value=self.value,
            limit=self.limit,
            violated=self.violated,
            drivers=[*drivers, *([] for _ in range(unknown))],
        )

    @property
    def any_violated(self) -> bool:
        """True if any limit is violated."""
        return bool(self.violated.any())


def check(state: GridState, limits: Limits, topology: Topology) -> GridCheck:
    """Compare one state with the limits.

    Parameters
    ----------
    state : GridState
        A single state, not a batch.
    limits : Limits
    topology : Topology
        Of the engine that solved it, with its phases.
    """
    element, element_idx, quantity = topology.check_columns
    # of several phases, each is a row
    vm_pu = state.vm_pu[topology.bus_live].ravel()
    line_percent = state.line_loading_percent[topology.line_live].ravel()
    trafo_percent = state.trafo_loading_percent[topology.trafo_live].ravel()
    n_bus, n_line = vm_pu.size, line_percent.size
    value = np.empty(element.size)
    value[:n_bus] = vm_pu
    value[n_bus : n_bus + n_line] = line_percent
    value[n_bus + n_line : -1] = trafo_percent
    value[-1] = 1.0 if state.converged else 0.0
    limit = np.empty(element.size)
    low = vm_pu < 0.5 * (limits.vm_min_pu + limits.vm_max_pu)
    limit[:n_bus] = np.where(low, limits.vm_min_pu, limits.vm_max_pu)
    limit[n_bus : n_bus + n_line] = limits.line_loading_percent
    limit[n_bus + n_line : -1] = limits.trafo_loading_percent
    limit[-1] = 1.0
    # written so that NaN counts as violated
    kept = value <= limit
    kept[:n_bus] = np.where(low, vm_pu >= limits.vm_min_pu, kept[:n_bus])
    kept[-1] = bool(state.converged)
    return GridCheck(element, element_idx, quantity, value, limit, ~kept)


def check_delivered(flow: FlowMessage, limits: Limits, topology: Topology) -> StageMessage:
    """Compare the power flow of what was delivered with the limits.

    Parameters
    ----------
    flow : FlowMessage
        Of our grid simulator, or of another one in its place.
    limits : Limits
    topology : Topology
        Of the network that was solved.
    """
    state = GridState(
        converged=np.asarray(flow.converged),
        vm_pu=flow.vm_pu,
        va_degree=flow.va_degree,
        line_loading_percent=flow.line_loading_percent,
        trafo_loading_percent=flow.trafo_loading_percent,
        p_slack_mw=np.asarray(flow.p_slack_mw),
        q_slack_mvar=np.asarray(flow.q_slack_mvar),
        losses_mw=np.asarray(flow.losses_mw),
    )
    result = check(state, limits, topology)
    return result.message("delivered", 0, [])
