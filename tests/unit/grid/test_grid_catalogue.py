"""Grid folders: what is in them, and what is refused with file, field and remedy."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pandapower as pp
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cosim.errors import GridDataError, ProfileError
from cosim.grid.catalogue import list_grids, open_grid, sha256


def refused(folder, *, file, field, match, error=GridDataError):
    with pytest.raises(error, match=match) as caught:
        open_grid(folder)
    assert caught.value.file is not None
    assert caught.value.file.endswith(file)
    assert caught.value.field == field
    assert caught.value.remedy


def edit_csv(folder, name, change):
    table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
    change(table).to_csv(folder / name, index=False)


def edit_network(folder, change):
    net = pp.from_json(str(folder / "network.json"))
    change(net)
    pp.to_json(net, str(folder / "network.json"))


def test_catalogue_lists_both_feeders_with_a_leap_year_of_quarter_hours():
    found = {info.name: info for info in list_grids()}
    assert found["1-LV-rural1--1-sw"].n_connection_points == 13
    assert found["1-LV-rural3--2-sw"].n_connection_points == 118
    for info in found.values():
        assert info.n_steps == 35_136
        assert (info.profiles_start, info.profiles_end) == ("2016-01-01T00:00", "2016-12-31T23:45")


def test_rural3_holds_the_published_elements(rural3):
    counts = rural3.elements.kind.value_counts().to_dict()
    # SimBench: 153 loads (17 charging points, 18 heat pumps), 27 sgens, 16 PV storages
    assert counts == {"load": 118, "ev": 17, "heat_pump": 18, "pv": 43, "storage": 16}
    assert rural3.elements.loc[rural3.elements.kind == "storage", "capacity_mwh"].min() > 0


def test_network_has_one_idle_sgen_per_connection_point_and_active_taps(rural1):
    assert rural1.net.sgen.name.to_list() == rural1.connection_points.name.to_list()
    assert not rural1.net.sgen[["p_mw", "q_mvar"]].to_numpy().any()
    assert not len(rural1.net.load)
    assert not len(rural1.net.storage)
    assert set(rural1.net.trafo.tap_changer_type) == {"Ratio"}
    assert len(rural1.net.switch) == 28


@pytest.mark.parametrize("case", ["rural1", "rural3"])
def test_source_names_licence_and_the_digest_of_every_file(case, request):
    case = request.getfixturevalue(case)
    text = (case.folder / "SOURCE.md").read_text(encoding="utf-8")
    assert "Open Database License" in text
    assert "10.3390/en13123290" in text
    stated = dict(re.findall(r"\| `([\w.]+)` \| `([0-9a-f]{64})` \|", text))
    assert stated == dict(case.digests)
    assert stated["profiles.parquet"] == sha256(case.profiles_file)


def test_profiles_carry_no_pandas_metadata(rural1):
    assert not pq.read_schema(rural1.profiles_file).metadata


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(GridDataError, match="no grid '1-MV-comm--1-sw'") as caught:
        open_grid("1-MV-comm--1-sw")
    remedy = str(caught.value.remedy)
    assert remedy.startswith(
        "make it, with cosim grids import simbench:1-MV-comm--1-sw, or name one"
    )
    with pytest.raises(GridDataError, match="no grid 'rural1'") as caught:
        open_grid("rural1")
    assert "1-LV-rural1--1-sw" in caught.value.remedy


def test_missing_file(grid_folder):
    (grid_folder / "elements.csv").unlink()
    refused(grid_folder, file="elements.csv", field=None, match="missing from the grid folder")


def test_network_that_is_no_json(grid_folder):
    (grid_folder / "network.json").write_text("{", encoding="utf-8")
    refused(grid_folder, file="network.json", field=None, match="pandapower network")


@pytest.mark.parametrize("geo", [None, "", '{"type":"Point"}', '{"coordinates":[null, 1]}'])
def test_network_without_coordinates(grid_folder, geo):
    def change(net):
        net.bus.loc[7, "geo"] = geo

    edit_network(grid_folder, change)
    refused(grid_folder, file="network.json", field="bus.geo", match="without coordinates: 7")


def test_connection_point_behind_an_open_switch(grid_folder):
    def change(net):
        feeder = net.switch.index[(net.switch.element == 0) & (net.switch.et == "l")]
        net.switch.loc[feeder, "closed"] = False
        lines = net.line.index[(net.line.from_bus == 13) | (net.line.to_bus == 13)]
        net.switch.loc[net.switch.element.isin(lines) & (net.switch.et == "l"), "closed"] = False

    edit_network(grid_folder, change)
    refused(grid_folder, file="network.json", field="bus", match=r"isolated.*LV1\.101 Bus 13")


def test_connection_point_out_of_service(grid_folder):
    def change(net):
        net.bus.loc[10, "in_service"] = False

    edit_network(grid_folder, change)
    refused(grid_folder, file="network.json", field="bus", match=r"LV1\.101 Bus 10 at bus 10")


def test_network_with_a_generator_that_holds_its_voltage(grid_folder):
    edit_network(grid_folder, lambda net: pp.create_gen(net, 5, p_mw=0.01))
    refused(grid_folder, file="network.json", field="gen", match="1 in-service elements in gen")


def test_sgen_that_is_no_connection_point(grid_folder):
    edit_network(grid_folder, lambda net: pp.create_sgen(net, 5, p_mw=0.01))
    refused(grid_folder, file="network.json", field="sgen", match="not the connection points")


def test_connection_point_named_twice(grid_folder):
    def change(table):
        table.loc[1, "name"] = table.loc[0, "name"]
        return table

    edit_csv(grid_folder, "connection_points.csv", change)
    refused(grid_folder, file="connection_points.csv", field="name", match="named twice: LV1")


def test_connection_point_at_an_unknown_bus(grid_folder):
    edit_csv(grid_folder, "connection_points.csv", lambda t: t.assign(bus=["99", *t.bus[1:]]))
    refused(grid_folder, file="connection_points.csv", field="bus", match="at bus 99")


@pytest.mark.parametrize(
    ("column", "value", "field", "match"),
    [
        ("connection_point", "nowhere", "connection_point", "unknown connection points: nowhere"),
        ("kind", "windmill", "kind", "unknown kinds: windmill"),
        ("profile", "H0-X", "profile", "H0-X_p"),
        ("p_mw", "", "p_mw", "line 2 is empty"),
        ("p_mw", "nan", "p_mw", "line 2 is missing"),
        ("p_mw", "-0.1", "p_mw", "negative ratings"),
    ],
)
def test_faulty_element(grid_folder, column, value, field, match):
    def change(table):
        table.loc[0, column] = value
        return table

    edit_csv(grid_folder, "elements.csv", change)
    refused(grid_folder, file="elements.csv", field=field, match=match)


def test_elements_without_a_column(grid_folder):
    edit_csv(grid_folder, "elements.csv", lambda table: table.drop(columns="q_mvar"))
    refused(grid_folder, file="elements.csv", field="q_mvar", match="no column 'q_mvar'")


def test_profiles_with_a_gap_in_time(grid_folder):
    file = grid_folder / "profiles.parquet"
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table.slice(0, 500), table.slice(501)]), file)
    refused(
        grid_folder,
        file="profiles.parquet",
        field="time",
        match="2016-01-06T04:45",
        error=ProfileError,
    )


def test_profiles_with_a_missing_value(grid_folder):
    file = grid_folder / "profiles.parquet"
    table = pq.read_table(file)
    values = table["PV5_p"].to_numpy().copy()
    values[17] = np.nan
    column = table.column_names.index("PV5_p")
    pq.write_table(table.set_column(column, "PV5_p", pa.array(values)), file)
    refused(
        grid_folder, file="profiles.parquet", field="PV5_p", match="missing", error=ProfileError
    )


def test_a_network_of_another_pandapower_gets_the_columns_of_this_one(grid_folder):
    def forget_columns(net):
        net.load = net.load.drop(columns=["p_mw", "scaling"])

    edit_network(grid_folder, forget_columns)
    columns = open_grid(grid_folder).net.load.columns
    assert columns.to_list() == pp.create_empty_network().load.columns.to_list()


def test_a_grid_is_looked_up_near_the_scenario_first(grid_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "study"
    name = "1-LV-rural1--1-sw"
    shipped = open_grid(name, study).folder
    places = [tmp_path / name, study / "grids" / name, study / name]
    for place in places:  # each goes before those that were made before it
        shutil.copytree(grid_folder, place)
        assert open_grid(name, study).folder == place
    assert open_grid(name).folder == tmp_path / name
    assert shipped not in places


def test_a_path_is_relative_to_the_scenario_or_to_the_working_folder(
    grid_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "studies" / "one"
    study.mkdir(parents=True)
    shutil.copytree(grid_folder, tmp_path / "own" / "feeder")
    assert open_grid("own/feeder", study).folder == tmp_path / "own" / "feeder"
    shutil.copytree(grid_folder, tmp_path / "studies" / "feeder")
    assert open_grid("../feeder", study).folder == tmp_path / "studies" / "feeder"
    assert open_grid(tmp_path / "own" / "feeder", study).name == "feeder"


def test_an_unknown_grid_says_every_place_where_it_was_looked_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "study"
    with pytest.raises(GridDataError) as caught:
        open_grid("feeder", study)
    shipped = open_grid("1-LV-rural1--1-sw").folder.parent
    folders = [study, study / "grids", tmp_path, tmp_path / "grids", shipped]
    places = [folder / "feeder" for folder in folders]
    assert ", ".join(map(str, places)) in caught.value.problem
    assert caught.value.field == "grid.network"
    with pytest.raises(GridDataError) as caught:
        open_grid("own/feeder")
    assert str(tmp_path / "own" / "feeder") in caught.value.problem
    assert str(shipped) not in caught.value.problem


@pytest.mark.parametrize("field", ["f_hz", "sn_mva"])
def test_a_network_value_that_is_no_positive_number_is_refused(tmp_path, field):
    folder = tmp_path / "grid"
    shutil.copytree(open_grid("1-LV-rural1--1-sw").folder, folder)
    file = folder / "network.json"
    text, n = re.subn(rf'"{field}": [0-9.]+', f'"{field}": "abc"', file.read_text(), count=1)
    assert n == 1
    file.write_text(text)
    refused(folder, file="network.json", field=field, match="is 'abc', not a positive number")


def test_a_folder_of_a_grids_name_that_is_no_grid_is_passed_over(tmp_path, monkeypatch):
    shutil.copytree(open_grid("1-LV-rural1--1-sw").folder, tmp_path / "grids" / "windy")
    (tmp_path / "windy").mkdir()
    monkeypatch.chdir(tmp_path)
    assert open_grid("windy").folder == (tmp_path / "grids" / "windy").resolve()
