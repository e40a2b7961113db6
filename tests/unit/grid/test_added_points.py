"""A connection point that a scenario adds to a network."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.errors import GridDataError
from cosim.grid.points import (
    low_voltage_busbar,
    with_connection_point,
    with_slack_voltage,
)
from cosim.grid.power_flow import make_power_flow


def test_the_point_comes_last_at_the_busbar(rural1):
    case = with_connection_point(rural1, "battery")
    assert case.connection_points.name.tolist() == [*rural1.connection_points.name, "battery"]
    assert case.connection_points.bus.iloc[-1] == low_voltage_busbar(rural1.net) == 4
    assert case.connection_points.bus.dtype == rural1.connection_points.bus.dtype
    assert case.net.sgen.name.tolist() == case.connection_points.name.tolist()
    assert case.net.sgen.bus.tolist() == case.connection_points.bus.tolist()
    assert len(rural1.net.sgen) == len(rural1.connection_points) == 13


@pytest.mark.parametrize("engine", ["fixed-point", "pandapower"])
def test_power_flow_sees_it_beside_another_at_the_same_bus(rural1, engine):
    bus = str(rural1.net.bus.name[rural1.connection_points.bus.iloc[0]])
    case = with_connection_point(rural1, "battery", bus)
    split, together = np.zeros(14), np.zeros(14)
    split[0], split[13], together[0] = 0.01, -0.03, -0.02
    flow = make_power_flow(engine, case.net)
    one, other = (flow.solve(p, np.zeros(14)) for p in (split, together))
    assert np.allclose(one.vm_pu, other.vm_pu, rtol=0, atol=1e-9)
    assert one.p_slack_mw == pytest.approx(other.p_slack_mw, abs=1e-9)
    assert float(one.p_slack_mw) > 0.02


def test_refuses_taken_names_and_unknown_buses(rural1):
    taken = str(rural1.connection_points.name.iloc[0])
    with pytest.raises(GridDataError, match=r"has a connection point 'LV1\.101 Bus 1' already"):
        with_connection_point(rural1, taken)
    with pytest.raises(GridDataError, match="0 buses named 'nowhere'") as caught:
        with_connection_point(rural1, "battery", "nowhere")
    assert caught.value.field == "community_storage.bus"
    assert caught.value.remedy is not None
    assert taken in caught.value.remedy


def test_needs_a_transformer_or_a_bus(rural1):
    case = with_connection_point(rural1, "battery")
    case.net.trafo["in_service"] = False
    with pytest.raises(GridDataError, match="no low-voltage busbar"):
        low_voltage_busbar(case.net)


@pytest.mark.parametrize("engine", ["fixed-point", "pandapower"])
def test_every_voltage_starts_from_that_of_the_grid_above(rural1, engine):
    idle = np.zeros(13)
    case = with_slack_voltage(rural1, 1.03)
    before, after = (
        make_power_flow(engine, net).solve(idle, idle) for net in (rural1.net, case.net)
    )
    slack = int(rural1.net.ext_grid.bus.iloc[0])
    assert after.vm_pu[slack] == pytest.approx(1.03, abs=1e-12)
    # a network of constant admittances: without injections all voltages are in proportion
    ratio = 1.03 / float(rural1.net.ext_grid.vm_pu.iloc[0])
    np.testing.assert_allclose(after.vm_pu / before.vm_pu, ratio, rtol=1e-8)
    assert rural1.net.ext_grid.vm_pu.iloc[0] != 1.03
