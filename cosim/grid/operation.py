"""A network that is operated: its slack voltage and its taps change from interval to interval.

An engine keeps the network as it was made. Here one engine stands for each position of the taps,
and the slack voltage of an interval scales what it is made of: all external grids hold the same,
and a network without injections is linear in it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cosim.errors import GridDataError
from cosim.grid.element_tables import in_service, some
from cosim.grid.network_model import Topology
from cosim.grid.power_flow import BalancedEngine, GridState, PowerFlow, make_power_flow, no_state
from cosim.grid.sensitivities import Phasors, Sensitivities
from cosim.grid.tap_control import MOST_STATES, TABLE, TapControls, Waiting
from cosim.units import BoolArray, FloatArray, IntArray

_MOST_ENGINES = 64


@dataclass(frozen=True)
class ControlledState(GridState):
    """State of a network with tap controllers.

    Attributes
    ----------
    tap_pos : (..., k) float
        Where the taps came to rest; NaN where they did not, or the power flow has no solution.
    at_rest : (...) bool
        False where they move to and fro, as between two positions of which one is too low and the
        other too high; such a state counts as not converged.
    """

    tap_pos: FloatArray
    at_rest: BoolArray


class OperatedPowerFlow(PowerFlow):
    """Engine of a network whose taps move and whose slack voltage changes.

    Every state is solved from the taps at the end of the interval before, as a controller finds
    them. Only what was delivered moves them for good (:meth:`settle`).

    Parameters
    ----------
    name : str
        Entry point of the engine that solves the network at given taps.
    net : pandapowerNet
        As for that engine; not changed.
    slack_vm_pu : (T,) float, optional
        Voltage of all external grids in service by interval; the network has that of the first.
    tap_waits : int
        Intervals for which a voltage is outside of its band before its tap moves.
    """

    def __init__(
        self, name: str, net: Any, slack_vm_pu: FloatArray | None = None, tap_waits: int = 0
    ) -> None:
        self.controls = TapControls.of(net)
        self.waiting = Waiting(self.controls, tap_waits)
        self._start_waited = self.waiting.waited
        self.tap_pos = self._start_pos = self.controls.start
        self._engine_name, self._net, self._slack_vm_pu = name, copy.deepcopy(net), slack_vm_pu
        self._net_vm_pu = float(net.ext_grid.vm_pu[in_service(net.ext_grid)].iloc[0])
        self._interval = 0
        self._engines: dict[tuple[float, ...], PowerFlow] = {}
        self._scaled: dict[tuple[float, ...], PowerFlow] = {}
        first = self._at_taps(self.tap_pos)
        self._topology = first.topology
        self.name, self.reference, self.phases = first.name, first.reference, first.phases  # type: ignore[misc]

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes without the engines, which are made when they are needed."""
        return {**vars(self), "_engines": {}, "_scaled": {}}

    @classmethod
    def make(cls, net: Any) -> Self:
        """Return the fast engine of a network with tap controllers."""
        return cls("fixed-point", net)

    @property
    def topology(self) -> Topology:
        """Elements in the order of the result arrays; taps do not change them."""
        return self._topology

    @property
    def controlled_idx(self) -> IntArray:
        """Indices of the transformers with a controller that acts, (k,)."""
        return self.controls.trafo_idx

    def begin(self, interval: int) -> None:
        """Take the slack voltage of an interval."""
        if interval != self._interval:
            self._interval = interval
            self._scaled.clear()

    def settle(self, state: GridState) -> None:
        """Leave the taps where a delivered state has them; without solution they do not move."""
        self._start_pos, self._start_waited = self.tap_pos, self.waiting.waited
        if isinstance(state, ControlledState) and state.converged:
            self.tap_pos = state.tap_pos
            self.waiting.settle(state.vm_pu)

    def restart(self) -> None:
        """Put taps, and the time that voltages were outside, back to the start of the run."""
        self.tap_pos = self._start_pos = self.controls.start
        self.waiting.waited = self._start_waited = np.zeros_like(self.waiting.waited)

    def solve_again(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve from the taps with which the interval that was settled last began."""
        settled = self.tap_pos, self.waiting.waited
        self.tap_pos, self.waiting.waited = self._start_pos, self._start_waited
        try:
            return self.solve(p_inject_mw, q_inject_mvar)
        finally:
            self.tap_pos, self.waiting.waited = settled

    def require_rest(self, state: GridState) -> None:
        """Refuse a state in which taps move to and fro.

        Raises
        ------
        GridDataError
            Naming the interval.
        """
        if isinstance(state, ControlledState) and not state.at_rest:
            idx = some(self.controls.trafo_idx)
            raise GridDataError(
                f"the tap controllers of trafo {idx} do not come to rest in interval "
                f"{self._interval}: within {MOST_STATES - 1} steps there are no positions with "
                "every voltage in its band",
                field=TABLE,
                remedy="give each a dead band that is wider than a step of its tap",
            )

    def under(self, interval: int, state: GridState) -> PowerFlow:
        """Return the engine of the network as it was in a state of an interval."""
        self.begin(interval)
        return self._of(state)

    def solve(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve one state with the controllers' taps; (n_points,) each. [MW, Mvar]"""
        if not self.controls.trafo_idx.size:
            return self._at(self.tap_pos).solve(p_inject_mw, q_inject_mvar)
        tap_pos, nowhere = self.tap_pos, np.full_like(self.tap_pos, np.nan)
        for _ in range(MOST_STATES):
            state = self._at(tap_pos).solve(p_inject_mw, q_inject_mvar)
            if not state.converged:
                return controlled(state, nowhere)
            following, at_rest = self.controls.step(state.vm_pu, tap_pos, self.waiting.acts)
            if at_rest:
                return controlled(state, tap_pos)
            tap_pos = following
        return controlled(no_state(self.topology), nowhere, at_rest=False)

    def solve_batch(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve many states, each from the same taps; (t, n_points) each. [MW, Mvar]"""
        if not self.controls.trafo_idx.size:
            return self._at(self.tap_pos).solve_batch(p_inject_mw, q_inject_mvar)
        p_mw, q_mvar = (np.asarray(one, dtype=np.float64) for one in (p_inject_mw, q_inject_mvar))
        size = (len(p_mw), self.tap_pos.size)
        found = controlled(no_state(self.topology, size[:1]), np.full(size, np.nan))
        tap_pos, active = np.tile(self.tap_pos, (len(p_mw), 1)), np.arange(len(p_mw))
        for _ in range(MOST_STATES):
            going = []
            for taps in np.unique(tap_pos[active], axis=0):
                rows = active[(tap_pos[active] == taps).all(axis=1)]
                state = self._at(taps).solve_batch(p_mw[rows], q_mvar[rows])
                following, at_rest = self.controls.step(
                    state.vm_pu, tap_pos[rows], self.waiting.acts
                )
                done = at_rest & state.converged
                for field in fields(GridState):
                    getattr(found, field.name)[rows[done]] = getattr(state, field.name)[done]
                found.tap_pos[rows[done]] = tap_pos[rows[done]]
                tap_pos[rows] = following
                going.append(rows[state.converged & ~at_rest])
            active = np.sort(np.concatenate(going)) if going else active[:0]
            if not active.size:
                break
        found.at_rest[active] = False
        return found

    def sensitivities(
        self, state: GridState, p_inject_mw: FloatArray, q_inject_mvar: FloatArray, rows: BoolArray
    ) -> Sensitivities:
        """Return derivatives of chosen rows of a grid check, at the taps of the state."""
        return self._of(state).sensitivities(state, p_inject_mw, q_inject_mvar, rows)

    def phasors(
        self, state: GridState, p_inject_mw: FloatArray, q_inject_mvar: FloatArray, rows: BoolArray
    ) -> Phasors:
        """Return phasors of chosen rows of a grid check, at the taps of the state."""
        return self._of(state).phasors(state, p_inject_mw, q_inject_mvar, rows)

    def _of(self, state: GridState) -> PowerFlow:
        known = isinstance(state, ControlledState) and bool(state.converged)
        return self._at(state.tap_pos if known else self.tap_pos)  # type: ignore[attr-defined]

    def _at(self, tap_pos: FloatArray) -> PowerFlow:
        """Return the engine at these taps and the interval's slack voltage."""
        if self._slack_vm_pu is None:
            return self._at_taps(tap_pos)
        key = tuple(tap_pos.tolist())
        if key not in self._scaled:
            vm_pu = float(self._slack_vm_pu[min(self._interval, self._slack_vm_pu.size - 1)])
            engine = self._at_taps(tap_pos)
            if isinstance(engine, BalancedEngine):
                engine = engine.with_slack_scaled(vm_pu / self._net_vm_pu)
            else:
                engine = self._made(tap_pos, vm_pu)
            self._scaled[key] = engine
        return self._scaled[key]

    def _at_taps(self, tap_pos: FloatArray) -> PowerFlow:
        key = tuple(tap_pos.tolist())
        if key not in self._engines:
            if len(self._engines) >= _MOST_ENGINES:
                self._engines.pop(next(iter(self._engines)))
            self._engines[key] = self._made(tap_pos, self._net_vm_pu)
        return self._engines[key]

    def _made(self, tap_pos: FloatArray, vm_pu: float) -> PowerFlow:
        net = copy.deepcopy(self._net)
        if tap_pos.size:
            net.trafo.loc[self.controls.trafo_idx, "tap_pos"] = tap_pos
        if self._slack_vm_pu is not None:
            net.ext_grid.loc[in_service(net.ext_grid), "vm_pu"] = vm_pu
        return make_power_flow(self._engine_name, net)


def controlled(state: GridState, tap_pos: FloatArray, *, at_rest: bool = True) -> ControlledState:
    """Return a state, or a batch, with the taps that it was solved with."""
    values: dict[str, Any] = {field.name: getattr(state, field.name) for field in fields(GridState)}
    rest = np.full(np.shape(state.converged), at_rest)
    return ControlledState(**values, tap_pos=tap_pos, at_rest=rest)


def make_operated(
    name: str, net: Any, slack_vm_pu: FloatArray | None = None, tap_waits: int = 0
) -> PowerFlow:
    """Return an engine by its name in a scenario, with what changes in the network.

    Parameters
    ----------
    name : str
        Entry point in the group ``cosim.power_flow``.
    net : pandapowerNet
        With its table ``tap_control``, if it has any.
    slack_vm_pu : (T,) float, optional
    tap_waits : int
        As of :class:`OperatedPowerFlow`.

    Returns
    -------
    PowerFlow
        The engine itself where nothing changes.
    """
    if slack_vm_pu is None and not TapControls.of(net).trafo_idx.size:
        return make_power_flow(name, net)
    return OperatedPowerFlow(name, net, slack_vm_pu, tap_waits)
