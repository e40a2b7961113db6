"""The fast engine: a fixed-point iteration on the network as its connection points see it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cosim.grid.outputs import ComplexArray
from cosim.grid.power_flow import BalancedEngine, GridState, no_state
from cosim.units import BoolArray, FloatArray


class FixedPointEngine(BalancedEngine):
    """Fixed-point iteration ``V = w + Z conj(S / V)``, with ``Z`` dense or as sparse factors.

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
    sparse : bool, optional
        As of :func:`~cosim.grid.network_model.build_network_model`.
    """

    name: ClassVar[str] = "fixed-point"

    def __init__(
        self,
        net: Any,
        tolerance_pu: float = 1e-12,
        max_iterations: int = 1000,
        sparse: bool | None = None,
    ) -> None:
        super().__init__(net, sparse)
        self._tolerance_pu = tolerance_pu
        self._max_iterations = max_iterations

    def solve(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve one state; (n_points,) each. [MW, Mvar]"""
        p_mw, q_mvar = self._checked(p_inject_mw, q_inject_mvar, 1)
        model = self.model
        s_conj = self._node_power(p_mw, q_mvar).conj()
        v_idle, response = model.v_idle, model.response
        v = v_idle
        with np.errstate(all="ignore"):
            for _ in range(self._max_iterations):
                current = s_conj / v.conj()
                v_next = v_idle + response.voltage(current)
                change = np.abs(v_next - v).max(initial=0.0)
                v = v_next
                if not change > self._tolerance_pu:
                    break
        # a NaN change leaves the loop too, and is not below the tolerance
        if not change <= self._tolerance_pu:
            return no_state(self.topology)
        driven = response.output(s_conj / v.conj())
        return self._outputs(model.out_idle + driven, p_mw, q_mvar)

    def solve_batch(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve many states at once; (t, n_points) each. [MW, Mvar]"""
        p_mw, q_mvar = self._checked(p_inject_mw, q_inject_mvar, 2)
        size = self.model.response.states_at_once
        parts = [
            self._solve_chunk(p_mw[i : i + size], q_mvar[i : i + size])
            for i in range(0, max(len(p_mw), 1), size)
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
                v_next = model.v_idle + model.response.voltages(s_active / v.conj())
                change = np.abs(v_next - v).max(axis=1, initial=0.0)
                v = v_next
                done = change <= self._tolerance_pu
                going = change > self._tolerance_pu  # neither when NaN: given up
                if not going.all():
                    v_final[active[done]] = v[done]
                    converged[active[done]] = True
                    active, v, s_active = active[going], v[going], s_active[going]
            outputs = model.out_idle + model.response.outputs(s_conj / v_final.conj())
        state = self._outputs(outputs, p_mw, q_mvar)
        if converged.all():
            return state
        return _masked(state, converged)

    def _node_power(self, p_mw: FloatArray, q_mvar: FloatArray) -> ComplexArray:
        """Return complex power injected at each node. [pu]"""
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


def _masked(state: GridState, converged: BoolArray) -> GridState:
    """Return the batch with NaN wherever a state did not converge, dead branches included."""
    arrays = []
    for field in fields(GridState)[1:]:
        array = np.array(getattr(state, field.name))
        array[~converged] = np.nan
        arrays.append(array)
    return GridState(converged, *arrays)
