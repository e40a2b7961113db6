"""Every power flow once more, by ``pandapower.runpp`` and nothing of ours.

Delivered states follow from the table of prosumers. Schedules before flexibility, and those that
were dispatched, follow from the table of schedules; the reactive power of a forecast is in no
table, but follows from seed, profiles and forecast settings alone, so it is computed again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt
import pandapower as pp
from pandapower.auxiliary import ControllerNotConverged

from cosim.devices.deferral import caught_up_mw
from cosim.dso.metering import as_seen_mvar, as_seen_wh
from cosim.errors import CheckError
from cosim.grid.element_tables import in_service
from cosim.grid.network_model import Topology
from cosim.grid.operation import controlled
from cosim.grid.power_flow import GridState
from cosim.grid.tap_control import TapControls, add_controllers, table_of
from cosim.processes import without_the_working_folder
from cosim.results.reader import by_interval
from cosim.runs.preparation import metering_of
from cosim.units import FloatArray, p_mw_from_wh
from cosim.verify.operation import Conditions
from cosim.verify.population import RebuiltPopulation

NEWTON_MVA = 1e-9
"""Largest power mismatch at a bus of the power flows here. [MVA]"""


@dataclass(frozen=True)
class Case:
    """One state to be solved: injections at a stage of an interval. [MW, Mvar]

    Taps and slack voltage are those at the start of the interval, where they change.
    ``caught_up_mw`` is the consumption that was caught up and is left out of them.
    """

    interval: int
    stage: str
    round: int
    p_mw: FloatArray
    q_mvar: FloatArray
    conditions: Conditions
    caught_up_mw: float = 0.0


class Solver:
    """pandapower's Newton-Raphson on the recorded network, with pandapower's own tap controllers.

    Parameters
    ----------
    net : pandapowerNet
        One ``sgen`` per connection point, in table order; not changed.
    topology : Topology
        Says which of its elements are supplied.
    """

    def __init__(self, net: Any, topology: Topology) -> None:
        self.net = copy.deepcopy(net)
        self.topology = topology
        self._warm = False
        self._controlled = TapControls.of(net).trafo_idx
        if self._controlled.size:
            add_controllers(self.net)

    def solve(self, case: Case) -> GridState:
        """Solve one state; from the state before where there is one, else from scratch."""
        net, p_mw, conditions = self.net, case.p_mw, case.conditions
        net.sgen["p_mw"], net.sgen["q_mvar"] = p_mw, case.q_mvar
        if conditions.slack_vm_pu is not None:
            net.ext_grid.loc[in_service(net.ext_grid), "vm_pu"] = conditions.slack_vm_pu
        for init in ("results", "auto") if self._warm else ("auto",):
            if self._controlled.size:
                net.trafo.loc[self._controlled, "tap_pos"] = conditions.tap_pos
                net.controller["in_service"] = self._in_service(conditions)
            try:
                pp.runpp(
                    net,
                    calculate_voltage_angles=True,
                    init=init,
                    tolerance_mva=NEWTON_MVA,
                    max_iteration=50,
                    numba=False,
                    run_control=bool(self._controlled.size),
                )
            except (pp.LoadflowNotConverged, ControllerNotConverged):
                continue
            state = self._state(p_mw)
            if state is not None:
                self._warm = True
                return state
        self._warm = False
        return self._nothing()

    def _in_service(self, conditions: Conditions) -> list[bool]:
        """Return which of pandapower's controllers do not wait, in the order of their table."""
        waits = set(self._controlled[~conditions.acts].tolist())
        return [trafo not in waits for trafo in table_of(self.net).trafo]

    def _state(self, p_mw: FloatArray) -> GridState | None:
        net, topology = self.net, self.topology
        vm_pu = net.res_bus.vm_pu.to_numpy(float)
        if not net.converged or not np.isfinite(vm_pu[topology.bus_live]).all():
            return None
        p_slack_mw = float(net.res_ext_grid.p_mw.sum())
        state = GridState(
            converged=np.asarray(True),
            vm_pu=np.where(topology.bus_live, vm_pu, np.nan),
            va_degree=np.where(topology.bus_live, net.res_bus.va_degree.to_numpy(float), np.nan),
            line_loading_percent=_loading(net.res_line, topology.line_live),
            trafo_loading_percent=_loading(net.res_trafo, topology.trafo_live),
            p_slack_mw=np.asarray(p_slack_mw),
            q_slack_mvar=np.asarray(float(net.res_ext_grid.q_mvar.sum())),
            losses_mw=np.asarray(p_slack_mw + float(p_mw.sum())),
        )
        if not self._controlled.size:
            return state
        tap_pos = net.trafo.loc[self._controlled, "tap_pos"].to_numpy(np.float64)
        return controlled(state, tap_pos)

    def _nothing(self) -> GridState:
        topology, unknown = self.topology, np.asarray(np.nan)
        return GridState(
            np.asarray(False),
            np.full(topology.bus_idx.size, np.nan),
            np.full(topology.bus_idx.size, np.nan),
            np.full(topology.line_idx.size, np.nan),
            np.full(topology.trafo_idx.size, np.nan),
            unknown,
            unknown,
            unknown,
        )


def _loading(results: Any, live: npt.NDArray[np.bool_]) -> FloatArray:
    return np.where(live, results.loading_percent.to_numpy(float), 0.0)


def _solve_all(nets: dict[bool, Any], topology: Topology, cases: list[Case]) -> list[GridState]:
    solvers: dict[bool, Solver] = {}
    states = []
    for case in cases:
        kind = case.stage == "delivered"
        if kind not in solvers:
            solvers[kind] = Solver(nets[kind], topology)
        states.append(solvers[kind].solve(case))
    return states


@contextmanager
def solving_processes(jobs: int) -> Iterator[Executor | None]:
    """Start processes that solve states, for as long as they are wanted; none for one job."""
    if jobs <= 1:
        yield None
        return
    with (
        without_the_working_folder(),
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
    ):
        yield pool


def solve_cases(
    rebuilt: RebuiltPopulation, cases: list[Case], jobs: int, pool: Executor | None = None
) -> list[GridState]:
    """Solve states, in so many processes: schedules with the network as the DSO models it.

    Parameters
    ----------
    rebuilt : RebuiltPopulation
    cases : list of Case
    jobs : int
        Processes; 1 for this one alone.
    pool : Executor, optional
        That has them; default: they are started anew, if there is enough to do for them.

    Raises
    ------
    CheckError
        If one of them ended before it was done.
    """
    topology = rebuilt.model.topology
    nets = {True: rebuilt.results.network, False: rebuilt.operation.dso_network}
    if jobs <= 1 or len(cases) < 2 * jobs:
        return _solve_all(nets, topology, cases)
    parts = [[cases[i] for i in part] for part in np.array_split(np.arange(len(cases)), jobs)]
    with nullcontext(pool) if pool else solving_processes(jobs) as started:
        assert started is not None
        done = started.map(_solve_all, [nets] * jobs, [topology] * jobs, parts)
        try:
            return [state for part in done for state in part]
        except BrokenProcessPool as error:  # killed for its memory, say
            raise CheckError(
                "a process that solved power flows ended without a word; --jobs 1 needs none"
            ) from error


def delivered_cases(rebuilt: RebuiltPopulation, every: int) -> list[Case]:
    """Return the states as delivered, of one interval in so many."""
    frame = rebuilt.results.table("prosumers")
    return [
        Case(
            interval,
            "delivered",
            0,
            rows["p_inject_mw"].to_numpy(float),
            rows["q_inject_mvar"].to_numpy(float),
            rebuilt.operation.at(interval),
        )
        for interval, rows in by_interval(frame)
        if interval % every == 0
    ]


@dataclass
class Owed:
    """Consumption that was put off and is owed at the end of an interval, (n,); None at the start.

    [MWh]
    """

    mwh: FloatArray | None = None


def caught_up_cases(rebuilt: RebuiltPopulation, every: int, owed: Owed | None = None) -> list[Case]:
    """Return the states as delivered without what was caught up, where limits were violated.

    Parameters
    ----------
    rebuilt : RebuiltPopulation
    every : int
        Of one interval in so many.
    owed : Owed, optional
        As the intervals before have left it, and as these do; default: a run's start.
    """
    results, owed = rebuilt.results, owed or Owed()
    frame, step_h = results.table("prosumers"), results.step_h
    checks = results.table("grid_checks")
    violated = checks[checks["violated"] & (checks["stage"] == "delivered")]
    wanted, cases = set(violated["interval"]), []
    for interval, rows in by_interval(frame):
        owed_mwh = rows["deferred_mwh"].to_numpy(float)
        before_mwh = np.zeros_like(owed_mwh) if owed.mwh is None else owed.mwh
        more_mw = caught_up_mw(before_mwh, owed_mwh, step_h)
        owed.mwh = owed_mwh
        if interval in wanted and more_mw.any() and interval % every == 0:
            p_mw = rows["p_inject_mw"].to_numpy(float) + more_mw
            q_mvar = rows["q_inject_mvar"].to_numpy(float)
            begin = rebuilt.operation.at(interval)
            caught_mw = float(more_mw.sum())
            cases.append(Case(interval, "delivered", 0, p_mw, q_mvar, begin, caught_mw))
    return cases


def scheduled_cases(rebuilt: RebuiltPopulation, every: int) -> list[Case]:
    """Return schedules before flexibility, and as dispatched where the DSO changed them."""
    if rebuilt.forecast_q_mvar is None:
        return []
    results = rebuilt.results
    step_s, cases = results.scenario.time.step_s, []
    metering = metering_of(results.scenario, rebuilt.names)
    checked = results.table("grid_checks")
    before = checked[checked["stage"] != "delivered"]
    rounds = {interval: int(rows["round"].max()) for interval, rows in by_interval(before)}
    for interval, rows in by_interval(results.table("schedules")):
        if interval % every or interval not in rounds:
            continue
        begin = rebuilt.operation.at(interval)
        q_mvar = as_seen_mvar(rebuilt.forecast_q_mvar[interval], metering)
        nominated_wh = rows["nominated_wh"].to_numpy()
        seen_wh = as_seen_wh(nominated_wh, metering)
        p_mw = p_mw_from_wh(seen_wh, step_s)
        cases.append(Case(interval, "scheduled", 0, p_mw, q_mvar, begin))
        if last := rounds[interval]:
            ordered_wh = rows["dispatched_wh"].to_numpy() - nominated_wh
            p_mw = p_mw_from_wh(seen_wh + ordered_wh, step_s)
            cases.append(Case(interval, "relieved", last, p_mw, q_mvar, begin))
    return cases
