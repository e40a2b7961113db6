"""Violations of a schedule, and the connection points that drive them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosim.grid.limits import GridCheck
from cosim.grid.power_flow import GridState
from cosim.grid.sensitivities import Sensitivities
from cosim.units import BoolArray, FloatArray


@dataclass(frozen=True)
class Driver:
    """One connection point's part in a violation.

    Attributes
    ----------
    point : int
        Position in the connection-point table.
    sensitivity : float
        Change of the violated value per injected MW. [pu/MW or %/MW]
    contribution : float
        Sensitivity times injection: to first order, what the value would lose without this
        connection point's active power. [pu or %]
    """

    point: int
    sensitivity: float
    contribution: float


@dataclass(frozen=True)
class Violation:
    """One limit that does not hold.

    Attributes
    ----------
    element, element_idx, quantity, value, limit
        As in a row of :class:`cosim.grid.limits.GridCheck`.
    drivers : tuple of Driver
        Those that push towards the violation, strongest first; none when the power flow did not
        converge.
    """

    element: str
    element_idx: int
    quantity: str
    value: float
    limit: float
    drivers: tuple[Driver, ...]


def assess(
    sensitivities: Callable[[GridState, FloatArray, FloatArray, BoolArray], Sensitivities],
    state: GridState,
    check: GridCheck,
    p_inject_mw: npt.ArrayLike,
    q_inject_mvar: npt.ArrayLike,
    n_drivers: int = 5,
) -> tuple[Violation, ...]:
    """Return violations of a checked state with their drivers.

    Parameters
    ----------
    sensitivities : callable
        As :meth:`cosim.grid.power_flow.PowerFlow.sensitivities` of the engine that solved the
        state.
    state, check : GridState, GridCheck
        Of these injections.
    p_inject_mw, q_inject_mvar : (n_points,) float
        [MW, Mvar]
    n_drivers : int
        Most drivers to name per violation.

    Returns
    -------
    tuple of Violation
        In the order of the check; a single one when the power flow did not converge.
    """
    if not state.converged:
        return (Violation("grid", 0, "convergence", 0.0, 1.0, ()),)
    violated = np.flatnonzero(check.violated)
    if not violated.size:
        return ()
    p_mw = np.asarray(p_inject_mw, dtype=np.float64)
    q_mvar = np.asarray(q_inject_mvar, dtype=np.float64)
    slope = sensitivities(state, p_mw, q_mvar, check.violated).d_p
    contribution = slope * p_mw
    # towards the violation: up at an upper limit, down at a lower one
    sign = np.where(check.value[violated] > check.limit[violated], 1.0, -1.0)
    push = contribution * sign[:, None]
    ranked = np.argsort(-push, axis=1, kind="stable")[:, :n_drivers]
    return tuple(
        Violation(
            element=str(check.element[row]),
            element_idx=int(check.element_idx[row]),
            quantity=str(check.quantity[row]),
            value=float(check.value[row]),
            limit=float(check.limit[row]),
            drivers=tuple(
                Driver(int(point), float(slope[i, point]), float(contribution[i, point]))
                for point in ranked[i]
                if push[i, point] > 0.0
            ),
        )
        for i, row in enumerate(violated)
    )
