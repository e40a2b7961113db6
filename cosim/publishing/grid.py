"""Every power flow once more, by ``pandapower.runpp`` and nothing of ours.

Delivered states follow from the table of prosumers. Schedules before flexibility, and those that
were dispatched, follow from the table of schedules; the reactive power of a forecast is in no
table, but follows from seed, profiles and forecast settings alone, so it is computed again.
"""

from __future__ import annotations

import copy
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt
import pandapower as pp
import pandas as pd

from cosim.dso.congestion import assess
from cosim.grid.limits import Limits, check
from cosim.grid.network_model import NetworkModel, build_network_model
from cosim.grid.power_flow import GridState
from cosim.publishing.findings import Check
from cosim.publishing.people import People
from cosim.publishing.recorded import Recorded, by_interval, rows_of
from cosim.units import FloatArray, p_mw_from_wh

TOLERANCE_PU = 1e-8
TOLERANCE_DEGREE = 1e-6
TOLERANCE_PERCENT = 1e-5
TOLERANCE_MW = 1e-8
"""How far a recorded value may be from pandapower's, ten times and more what was measured."""

NEWTON_MVA = 1e-9
"""Largest power mismatch at a bus of the power flows here. [MVA]"""

CHECKED = ["interval", "stage", "round", "element", "element_idx"]


@dataclass(frozen=True)
class Case:
    """One state to be solved: who injects what, at which stage of which interval."""

    interval: int
    stage: str
    round: int
    p_mw: FloatArray
    q_mvar: FloatArray


class Solver:
    """pandapower's Newton-Raphson on the recorded network.

    Parameters
    ----------
    net : pandapowerNet
        One ``sgen`` per connection point, in table order; not changed.
    """

    def __init__(self, net: Any) -> None:
        self.net = copy.deepcopy(net)
        self.model: NetworkModel = build_network_model(net)
        self._warm = False

    def solve(self, p_mw: FloatArray, q_mvar: FloatArray) -> GridState:
        """Solve one state; from the state before where there is one, else from scratch."""
        net = self.net
        net.sgen["p_mw"], net.sgen["q_mvar"] = p_mw, q_mvar
        for init in ("results", "auto") if self._warm else ("auto",):
            try:
                pp.runpp(
                    net,
                    calculate_voltage_angles=True,
                    init=init,
                    tolerance_mva=NEWTON_MVA,
                    max_iteration=50,
                    numba=False,
                )
            except pp.LoadflowNotConverged:
                continue
            state = self._state(p_mw)
            if state is not None:
                self._warm = True
                return state
        self._warm = False
        return self._nothing()

    def _state(self, p_mw: FloatArray) -> GridState | None:
        net, topology = self.net, self.model.topology
        vm_pu = net.res_bus.vm_pu.to_numpy(float)
        if not net.converged or not np.isfinite(vm_pu[topology.bus_live]).all():
            return None
        p_slack_mw = float(net.res_ext_grid.p_mw.sum())
        return GridState(
            converged=np.asarray(True),
            vm_pu=np.where(topology.bus_live, vm_pu, np.nan),
            va_degree=np.where(topology.bus_live, net.res_bus.va_degree.to_numpy(float), np.nan),
            line_loading_percent=_loading(net.res_line, topology.line_live),
            trafo_loading_percent=_loading(net.res_trafo, topology.trafo_live),
            p_slack_mw=np.asarray(p_slack_mw),
            q_slack_mvar=np.asarray(float(net.res_ext_grid.q_mvar.sum())),
            losses_mw=np.asarray(p_slack_mw + float(p_mw.sum())),
        )

    def _nothing(self) -> GridState:
        topology, unknown = self.model.topology, np.asarray(np.nan)
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


def _solve_all(net: Any, cases: list[Case]) -> list[GridState]:
    solver = Solver(net)
    return [solver.solve(case.p_mw, case.q_mvar) for case in cases]


def solve_cases(net: Any, cases: list[Case], jobs: int) -> list[GridState]:
    """Solve states, in so many processes."""
    if jobs <= 1 or len(cases) < 2 * jobs:
        return _solve_all(net, cases)
    parts = [[cases[i] for i in part] for part in np.array_split(np.arange(len(cases)), jobs)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        done = pool.map(_solve_all, [net] * jobs, parts)
        return [state for part in done for state in part]


def check_network(recorded: Recorded, people: People) -> Check:
    """The recorded network against the one that the scenario names, as this machine has it."""
    outcome = Check("network", "network.json against the grid that the scenario names")
    outcome.equal(
        "network.json",
        "sgen",
        "name",
        [str(name) for name in recorded.network.sgen["name"]],
        list(recorded.prosumers),
    )
    if people.grid is None:
        outcome.note(f"not comparable: {people.missing}")
        return outcome
    for table in ("bus", "line", "trafo", "switch", "ext_grid", "shunt", "impedance", "sgen"):
        mine, theirs = people.grid.net[table], recorded.network[table]
        names = [name for name in mine.columns if name in theirs.columns]
        outcome.equal("network.json", table, "rows", len(theirs), len(mine))
        if len(mine) != len(theirs):
            continue
        skipped = {"geo"} | ({"p_mw", "q_mvar"} if table == "sgen" else set())
        for name in names:
            if name in skipped or name.startswith("std"):
                continue
            left, right = theirs[name], mine[name]
            if pd.api.types.is_float_dtype(right) and pd.api.types.is_numeric_dtype(left):
                size = (
                    float(np.nanmax(np.abs(right.to_numpy()), initial=1.0)) if len(right) else 1.0
                )
                outcome.numbers("network.json", None, f"{table}.{name}", left, right, 1e-12 * size)
            else:
                outcome.columns(f"network.json {table}", None, theirs, mine, [name])
    return outcome


def delivered_cases(recorded: Recorded, every: int) -> list[Case]:
    """States as delivered, of one interval in so many."""
    frame = recorded.frame("prosumers")
    return [
        Case(
            interval,
            "delivered",
            0,
            rows["p_inject_mw"].to_numpy(float),
            rows["q_inject_mvar"].to_numpy(float),
        )
        for interval, rows in by_interval(frame)
        if interval % every == 0
    ]


def scheduled_cases(recorded: Recorded, people: People, every: int) -> list[Case]:
    """Schedules before flexibility, and as dispatched where the DSO changed them."""
    if people.forecast_q_mvar is None:
        return []
    step_s, cases = recorded.scenario.time.step_s, []
    checked = recorded.frame("grid_checks")
    before = checked[checked["stage"] != "delivered"]
    rounds = {interval: int(rows["round"].max()) for interval, rows in by_interval(before)}
    for interval, rows in by_interval(recorded.frame("schedules")):
        if interval % every or interval not in rounds:
            continue
        q_mvar = people.forecast_q_mvar[interval]
        p_mw = p_mw_from_wh(rows["nominated_wh"].to_numpy(), step_s)
        cases.append(Case(interval, "scheduled", 0, p_mw, q_mvar))
        if last := rounds[interval]:
            p_mw = p_mw_from_wh(rows["dispatched_wh"].to_numpy(), step_s)
            cases.append(Case(interval, "relieved", last, p_mw, q_mvar))
    return cases


def check_power_flows(recorded: Recorded, cases: list[Case], states: list[GridState]) -> Check:
    """Voltages, angles, loadings and the balance of every delivered interval."""
    outcome = Check("power flow", "pandapower.runpp of what was delivered")
    topology = build_network_model(recorded.network).topology
    intervals = [case.interval for case in cases]
    n = len(intervals)
    branch = ["line"] * topology.line_idx.size + ["trafo"] * topology.trafo_idx.size
    branch_idx = np.concatenate([topology.line_idx, topology.trafo_idx])
    kept = {
        name: frame[frame["interval"].isin(intervals)].reset_index(drop=True)
        for name in ("buses", "branches", "grid_balance")
        for frame in [recorded.frame(name)]
    }
    own = {
        "buses": pd.DataFrame(
            {
                "interval": np.repeat(intervals, topology.bus_idx.size),
                "bus": np.tile(topology.bus_idx, n),
            }
        ),
        "branches": pd.DataFrame(
            {
                "interval": np.repeat(intervals, len(branch)),
                "element": np.tile(np.array(branch, dtype=object), n),
                "element_idx": np.tile(branch_idx, n),
            }
        ),
        "grid_balance": pd.DataFrame(
            {"interval": intervals, "converged": [bool(s.converged) for s in states]}
        ),
    }
    for name, frame in own.items():
        outcome.equal(name, "", "number of rows", len(kept[name]), len(frame))
        if len(kept[name]) != len(frame):
            return outcome
        outcome.columns(name, _names(frame), kept[name], frame, list(frame.columns))
    for name, column, solved, tolerance in (
        ("buses", "vm_pu", [s.vm_pu for s in states], TOLERANCE_PU),
        ("buses", "va_degree", [s.va_degree for s in states], TOLERANCE_DEGREE),
        ("branches", "loading_percent", [_branches(s) for s in states], TOLERANCE_PERCENT),
        ("grid_balance", "p_slack_mw", [[s.p_slack_mw] for s in states], TOLERANCE_MW),
        ("grid_balance", "q_slack_mvar", [[s.q_slack_mvar] for s in states], TOLERANCE_MW),
        ("grid_balance", "losses_mw", [[s.losses_mw] for s in states], TOLERANCE_MW),
    ):
        values = np.concatenate(solved) if solved else np.zeros(0)
        outcome.numbers(name, _names(own[name]), column, kept[name][column], values, tolerance)
    return outcome


def _branches(state: GridState) -> FloatArray:
    return np.concatenate([state.line_loading_percent, state.trafo_loading_percent])


def _names(frame: pd.DataFrame) -> pd.Index:
    keys = [name for name in ("interval", "bus", "element", "element_idx") if name in frame]
    texts = ["interval " + frame["interval"].astype(str)]
    texts += [name + " " + frame[name].astype(str) for name in keys[1:]]
    return pd.Index(["; ".join(row) for row in zip(*texts, strict=True)], dtype=object)


def check_grid_checks(
    recorded: Recorded, people: People, cases: list[Case], states: list[GridState], every: int
) -> Check:
    """Every element against its limit, at every stage that can be solved again; the violations."""
    outcome = Check("grid checks", "limits of the scenario on states solved again")
    limits = Limits(**recorded.scenario.grid.limits.model_dump())
    model = build_network_model(recorded.network)
    frame = recorded.frame("grid_checks")
    groups = _groups(frame)
    violations = recorded.frame("violations")
    listed = _groups(violations)
    for case, state in zip(cases, states, strict=True):
        key = (case.interval, case.stage, case.round)
        row = f"interval {case.interval}, {case.stage}, round {case.round}"
        rows = groups.pop(key, None)
        own = check(state, limits, model.topology)
        if rows is None or len(rows) != own.value.size:
            found = 0 if rows is None else len(rows)
            outcome.equal("grid_checks", row, "number of rows", found, own.value.size)
            continue
        names = pd.Index(
            [f"{row}, {e} {i}" for e, i in zip(own.element, own.element_idx, strict=True)],
            dtype=object,
        )
        exact = pd.DataFrame(
            {"element": own.element, "element_idx": own.element_idx, "quantity": own.quantity}
        )
        outcome.columns("grid_checks", names, rows, exact, list(exact.columns))
        outcome.numbers("grid_checks", names, "value", rows["value"], own.value, TOLERANCE_PERCENT)
        is_bus = own.quantity == "vm_pu"
        outcome.numbers(
            "grid_checks",
            names[is_bus],
            "value of buses",
            rows["value"][is_bus],
            own.value[is_bus],
            TOLERANCE_PU,
        )
        _check_flags(outcome, rows, names, limits)
        _check_drivers(outcome, recorded, listed.get(key), case, state, rows, model)
    for key, rows in groups.items():
        if int(key[0]) % every == 0:
            row = f"interval {key[0]}, {key[1]}, round {key[2]}"
            names = pd.Index(
                [f"{row}, {r.element} {r.element_idx}" for r in rows_of(rows)], dtype=object
            )
            _check_flags(outcome, rows, names, limits)
            if key[1] == "relieved":
                outcome.note(
                    "values of relieved rounds before the last are not solved again: what was "
                    "curtailed in between is in no table; limits and flags are checked"
                )
            elif people.forecast_q_mvar is None:
                outcome.note(f"schedules are not solved again: {people.missing}")
    _check_violations(outcome, frame, violations)
    return outcome


def _groups(frame: pd.DataFrame) -> dict[tuple[int, str, int], pd.DataFrame]:
    """Rows of each check: interval, stage and round."""
    found: Any = frame.groupby(["interval", "stage", "round"], sort=False)
    return {(int(k), str(stage), int(n)): rows for (k, stage, n), rows in found}


def _check_flags(outcome: Check, rows: pd.DataFrame, names: pd.Index, limits: Limits) -> None:
    """Limit and flag of each row by its own value."""
    value = rows["value"].to_numpy(float)
    element, quantity = rows["element"].to_numpy(), rows["quantity"].to_numpy()
    low = value < 0.5 * (limits.vm_min_pu + limits.vm_max_pu)
    limit = np.select(
        [quantity == "vm_pu", element == "line", element == "trafo"],
        [
            np.where(low, limits.vm_min_pu, limits.vm_max_pu),
            limits.line_loading_percent,
            limits.trafo_loading_percent,
        ],
        default=1.0,
    )
    kept = np.where(
        quantity == "vm_pu",
        np.where(low, value >= limits.vm_min_pu, value <= limits.vm_max_pu),
        np.where(quantity == "convergence", value == 1.0, value <= limit),
    )
    outcome.numbers("grid_checks", names, "limit", rows["limit"], limit, 0.0)
    outcome.columns(
        "grid_checks", names, rows, pd.DataFrame({"violated": ~kept.astype(bool)}), ["violated"]
    )


def _check_violations(outcome: Check, frame: pd.DataFrame, violations: pd.DataFrame) -> None:
    """The table of violations holds the violated rows and no others."""
    wanted = frame[frame["violated"]]
    key = [*CHECKED, "quantity"]
    outcome.keyed("violations", key, violations, wanted, ["value", "limit"])


def _check_drivers(
    outcome: Check,
    recorded: Recorded,
    listed: pd.DataFrame | None,
    case: Case,
    state: GridState,
    rows: pd.DataFrame,
    model: NetworkModel,
) -> None:
    """Who drives a violation, by the sensitivities at the state solved here."""
    if listed is None or not len(listed):
        return
    limits = Limits(**recorded.scenario.grid.limits.model_dump())
    names = np.array(recorded.prosumers, dtype=object)
    own: list[list[str]] = [[] for _ in range(len(listed))]
    if case.stage != "delivered":
        own_check = check(state, limits, model.topology)
        found = assess(model, state, own_check, case.p_mw, case.q_mvar)
        for i, violation in enumerate(found[: len(own)]):
            own[i] = [str(names[driver.point]) for driver in violation.drivers]
    for said, wanted, place in zip(listed["drivers"], own, rows_of(listed), strict=True):
        row = f"interval {case.interval}, {case.stage}, {place.element} {place.element_idx}"
        outcome.equal("violations", row, "drivers", list(said), wanted)
