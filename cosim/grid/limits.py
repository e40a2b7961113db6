"""Ratings, and the comparison of a power-flow result with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cosim.errors import GridDataError
from cosim.grid.network_model import Topology
from cosim.grid.power_flow import GridState
from cosim.messages import FlowMessage, StageMessage
from cosim.units import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Limits:
    """Limits of voltage and loading; those of the network itself count where they are tighter.

    Attributes
    ----------
    vm_min_pu, vm_max_pu : float
        Voltage band at every bus. [pu]
    line_loading_percent, trafo_loading_percent : float
        Largest loading by current. [%]
    loading_margin_percent, voltage_margin_pu : float
        Distance kept from every limit. [%, pu]
    """

    vm_min_pu: float = 0.9
    vm_max_pu: float = 1.1
    line_loading_percent: float = 100.0
    trafo_loading_percent: float = 100.0
    loading_margin_percent: float = 0.0
    voltage_margin_pu: float = 0.0

    def tightened(self, loading_margin_percent: float, voltage_margin_pu: float) -> Limits:
        """Return the same limits with a distance kept from each. [%, pu]"""
        return replace(
            self,
            loading_margin_percent=loading_margin_percent,
            voltage_margin_pu=voltage_margin_pu,
        )

    def of_rows(self, topology: Topology) -> tuple[FloatArray, FloatArray]:
        """Return the lower and upper limit of every row of a grid check, (k,) each.

        A loading has no lower limit (minus infinity); that of the grid itself is 1, both ways.

        Raises
        ------
        GridDataError
            If nothing is left between the limits of an element and the distance kept from them.
        """
        if self not in topology.known_limits:
            topology.known_limits[self] = self._of_rows(topology)
        return topology.known_limits[self]

    def _of_rows(self, topology: Topology) -> tuple[FloatArray, FloatArray]:
        own, loading, volts = (
            topology.own_limits,
            self.loading_margin_percent,
            self.voltage_margin_pu,
        )
        low = np.maximum(own.vm_min_pu, self.vm_min_pu) + volts
        high = np.minimum(own.vm_max_pu, self.vm_max_pu) - volts
        line = np.minimum(own.line_percent, self.line_loading_percent) - loading
        trafo = np.minimum(own.trafo_percent, self.trafo_loading_percent) - loading
        for element, idx, between, column in (
            ("bus", topology.bus_idx, high - low, "max_vm_pu"),
            ("line", topology.line_idx, line, "max_loading_percent"),
            ("trafo", topology.trafo_idx, trafo, "max_loading_percent"),
        ):
            if (between <= 0.0).any():
                raise GridDataError(
                    f"{element} {idx[np.argmin(between)]}: its own limit and those of the scenario "
                    "leave nothing, less the distance that the DSO keeps from them",
                    field=f"{element}.{column}",
                    remedy=f"change {column} of the network, grid.limits, or the margins of dso",
                )
        n = len(topology.phases)
        bus, lines, trafos = topology.bus_live, topology.line_live, topology.trafo_live
        upper = [np.repeat(v, n) for v in (high[bus], line[lines], trafo[trafos])]
        lower = np.full(sum(part.size for part in upper) + 1, -np.inf)
        lower[: upper[0].size], lower[-1] = np.repeat(low[bus], n), 1.0
        return lower, np.concatenate([*upper, [1.0]])


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
    is_lower : (k,) bool
        Where the limit is a lower one.
    """

    element: npt.NDArray[np.object_]
    element_idx: IntArray
    quantity: npt.NDArray[np.object_]
    value: FloatArray
    limit: FloatArray
    violated: BoolArray
    is_lower: BoolArray

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

    @property
    def percent(self) -> FloatArray:
        """Per cent that one unit of each row's value is, (k,): a hundredth of a voltage in pu."""
        return np.where(self.element == "bus", 100.0, 1.0)

    @property
    def excess(self) -> float:
        """Sum of what is beyond limits; infinite where the power flow has no solution. [%]"""
        if self.violated[-1]:
            return np.inf
        beyond = np.abs(self.value - self.limit) * self.percent
        return float(beyond[self.violated].sum())


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
    convergence = [1.0 if state.converged else 0.0]
    value = np.concatenate([vm_pu, line_percent, trafo_percent, convergence])
    lower, upper = limits.of_rows(topology)
    limit, violated, is_lower = compared(value, lower, upper, element == "bus")
    violated[-1] = not state.converged
    return GridCheck(element, element_idx, quantity, value, limit, violated, is_lower)


def compared(
    value: FloatArray, lower: FloatArray, upper: FloatArray, is_bus: BoolArray
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return each value's limit, the violated ones, and those whose limit is a lower one.

    A voltage is compared with the nearer of its two limits, everything else with its upper one.
    """
    low = np.zeros(value.size, dtype=np.bool_)
    low[is_bus] = value[is_bus] < 0.5 * (lower[is_bus] + upper[is_bus])
    # written so that NaN counts as violated
    kept = np.where(low, value >= lower, value <= upper)
    return np.where(low, lower, upper), ~kept, low


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
