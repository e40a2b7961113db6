"""The grid's tables against power flows that were solved again, and against the limits."""

from __future__ import annotations

import json
from concurrent.futures import Executor
from typing import Any

import numpy as np
import pandapower
import pandas as pd

from cosim.dso.congestion import assess
from cosim.grid.limits import Limits, check, compared
from cosim.grid.operation import ControlledState
from cosim.grid.power_flow import GridState
from cosim.inputs.json_file import parse_json
from cosim.replay.findings import Check
from cosim.results.reader import rows_of
from cosim.units import FloatArray
from cosim.verify.population import RebuiltPopulation
from cosim.verify.power_flows import Case, Owed, caught_up_cases, solve_cases
from cosim.verify.trees import differing, size, unpacked

TOLERANCE_PU = 1e-8
TOLERANCE_DEGREE = 1e-6
TOLERANCE_PERCENT = 1e-5
TOLERANCE_MW = 1e-8
"""Largest gap of a recorded value from pandapower's, ten times and more what was measured."""

CHECKED = ["interval", "stage", "round", "element", "element_idx"]


def check_network(rebuilt: RebuiltPopulation) -> Check:
    """Compare the recorded network with the one that the scenario names, as this machine has it."""
    outcome = Check("network", "network.json against the grid that the scenario names")
    network = rebuilt.results.network
    outcome.equal(
        "network.json",
        "sgen",
        "name",
        [str(name) for name in network.sgen["name"]],
        list(rebuilt.names),
    )
    if rebuilt.grid is None:
        outcome.leave_out(rebuilt.missing)
        return outcome
    recorded = parse_json((rebuilt.results.folder / "network.json").read_text(encoding="utf-8"))
    own = json.loads(pandapower.to_json(rebuilt.grid.net))
    left, right = unpacked(recorded), unpacked(own)
    outcome.compared += size(right)
    for place, said, true in differing(left, right):
        outcome.differ("network.json", place, "", said, true)
    return outcome


def check_power_flows(
    rebuilt: RebuiltPopulation, cases: list[Case], states: list[GridState]
) -> Check:
    """Compare voltages, angles, loadings and the balance of every delivered interval."""
    outcome = Check("power flow", "pandapower.runpp of what was delivered")
    topology, results = rebuilt.model.topology, rebuilt.results
    intervals = [case.interval for case in cases]
    n = len(intervals)
    branch = ["line"] * topology.line_idx.size + ["trafo"] * topology.trafo_idx.size
    branch_idx = np.concatenate([topology.line_idx, topology.trafo_idx])
    kept = {
        name: frame[frame["interval"].isin(intervals)].reset_index(drop=True)
        for name in ("buses", "branches", "grid_balance")
        for frame in [results.table(name)]
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
    controlled = rebuilt.operation.controls.trafo_idx
    if controlled.size:
        kept["taps"] = results.table("taps")
        kept["taps"] = kept["taps"][kept["taps"]["interval"].isin(intervals)].reset_index(drop=True)
        own["taps"] = pd.DataFrame(
            {
                "interval": np.repeat(intervals, controlled.size),
                "trafo": np.tile(controlled, n),
                "tap_pos": np.concatenate([_taps(s, controlled.size) for s in states]),
            }
        )
    else:
        outcome.equal("taps", "", "number of rows", len(results.table("taps")), 0)
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


def _taps(state: GridState, size: int) -> FloatArray:
    return state.tap_pos if isinstance(state, ControlledState) else np.full(size, np.nan)


def _branches(state: GridState) -> FloatArray:
    return np.concatenate([state.line_loading_percent, state.trafo_loading_percent])


def _names(frame: pd.DataFrame) -> pd.Index:
    keys = [name for name in ("interval", "bus", "element", "element_idx") if name in frame]
    texts = ["interval " + frame["interval"].astype(str)]
    texts += [name + " " + frame[name].astype(str) for name in keys[1:]]
    return pd.Index(["; ".join(row) for row in zip(*texts, strict=True)], dtype=object)


def check_grid_checks(
    rebuilt: RebuiltPopulation, cases: list[Case], states: list[GridState], every: int
) -> Check:
    """Check every element's limit at every stage that can be solved again; the violations."""
    outcome = Check("grid checks", "limits of the scenario on states solved again")
    results, model = rebuilt.results, rebuilt.model
    limits = Limits(**results.scenario.grid.limits.model_dump())
    frame = results.table("grid_checks")
    groups = _groups(frame)
    violations = results.table("violations")
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
        _check_flags(outcome, rows, names, limits.of_rows(model.topology))
        _check_drivers(outcome, rebuilt, listed.get(key), case, state, limits)
    last = {case.interval: case.round for case in cases if case.stage != "delivered"}
    for key, rows in groups.items():
        if key[0] % every == 0:
            _check_unsolved(outcome, rebuilt, key, rows, last, limits)
    _check_violations(outcome, frame, violations)
    return outcome


def check_rebounds(
    rebuilt: RebuiltPopulation,
    every: int,
    jobs: int,
    owed: Owed | None = None,
    pool: Executor | None = None,
) -> Check:
    """Solve violated intervals again without what was caught up.

    ``owed`` and ``pool`` as :func:`cosim.verify.power_flows.caught_up_cases` and
    :func:`cosim.verify.power_flows.solve_cases` take them.
    """
    outcome = Check("rebounds", "pandapower.runpp of what was delivered, less what was caught up")
    results, topology = rebuilt.results, rebuilt.model.topology
    limits = Limits(**results.scenario.grid.limits.model_dump())
    cases = caught_up_cases(rebuilt, every, owed)
    states = solve_cases(rebuilt, cases, jobs, pool)
    listed = results.table("rebounds")
    listed = listed[listed["interval"] % every == 0]
    own = pd.DataFrame(
        {
            "interval": [case.interval for case in cases],
            "caught_up_mw": [case.caught_up_mw for case in cases],
            "violated_without": [check(s, limits, topology).any_violated for s in states],
        }
    )
    outcome.keyed("rebounds", ["interval"], listed, own, ["caught_up_mw", "violated_without"])
    return outcome


def _check_unsolved(
    outcome: Check,
    rebuilt: RebuiltPopulation,
    key: tuple[int, str, int],
    rows: pd.DataFrame,
    last: dict[int, int],
    limits: Limits,
) -> None:
    """Check rows of a stage that is not solved again: every element once, limits and flags."""
    interval, stage, number = key
    row = f"interval {interval}, {stage}, round {number}"
    element, element_idx, quantity = rebuilt.model.topology.check_columns
    names = pd.Index([f"{row}, {r.element} {r.element_idx}" for r in rows_of(rows)], dtype=object)
    expected = (
        0 < number < last.get(interval, 0)
        if last
        else (interval in set(rebuilt.results.table("grid_balance")["interval"]))
    )
    if not expected or stage not in ("scheduled", "relieved") or len(rows) != element.size:
        outcome.differ("grid_checks", row, "number of rows", len(rows), element.size)
        return
    own = pd.DataFrame({"element": element, "element_idx": element_idx, "quantity": quantity})
    outcome.columns("grid_checks", names, rows, own, list(own.columns))
    _check_flags(outcome, rows, names, limits.of_rows(rebuilt.model.topology))
    if last:
        outcome.note(
            "only bounded: values and drivers of relieved rounds before the last; what was "
            "curtailed in between is in no table",
            detail=True,
        )
    else:
        outcome.note(f"schedules are not solved again: {rebuilt.missing}")


def _groups(frame: pd.DataFrame) -> dict[tuple[int, str, int], pd.DataFrame]:
    """Return the rows of each interval, stage and round."""
    found: Any = frame.groupby(["interval", "stage", "round"], sort=False)
    return {(int(k), str(stage), int(n)): rows for (k, stage, n), rows in found}


def _check_flags(
    outcome: Check, rows: pd.DataFrame, names: pd.Index, bounds: tuple[FloatArray, FloatArray]
) -> None:
    """Compare limit and flag of each row by its own value."""
    value = rows["value"].to_numpy(float)
    is_bus = (rows["element"] == "bus").to_numpy()
    limit, violated, _ = compared(value, *bounds, is_bus)
    violated[-1] = value[-1] != 1.0
    outcome.numbers("grid_checks", names, "limit", rows["limit"], limit, 0.0)
    outcome.columns("grid_checks", names, rows, pd.DataFrame({"violated": violated}), ["violated"])


def _check_violations(outcome: Check, frame: pd.DataFrame, violations: pd.DataFrame) -> None:
    """Check that the table of violations holds the violated rows and no others."""
    wanted = frame[frame["violated"]]
    key = [*CHECKED, "quantity"]
    outcome.keyed("violations", key, violations, wanted, ["value", "limit"])


def _check_drivers(
    outcome: Check,
    rebuilt: RebuiltPopulation,
    listed: pd.DataFrame | None,
    case: Case,
    state: GridState,
    limits: Limits,
) -> None:
    """Compare the drivers of a violation, by the sensitivities at the state solved here."""
    if listed is None or not len(listed):
        return
    model, names = rebuilt.model, np.array(rebuilt.names, dtype=object)
    slopes = rebuilt.slopes(case.interval, state)
    own: list[list[str]] = [[] for _ in range(len(listed))]
    if case.stage != "delivered":
        own_check = check(state, limits, model.topology)
        found = assess(slopes, state, own_check, case.p_mw, case.q_mvar)
        for i, violation in enumerate(found[: len(own)]):
            own[i] = [str(names[driver.point]) for driver in violation.drivers]
    for said, wanted, place in zip(listed["drivers"], own, rows_of(listed), strict=True):
        row = f"interval {case.interval}, {case.stage}, {place.element} {place.element_idx}"
        outcome.equal("violations", row, "drivers", list(said), wanted)
