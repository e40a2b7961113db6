"""Tap controllers and changing slack voltages: interval by interval as pandapower's time series."""

from __future__ import annotations

import copy
import json
from itertools import pairwise

import numpy as np
import pandapower as pp
import pandapower.control as control
import pandas as pd
import pytest
from pandapower.timeseries import DFData, OutputWriter, run_timeseries

from cosim.errors import GridDataError
from cosim.grid.catalogue import open_grid
from cosim.grid.importers import import_pandapower
from cosim.grid.operation import ControlledState, make_operated
from cosim.grid.points import with_slack_voltage
from cosim.grid.reference import ReferenceCheck, make_reference
from cosim.grid.tap_control import TapControls, add_controllers

STEPS = 14


@pytest.fixture(scope="module")
def network():
    """Two transformers, each with a feeder of two buses."""
    net = pp.create_empty_network()
    high = pp.create_bus(net, 20.0)
    pp.create_ext_grid(net, high)
    for _ in range(2):
        low = [pp.create_bus(net, 0.4) for _ in range(3)]
        pp.create_transformer(net, high, low[0], "0.4 MVA 20/0.4 kV")
        for a, b in pairwise(low):
            pp.create_line(net, a, b, 0.15, "NAYY 4x150 SE")
    net.trafo[["tap_min", "tap_max", "tap_step_percent"]] = [-9, 9, 1.0]
    return net


@pytest.fixture
def net(network):
    """A copy to be changed: pandapower takes long to make one."""
    return copy.deepcopy(network)


@pytest.fixture
def imported(tmp_path):
    def run(net, edit=None):
        data = json.loads(pp.to_json(net))
        if edit is not None:
            edit(data)
        (tmp_path / "net.json").write_text(json.dumps(data))
        buses = (2, 3, 5, 6)
        points = pd.DataFrame({"name": [f"CP {bus}" for bus in buses], "bus": buses})
        points.to_csv(tmp_path / "points.csv", index=False)
        (tmp_path / "time.csv").write_text("time\n2016-01-01\n2016-01-02\n")
        return open_grid(
            import_pandapower(
                tmp_path / "net.json",
                tmp_path / "points.csv",
                tmp_path / "grid",
                profiles=tmp_path / "time.csv",
            )
        )

    return run


@pytest.fixture
def powers():
    rng = np.random.default_rng(3)
    p_mw = rng.normal(0.0, 0.06, (STEPS, 4)).cumsum(axis=0)
    return p_mw, 0.2 * p_mw


def time_series(net, p_mw, q_mvar, vm_pu):
    """Let pandapower play the intervals; gives voltages and taps."""
    net = copy.deepcopy(net)
    add_controllers(net)
    columns = {f"p{i}": p_mw[:, i] for i in range(4)} | {f"q{i}": q_mvar[:, i] for i in range(4)}
    data = DFData(pd.DataFrame(columns | {"vm_pu": vm_pu}))
    for column, prefix in (("p_mw", "p"), ("q_mvar", "q")):
        names = [f"{prefix}{i}" for i in range(4)]
        control.ConstControl(net, "sgen", column, [0, 1, 2, 3], profile_name=names,
                             data_source=data)  # fmt: skip
    control.ConstControl(net, "ext_grid", "vm_pu", [0], profile_name=["vm_pu"], data_source=data)
    logged = [("res_bus", "vm_pu"), ("trafo", "tap_pos")]
    output = OutputWriter(net, range(STEPS), output_path=None, log_variables=logged)
    run_timeseries(net, range(STEPS), verbose=False, numba=False, tolerance_mva=1e-9)
    return output.output["res_bus.vm_pu"].to_numpy(), output.output["trafo.tap_pos"].to_numpy()


def band(net, **columns):
    for column, value in columns.items():
        net.trafo[column] = value
    control.DiscreteTapControl(net, 0, 0.99, 1.01)
    control.DiscreteTapControl(net, 1, 0.98, 1.005)


def of_the_feeding_side(net):
    net.bus.loc[0, "vn_kv"] = 20.0
    high = pp.create_bus(net, 20.0)
    pp.create_line_from_parameters(net, high, 0, 1.0, 20.0, 20.0, 0.0, 0.5)
    net.ext_grid["bus"] = high
    control.DiscreteTapControl(net, 0, 0.98, 1.02, side="hv")
    control.DiscreteTapControl(net, 1, 0.99, 1.01)


CONTROLLED = {
    "two bands": band,
    "taps on the low side": lambda net: band(net, tap_side="lv"),
    "steps that go down": lambda net: band(net, tap_step_percent=-1.0),
    "steps turned round": lambda net: band(net, tap_step_degree=180.0),
    "symmetrical": lambda net: band(net, tap_changer_type="Symmetrical", tap_step_degree=30.0),
    "set points": lambda net: [
        control.DiscreteTapControl.from_tap_step_percent(net, trafo, 1.0) for trafo in (0, 1)
    ],
    "both in one": lambda net: control.DiscreteTapControl(net, [0, 1], 0.99, 1.01),
    "at the end": lambda net: band(net, tap_max=2, tap_min=-1),
    "one alone": lambda net: control.DiscreteTapControl(net, 1, 0.99, 1.01),
    "the feeding side": of_the_feeding_side,
    "begun elsewhere": lambda net: band(net, tap_pos=[-3.0, 4.0]),
}
BY_BOTH_ENGINES = ("two bands", "symmetrical", "the feeding side")


@pytest.mark.parametrize("case", CONTROLLED)
def test_taps_and_voltages_are_those_of_a_time_series_of_pandapower(net, imported, powers, case):
    CONTROLLED[case](net)
    grid = imported(net)
    assert grid.net.controller.empty
    vm_pu = 1.0 + 0.03 * np.sin(np.arange(STEPS) / 2.9)
    theirs, taps = time_series(grid.net, *powers, vm_pu)
    grid = with_slack_voltage(grid, vm_pu)
    acting = TapControls.of(grid.net).trafo_idx
    assert len({tuple(row) for row in taps}) > 3
    engines = ("fixed-point", "pandapower") if case in BY_BOTH_ENGINES else ("fixed-point",)
    for name in engines:
        engine = make_operated(name, grid.net, grid.slack_vm_pu)
        for t, (p_mw, q_mvar) in enumerate(zip(*powers, strict=True)):
            engine.begin(t)
            state = engine.solve(p_mw, q_mvar)
            np.testing.assert_allclose(state.vm_pu, theirs[t], rtol=0, atol=1e-8)
            assert state.tap_pos.tolist() == taps[t][acting].tolist()
            engine.settle(state)


def test_a_batch_is_its_states_one_by_one(net, imported, powers):
    band(net)
    engine = make_operated("fixed-point", imported(net).net)
    engine.settle(engine.solve(powers[0][-1], powers[1][-1]))
    batch = engine.solve_batch(*powers)
    assert isinstance(batch, ControlledState)
    assert len(np.unique(batch.tap_pos, axis=0)) > 1
    for t in range(STEPS):
        alone, own = engine.solve(powers[0][t], powers[1][t]), batch.at(t)
        np.testing.assert_allclose(own.vm_pu, alone.vm_pu, atol=1e-10)
        np.testing.assert_allclose(own.losses_mw, alone.losses_mw, atol=1e-10)
        assert own.tap_pos.tolist() == alone.tap_pos.tolist()


def test_sensitivities_are_those_at_the_taps_of_the_state(net, imported, powers):
    band(net)
    engine = make_operated("fixed-point", imported(net).net, np.full(2, 1.02))
    p_mw, q_mvar = powers[0][-1], powers[1][-1]
    state = engine.solve(p_mw, q_mvar)
    assert state.tap_pos.any()
    rows = np.zeros(engine.topology.check_columns[0].size, dtype=bool)
    rows[:7] = True
    slope = engine.sensitivities(state, p_mw, q_mvar, rows).d_p
    held, h = engine.under(0, state), 1e-6
    for i in range(4):
        up, down = (held.solve(p_mw + sign * h * np.eye(4)[i], q_mvar).vm_pu for sign in (1, -1))
        np.testing.assert_allclose(slope[:, i], (up - down) / (2 * h), rtol=1e-5, atol=1e-9)


def test_the_reference_solves_at_the_same_taps_and_voltage(net, imported, powers):
    band(net)
    grid = with_slack_voltage(imported(net), np.linspace(0.98, 1.04, STEPS))
    engine = make_operated("fixed-point", grid.net, grid.slack_vm_pu)
    reference = make_reference(engine, grid.net, grid.slack_vm_pu)
    check = ReferenceCheck(reference, tuple(range(0, STEPS, 4)))
    for t, (p_mw, q_mvar) in enumerate(zip(*powers, strict=True)):
        engine.begin(t)
        state = engine.solve(p_mw, q_mvar)
        check.compare(t, p_mw, q_mvar, state)
        engine.settle(state)
    assert len(check.done) == 4
    assert 0.0 < check.vm_pu < 1e-8
    assert engine.tap_pos.any()


def test_a_slack_voltage_scales_an_engine_exactly(net, imported, powers):
    grid = imported(net)
    for name in ("fixed-point", "pandapower"):
        engine = make_operated(name, *_at(grid, np.array([1.0, 1.04, 0.97])))
        for t, vm_pu in enumerate((1.0, 1.04, 0.97)):
            anew = make_operated(name, with_slack_voltage(grid, vm_pu).net)
            engine.begin(t)
            for p_mw, q_mvar in zip(*powers, strict=True):
                ours, theirs = engine.solve(p_mw, q_mvar), anew.solve(p_mw, q_mvar)
                np.testing.assert_allclose(ours.vm_pu, theirs.vm_pu, rtol=0, atol=1e-9)
                np.testing.assert_allclose(ours.va_degree, theirs.va_degree, rtol=0, atol=1e-6)
                np.testing.assert_allclose(ours.losses_mw, theirs.losses_mw, rtol=0, atol=1e-8)
                if name == "pandapower":
                    break


def _at(grid, vm_pu):
    case = with_slack_voltage(grid, vm_pu)
    return case.net, case.slack_vm_pu


def test_taps_that_move_to_and_fro_are_refused_by_interval(net, imported, powers):
    """A band narrower than a step: pandapower's controller does not converge either."""
    net.trafo["tap_step_percent"] = 5.0
    control.DiscreteTapControl(net, 0, 0.98, 1.01)
    grid = imported(net)
    engine = make_operated("fixed-point", grid.net, np.array([1.0, 1.02]))
    idle = np.zeros(4)
    engine.begin(0)
    engine.require_rest(engine.solve(idle, idle))
    engine.begin(1)
    state = engine.solve(idle, idle)
    assert not state.converged
    assert np.isnan(state.tap_pos).all()
    batch = engine.solve_batch(np.zeros((2, 4)), np.zeros((2, 4)))
    assert not batch.converged.any()
    assert not batch.at_rest.any()
    with pytest.raises(GridDataError, match="trafo 0 do not come to rest in interval 1") as caught:
        engine.require_rest(state)
    assert "wider than a step" in caught.value.remedy
    add_controllers(grid.net)
    grid.net.ext_grid["vm_pu"] = 1.02
    with pytest.raises(pp.auxiliary.ControllerNotConverged):
        pp.runpp(grid.net, run_control=True, numba=False)


def test_a_state_beyond_the_collapse_leaves_the_taps(net, imported):
    band(net)
    engine = make_operated("fixed-point", imported(net).net)
    before = engine.tap_pos.copy()
    state = engine.solve(np.full(4, -50.0), np.zeros(4))
    assert not state.converged
    engine.require_rest(state)
    engine.settle(state)
    assert engine.tap_pos.tolist() == before.tolist()


def edited(column, value, number=0):
    """Change an attribute of a controller in the JSON of a network."""

    def edit(data):
        table = data["_object"]["controller"]
        inner = json.loads(table["_object"])
        cell = inner["data"][number][inner["columns"].index("object")]
        cell["_object"] = json.dumps(json.loads(cell["_object"]) | {column: value})
        table["_object"] = json.dumps(inner)

    return edit


@pytest.mark.parametrize(
    ("change", "edit", "says"),
    [
        ({"tap_step_percent": np.nan}, None, "trafo 0 lacks the transformer's tap_step_percent"),
        ({"tap_min": np.nan}, None, "trafo 0 lacks the transformer's tap_min"),
        ({"tap_pos": 12}, None, "trafo 0 begins at 12, beyond tap_min or tap_max"),
        ({"tap_changer_type": None}, None, "trafo 0 moves a tap changer of the type None"),
        ({}, edited("element_index", 7), "trafo 7 is of no transformer"),
        ({}, edited("element_index", 1), "trafo 1 is one of two"),
        ({}, edited("side", "mv"), "trafo 0 looks at the side 'mv'"),
        ({}, edited("vm_lower_pu", 1.2), "trafo 0 keeps the voltage between 1.2 and 1.01 pu"),
        ({}, edited("vm_upper_pu", None), "between 0.99 and nan pu, which is no band"),
        ({}, edited("vm_upper_pu", "high"), "which is no band"),
        ({}, edited("element", "trafo3w"), "controls 'trafo3w', and a run two-winding"),
    ],
)
def test_controllers_that_cannot_do_what_they_are_to(
    net, imported, tmp_path, change, edit, says
):  # fmt: skip
    band(net)
    for column, value in change.items():
        net.trafo.loc[0, column] = value
    with pytest.raises(GridDataError) as caught:
        imported(net, edit)
    assert says in caught.value.problem
    assert caught.value.file == str(tmp_path / "net.json")
    assert caught.value.remedy
    assert not (tmp_path / "grid").exists()


def test_controllers_of_several_levels_are_refused(net, imported):
    control.DiscreteTapControl(net, 0, 0.99, 1.01, level=0)
    control.DiscreteTapControl(net, 1, 0.99, 1.01, level=1)
    with pytest.raises(GridDataError, match="2 levels") as caught:
        imported(net)
    assert caught.value.field == "controller.level"


def test_a_controller_out_of_service_or_at_the_feeding_bus_does_nothing(net, imported, powers):
    control.DiscreteTapControl(net, 0, 0.999, 1.001, side="hv")
    control.DiscreteTapControl(net, 1, 0.999, 1.02)
    net.controller.loc[1, "in_service"] = False
    grid = imported(net)
    assert grid.net.tap_control.trafo.to_list() == [0]
    assert TapControls.of(grid.net).trafo_idx.size == 0
    assert not isinstance(
        make_operated("fixed-point", grid.net).solve(powers[0][0], powers[1][0]), ControlledState
    )


def test_a_tap_waits_as_long_as_it_is_told(net, imported) -> None:
    """The second transformer's voltage falls for good, and its tap moves two intervals later."""
    pp.control.DiscreteTapControl(net, 0, 0.99, 1.01)
    pp.control.DiscreteTapControl(net, 1, 0.99, 1.01)
    grid = imported(net)
    loads = np.array([0.0, -0.12, -0.12, 0.0, -0.12, -0.12, -0.12, -0.12])
    moved = {}
    for waits in (0, 2):
        engine = make_operated("fixed-point", grid.net, tap_waits=waits)
        taps, outside = [], []
        for k, load in enumerate(loads):
            engine.begin(k)
            p_mw = np.array([0.0, 0.0, load, load])
            state = engine.solve(p_mw, 0.2 * p_mw)
            batch = engine.solve_batch(np.stack([p_mw, p_mw]), 0.2 * np.stack([p_mw, p_mw]))
            np.testing.assert_array_equal(batch.tap_pos[1], state.tap_pos)
            assert state.at_rest
            engine.settle(state)
            again = engine.solve_again(p_mw, 0.2 * p_mw)
            np.testing.assert_array_equal(again.tap_pos, state.tap_pos)
            taps.append(state.tap_pos[1])
            outside.append(bool(engine.waiting.waited[1]))
        moved[waits] = np.array(taps), outside
    at_once, later = moved[0][0], moved[2][0]
    assert not any(moved[0][1])
    assert at_once[1] != at_once[0]
    # out of its band in 1 and 2, back in 3 by itself; again from 4 on, and the tap moves in 6
    assert later[:6].tolist() == [later[0]] * 6
    assert moved[2][1] == [False, True, True, False, True, True, False, False]
    assert later[6] == later[7] == at_once[7]
