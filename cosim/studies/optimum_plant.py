"""The grid of a central optimum: its states after a change, and tangents at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from cosim.devices.population import Population
from cosim.devices.profiled import total
from cosim.grid.limits import GridCheck, Limits, check
from cosim.grid.operation import ControlledState
from cosim.grid.power_flow import GridState, PowerFlow
from cosim.studies.optimum_rows import KW, Cut
from cosim.units import BoolArray, FloatArray

TOLERANCE_PERCENT, TOLERANCE_PU = 0.01, 1e-5
"""Excess up to which an answer counts as within limits."""
_STEP_MW = 1e-5
PER_CENT = 100.0


def injections(population: Population) -> tuple[FloatArray, FloatArray]:
    """Return what profiles inject with storages at rest, (T, n) each. [MW, Mvar]"""
    generated = [(device.p_mw, device.q_mvar) for device in population.generators]
    consumed = [(device.p_mw, device.q_mvar) for device in population.consumers]
    consumed.append((population.deferral.p_mw, population.deferral.q_mvar))
    p_mw, q_mvar = (
        total([pair[k] for pair in generated]) - total([pair[k] for pair in consumed])
        for k in (0, 1)
    )
    return p_mw, q_mvar


def _joined(states: Sequence[GridState]) -> GridState:
    """Return batches of states as one."""
    kind = type(states[0])
    return kind(
        *(
            np.concatenate([getattr(state, field.name) for state in states])
            for field in fields(kind)
        )
    )


@dataclass(frozen=True)
class Plant:
    """A grid, its limits, and the injections that profiles alone would give.

    Parameters
    ----------
    engine : PowerFlow
    limits : Limits
    p_mw, q_mvar : (T, n) float
        [MW, Mvar]
    changes : bool
        Whether the network is another one in each interval, as where its slack voltage changes or
        its taps move. Taps follow their controllers, from where the interval before left them.
    """

    engine: PowerFlow
    limits: Limits
    p_mw: FloatArray
    q_mvar: FloatArray
    changes: bool = False

    def solve(self, p_kw: FloatArray, q_kvar: FloatArray) -> GridState:
        """Return the states of all intervals after a change, (T, n) each. [kW, kvar]"""
        p_mw, q_mvar = self.p_mw + p_kw / KW, self.q_mvar + q_kvar / KW
        if not self.changes:
            return self.engine.solve_batch(p_mw, q_mvar)
        self.engine.restart()
        states = []
        for t in range(len(p_mw)):
            self.engine.begin(t)
            states.append(self.engine.solve_batch(p_mw[t : t + 1], q_mvar[t : t + 1]))
            self.engine.settle(states[-1].at(0))
        return _joined(states)

    def taps(self, states: GridState) -> FloatArray:
        """Return the taps of controllers in the states of all intervals, (T, k)."""
        if isinstance(states, ControlledState):
            return states.tap_pos
        return np.zeros((len(self.p_mw), 0))

    def _at_taps_of(self, states: GridState, p_mw: FloatArray, q_mvar: FloatArray) -> GridState:
        """Return states of all intervals, as many of each, with the taps of known states."""
        if not self.changes:
            return self.engine.solve_batch(p_mw, q_mvar)
        n_intervals = len(self.p_mw)
        parts = zip(np.split(p_mw, n_intervals), np.split(q_mvar, n_intervals), strict=True)
        return _joined(
            [self.engine.under(t, states.at(t)).solve_batch(p, q) for t, (p, q) in enumerate(parts)]
        )

    def checks(self, states: GridState) -> list[GridCheck]:
        """Return the check of every interval."""
        topology = self.engine.topology
        return [check(states.at(t), self.limits, topology) for t in range(len(self.p_mw))]

    def import_cuts(self, states: GridState, p_kw: FloatArray, q_kvar: FloatArray) -> list[Cut]:
        """Return the tangent of net import of every interval, by differences."""
        n = self.p_mw.shape[1]
        gradients = []
        for k in (0, 1):
            moved = [self.p_mw + p_kw / KW, self.q_mvar + q_kvar / KW]
            moved = [np.repeat(each, n, axis=0) for each in moved]
            moved[k] += np.tile(_STEP_MW * np.eye(n), (len(self.p_mw), 1))
            found_mw = self._at_taps_of(states, *moved).p_slack_mw.reshape(-1, n)
            gradients.append((found_mw - states.p_slack_mw[:, None]) / _STEP_MW)
        return [
            Cut(
                t=t,
                value=np.array([float(states.p_slack_mw[t]) * KW]),
                bound=np.zeros(1),
                d_p=gradients[0][t : t + 1],
                d_q=gradients[1][t : t + 1],
                p_kw=p_kw[t],
                q_kvar=q_kvar[t],
            )
            for t in range(len(self.p_mw))
        ]

    def limit_cut(
        self,
        t: int,
        state: GridState,
        checked: GridCheck,
        rows: BoolArray,
        p_kw: FloatArray,
        q_kvar: FloatArray,
    ) -> Cut:
        """Return the tangents of some rows of a check at the state of an interval."""
        self.engine.begin(t)
        slope = self.engine.sensitivities(
            state, self.p_mw[t] + p_kw / KW, self.q_mvar[t] + q_kvar / KW, rows
        )
        is_bus = checked.element[rows] == "bus"
        weight = np.where(checked.is_lower[rows], -1.0, 1.0) * np.where(is_bus, PER_CENT, 1.0)
        inside = np.where(is_bus, TOLERANCE_PU * PER_CENT, TOLERANCE_PERCENT) / 10.0
        return Cut(
            t=t,
            value=weight * checked.value[rows],
            bound=weight * checked.limit[rows] - inside,
            d_p=weight[:, None] * slope.d_p / KW,
            d_q=weight[:, None] * slope.d_q / KW,
            p_kw=p_kw,
            q_kvar=q_kvar,
        )
