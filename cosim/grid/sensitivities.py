"""Exact AC sensitivities of voltages and loadings to injections at an operating point.

At a solved state the node currents are ``I = conj(S / V)`` and the node voltages ``V = w + Z I``.
Differentiating, with ``D = conj(S / V^2)``,

    dI + D conj(Z) conj(dI) = conj(dS) / conj(V),

which is linear in the real and imaginary parts of ``dI``. The rows asked for are linear functions
of ``dI``, so one factorisation and one transposed solve per row give their derivatives by
every active and reactive injection, without forming those of the others. Of a large network the
same is solved on the sparse matrices (:mod:`cosim.grid.response`).

Of a voltage or loading these are the derivatives of a modulus, which turns round where a flow
passes zero. Its phasor does not: real and imaginary part of ``V`` and of the currents are almost
linear in the injections over their whole range, so that who plans large changes takes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cosim.grid.network_model import NetworkModel, Topology
from cosim.grid.outputs import ComplexArray
from cosim.units import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from cosim.grid.power_flow import GridState


@dataclass(frozen=True)
class Sensitivities:
    """Derivatives of chosen quantities by the injections at all connection points.

    Rows: the buses asked for [pu], then the lines [%], then the transformers [%].

    Attributes
    ----------
    d_p : (k, n_points) float
        Per injected active power. [pu/MW, %/MW]
    d_q : (k, n_points) float
        Per injected reactive power. [pu/Mvar, %/Mvar]
    """

    d_p: FloatArray
    d_q: FloatArray


def sensitivities(
    model: NetworkModel,
    state: GridState,
    p_inject_mw: npt.ArrayLike,
    q_inject_mvar: npt.ArrayLike,
    bus: IntArray,
    line: IntArray,
    trafo: IntArray,
) -> Sensitivities:
    """Linearise the power flow exactly at a converged state.

    Parameters
    ----------
    model : NetworkModel
        Of the engine that solved the state.
    state : GridState
        Single converged state of these injections.
    p_inject_mw, q_inject_mvar : (n_points,) float
        Injections at the connection points. [MW, Mvar]
    bus, line, trafo : (k_bus,), (k_line,), (k_trafo,) int64
        Positions (not indices) in the topology's arrays.

    Returns
    -------
    Sensitivities
        A loading is the larger current of both ends; its derivative is that of the larger end.
        Rows of dead or slack buses and idle branches are 0.

    Raises
    ------
    ValueError
        If the state did not converge.
    """
    node_current = _node_current(model, state, p_inject_mw, q_inject_mvar)
    return node_current.derivatives(model, *_moduli(model, node_current.current, bus, line, trafo))


@dataclass(frozen=True)
class Phasors:
    """Complex voltages and currents behind chosen rows of a grid check, with derivatives.

    A bus has one; a branch two, the currents at its ends, of which the check shows the larger
    modulus. Angles are those of the network's reference.

    Attributes
    ----------
    row : (k,) int64
        Position of the row that each belongs to among the rows asked for.
    value : (k,) complex
        Modulus as in the check. [pu, % of the rating]
    d_p : (k, n_points) complex
        Per injected active power. [pu/MW, %/MW]
    """

    row: IntArray
    value: ComplexArray
    d_p: ComplexArray


def row_phasors(
    model: NetworkModel,
    state: GridState,
    p_inject_mw: npt.ArrayLike,
    q_inject_mvar: npt.ArrayLike,
    rows: BoolArray,
) -> Phasors:
    """Linearise the phasors of chosen rows of a grid check.

    Parameters
    ----------
    model, state, p_inject_mw, q_inject_mvar, rows
        As of :func:`row_sensitivities`.

    Raises
    ------
    ValueError
        If the state did not converge.
    """
    bus, line, trafo = _positions(model.topology, rows)
    node_current = _node_current(model, state, p_inject_mw, q_inject_mvar)
    flat, row = [bus + model.rows["bus"].start], [np.arange(bus.size)]
    at = bus.size
    for position, ends in ((line, ("line_from", "line_to")), (trafo, ("trafo_hv", "trafo_lv"))):
        flat += [position + model.rows[end].start for end in ends]
        row += [at + np.arange(position.size)] * 2
        at += position.size
    chosen = np.concatenate(flat)
    one = np.ones(chosen.size, dtype=np.complex128)
    parts = node_current.derivatives(
        model, np.concatenate([chosen, chosen]), np.concatenate([one, -1j * one])
    ).d_p
    return Phasors(
        row=np.concatenate(row),
        value=model.out_idle[chosen] + model.response.chosen(chosen, node_current.current),
        d_p=parts[: chosen.size] + 1j * parts[chosen.size :],
    )


@dataclass(frozen=True)
class _NodeCurrent:
    """Node powers, voltages and currents of a state. [pu]"""

    s: ComplexArray
    v: ComplexArray
    current: ComplexArray

    def derivatives(
        self, model: NetworkModel, outputs: IntArray, weight: ComplexArray
    ) -> Sensitivities:
        """Return the derivatives of ``Re(weight output)`` by the injections of every point."""
        s, v = self.s, self.v
        adjoint = model.response.adjoint(outputs, weight, s, v)
        # conj(dS) / conj(V): dS real for active, imaginary for reactive power
        per_s = adjoint.conj() / (v.conj()[:, None] * model.base_mva)
        d_node_p, d_node_q = per_s.real.T, per_s.imag.T
        if model.one_point_per_node:
            return Sensitivities(np.ascontiguousarray(d_node_p), np.ascontiguousarray(d_node_q))
        return Sensitivities(d_node_p @ model.incidence.T, d_node_q @ model.incidence.T)


def _node_current(
    model: NetworkModel,
    state: GridState,
    p_inject_mw: npt.ArrayLike,
    q_inject_mvar: npt.ArrayLike,
) -> _NodeCurrent:
    if not state.converged:
        raise ValueError("a state that did not converge has no sensitivities")
    p_pu = np.asarray(p_inject_mw, dtype=np.float64) / model.base_mva
    q_pu = np.asarray(q_inject_mvar, dtype=np.float64) / model.base_mva
    s: ComplexArray = np.asarray(p_pu + 1j * q_pu, dtype=np.complex128)
    if not model.one_point_per_node:
        s = s @ model.incidence
    node_bus = model.bus_of_point[model.point_of_node]
    angle = np.radians(state.va_degree[node_bus])
    v: ComplexArray = np.asarray(state.vm_pu[node_bus] * np.exp(1j * angle), dtype=np.complex128)
    current: ComplexArray = np.asarray((s / v).conj(), dtype=np.complex128)
    return _NodeCurrent(s, v, current)


def row_sensitivities(
    model: NetworkModel,
    state: GridState,
    p_inject_mw: npt.ArrayLike,
    q_inject_mvar: npt.ArrayLike,
    rows: BoolArray,
) -> Sensitivities:
    """Return sensitivities of chosen rows of a grid check, in their order.

    Parameters
    ----------
    model, state, p_inject_mw, q_inject_mvar
        As of :func:`sensitivities`.
    rows : (k,) bool
        Over all rows of the check; that of the grid itself is ignored.
    """
    bus, line, trafo = _positions(model.topology, rows)
    return sensitivities(model, state, p_inject_mw, q_inject_mvar, bus, line, trafo)


def _positions(
    topology: Topology, rows: BoolArray
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    found, start = [], 0
    for live in (topology.bus_live, topology.line_live, topology.trafo_live):
        position = np.flatnonzero(live)
        found.append(position[rows[start : start + position.size]])
        start += position.size
    return found[0], found[1], found[2]


def _moduli(
    model: NetworkModel,
    current: ComplexArray,
    bus: IntArray,
    line: IntArray,
    trafo: IntArray,
) -> tuple[IntArray, ComplexArray]:
    """Return outputs and weights of which d|row| = Re(weight d output) for each row, (k,) both."""
    rows = model.rows
    chosen = [bus + rows["bus"].start]
    for position, ends in ((line, ("line_from", "line_to")), (trafo, ("trafo_hv", "trafo_lv"))):
        first, second = (position + rows[end].start for end in ends)
        chosen += [first, second]
    k_bus, k_line, k_trafo = bus.size, line.size, trafo.size
    flat = np.concatenate(chosen)
    value = model.out_idle[flat] + model.response.chosen(flat, current)
    size = np.abs(value)
    at = k_bus + 2 * k_line
    line_second = size[k_bus : k_bus + k_line] < size[k_bus + k_line : at]
    trafo_second = size[at : at + k_trafo] < size[at + k_trafo :]
    pick = np.concatenate(
        [
            np.arange(k_bus),
            k_bus + np.arange(k_line) + k_line * line_second,
            at + np.arange(k_trafo) + k_trafo * trafo_second,
        ]
    )
    value, size = value[pick], size[pick]
    usable = np.isfinite(size) & (size > 0.0)
    direction = np.zeros(value.size, dtype=np.complex128)
    direction[usable] = value[usable].conj() / size[usable]
    return flat[pick], direction
