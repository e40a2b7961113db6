"""Limit checks of real states, and sensitivities against finite differences."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from published_injections import published_injections

from cosim.errors import GridDataError
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.folder_writer import with_connection_points
from cosim.grid.limits import Limits, check
from cosim.grid.sensitivities import sensitivities


@pytest.fixture(scope="module")
def noon(rural3):
    injections = published_injections(rural3, {"pv": 3, "ev": 3, "heat_pump": 3})
    k = injections.step("2016-05-24T12:00")
    return (
        FixedPointEngine(rural3.net),
        injections.p_inject_mw[k],
        injections.q_inject_mvar[k],
    )


def test_check_has_one_row_per_element_and_finds_what_is_over(noon):
    engine, p_mw, q_mvar = noon
    state = engine.solve(p_mw, q_mvar)
    found = check(state, Limits(), engine.topology)
    assert found.element.size == 129 + 127 + 1 + 1
    assert pd.Series(found.element).value_counts().to_dict() == {
        "bus": 129,
        "line": 127,
        "trafo": 1,
        "grid": 1,
    }
    over = set(found.element_idx[(found.element == "bus") & found.violated])
    assert over == set(engine.topology.bus_idx[state.vm_pu > 1.1])
    assert len(over) == 9
    trafo = found.element == "trafo"
    assert found.violated[trafo].tolist() == [True]
    assert found.value[trafo] == pytest.approx([126.4358], abs=1e-3)
    assert not found.violated[found.element == "line"].any()
    assert not found.violated[-1]


def test_the_nearer_voltage_limit_is_the_one_compared(noon):
    engine, p_mw, q_mvar = noon
    state = engine.solve(-2.5 * np.abs(p_mw), np.zeros_like(q_mvar))
    found = check(state, Limits(), engine.topology)
    buses = found.element == "bus"
    low = found.value[buses] < 0.9
    assert low.any()
    assert (found.limit[buses][low] == 0.9).all()
    assert (found.violated[buses] == low).all()
    slack = np.flatnonzero(buses & (found.value > 1.02))
    assert (found.limit[slack] == 1.1).all()


def test_a_value_at_its_limit_is_no_violation(noon, rural3):
    _, p_mw, q_mvar = noon
    net = copy.deepcopy(rural3.net)
    net.bus[["min_vm_pu", "max_vm_pu"]] = np.nan
    net.trafo["max_loading_percent"] = np.nan
    engine = FixedPointEngine(net)
    state = engine.solve(p_mw, q_mvar)
    exact = replace(
        Limits(),
        vm_max_pu=float(np.nanmax(state.vm_pu)),
        trafo_loading_percent=float(state.trafo_loading_percent[0]),
    )
    assert not check(state, exact, engine.topology).any_violated


def test_limits_of_the_network_count_where_they_are_tighter(noon, rural3):
    _, p_mw, q_mvar = noon
    net = copy.deepcopy(rural3.net)
    net.line.loc[3, "max_loading_percent"] = 2.5
    net.bus.loc[7, ["min_vm_pu", "max_vm_pu"]] = [0.95, 1.04]
    net.bus.loc[8, ["min_vm_pu", "max_vm_pu"]] = [0.5, 1.5]
    engine = FixedPointEngine(net)
    state = engine.solve(p_mw, q_mvar)
    found = check(state, Limits(trafo_loading_percent=90.0), engine.topology)
    limit = {
        (e, i): v for e, i, v in zip(found.element, found.element_idx, found.limit, strict=True)
    }
    assert (limit["line", 3], limit["line", 4]) == (2.5, 100.0)
    assert (limit["bus", 7], limit["bus", 8]) == (1.04, 1.1)
    assert limit["trafo", 0] == 90.0
    # SimBench states 1.055 pu for the bus that the external grid holds
    assert limit["bus", int(net.ext_grid.bus.iloc[0])] == 1.1
    own = (found.element == "bus") & (found.element_idx == 7)
    assert found.violated[own] == (found.value[own] > 1.04)
    tight = check(state, Limits().tightened(1.0, 0.005), engine.topology)
    assert tight.limit[(tight.element == "line") & (tight.element_idx == 3)] == 1.5
    assert tight.limit[own] == pytest.approx(1.035)


def test_limits_that_leave_no_room_are_refused(rural3):
    net = copy.deepcopy(rural3.net)
    net.line.loc[3, "max_loading_percent"] = 5.0
    topology = FixedPointEngine(net).topology
    with pytest.raises(GridDataError, match="line 3: its own limit") as caught:
        Limits().tightened(6.0, 0.0).of_rows(topology)
    assert caught.value.field == "line.max_loading_percent"


def test_nothing_counts_as_kept_when_the_power_flow_fails(noon):
    engine, p_mw, q_mvar = noon
    found = check(engine.solve(p_mw - 2.0, q_mvar), Limits(), engine.topology)
    assert found.violated.all()
    assert (found.quantity[-1], found.value[-1], found.limit[-1]) == ("convergence", 0.0, 1.0)


def differences(engine, p_mw, q_mvar, dp, dq):
    """Central differences of voltages and loadings, (rows, n_points)."""
    up = engine.solve_batch(p_mw + dp, q_mvar + dq)
    down = engine.solve_batch(p_mw - dp, q_mvar - dq)
    names = ("vm_pu", "line_loading_percent", "trafo_loading_percent")
    return np.concatenate([getattr(up, n) - getattr(down, n) for n in names], axis=1).T


def assert_sensitivities(engine, p_mw, q_mvar):
    state = engine.solve(p_mw, q_mvar)
    topology = engine.topology
    # a loading has a kink where the current vanishes: leave out idle ends of feeders
    line = np.flatnonzero(state.line_loading_percent > 5.0)
    assert line.size > 5
    bus = np.arange(topology.bus_idx.size)
    trafo = np.arange(topology.trafo_idx.size)
    found = sensitivities(engine.model, state, p_mw, q_mvar, bus, line, trafo)
    rows = np.concatenate([bus, bus.size + line, bus.size + topology.line_idx.size + trafo])
    h = 1e-6  # so small that no line changes the end with the larger current
    step = h * np.eye(p_mw.size)
    for exact, dp, dq in ((found.d_p, step, 0 * step), (found.d_q, 0 * step, step)):
        numeric = differences(engine, p_mw, q_mvar, dp, dq)[rows] / (2 * h)
        scale = np.maximum(np.abs(numeric).max(axis=1), 1e-6)[:, None]
        assert np.abs((exact - numeric) / scale).max() < 1e-5


def test_sensitivities_equal_finite_differences_at_noon(noon):
    assert_sensitivities(*noon)


def test_sensitivities_equal_finite_differences_deep_under_voltage(noon):
    engine, p_mw, q_mvar = noon
    assert_sensitivities(engine, -2.5 * np.abs(p_mw), q_mvar)


def test_sensitivities_with_shared_buses(rural1):
    points = pd.concat(
        [rural1.connection_points, pd.DataFrame({"name": ["model", "slack"], "bus": [12, 0]})],
        ignore_index=True,
    )
    engine = FixedPointEngine(with_connection_points(rural1.net, points))
    p_mw = np.full(len(points), 0.01)
    assert_sensitivities(engine, p_mw, 0.1 * p_mw)


def test_no_sensitivities_without_a_state(noon):
    engine, p_mw, q_mvar = noon
    state = engine.solve(p_mw - 2.0, q_mvar)
    none = np.zeros(0, dtype=np.int64)
    with pytest.raises(ValueError, match="did not converge"):
        sensitivities(engine.model, state, p_mw - 2.0, q_mvar, none, none, none)


def test_sensitivities_do_not_depend_on_what_was_asked_before(noon, rural3):
    engine, p_mw, q_mvar = noon
    rows = np.ones(129 + 127 + 1 + 1, dtype=np.bool_)
    states = [(engine.solve(share * p_mw, q_mvar), share) for share in (1.0, 0.9, 0.8, 0.7, 0.6)]

    def asked(of, numbers):
        found = [of.phasors(*states[k][:1], states[k][1] * p_mw, q_mvar, rows) for k in numbers]
        return [one.d_p for one in found]

    again = asked(engine, [0, 1, 0, 2, 3, 4, 0])
    assert all(np.array_equal(again[0], again[k]) for k in (2, 6))
    for k, d_p in zip(range(5), (again[0], again[1], *again[3:6]), strict=True):
        assert np.array_equal(d_p, asked(FixedPointEngine(rural3.net), [k])[0])
