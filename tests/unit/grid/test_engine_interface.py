"""An engine with three phases fits: checks, messages and procurement take the phases from it."""

from __future__ import annotations

import copy
from dataclasses import fields, replace

import numpy as np
import pytest
from published_injections import published_injections
from pydantic import ValidationError

from cosim.dso.procurement import DsoNetwork
from cosim.errors import PowerFlowMismatchError, UserError
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.limits import Limits, check, check_delivered
from cosim.grid.power_flow import GridState, PowerFlow, make_power_flow, no_state
from cosim.grid.reference import ReferenceCheck, make_reference
from cosim.grid.sensitivities import Phasors, Sensitivities
from cosim.plugins import POWER_FLOW
from cosim.scenario.grid import GridSettings
from cosim.simulators.grid import flow_message, initial_flow

PHASES = ("a", "b", "c")
SPREAD = np.array([0.995, 1.0, 1.01])


class Unbalanced(PowerFlow):
    """Three phases made of a balanced solution: voltages and loadings spread by fixed factors."""

    name = "unbalanced"
    phases = PHASES

    def __init__(self, balanced):
        self.balanced = balanced

    @classmethod
    def make(cls, net):
        return cls(FixedPointEngine(net))

    @property
    def topology(self):
        return replace(self.balanced.topology, phases=self.phases)

    def solve(self, p_inject_mw, q_inject_mvar):
        return self._spread(self.balanced.solve(p_inject_mw, q_inject_mvar))

    def solve_batch(self, p_inject_mw, q_inject_mvar):
        return self._spread(self.balanced.solve_batch(p_inject_mw, q_inject_mvar))

    def _spread(self, state):
        by_element = ("vm_pu", "va_degree", "line_loading_percent", "trafo_loading_percent")
        spread = {name: getattr(state, name)[..., None] * SPREAD for name in by_element}
        return replace(state, **spread)

    def sensitivities(self, state, p_inject_mw, q_inject_mvar, rows):
        own, of_element, at, scale = self._asked(p_inject_mw, q_inject_mvar, rows)
        found = self.balanced.sensitivities(own, p_inject_mw, q_inject_mvar, of_element)
        scale = scale[:, None]
        return Sensitivities(found.d_p[at] * scale, found.d_q[at] * scale)

    def phasors(self, state, p_inject_mw, q_inject_mvar, rows):
        own, of_element, at, scale = self._asked(p_inject_mw, q_inject_mvar, rows)
        found = self.balanced.phasors(own, p_inject_mw, q_inject_mvar, of_element)
        pairs = [
            (i, of) for i, element in enumerate(at) for of in np.flatnonzero(found.row == element)
        ]
        row, of = np.array(pairs).T
        return Phasors(row, found.value[of] * scale[row], found.d_p[of] * scale[row, None])

    def _asked(self, p_inject_mw, q_inject_mvar, rows):
        """Return the balanced state and rows, and each row's place and factor among them."""
        own = self.balanced.solve(p_inject_mw, q_inject_mvar)
        of_element = np.append(rows[:-1].reshape(-1, 3).any(axis=1), False)
        row = np.flatnonzero(rows[:-1])
        return own, of_element, (np.cumsum(of_element) - 1)[row // 3], SPREAD[row % 3]


@pytest.fixture(scope="module")
def noon(rural1):
    year = published_injections(rural1)
    k = year.step("2016-05-24T12:00")
    net = copy.deepcopy(rural1.net)
    net.trafo["max_loading_percent"] = np.nan  # the limit is that of the test
    return Unbalanced.make(net), year.p_inject_mw[k], year.q_inject_mvar[k]


def test_every_phase_of_every_element_is_checked(noon):
    engine, p_mw, q_mvar = noon
    state, topology = engine.solve(p_mw, q_mvar), engine.topology
    result = check(state, Limits(), topology)
    n = sum(
        int(live.sum()) for live in (topology.bus_live, topology.line_live, topology.trafo_live)
    )
    assert result.value.size == 3 * n + 1
    assert result.element[-1] == "grid"
    assert result.quantity[:3].tolist() == ["vm_a_pu", "vm_b_pu", "vm_c_pu"]
    trafo = result.element == "trafo"
    assert result.quantity[trafo].tolist() == [
        "loading_a_percent", "loading_b_percent", "loading_c_percent",
    ]  # fmt: skip
    own = engine.balanced.solve(p_mw, q_mvar)
    np.testing.assert_allclose(result.value[trafo], own.trafo_loading_percent[0] * SPREAD)
    buses = result.value[result.element == "bus"].reshape(-1, 3)
    np.testing.assert_allclose(buses, own.vm_pu[topology.bus_live][:, None] * SPREAD)


def test_a_phase_can_be_violated_alone(noon):
    engine, p_mw, q_mvar = noon
    worst = float(engine.solve(p_mw, q_mvar).trafo_loading_percent.max())
    found = DsoNetwork(engine, Limits(trafo_loading_percent=worst - 0.1)).assess(p_mw, q_mvar)
    (violation,) = found.violations
    assert (violation.element, violation.quantity) == ("trafo", "loading_c_percent")
    assert violation.drivers


def test_relief_brings_the_worst_phase_within_its_limit(noon):
    engine, p_mw, q_mvar = noon
    need = DsoNetwork(engine, Limits()).need(p_mw, q_mvar, np.maximum(p_mw, 0), 0 * p_mw)
    assert need.relieved
    after = engine.solve(p_mw - need.down_mw, q_mvar).trafo_loading_percent
    assert after.shape == (1, 3)
    assert 99.5 < after.max() <= 100.0


def test_messages_hold_the_phases_of_the_engine(noon):
    engine, p_mw, q_mvar = noon
    state, topology = engine.solve(p_mw, q_mvar), engine.topology
    delivered_wh = np.zeros(p_mw.size, dtype=np.int64)
    flow = flow_message(3, state, delivered_wh)
    assert flow.vm_pu.shape == (topology.bus_idx.size, 3)
    stage = check_delivered(flow, Limits(), topology)
    np.testing.assert_array_equal(stage.value, check(state, Limits(), topology).value)
    nothing = initial_flow(topology, p_mw.size)
    assert nothing.vm_pu.shape == flow.vm_pu.shape
    assert np.isnan(nothing.vm_pu).all()


@pytest.mark.parametrize(("phases", "axis"), [(("abc",), ()), (PHASES, (3,))])
def test_nothing_is_known_of_a_state_without_solution(rural1, phases, axis):
    topology = replace(FixedPointEngine(rural1.net).topology, phases=phases)
    state = no_state(topology, (2,))
    assert state.converged.tolist() == [False, False]
    assert state.vm_pu.shape == (2, topology.bus_idx.size, *axis)
    assert all(np.isnan(getattr(state, each.name)).all() for each in fields(GridState)[1:])
    assert check(no_state(topology), Limits(), topology).violated.all()


def test_engines_are_found_by_name_and_name_their_reference(rural1):
    assert set(POWER_FLOW.names) >= {"fixed-point", "pandapower"}
    for name in ("fixed-point", "pandapower"):
        kind = POWER_FLOW.load(name)
        assert kind.name == name
        assert kind.phases == POWER_FLOW.load(kind.reference).phases == ("abc",)
        assert kind.reference != name
        assert make_power_flow(name, rural1.net).topology.phases == kind.phases


def test_a_scenario_with_an_unknown_engine_lists_those_there_are():
    with pytest.raises(ValidationError, match="no power-flow engine; there are fixed-point, panda"):
        GridSettings(network="x", power_flow="newton")


def test_phases_are_compared_with_a_reference_one_by_one(noon):
    engine, p_mw, q_mvar = noon

    class Off(Unbalanced):
        name = "off"

        def solve(self, p_inject_mw, q_inject_mvar):
            state = super().solve(p_inject_mw, q_inject_mvar)
            return replace(state, vm_pu=state.vm_pu + np.array([0, 0, 2e-6]))

    state = engine.solve(p_mw, q_mvar)
    same = ReferenceCheck(engine, (0, 2))
    for interval in range(4):
        same.compare(interval, p_mw, q_mvar, state)
    assert same.done == [0, 2]
    assert same.vm_pu == 0.0
    with pytest.raises(
        PowerFlowMismatchError, match="interval 0: voltages differ by 2e-06 pu from"
    ):
        ReferenceCheck(Off(engine.balanced), (0,)).compare(0, p_mw, q_mvar, state)


@pytest.mark.parametrize("name", ["pandapower", "nowhere"])
def test_a_reference_must_be_there_and_have_the_same_phases(noon, rural1, name, monkeypatch):
    engine = noon[0]
    monkeypatch.setattr(Unbalanced, "reference", name)
    with pytest.raises(UserError, match=f"unbalanced names the reference '{name}'.* a, b, c") as e:
        make_reference(engine, rural1.net)
    assert e.value.field == "grid.power_flow"
    assert make_reference(engine.balanced, rural1.net).name == "pandapower"
