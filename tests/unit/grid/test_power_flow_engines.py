"""The fast engine against pandapower, on real networks in ordinary and extreme states."""

from __future__ import annotations

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from published_injections import published_injections

from cosim.errors import GridDataError
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.folder_writer import with_connection_points
from cosim.grid.newton_raphson import PandapowerEngine
from cosim.grid.power_flow import make_power_flow

VOLTAGE_TOLERANCE_PU = 1e-8
LOADING_TOLERANCE_PERCENT = 1e-5


def assert_same(fast, reference):
    assert bool(fast.converged)
    assert bool(reference.converged)
    np.testing.assert_allclose(fast.vm_pu, reference.vm_pu, rtol=0, atol=VOLTAGE_TOLERANCE_PU)
    np.testing.assert_allclose(fast.va_degree, reference.va_degree, rtol=0, atol=1e-6)
    for name in ("line_loading_percent", "trafo_loading_percent"):
        np.testing.assert_allclose(
            getattr(fast, name), getattr(reference, name), rtol=0, atol=LOADING_TOLERANCE_PERCENT
        )
    for name in ("p_slack_mw", "q_slack_mvar", "losses_mw"):
        assert getattr(fast, name) == pytest.approx(getattr(reference, name), abs=1e-8)


@pytest.mark.parametrize("name", ["rural1", "rural3"])
def test_engines_agree_from_idle_to_near_collapse(name, request):
    case = request.getfixturevalue(name)
    fast, reference = FixedPointEngine(case.net), PandapowerEngine(case.net)
    rng = np.random.default_rng(7)
    n = len(case.connection_points)
    lowest = 1.0
    # totals from idle to far beyond the transformer, spread at random, with reactive power
    for total_mw in (0.0, 0.05, -0.1, 0.3, -0.6, -1.0):
        p_mw = total_mw * rng.dirichlet(np.ones(n))
        q_mvar = 0.3 * total_mw * rng.dirichlet(np.ones(n))
        state = fast.solve(p_mw, q_mvar)
        assert_same(state, reference.solve(p_mw, q_mvar))
        lowest = min(lowest, np.nanmin(state.vm_pu))
    assert lowest < 0.85


def test_batch_equals_single_solves(rural3):
    engine = FixedPointEngine(rural3.net)
    injections = published_injections(rural3, {"pv": 3, "ev": 3, "heat_pump": 3})
    k = injections.step("2016-05-24T12:00")
    p_mw, q_mvar = injections.p_inject_mw[k : k + 4], injections.q_inject_mvar[k : k + 4]
    batch = engine.solve_batch(p_mw, q_mvar)
    assert batch.vm_pu.shape == (4, engine.topology.bus_idx.size)
    for i in range(4):
        single = engine.solve(p_mw[i], q_mvar[i])
        np.testing.assert_allclose(batch.at(i).vm_pu, single.vm_pu, rtol=0, atol=1e-11)
        np.testing.assert_allclose(
            batch.at(i).trafo_loading_percent, single.trafo_loading_percent, rtol=0, atol=1e-8
        )
        assert batch.p_slack_mw[i] == pytest.approx(float(single.p_slack_mw), abs=1e-11)


@pytest.mark.parametrize("engine", ["fixed-point", "pandapower"])
def test_collapse_is_reported_and_never_the_last_state(rural1, engine):
    solver = make_power_flow(engine, rural1.net)
    n = len(rural1.connection_points)
    ordinary = solver.solve(np.full(n, -0.002), np.zeros(n))
    collapsed = solver.solve(np.full(n, -2.0), np.zeros(n))
    assert bool(ordinary.converged)
    assert not bool(collapsed.converged)
    for name in ("vm_pu", "va_degree", "line_loading_percent", "trafo_loading_percent"):
        assert np.isnan(getattr(collapsed, name)).all()
    assert np.isnan(collapsed.p_slack_mw)
    batch = solver.solve_batch(np.outer([-0.002, -2.0, -0.002], np.ones(n)), np.zeros((3, n)))
    assert batch.converged.tolist() == [True, False, True]
    assert np.isnan(batch.vm_pu[1]).all()
    np.testing.assert_allclose(batch.vm_pu[2], ordinary.vm_pu, rtol=0, atol=1e-9)


@pytest.mark.parametrize("engine", ["fixed-point", "pandapower"])
def test_an_injection_that_is_no_number_is_no_state(rural1, engine):
    n = len(rural1.connection_points)
    state = make_power_flow(engine, rural1.net).solve(np.full(n, np.nan), np.zeros(n))
    assert not bool(state.converged)


def test_open_switches_lines_out_of_service_parallel_and_rating_factors(rural3):
    net = with_connection_points(rural3.net, rural3.connection_points)
    # a dangling line, still energised from its other end; a dead stub; ratings that count
    stub = pp.create_bus(net, vn_kv=0.4, geodata=(11.4, 53.6))
    pp.create_line_from_parameters(
        net, 105, stub, 0.1, r_ohm_per_km=0.2, x_ohm_per_km=0.08, c_nf_per_km=800, max_i_ka=0.27
    )
    open_line = net.line.index[-1]
    pp.create_switch(net, stub, open_line, et="l", closed=False)
    fused = pp.create_bus(net, vn_kv=0.4, geodata=(11.4, 53.6))
    pp.create_switch(net, 105, fused, et="b", closed=True)
    net.line.loc[3, ["parallel", "df"]] = [2, 0.8]
    net.trafo.loc[0, ["parallel", "df"]] = [2, 0.9]
    n = len(rural3.connection_points)
    p_mw = np.random.default_rng(3).uniform(-0.004, 0.008, n)
    fast, reference = FixedPointEngine(net), PandapowerEngine(net)
    state = fast.solve(p_mw, 0.2 * p_mw)
    assert_same(state, reference.solve(p_mw, 0.2 * p_mw))
    at = {int(bus): i for i, bus in enumerate(fast.topology.bus_idx)}
    assert np.isnan(state.vm_pu[at[stub]])
    assert state.vm_pu[at[fused]] == state.vm_pu[at[105]]
    assert not fast.topology.bus_live[at[stub]]


def test_connection_points_on_one_bus_and_at_the_slack(rural1):
    points = pd.concat(
        [
            rural1.connection_points,
            pd.DataFrame({"name": ["neighbour", "at the slack"], "bus": [12, 0]}),
        ],
        ignore_index=True,
    )
    net = with_connection_points(rural1.net, points)
    p_mw = np.linspace(-0.02, 0.03, len(points))
    q_mvar = 0.1 * p_mw[::-1]
    fast = FixedPointEngine(net)
    assert_same(fast.solve(p_mw, q_mvar), PandapowerEngine(net).solve(p_mw, q_mvar))
    assert not fast.model.one_point_per_node


def test_engine_keeps_the_network_it_was_made_of(rural1):
    net = with_connection_points(rural1.net, rural1.connection_points)
    n = len(rural1.connection_points)
    engine = make_power_flow("fixed-point", net)
    before = engine.solve(np.full(n, 0.01), np.zeros(n))
    net.trafo["tap_pos"] = -2
    assert (engine.solve(np.full(n, 0.01), np.zeros(n)).vm_pu == before.vm_pu).all()
    again = make_power_flow("fixed-point", net).solve(np.full(n, 0.01), np.zeros(n))
    # three steps of 2.5 %
    assert np.nanmax(again.vm_pu) - np.nanmax(before.vm_pu) > 0.05


def test_wrong_shape_and_unknown_engine_are_refused(rural1):
    with pytest.raises(ValueError, match="13"):
        make_power_flow("fixed-point", rural1.net).solve(np.zeros(12), np.zeros(12))
    with pytest.raises(ValueError, match="fixed-point, pandapower"):
        make_power_flow("newton", rural1.net)


def test_network_that_does_not_even_idle_is_refused(rural1):
    net = with_connection_points(rural1.net, rural1.connection_points)
    net.ext_grid["in_service"] = False
    with pytest.raises(GridDataError, match="no external grid"):
        make_power_flow("fixed-point", net)
