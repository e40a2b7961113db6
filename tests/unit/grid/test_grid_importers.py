"""Importing from SimBench and from a user's own pandapower network."""

from __future__ import annotations

import sys

import pandapower as pp
import pandapower.networks
import pandas as pd
import pytest
from published_injections import published_injections

from cosim.errors import GridDataError, ProfileError, UserError
from cosim.grid.catalogue import open_grid
from cosim.grid.importers import import_pandapower, import_simbench, own_name, simbench_kind


@pytest.fixture
def own_network(tmp_path):
    """CIGRE's low-voltage benchmark: bus-bus switches, loads, coordinates."""
    net = pandapower.networks.create_cigre_network_lv()
    buses = sorted(set(net.load.bus))
    points = pd.DataFrame({"name": [f"customer {bus}" for bus in buses], "bus": buses})
    pp.to_json(net, str(tmp_path / "own.json"))
    points.to_csv(tmp_path / "points.csv", index=False)
    return net, tmp_path


def test_own_network_with_its_own_loads_solves_as_before(own_network):
    net, folder = own_network
    made = import_pandapower(folder / "own.json", folder / "points.csv", folder / "grid")
    case = open_grid(made)
    injections = published_injections(case)
    case.net.sgen["p_mw"] = injections.p_inject_mw[0]
    case.net.sgen["q_mvar"] = injections.q_inject_mvar[0]
    for solved in (net, case.net):
        pp.runpp(solved, calculate_voltage_angles=True, numba=False)
    assert injections.p_inject_mw[0].sum() == pytest.approx(-net.load.p_mw.sum())
    pd.testing.assert_series_equal(case.net.res_bus.vm_pu, net.res_bus.vm_pu, rtol=1e-9)


def test_own_elements_and_profiles(own_network):
    _, folder = own_network
    names = pd.read_csv(folder / "points.csv").name
    pd.DataFrame(
        {"connection_point": names, "kind": "pv", "profile": "roof", "p_mw": 0.01, "q_mvar": 0}
    ).to_csv(folder / "elements.csv", index=False)
    pd.DataFrame(
        {"time": pd.date_range("2020-05-01", periods=4, freq="15min"), "roof_p": [0, 0.5, 1, 0.5]}
    ).to_csv(folder / "profiles.csv", index=False)
    made = import_pandapower(
        folder / "own.json",
        folder / "points.csv",
        folder / "grid",
        elements=folder / "elements.csv",
        profiles=folder / "profiles.csv",
    )
    injections = published_injections(open_grid(made))
    assert injections.p_inject_mw.sum(axis=1) == pytest.approx(
        [0, 0.005 * len(names), 0.01 * len(names), 0.005 * len(names)]
    )


def test_load_without_a_connection_point_is_refused_and_nothing_remains(own_network):
    _, folder = own_network
    pd.read_csv(folder / "points.csv").iloc[1:].to_csv(folder / "points.csv", index=False)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(GridDataError, match="has no connection point") as caught:
        import_pandapower(folder / "own.json", folder / "points.csv", folder / "grid")
    assert caught.value.file.endswith("own.json")
    assert sorted(path.name for path in folder.iterdir()) == before


def test_missing_profile_leaves_nothing_behind(own_network):
    _, folder = own_network
    names = pd.read_csv(folder / "points.csv").name
    pd.DataFrame(
        {"connection_point": names, "kind": "pv", "profile": "roof", "p_mw": 0.01, "q_mvar": 0}
    ).to_csv(folder / "elements.csv", index=False)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(GridDataError, match=r"/elements\.csv, field profile.*roof_p"):
        import_pandapower(
            folder / "own.json",
            folder / "points.csv",
            folder / "grid",
            elements=folder / "elements.csv",
        )
    assert sorted(path.name for path in folder.iterdir()) == before


def test_gap_in_own_profiles_names_the_file_given(own_network):
    _, folder = own_network
    times = pd.date_range("2020-05-01", periods=8, freq="15min").delete(3)
    pd.DataFrame({"time": times, "roof_p": 1.0}).to_csv(folder / "gap.csv", index=False)
    with pytest.raises(ProfileError, match=r"gap\.csv.*2020-05-01T00:30"):
        import_pandapower(
            folder / "own.json",
            folder / "points.csv",
            folder / "grid",
            profiles=folder / "gap.csv",
        )
    assert not (folder / "grid").exists()


def test_existing_folder_is_not_overwritten(own_network):
    _, folder = own_network
    (folder / "grid").mkdir()
    with pytest.raises(GridDataError, match="exists already"):
        import_pandapower(folder / "own.json", folder / "points.csv", folder / "grid")


def test_simbench_not_installed_says_which_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "simbench", None)
    with pytest.raises(UserError) as caught:
        import_simbench("1-LV-rural1--1-sw", tmp_path / "grid")
    assert caught.value.remedy == "pip install cosim[simbench]"


@pytest.mark.parametrize(
    ("table", "profile", "kind"),
    [
        ("sgen", "PV3", "pv"), ("sgen", "lv_rural1", "pv"), ("sgen", "WP4", "wind"),
        ("sgen", "Hydro2", "hydro"), ("sgen", "BM1", "biomass"), ("sgen", "mv_add1", "generator"),
        ("load", "lv_rural1", "load"), ("load", "HLS_A", "ev"),
        ("load", "Soil_Alternative_1", "heat_pump"),
    ],
)  # fmt: skip
def test_profiles_of_simbench_say_the_kind(table, profile, kind):
    assert simbench_kind(table, profile, "one") == kind


def test_a_profile_that_three_tables_have_keeps_three_names():
    """SimBench's medium-voltage grids have ``lv_rural1`` as load, generation and storage."""
    names = [own_name("lv_rural1", table) for table in ("load", "sgen", "storage")]
    assert names == ["lv_rural1", "RES_lv_rural1", "Storage_lv_rural1"]
    assert own_name("WP4", "sgen") == "WP4"
    assert own_name("Storage_PV8_L1-A", "storage") == "Storage_PV8_L1-A"


def test_simbench_import_gives_the_committed_folder(rural1, tmp_path):
    pytest.importorskip("simbench")
    made = open_grid(import_simbench("1-LV-rural1--1-sw", tmp_path / "grid"))
    pd.testing.assert_frame_equal(made.elements, rural1.elements)
    pd.testing.assert_frame_equal(made.connection_points, rural1.connection_points)
    for table in ("bus", "line", "trafo", "switch", "ext_grid"):
        columns = [column for column in rural1.net[table] if column in made.net[table]]
        pd.testing.assert_frame_equal(made.net[table][columns], rural1.net[table][columns])
    ours, theirs = published_injections(made), published_injections(rural1)
    assert (ours.p_inject_mw == theirs.p_inject_mw).all()
    assert (ours.q_inject_mvar == theirs.q_inject_mvar).all()


def test_times_with_offsets_keep_their_zone_and_watts_are_noticed(own_network):
    _, folder = own_network
    name = pd.read_csv(folder / "points.csv").name[0]
    (folder / "elements.csv").write_text(
        f"connection_point,kind,profile,p_mw,q_mvar\n{name},load,HH,0.02,0\n"
    )

    def imported(rows: str):
        (folder / "profiles.csv").write_text(f"time,HH_p\n{rows}")
        tables = {name: folder / f"{name}.csv" for name in ("elements", "profiles")}
        return import_pandapower(
            folder / "own.json", folder / "points.csv", folder / "grid", **tables
        )

    with pytest.raises(ProfileError, match=r"peaks at 3500 times the rating of customer .*: 70"):
        imported("2016-03-27T00:00+01:00,0\n2016-03-27T01:00+01:00,3500\n")
    assert not (folder / "grid").exists()
    made = imported("2016-03-27T01:00+01:00,0.1\n2016-03-27T03:00+02:00,0.2\n")
    time = pd.read_parquet(made / "profiles.parquet")["time"]
    assert str(time.dt.tz) == "UTC"
    assert time.dt.tz_localize(None).tolist() == [
        pd.Timestamp("2016-03-27 00:00"),
        pd.Timestamp("2016-03-27 01:00"),
    ]
