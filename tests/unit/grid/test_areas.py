"""Low-voltage areas of a network with several voltage levels, and their import from SimBench."""

from __future__ import annotations

import copy

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from benchmarks.areas import joined_areas, write_areas
from cosim.grid.areas import low_voltage_areas
from cosim.grid.catalogue import list_grids, open_grid
from cosim.grid.importers import import_simbench
from cosim.grid.points import with_connection_point

STEPS = 8


@pytest.fixture(scope="module")
def joined(rural1):
    return joined_areas(rural1, 2)


def test_areas_are_named_by_their_subnet_or_their_lowest_bus(joined):
    net, points, _ = joined
    high = pd.DataFrame({"name": ["wind"], "bus": [int(net.ext_grid.bus.iloc[0])]})
    every = pd.concat([points[["name", "bus"]], high], ignore_index=True)
    # both copies have one subnet; the second has the name of its own first bus
    second = int(net.bus.index[net.bus.name.str.startswith("A2 LV")].min())
    expected = ["LV1.101"] * 13 + [f"area {second}"] * 13 + [""]
    assert low_voltage_areas(net, every) == expected
    without = copy.deepcopy(net)
    without.bus = without.bus.drop(columns="subnet")
    first = int(net.bus.index[net.bus.name.str.startswith("A1 LV")].min())
    assert low_voltage_areas(without, every)[:13] == [f"area {first}"] * 13


def test_an_open_switch_separates_an_area(joined):
    net, points, _ = copy.deepcopy(joined)
    busbar = net.trafo.lv_bus.iloc[0]
    line = net.line.index[(net.line.from_bus == busbar) | (net.line.to_bus == busbar)][0]
    net.switch.loc[(net.switch.element == line) & (net.switch.et == "l"), "closed"] = False
    found = set(low_voltage_areas(net, points))
    assert len(found) == 3
    assert "LV1.101" in found


def test_one_area_and_nothing_else_is_none(rural1):
    assert set(low_voltage_areas(rural1.net, rural1.connection_points)) == {""}
    assert set(rural1.connection_points.area) == {""}


def test_a_folder_keeps_areas_and_an_added_point_is_of_its_bus_s(rural1, tmp_path):
    case = open_grid(write_areas(rural1, 2, tmp_path / "grids" / "two"))
    assert case.connection_points.area.value_counts().to_dict() == {"A1": 13, "A2": 13}
    assert [info.n_areas for info in list_grids(tmp_path / "grids")] == [2]
    busbar = case.net.bus.name[case.net.trafo.lv_bus.iloc[1]]
    assert with_connection_point(case, "battery", busbar).connection_points.area.iloc[-1] == "A2"
    above = case.net.bus.name[case.net.trafo.hv_bus.iloc[1]]
    assert with_connection_point(case, "plant", above).connection_points.area.iloc[-1] == ""
    assert with_connection_point(rural1, "battery").connection_points.area.iloc[-1] == ""


@pytest.fixture
def published(joined, monkeypatch):
    """A network of two voltage levels as SimBench gives one."""
    simbench = pytest.importorskip("simbench")
    net, points, _ = copy.deepcopy(joined)
    net.sgen = net.sgen.iloc[:0]
    first = int(net.trafo.hv_bus.iloc[0])
    for bus in points.bus[::2]:
        pp.create_load(net, int(bus), 0.004, 0.001, name=f"Load {bus}", sn_mva=0.005)
    pp.create_load(net, first, 0.1, 0.03, name="MV Load")
    for kind, bus, p_mw in (
        ("PV1", int(points.bus[3]), 0.02), ("WP4", first, 0.3), ("BM1", first, 0.2),
        ("Hydro2", first, 0.1), ("PV5", first, 0.15),
    ):  # fmt: skip
        pp.create_sgen(net, bus, p_mw, name=f"SGen {kind}")
    pp.create_storage(net, int(points.bus[20]), -0.01, 0.02, name="Storage", sn_mva=0.01)
    net.load["profile"] = "L1-A"
    net.sgen["profile"] = net.sgen.name.str.removeprefix("SGen ")
    net.storage["profile"] = "Storage_PV1_L1-A"
    shape = np.linspace(0.1, 0.9, STEPS)
    time = [f"01.01.2016 {i // 4:02}:{i % 4 * 15:02}" for i in range(STEPS)]
    net["profiles"] = {
        "load": pd.DataFrame({"time": time, "L1-A_pload": shape, "L1-A_qload": shape}),
        "loads": pd.DataFrame({"time": time, "L1-A_pload": shape, "L1-A_qload": shape}),
        "renewables": pd.DataFrame({"time": time} | dict.fromkeys(net.sgen.profile, shape)),
        "storage": pd.DataFrame({"time": time, "PV1_L1-A": shape, "Storage_PV1_L1-A": shape}),
    }
    net.trafo = net.trafo.drop(columns="tap_changer_type")
    monkeypatch.setattr(simbench, "get_simbench_net", lambda code: copy.deepcopy(net))
    return net


def test_simbench_import_of_two_voltage_levels(published, tmp_path):
    case = open_grid(import_simbench("1-MVLV-rural-all-2-sw", tmp_path / "region"))
    points, elements = case.connection_points, case.elements
    assert len(points) == 15  # 13 with a load, one with PV alone, one of medium voltage
    assert points.area.value_counts().to_dict().keys() == {"LV1.101", "", "area 16"}
    high = elements[elements.connection_point.isin(points.name[points.area == ""])]
    assert sorted(high.kind) == ["biomass", "hydro", "load", "pv", "wind"]
    low = elements.drop(high.index)
    assert low.kind.value_counts().to_dict() == {"load": 13, "pv": 2, "storage": 1}
    assert low.capacity_mwh.max() == 0.02
    assert (case.net.trafo.tap_changer_type == "Ratio").all()
