"""Balanced AC power flow: the reference engine of pandapower and a fast fixed-point engine.

Both take the active and reactive power injected at the connection points (positive feeds the grid)
and give the same :class:`GridState`. An engine keeps the network as it was when the engine was
made; after a change of taps or switches, make a new engine.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandapower as pp

from cosim.grid.network_model import (
    ComplexArray,
    NetworkModel,
    Topology,
    build_network_model,
)
from cosim.units import BoolArray, FloatArray, IntArray

_CHUNK = 4096  # states solved at once: bounds the memory of a batch
# OpenBLAS hands a matrix-vector product to its threads above 9216 elements; at this size that costs
# more than it gains, and milliseconds when the cores are busy
_UNTHREADED = 8192


@dataclass(frozen=True)
class GridState:
    """Result of one power flow, or of a batch with a leading axis.

    A state that did not converge has ``converged`` False and NaN everywhere else.

    Attributes
    ----------
    converged : (...) bool
    vm_pu, va_degree : (..., n_bus) float
        NaN at buses that are out of service or not supplied.
    line_loading_percent, trafo_loading_percent : (..., n) float
        As pandapower defines them: by current, the larger of both ends; 0 when out of service.
    p_slack_mw, q_slack_mvar : (...) float
        Import from the external grid.
    losses_mw : (...) float
        Import plus injections, which is what lines, transformers and shunts consume.
    """

    converged: BoolArray
    vm_pu: FloatArray
    va_degree: FloatArray
    line_loading_percent: FloatArray
    trafo_loading_percent: FloatArray
    p_slack_mw: FloatArray
    q_slack_mvar: FloatArray
    losses_mw: FloatArray

    def at(self, i: int) -> GridState:
        """One state of a batch."""
        return GridState(*(np.asarray(getattr(self, field.name)[i]) for field in fields(self)))


class PowerFlow(Protocol):
    """An engine that solves the network for injections at its connection points."""

    @property
    def name(self) -> str:
        """Name of the engine in a scenario."""

    @property
    def topology(self) -> Topology:
        """Elements in the order of the result arrays."""

    @property
    def model(self) -> NetworkModel:
        """The network condensed to its connection points, for sensitivities."""

    def solve(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve one state; (n_points,) each. [MW, Mvar]"""

    def solve_batch(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve many states; (t, n_points) each. [MW, Mvar]"""


class _Engine:
    """What both engines share: the network's shape and checks of the input."""

    name = ""

    def __init__(self, net: Any) -> None:
        self.model = build_network_model(net)
        self.topology = self.model.topology

    @property
    def bus_idx(self) -> IntArray:
        """pandapower bus indices in the order of ``vm_pu``."""
        return self.topology.bus_idx

    @property
    def line_idx(self) -> IntArray:
        """pandapower line indices in the order of ``line_loading_percent``."""
        return self.topology.line_idx

    @property
    def trafo_idx(self) -> IntArray:
        """pandapower trafo indices in the order of ``trafo_loading_percent``."""
        return self.topology.trafo_idx

    def _checked(
        self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike, n_axes: int
    ) -> tuple[FloatArray, FloatArray]:
        p_mw = np.asarray(p_inject_mw, dtype=np.float64)
        q_mvar = np.asarray(q_inject_mvar, dtype=np.float64)
        if (
            p_mw.ndim != n_axes
            or p_mw.shape != q_mvar.shape
            or p_mw.shape[-1] != self.model.n_points
        ):
            raise ValueError(
                f"expected p and q with {n_axes} axes, the last of length {self.model.n_points} "
                f"(connection points); got {p_mw.shape} and {q_mvar.shape}"
            )
        return p_mw, q_mvar


class PandapowerEngine(_Engine):
    """Newton-Raphson by ``pandapower.runpp``, built anew for every state: the reference.

    Parameters
    ----------
    net : pandapowerNet
        One ``sgen`` per connection point, in table order; copied.
    tolerance_mva : float
        Largest power mismatch at any bus. [MVA]
    """

    name = "pandapower"

    def __init__(self, net: Any, tolerance_mva: float = 1e-9) -> None:
        super().__init__(net)
        self._net = copy.deepcopy(net)
        self._tolerance_mva = tolerance_mva

    def solve(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve one state; (n_points,) each. [MW, Mvar]"""
        p_mw, q_mvar = self._checked(p_inject_mw, q_inject_mvar, 1)
        net = self._net
        net.sgen["p_mw"] = p_mw
        net.sgen["q_mvar"] = q_mvar
        if not (np.isfinite(p_mw).all() and np.isfinite(q_mvar).all()):
            return _no_state(self.topology, ())
        try:
            pp.runpp(
                net,
                calculate_voltage_angles=True,
                init="auto",
                tolerance_mva=self._tolerance_mva,
                max_iteration=50,
                numba=False,
            )
        except pp.LoadflowNotConverged:
            return _no_state(self.topology, ())
        vm_pu = net.res_bus.vm_pu.to_numpy(float)
        if not net.converged or not np.isfinite(vm_pu[self.topology.bus_live]).all():
            return _no_state(self.topology, ())
        p_slack_mw = net.res_ext_grid.p_mw.sum()
        line_percent = net.res_line.loading_percent.to_numpy(float)
        trafo_percent = net.res_trafo.loading_percent.to_numpy(float)
        return GridState(
            converged=np.asarray(True),
            vm_pu=np.where(self.topology.bus_live, vm_pu, np.nan),
            va_degree=np.where(
                self.topology.bus_live, net.res_bus.va_degree.to_numpy(float), np.nan
            ),
            line_loading_percent=np.where(self.topology.line_live, line_percent, 0.0),
            trafo_loading_percent=np.where(self.topology.trafo_live, trafo_percent, 0.0),
            p_slack_mw=np.asarray(p_slack_mw, dtype=np.float64),
            q_slack_mvar=np.asarray(net.res_ext_grid.q_mvar.sum(), dtype=np.float64),
            losses_mw=np.asarray(p_slack_mw + p_mw.sum(), dtype=np.float64),
        )

    def solve_batch(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve many states one after the other; (t, n_points) each. [MW, Mvar]"""
        p_mw, q_mvar = self._checked(p_inject_mw, q_inject_mvar, 2)
        return _stack(self.topology, [self.solve(p, q) for p, q in zip(p_mw, q_mvar, strict=True)])


class FixedPointEngine(_Engine):
    """Fixed-point iteration ``V = w + Z conj(S / V)`` on the condensed network.

    Known as the implicit Z-bus method; conditions for its convergence: Bolognani and Zampieri,
    IEEE Trans. Power Syst. 31 (2016) 163-172, doi:10.1109/TPWRS.2015.2395452.

    Parameters
    ----------
    net : pandapowerNet
        One ``sgen`` per connection point, in table order; not kept.
    tolerance_pu : float
        Largest last change of any voltage. [pu]
    max_iterations : int
        After so many iterations a state counts as not converged.
    """

    name = "fixed-point"

    def __init__(self, net: Any, tolerance_pu: float = 1e-12, max_iterations: int = 1000) -> None:
        super().__init__(net)
        self._tolerance_pu = tolerance_pu
        self._max_iterations = max_iterations
        self._z_blocks = _blocked(self.model.z_node)
        self._gain_blocks = _blocked(self.model.out_gain)
        self._z_transposed = np.ascontiguousarray(self.model.z_node.T)
        self._gain_transposed = np.ascontiguousarray(self.model.out_gain.T)

    def solve(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve one state; (n_points,) each. [MW, Mvar]"""
        p_mw, q_mvar = self._checked(p_inject_mw, q_inject_mvar, 1)
        model = self.model
        s_conj = self._node_power(p_mw, q_mvar).conj()
        v_idle, z_blocks, n_nodes = model.v_idle, self._z_blocks, model.v_idle.size
        v = v_idle
        with np.errstate(all="ignore"):
            for _ in range(self._max_iterations):
                current = s_conj / v.conj()
                v_next = v_idle + (z_blocks @ current).reshape(-1)[:n_nodes]
                change = np.abs(v_next - v).max(initial=0.0)
                v = v_next
                if not change > self._tolerance_pu:
                    break
        # a NaN change leaves the loop too, and is not below the tolerance
        if not change <= self._tolerance_pu:
            return _no_state(self.topology, ())
        driven = (self._gain_blocks @ (s_conj / v.conj())).reshape(-1)[: model.out_idle.size]
        return self._outputs(model.out_idle + driven, p_mw, q_mvar)

    def solve_batch(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve many states at once; (t, n_points) each. [MW, Mvar]"""
        p_mw, q_mvar = self._checked(p_inject_mw, q_inject_mvar, 2)
        parts = [
            self._solve_chunk(p_mw[i : i + _CHUNK], q_mvar[i : i + _CHUNK])
            for i in range(0, max(len(p_mw), 1), _CHUNK)
        ]
        if len(parts) == 1:
            return parts[0]
        return GridState(
            *(
                np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(GridState)
            )
        )

    def _solve_chunk(self, p_mw: FloatArray, q_mvar: FloatArray) -> GridState:
        model = self.model
        s_conj = self._node_power(p_mw, q_mvar).conj()
        n_states = s_conj.shape[0]
        v_final = np.full(s_conj.shape, np.nan, dtype=np.complex128)
        converged = np.zeros(n_states, dtype=np.bool_)
        active = np.arange(n_states)
        s_active, v = s_conj, np.broadcast_to(model.v_idle, s_conj.shape)
        with np.errstate(all="ignore"):
            for _ in range(self._max_iterations):
                if not active.size:
                    break
                v_next = model.v_idle + (s_active / v.conj()) @ self._z_transposed
                change = np.abs(v_next - v).max(axis=1, initial=0.0)
                v = v_next
                done = change <= self._tolerance_pu
                going = change > self._tolerance_pu  # neither when NaN: given up
                if not going.all():
                    v_final[active[done]] = v[done]
                    converged[active[done]] = True
                    active, v, s_active = active[going], v[going], s_active[going]
            outputs = model.out_idle + (s_conj / v_final.conj()) @ self._gain_transposed
        state = self._outputs(outputs, p_mw, q_mvar)
        if converged.all():
            return state
        return _masked(state, converged)

    def _node_power(self, p_mw: FloatArray, q_mvar: FloatArray) -> ComplexArray:
        """Complex power injected at each node. [pu]"""
        s = (p_mw + 1j * q_mvar) / self.model.base_mva
        if not self.model.one_point_per_node:
            s = s @ self.model.incidence
        return np.asarray(s, dtype=np.complex128)

    def _outputs(self, outputs: ComplexArray, p_mw: FloatArray, q_mvar: FloatArray) -> GridState:
        model, rows = self.model, self.model.rows
        v = outputs[..., rows["bus"]]
        size = np.abs(outputs)
        s_slack = model.base_mva * (model.v_slack * outputs[..., rows["slack"]].conj()).sum(axis=-1)
        if (model.node_of_point < 0).any():
            at_slack = model.node_of_point < 0
            s_slack = s_slack - (p_mw[..., at_slack] + 1j * q_mvar[..., at_slack]).sum(axis=-1)
        return GridState(
            converged=np.ones(p_mw.shape[:-1], dtype=np.bool_),
            vm_pu=size[..., rows["bus"]],
            va_degree=np.degrees(np.angle(v)),
            line_loading_percent=np.maximum(
                size[..., rows["line_from"]], size[..., rows["line_to"]]
            ),
            trafo_loading_percent=np.maximum(
                size[..., rows["trafo_hv"]], size[..., rows["trafo_lv"]]
            ),
            p_slack_mw=np.asarray(s_slack.real),
            q_slack_mvar=np.asarray(s_slack.imag),
            losses_mw=np.asarray(s_slack.real + p_mw.sum(axis=-1)),
        )


def make_power_flow(name: str, net: Any) -> FixedPointEngine | PandapowerEngine:
    """Engine by its name in a scenario.

    Parameters
    ----------
    name : str
        ``fixed-point`` or ``pandapower``.
    net : pandapowerNet
        One ``sgen`` per connection point, in the order in which injections will be given.

    Raises
    ------
    ValueError
        If there is no such engine.
    GridDataError
        If the network cannot be used.
    """
    engines: dict[str, type[FixedPointEngine] | type[PandapowerEngine]] = {
        engine.name: engine for engine in (FixedPointEngine, PandapowerEngine)
    }
    if name not in engines:
        raise ValueError(f"no power-flow engine {name!r}; there are {', '.join(sorted(engines))}")
    return engines[name](net)


def _blocked(matrix: ComplexArray) -> ComplexArray:
    """A matrix as a stack of row blocks, each small enough for one thread, padded with zeros."""
    n_rows, n_columns = matrix.shape
    n_block = max(1, _UNTHREADED // max(n_columns, 1))
    n_blocks = max(1, -(-n_rows // n_block))
    padded = np.zeros((n_blocks * n_block, n_columns), dtype=np.complex128)
    padded[:n_rows] = matrix
    return padded.reshape(n_blocks, n_block, n_columns)


def _no_state(topology: Topology, shape: tuple[int, ...]) -> GridState:
    def unknown(size: int) -> FloatArray:
        return np.full((*shape, size), np.nan)

    return GridState(
        converged=np.zeros(shape, dtype=np.bool_),
        vm_pu=unknown(topology.bus_idx.size),
        va_degree=unknown(topology.bus_idx.size),
        line_loading_percent=unknown(topology.line_idx.size),
        trafo_loading_percent=unknown(topology.trafo_idx.size),
        p_slack_mw=np.full(shape, np.nan),
        q_slack_mvar=np.full(shape, np.nan),
        losses_mw=np.full(shape, np.nan),
    )


def _masked(state: GridState, converged: BoolArray) -> GridState:
    """The batch with NaN wherever a state did not converge, dead branches included."""
    arrays = []
    for field in fields(GridState)[1:]:
        array = np.array(getattr(state, field.name))
        array[~converged] = np.nan
        arrays.append(array)
    return GridState(converged, *arrays)


def _stack(topology: Topology, states: list[GridState]) -> GridState:
    if not states:
        return _no_state(topology, (0,))
    return GridState(
        *(np.stack([getattr(state, field.name) for state in states]) for field in fields(GridState))
    )
