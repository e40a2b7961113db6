"""An imported network is solved as ``pandapower.runpp`` solves its file, or refused by name."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from published_injections import published_injections

from cosim.errors import GridDataError, UserError
from cosim.grid.catalogue import open_grid
from cosim.grid.comparison import check_against_file
from cosim.grid.folder_writer import publish, with_connection_points
from cosim.grid.importers import import_pandapower
from cosim.grid.layout import lay_out
from cosim.grid.own_elements import extreme_injections
from cosim.grid.power_flow import make_power_flow
from cosim.grid.validation import ELEMENT_COLUMNS


@pytest.fixture(scope="module")
def network():
    """A transformer and a feeder of three buses with loads and PV, without coordinates."""
    net = pp.create_empty_network()
    high, *low = pp.create_bus(net, 20.0), *(pp.create_bus(net, 0.4) for _ in range(4))
    pp.create_ext_grid(net, high)
    pp.create_transformer(net, high, low[0], "0.4 MVA 20/0.4 kV")
    for a, b in pairwise(low):
        pp.create_line(net, a, b, 0.15, "NAYY 4x150 SE")
    for bus in low[1:]:
        pp.create_load(net, bus, 0.02, 0.005)
    pp.create_sgen(net, low[-1], 0.03, name="PV")
    return net


@pytest.fixture
def net(network):
    """A copy to be changed: pandapower takes long to make one."""
    return copy.deepcopy(network)


@pytest.fixture
def imported(tmp_path):
    def run(net, buses=(2, 3, 4), **arguments):
        pp.to_json(net, str(tmp_path / "net.json"))
        points = pd.DataFrame({"name": [f"CP {bus}" for bus in buses], "bus": buses})
        points.to_csv(tmp_path / "points.csv", index=False)
        (tmp_path / "time.csv").write_text("time\n2016-01-01T00:00\n2016-01-01T00:15\n")
        arguments.setdefault("profiles", tmp_path / "time.csv")
        made = import_pandapower(
            tmp_path / "net.json", tmp_path / "points.csv", tmp_path / "grid", **arguments
        )
        return open_grid(made)

    return run


def solved_as_pandapower(net, case):
    """Solve with both engines at the elements' powers, and compare with runpp of the original."""
    year = published_injections(case)
    pp.runpp(net, numba=False, tolerance_mva=1e-9)
    for engine in ("fixed-point", "pandapower"):
        state = make_power_flow(engine, case.net).solve(year.p_inject_mw[0], year.q_inject_mvar[0])
        np.testing.assert_allclose(state.vm_pu, net.res_bus.vm_pu, atol=1e-6)
        np.testing.assert_allclose(
            state.line_loading_percent, net.res_line.loading_percent, atol=1e-3
        )
        np.testing.assert_allclose(
            state.trafo_loading_percent, net.res_trafo.loading_percent, atol=1e-3
        )


TAKEN = {
    "asymmetric_load": lambda net: pp.create_asymmetric_load(
        net, 3, 0.03, 0.01, 0.005, 0.005, 0.001, 0, scaling=0.8
    ),
    "asymmetric_sgen": lambda net: pp.create_asymmetric_sgen(net, 3, 0.03, 0.01, 0, 0.004),
    "motor": lambda net: pp.create_motor(
        net, 4, 0.02, 0.85, efficiency_percent=92, loading_percent=70, scaling=1.2
    ),
    "ward": lambda net: pp.create_ward(net, 2, 0.01, 0.002, 0.02, -0.01),
    "shunt": lambda net: pp.create_shunt(net, 3, q_mvar=-0.02, p_mw=0.001, step=2),
    "impedance": lambda net: pp.create_impedance(net, 2, 4, 0.1, 0.1, 1.0, 0.2, 0.1),
    "charging storage": lambda net: pp.create_storage(net, 3, 0.05, 0.2, q_mvar=0.01),
    "discharging storage": lambda net: pp.create_storage(net, 3, -0.02, 0.2),
    "load that feeds in": lambda net: pp.create_load(net, 3, -0.03, 0.01),
    "sgen that draws": lambda net: pp.create_sgen(net, 3, -0.03, 0.01),
    "scaled load": lambda net: pp.create_load(net, 3, 0.03, 0.01, scaling=0.5),
    "switch of impedance": lambda net: pp.create_switch(net, 2, 4, "b", z_ohm=0.05),
    "open line": lambda net: pp.create_switch(
        net, 2, pp.create_line(net, 2, 4, 0.3, "NAYY 4x150 SE"), "l", closed=False
    ),
    "tap": lambda net: net.trafo.__setitem__("tap_pos", 2.0),
    "generator out of service": lambda net: pp.create_gen(net, 3, 0.01, in_service=False),
    "gauss-seidel": lambda net: pp.set_user_pf_options(net, algorithm="gs", max_iteration=5000),
}
WITHOUT_EFFECT = [TAKEN[name] for name in ("generator out of service", "gauss-seidel", "open line")]


def test_every_element_is_taken_as_pandapower_takes_it(net, imported):
    """All at once: each moves voltages, so that one that is missing shows."""
    pp.runpp(net, numba=False)
    before = net.res_bus.vm_pu
    for change in TAKEN.values():
        alone = copy.deepcopy(net)
        change(alone)
        change(net)
        if change not in WITHOUT_EFFECT:
            pp.runpp(alone, numba=False)
            assert np.abs(alone.res_bus.vm_pu - before).max() > 1e-5
    solved_as_pandapower(net, imported(net))


def test_kinds_and_sizes_of_devices(net, imported):
    for kind in ("WP", "CHP diesel", "hydro", "Biogas", "PV", "fuel cell"):
        pp.create_sgen(net, 3, 0.001, type=kind, name="PV east")
    pp.create_sgen(net, 3, 0.001, type="wye", name="Wind 3")
    pp.create_sgen(net, 3, 0.001, scaling=0.0, name="dismantled")
    pp.create_storage(net, 3, 0.0, 0.2, sn_mva=0.1, name="idle battery")
    pp.create_storage(net, 3, 0.05, 0.3, name="charging")
    elements = imported(net).elements
    own = elements[elements.connection_point == "CP 3"].iloc[1:]
    assert own.kind.to_list() == [
        *("wind", "chp", "hydro", "biomass", "pv", "generator", "wind", "storage", "load"),
    ]
    assert "dismantled" not in set(elements.name)
    idle, charging = (own[own.name == name].iloc[0] for name in ("idle battery", "charging"))
    assert (idle.p_mw, idle.capacity_mwh, idle.profile) == (0.1, 0.2, "")
    assert (charging.p_mw, charging.capacity_mwh, charging.profile) == (0.05, 0.3, "constant")


def _set(table, index, column, value):
    def change(net):
        net[table].loc[index, column] = value

    return change


def _load_of_constant_current(net):
    pp.create_load(net, 3, 0.01, const_i_p_percent=50.0)


def _warm_lines(net):
    net.line["temperature_degree_celsius"], net.line["alpha"] = 80.0, 0.004
    pp.set_user_pf_options(net, consider_line_temperature=True)


REFUSED = {
    "line without rating": (_set("line", 2, "max_i_ka", np.nan), "line.max_i_ka", "line 2"),
    "line of no length": (_set("line", 1, "length_km", 0.0), "line.length_km", "line 1"),
    "negative resistance": (_set("line", 0, "r_ohm_per_km", -0.1), "line.r_ohm_per_km", "-0.1"),
    "line to nowhere": (_set("line", 0, "to_bus", 77), "line.to_bus", "no bus of the network"),
    "transformer without power": (_set("trafo", 0, "sn_mva", 0.0), "trafo.sn_mva", "trafo 0"),
    "short circuit": (_set("trafo", 0, "vk_percent", np.nan), "trafo.vk_percent", "trafo 0"),
    "load without power": (_set("load", 0, "p_mw", np.nan), "load.p_mw", "load 0: p_mw is nan"),
    "no column": (lambda net: net.line.pop("max_i_ka"), "line.max_i_ka", "no column 'max_i_ka'"),
    "voltage-dependent load": (
        _load_of_constant_current,
        "load.const_z_p_percent",
        "load 3 depends on voltage",
    ),
    "loading by power": (
        lambda net: pp.set_user_pf_options(net, trafo_loading="power"),
        "user_pf_options.trafo_loading",
        "'power'",
    ),
    "line temperature": (_warm_lines, "user_pf_options.consider_line_temperature", "True"),
    "resistance of switches": (
        lambda net: pp.set_user_pf_options(net, switch_rx_ratio=0.1),
        "user_pf_options.switch_rx_ratio",
        "a run solves 2",
    ),
    "angles": (
        lambda net: pp.set_user_pf_options(net, calculate_voltage_angles="auto"),
        "user_pf_options.calculate_voltage_angles",
        "a run solves True",
    ),
    "unknown option": (
        lambda net: net.user_pf_options.update(later=1),
        "user_pf_options.later",
        "no run knows it",
    ),
    "option that is a list": (
        lambda net: net.user_pf_options.update(tdpf=[False]),
        "user_pf_options.tdpf",
        "[False]",
    ),
    "pi model": (
        lambda net: pp.set_user_pf_options(net, trafo_model="pi"),
        "user_pf_options.trafo_model",
        "'pi'",
    ),
}


@pytest.mark.parametrize("change", REFUSED)
def test_refused_by_name(net, imported, change, tmp_path):
    spoil, field, says = REFUSED[change]
    spoil(net)
    with pytest.raises(GridDataError) as caught:
        imported(net)
    assert says in caught.value.problem
    assert caught.value.field == field
    assert caught.value.file == str(tmp_path / "net.json")
    assert not (tmp_path / "grid").exists()


def test_options_at_their_defaults_or_of_the_solver_pass(net, imported):
    pp.set_user_pf_options(
        net, init="dc", switch_rx_ratio=2.0, trafo_model="t", use_umfpack=False, tdpf=False
    )
    solved_as_pandapower(net, imported(net))


def test_a_difference_that_the_powers_of_the_file_hide(net):
    """Without any current, no resistance shows; with the storage at its rating, it does."""
    for table in ("load", "sgen"):
        net[table] = net[table].iloc[0:0]
    points = pd.DataFrame({"name": ["CP 4"], "bus": [4]})
    other = with_connection_points(net, points)
    other.line.loc[2, "r_ohm_per_km"] *= 2.0
    storage = dict.fromkeys(ELEMENT_COLUMNS, "") | {"connection_point": "CP 4", "kind": "storage"}
    elements = pd.DataFrame([storage | {"p_mw": 0.05, "q_mvar": 0.0, "capacity_mwh": 0.1}])
    extremes = extreme_injections(elements, points, {})
    idle = np.zeros(1), np.zeros(1)
    check_against_file(net, {}, other, *idle, Path("net.json"))
    for extreme in extremes:
        with pytest.raises(GridDataError, match=r"gives vm_pu .* at bus 4"):
            check_against_file(net, {}, other, *idle, Path("net.json"), extremes=[extreme])


def test_extremes_are_peaks_of_profiles_and_storages_at_their_rating():
    points = pd.DataFrame({"name": ["a", "b"], "bus": [0, 1]})
    rows = [
        ("a", "", "load", "H0", 0.010, 0.004, 0.0),
        ("b", "", "pv", "PV1", 0.030, 0.0, 0.0),
        ("b", "", "storage", "", 0.005, 0.0, 0.01),
    ]
    elements = pd.DataFrame(rows, columns=list(ELEMENT_COLUMNS))
    profiles = {
        "H0_p": np.array([0.1, 1.5]),
        "H0_q": np.array([0.5, 0.2]),
        "PV1_p": np.array([0, 0.8]),
    }
    drawn, fed_in = extreme_injections(elements, points, profiles)
    np.testing.assert_allclose(drawn, [[-0.015, -0.005], [-0.002, 0.0]])
    np.testing.assert_allclose(fed_in, [[0.0, 0.029], [0.0, 0.0]])


def test_a_peak_beyond_the_voltage_collapse_is_halved(net, imported, tmp_path):
    pp.create_storage(net, 4, 0.0, 4.0, sn_mva=2.0)
    assert imported(net).elements.p_mw.max() == 2.0


@pytest.mark.parametrize("kind", [None, "Tabular"])
def test_a_tap_that_pandapower_would_ignore(net, imported, kind):
    net.trafo["tap_pos"], net.trafo["tap_changer_type"] = 2.0, kind
    with pytest.raises(GridDataError, match="trafo 0: the tap position is not neutral") as caught:
        imported(net)
    assert caught.value.field == "trafo.tap_changer_type"


def test_a_load_on_a_dead_bus_is_left_out(net, imported):
    net.bus.loc[4, "in_service"] = False
    with pytest.raises(GridDataError, match=r"isolated connection points.*CP 4") as caught:
        imported(net)
    assert "drop them from points.csv" in caught.value.remedy
    case = imported(net, buses=(2, 3))
    assert set(case.elements.connection_point) == {"CP 2", "CP 3"}
    year = published_injections(case)
    pp.runpp(net, numba=False)
    state = make_power_flow("fixed-point", case.net).solve(
        year.p_inject_mw[0], year.q_inject_mvar[0]
    )
    np.testing.assert_allclose(state.vm_pu, net.res_bus.vm_pu, atol=1e-6)


def test_elements_of_ones_own_replace_those_of_the_file(net, imported, tmp_path):
    _load_of_constant_current(net)
    pp.create_ward(net, 2, 0.01, 0.002, 0.02, -0.01)
    table = {"connection_point": ["CP 3"], "kind": "load", "profile": "constant"}
    pd.DataFrame(table | {"p_mw": 0.01, "q_mvar": 0.0}).to_csv(tmp_path / "e.csv", index=False)
    case = imported(net, elements=tmp_path / "e.csv")
    assert case.elements.p_mw.to_list() == [0.01]
    assert case.net.shunt.q_mvar.to_list() == [-0.01]


def test_a_network_without_coordinates_gets_a_tree(net, imported):
    case = imported(net)
    place = {bus: json.loads(text)["coordinates"] for bus, text in case.net.bus.geo.items()}
    assert len({tuple(xy) for xy in place.values()}) == 5
    assert place[0][1] > place[1][1] > place[2][1] > place[3][1] > place[4][1]
    assert "Coordinates are made up" in (case.folder / "SOURCE.md").read_text()


def test_the_tree_stands_above_the_middle_of_its_branches(net):
    pp.create_line(net, 2, pp.create_bus(net, 0.4), 0.1, "NAYY 4x150 SE")
    pp.create_bus(net, 0.4)
    lay_out(net)
    x, y = zip(*(json.loads(text)["coordinates"] for text in net.bus.geo), strict=True)
    assert x[2] == pytest.approx((x[3] + x[5]) / 2)
    assert x[3] != x[5]
    assert y[3] == y[5]
    assert x[6] > max(x[:6])
    before = list(net.bus.geo)
    lay_out(net)
    assert list(net.bus.geo) == before


def test_an_error_names_no_folder_that_is_gone(tmp_path):
    def write(folder):
        (folder / "network.json").write_text("{")

    with pytest.raises(UserError) as caught:
        publish(write, tmp_path / "grid")
    assert caught.value.file == str(tmp_path / "grid" / "network.json")
    assert list(tmp_path.iterdir()) == []
