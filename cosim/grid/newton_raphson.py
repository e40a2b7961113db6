"""The reference engine: Newton-Raphson by pandapower, built anew for every state."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandapower as pp

from cosim.grid.network_model import Topology
from cosim.grid.power_flow import BalancedEngine, GridState, no_state


class PandapowerEngine(BalancedEngine):
    """Newton-Raphson by ``pandapower.runpp``, built anew for every state: the reference.

    Parameters
    ----------
    net : pandapowerNet
        One ``sgen`` per connection point, in table order; copied.
    tolerance_mva : float
        Largest power mismatch at any bus. [MVA]
    """

    name: ClassVar[str] = "pandapower"
    reference: ClassVar[str] = "fixed-point"

    def __init__(self, net: Any, tolerance_mva: float = 1e-9) -> None:
        super().__init__(net)
        self._net = copy.deepcopy(net)
        self._net["user_pf_options"] = {}
        self._tolerance_mva = tolerance_mva

    def with_slack_scaled(self, factor: float) -> Self:
        """Return the engine with the voltages of all external grids times a factor."""
        other = super().with_slack_scaled(factor)
        other._net = copy.deepcopy(self._net)
        other._net.ext_grid["vm_pu"] *= factor
        return other

    def solve(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve one state; (n_points,) each. [MW, Mvar]"""
        p_mw, q_mvar = self._checked(p_inject_mw, q_inject_mvar, 1)
        net = self._net
        net.sgen["p_mw"] = p_mw
        net.sgen["q_mvar"] = q_mvar
        if not (np.isfinite(p_mw).all() and np.isfinite(q_mvar).all()):
            return no_state(self.topology)
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
            return no_state(self.topology)
        vm_pu = net.res_bus.vm_pu.to_numpy(float)
        if not net.converged or not np.isfinite(vm_pu[self.topology.bus_live]).all():
            return no_state(self.topology)
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


def _stack(topology: Topology, states: list[GridState]) -> GridState:
    if not states:
        return no_state(topology, (0,))
    return GridState(
        *(np.stack([getattr(state, field.name) for state in states]) for field in fields(GridState))
    )
