"""Large networks: power flow and sensitivities by sparse factors, against what is dense."""

from __future__ import annotations

import copy
import pickle
import tracemalloc

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from benchmarks.areas import joined_areas
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.folder_writer import with_connection_points
from cosim.grid.limits import Limits, check
from cosim.grid.newton_raphson import PandapowerEngine
from cosim.grid.operation import make_operated
from cosim.grid.response import LARGEST_DENSE
from cosim.grid.tap_control import TABLE

LIMITS = Limits(vm_min_pu=0.96)
SIZES = ("vm_pu", "va_degree", "line_loading_percent", "trafo_loading_percent")
SUMS = ("p_slack_mw", "q_slack_mvar", "losses_mw")


def assert_same(found, expected, atol_pu=1e-10, atol_percent=1e-7):
    assert (found.converged == expected.converged).all()
    for name in SIZES:
        atol = atol_pu if name == "vm_pu" else atol_percent
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=0, atol=atol, err_msg=name
        )
    for name in SUMS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=0, atol=1e-8)


@pytest.fixture(scope="module")
def net(rural3):
    """Two areas of 118 connection points along a medium-voltage cable."""
    return joined_areas(rural3, 2)[0]


@pytest.fixture(scope="module")
def engines(net):
    return FixedPointEngine(net, sparse=True), FixedPointEngine(net, sparse=False)


@pytest.fixture(scope="module")
def evening(engines):
    """Powers at which buses are too low, others too high, and a transformer overloaded."""
    n = engines[0].model.n_points
    p_mw = np.random.default_rng(5).normal(0.0, 0.002, n)
    p_mw[: n // 2] -= 0.009
    p_mw[n // 2 :] += 0.0035
    return p_mw, 0.2 * np.abs(p_mw)


def test_size_decides_the_form(net, rural3):
    assert FixedPointEngine(net).model.response.is_sparse
    assert not FixedPointEngine(rural3.net).model.response.is_sparse
    assert len(rural3.connection_points) < LARGEST_DENSE < len(net.sgen)


def test_sparse_equals_dense_and_newton_from_idle_to_near_collapse(engines, net):
    fast, dense = engines
    reference = PandapowerEngine(net)
    rng = np.random.default_rng(7)
    n, lowest = fast.model.n_points, 1.0
    for total_mw in (0.0, 0.6, -0.8, -2.4):
        p_mw = total_mw * rng.dirichlet(np.ones(n))
        q_mvar = 0.3 * total_mw * rng.dirichlet(np.ones(n))
        state = fast.solve(p_mw, q_mvar)
        assert_same(state, dense.solve(p_mw, q_mvar))
        assert_same(state, reference.solve(p_mw, q_mvar), atol_pu=1e-8, atol_percent=1e-5)
        lowest = min(lowest, np.nanmin(state.vm_pu))
    assert lowest < 0.85


def test_batches_of_several_parts_equal_single_states_and_report_collapse(engines):
    fast, dense = engines
    response = copy.copy(fast.model.response)
    response.states_at_once = 2
    fast = copy.copy(fast)
    fast.model = copy.copy(fast.model)
    object.__setattr__(fast.model, "response", response)
    n = fast.model.n_points
    p_mw = np.outer([0.001, -0.002, -0.5, 0.003, 0.0], np.ones(n))
    batch = fast.solve_batch(p_mw, 0.1 * p_mw)
    assert batch.converged.tolist() == [True, True, False, True, True]
    assert_same(batch, dense.solve_batch(p_mw, 0.1 * p_mw))
    assert np.isnan(batch.line_loading_percent[2]).all()
    for i in (0, 1, 3, 4):
        assert_same(batch.at(i), fast.solve(p_mw[i], 0.1 * p_mw[i]))


def test_dead_buses_shared_nodes_and_points_at_the_slack(rural1):
    more = pd.DataFrame({"name": ["neighbour", "at the slack"], "bus": [12, 0]})
    points = pd.concat([rural1.connection_points, more], ignore_index=True)
    net = with_connection_points(rural1.net, points)
    stub = pp.create_bus(net, vn_kv=0.4, geodata=(11.4, 53.6))
    pp.create_line(net, 12, stub, 0.1, "NAYY 4x150 SE", in_service=False)
    p_mw = np.linspace(-0.02, 0.03, len(points))
    q_mvar = 0.1 * p_mw[::-1]
    fast, dense = FixedPointEngine(net, sparse=True), FixedPointEngine(net, sparse=False)
    state = fast.solve(p_mw, q_mvar)
    assert not fast.model.one_point_per_node
    assert np.isnan(state.vm_pu).any()
    assert_same(state, PandapowerEngine(net).solve(p_mw, q_mvar), 1e-8, 1e-5)
    rows = np.ones(fast.topology.check_columns[0].size, dtype=np.bool_)
    ours, theirs = (e.sensitivities(state, p_mw, q_mvar, rows) for e in (fast, dense))
    np.testing.assert_allclose(ours.d_p, theirs.d_p, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ours.d_q, theirs.d_q, rtol=1e-8, atol=1e-8)
    assert (ours.d_p[:, -1] == 0.0).all()


def test_sensitivities_are_those_of_the_dense_form_and_of_finite_differences(engines, evening):
    fast, dense = engines
    p_mw, q_mvar = evening
    state = fast.solve(p_mw, q_mvar)
    checked = check(state, LIMITS, fast.topology)
    rows = checked.violated
    assert {"bus", "trafo"} <= set(checked.element[rows])
    assert {True, False} <= set(checked.is_lower[rows])
    ours, theirs = (e.sensitivities(state, p_mw, q_mvar, rows) for e in (fast, dense))
    points = np.random.default_rng(1).choice(p_mw.size, 12, replace=False)
    step = np.zeros((points.size, p_mw.size))
    step[np.arange(points.size), points] = 1e-6
    for exact, known, dp, dq in (
        (ours.d_p, theirs.d_p, step, 0 * step),
        (ours.d_q, theirs.d_q, 0 * step, step),
    ):
        scale = np.abs(known).max(axis=1, keepdims=True)
        assert np.abs((exact - known) / scale).max() < 1e-9
        up, down = (fast.solve_batch(p_mw + s * dp, q_mvar + s * dq) for s in (1.0, -1.0))
        moved = [
            check(up.at(i), LIMITS, fast.topology).value[rows]
            - check(down.at(i), LIMITS, fast.topology).value[rows]
            for i in range(points.size)
        ]
        assert np.abs((exact[:, points] - np.array(moved).T / 2e-6) / scale).max() < 1e-5


def test_phasors_are_those_of_the_dense_form(engines, evening):
    fast, dense = engines
    p_mw, q_mvar = evening
    state = fast.solve(p_mw, q_mvar)
    rows = np.random.default_rng(2).random(fast.topology.check_columns[0].size) < 0.1
    ours, theirs = (e.phasors(state, p_mw, q_mvar, rows) for e in (fast, dense))
    assert (ours.row == theirs.row).all()
    np.testing.assert_allclose(ours.value, theirs.value, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.d_p, theirs.d_p, rtol=1e-8, atol=1e-8)


def test_nothing_has_a_row_and_a_column_for_every_node(rural3):
    net = joined_areas(rural3, 5)[0]
    n = len(net.sgen)
    engine = FixedPointEngine(net)
    p_mw = np.full(n, 0.001)
    tracemalloc.start()
    try:
        state = engine.solve(p_mw, 0.1 * p_mw)
        rows = np.zeros(engine.topology.check_columns[0].size, dtype=np.bool_)
        rows[10:13] = True
        assert engine.sensitivities(state, p_mw, 0.1 * p_mw, rows).d_p.shape == (3, n)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(pickle.dumps(engine.model.response)) < n * n
    assert peak < 8 * n * n


def test_factors_are_made_again_after_a_copy(engines, evening):
    fast = engines[0]
    state = fast.solve(*evening)
    for other in (pickle.loads(pickle.dumps(fast)), copy.deepcopy(fast)):
        again = other.solve(*evening)
        for name in (*SIZES, *SUMS):
            np.testing.assert_array_equal(getattr(again, name), getattr(state, name))


def test_taps_and_slack_voltage_of_a_large_network(net, evening):
    controlled = copy.deepcopy(net)
    controlled[TABLE] = pd.DataFrame(
        {"trafo": [0, 1], "side": "lv", "vm_lower_pu": 0.98, "vm_upper_pu": 1.02}
    )
    slack_vm_pu = np.array([1.025, 0.99])
    found = {}
    for name in ("fixed-point", "pandapower"):
        engine = make_operated(name, controlled, slack_vm_pu)
        engine.begin(1)
        found[name] = engine.solve(*evening)
    assert_same(found["fixed-point"], found["pandapower"], atol_pu=1e-8, atol_percent=1e-5)
    assert (found["fixed-point"].tap_pos == found["pandapower"].tap_pos).all()
    assert len(set(found["fixed-point"].tap_pos)) == 2
