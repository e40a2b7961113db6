"""Numbers, flags, indices and names of a network file that would be cast, doubled or passed over.

Each is refused by file, table and index, or solved as ``pandapower.runpp`` solves it; nothing is
left half-written.
"""

from __future__ import annotations

import copy
import json
from itertools import pairwise

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from published_injections import published_injections

from cosim.cli import EXIT_USER, main
from cosim.errors import GridDataError, ProfileError
from cosim.grid.catalogue import open_grid
from cosim.grid.importers import import_pandapower
from cosim.grid.power_flow import make_power_flow

HEADER = "connection_point,name,kind,profile,p_mw,q_mvar,capacity_mwh"
PROFILES = "time,A_p,A_q\n2016-01-01T00:00,1,1\n2016-01-01T00:15,0.5,1\n"


@pytest.fixture(scope="module")
def network():
    """A transformer and a feeder of three buses with a load each."""
    net = pp.create_empty_network()
    high, *low = pp.create_bus(net, 20.0), *(pp.create_bus(net, 0.4) for _ in range(4))
    pp.create_ext_grid(net, high)
    pp.create_transformer(net, high, low[0], "0.4 MVA 20/0.4 kV")
    for a, b in pairwise(low):
        pp.create_line(net, a, b, 0.15, "NAYY 4x150 SE")
    for bus in low[1:]:
        pp.create_load(net, bus, 0.02, 0.005)
    return net


@pytest.fixture
def net(network):
    """A copy to be changed: pandapower takes long to make one."""
    return copy.deepcopy(network)


@pytest.fixture
def files(tmp_path):
    """Write the files of an import; ``edit`` changes the data of the network's JSON."""

    def write(net, edit=None, elements=None, profiles="time\n2016-01-01\n2016-01-02\n"):
        data = json.loads(pp.to_json(net))
        if edit is not None:
            edit(data)
        (tmp_path / "net.json").write_text(json.dumps(data))
        points = "".join(f"CP {bus},{bus}\n" for bus in (2, 3, 4))
        (tmp_path / "points.csv").write_text("name,bus\n" + points)
        (tmp_path / "profiles.csv").write_text(profiles)
        given = {"profiles": tmp_path / "profiles.csv"}
        if elements is not None:
            (tmp_path / "elements.csv").write_text(elements)
            given["elements"] = tmp_path / "elements.csv"
        return (tmp_path / "net.json", tmp_path / "points.csv", tmp_path / "grid"), given

    return write


@pytest.fixture
def refused(files, tmp_path):
    def run(net, edit=None, error=GridDataError, **texts):
        arguments, given = files(net, edit, **texts)
        with pytest.raises(error) as caught:
            import_pandapower(*arguments, **given)
        assert not (tmp_path / "grid").exists()
        assert caught.value.remedy
        return caught.value

    return run


def solved_as_pandapower(net, made):
    case = open_grid(made)
    year = published_injections(case)
    pp.runpp(net, numba=False, tolerance_mva=1e-9)
    state = make_power_flow("fixed-point", case.net).solve(
        year.p_inject_mw[0], year.q_inject_mvar[0]
    )
    np.testing.assert_allclose(state.vm_pu, net.res_bus.vm_pu, atol=1e-6)
    return case


def of_table(name, edit):
    """Change the JSON that a table holds in a text."""

    def change(data):
        own = data["_object"][name]
        inner = json.loads(own["_object"])
        edit(inner)
        own["_object"] = json.dumps(inner)

    return change


def indices(name, *values):
    return of_table(name, lambda table: table.update(index=list(values)))


def cell(name, column, value):
    return of_table(
        name, lambda table: table["data"][0].__setitem__(table["columns"].index(column), value)
    )


@pytest.mark.parametrize(
    ("table", "given", "says"),
    [
        ("line", (0, 0, 1), "stand for more than one row: 0"),
        ("load", (2, 2, 2), "stand for more than one row: 2, 2"),
        ("bus", (0, 1, 2, 3, 3), "stand for more than one row: 3"),
        ("line", ("a", "b", "c"), "are no whole numbers: a, b, c"),
        ("trafo", ("T1",), "are no whole numbers: T1"),
        ("ext_grid", (0.5,), "are no whole numbers: 0.5"),
        ("load", (None, 1, 2), "are no whole numbers"),
        ("ext_grid", (-1,), "are negative: -1"),
    ],
)
def test_indices_that_name_no_single_element(net, refused, tmp_path, table, given, says):
    error = refused(net, indices(table, *given))
    assert error.problem.startswith(f"table {table}: indices ")
    assert says in error.problem
    assert (error.file, error.field) == (str(tmp_path / "net.json"), table)


@pytest.mark.parametrize("value", [None, [], 3, "", {}])
@pytest.mark.parametrize("table", ["bus", "line", "motor", "measurement"])
def test_a_table_that_is_none(net, refused, tmp_path, table, value):
    error = refused(net, lambda data: data["_object"].update({table: value}))
    assert error.problem == f"{table} is {value!r}, not a table"
    assert (error.file, error.field) == (str(tmp_path / "net.json"), table)


def test_a_table_that_is_missing_is_empty(net, files):
    arguments, given = files(net, lambda data: data["_object"].pop("motor"))
    solved_as_pandapower(net, import_pandapower(*arguments, **given))


@pytest.mark.parametrize("value", ["False", "yes", "true", 2, 0.5, None, []])
def test_flags_that_are_neither_true_nor_false(net, refused, value):
    for table, column in (("load", "in_service"), ("bus", "in_service")):
        error = refused(net, cell(table, column, value))
        assert error.problem == f"{table} 0: {column} is {value!r}, neither true nor false"
        assert error.field == f"{table}.{column}"
    pp.create_switch(net, 2, 3, "b")
    assert refused(net, cell("switch", "closed", value)).field == "switch.closed"


@pytest.mark.parametrize("value", [0, 0.0, False])
def test_zero_is_out_of_service_as_in_pandapower(net, files, value):
    arguments, given = files(net, cell("load", "in_service", value))
    net.load.loc[0, "in_service"] = False
    case = solved_as_pandapower(net, import_pandapower(*arguments, **given))
    assert "CP 2" not in set(case.elements.connection_point)


@pytest.mark.parametrize(
    ("table", "column", "value", "says"),
    [
        ("load", "bus", 2.5, "bus is 2.5, no whole number"),
        ("load", "p_mw", True, "p_mw is True, no number"),
        ("load", "p_mw", "much", "p_mw is much, not a finite number"),
        ("line", "length_km", True, "length_km is True, no number"),
    ],
)
def test_cells_that_would_be_cast(net, refused, table, column, value, says):
    error = refused(net, cell(table, column, value))
    assert says in error.problem
    assert error.field == f"{table}.{column}"


def test_a_power_base_that_is_true(net, refused):
    assert refused(net, lambda data: data["_object"].update(sn_mva=True)).field == "sn_mva"


@pytest.mark.parametrize("name", ["a\x07", "a\nb", "a\rb", "\x1b[31m", "a\u2028b"])
def test_names_with_control_characters(net, refused, name):
    error = refused(net, cell("load", "name", name))
    assert error.problem.startswith("the name of load 0 holds the ")
    assert error.field == "load.name"


@pytest.mark.parametrize("column", ["max_e_mwh", "sn_mva"])
@pytest.mark.parametrize("value", ["much", -0.1, np.inf])
@pytest.mark.parametrize("p_mw", [0.0, 0.01])
def test_sizes_of_storages_that_are_none(net, refused, column, value, p_mw):
    pp.create_storage(net, 3, p_mw, 0.2, sn_mva=0.1)
    # pandas writes null for what is infinite
    edit = cell("storage", column, value)
    error = refused(net, edit)
    assert "storage 0: " in error.problem
    assert error.field == f"storage.{column}"


def test_a_size_that_is_not_known_is_left_open(net, files):
    pp.create_storage(net, 3, 0.0, np.nan, sn_mva=0.1)
    arguments, given = files(net)
    own = open_grid(import_pandapower(*arguments, **given)).elements.set_index("name")
    assert own.loc["storage 0", ["kind", "p_mw", "capacity_mwh"]].to_list() == ["storage", 0.1, 0.0]


def test_a_motor_beyond_unity_power_factor(net, refused):
    pp.create_motor(net, 3, 0.01, 1.2)
    error = refused(net)
    assert error.problem == "motor 0: cos_phi is 1.2, not above 0 and at most 1"


@pytest.mark.parametrize("side", ["mv", "", "HV", None])
def test_a_tap_on_neither_side(net, refused, side):
    net.trafo["tap_pos"], net.trafo["tap_side"] = 2.0, side
    error = refused(net)
    assert error.problem.startswith(f"trafo 0: tap_side is {side}, neither hv nor lv")
    assert error.field == "trafo.tap_side"


def test_a_neutral_tap_needs_no_side(net, files):
    net.trafo["tap_side"] = None
    arguments, given = files(net)
    solved_as_pandapower(net, import_pandapower(*arguments, **given))


def test_shares_of_loads_that_draw_nothing(net, files, refused):
    """Alone at its bus such a load has no effect; next to others it makes theirs depend."""
    bus = pp.create_bus(net, 0.4)
    pp.create_line(net, 4, bus, 0.1, "NAYY 4x150 SE")
    dead = pp.create_bus(net, 0.4)
    pp.create_load(net, bus, 0.01, scaling=0.0, const_z_p_percent=50.0)
    pp.create_load(net, bus, 0.0, 0.0, const_i_q_percent=50.0)
    pp.create_load(net, dead, 0.01, 0.01, const_z_p_percent=50.0, const_z_q_percent=50.0)
    arguments, given = files(net)
    case = solved_as_pandapower(net, import_pandapower(*arguments, **given))
    assert set(case.elements.connection_point) == {"CP 2", "CP 3", "CP 4"}
    pp.create_load(net, 3, 0.01, scaling=0.0, const_z_p_percent=50.0)
    pp.runpp(net, numba=False)
    moved = net.res_bus.vm_pu.to_numpy()
    net.load.loc[net.load.index[-1], "const_z_p_percent"] = 0.0
    pp.runpp(net, numba=False)
    assert np.abs(moved - net.res_bus.vm_pu)[:5].max() > 1e-6
    net.load.loc[net.load.index[-1], "const_z_p_percent"] = 50.0
    (arguments[2] / "network.json").unlink()
    for file in arguments[2].iterdir():
        file.unlink()
    arguments[2].rmdir()
    assert "load 6 depends on voltage" in refused(net).problem


def test_branches_out_of_service(net, files, refused):
    """``runpp`` divides by the impedance of a transformer out of service too, and fails."""
    pp.create_transformer(net, 0, 1, "0.4 MVA 20/0.4 kV", in_service=False)
    pp.create_line(net, 2, 4, 0.1, "NAYY 4x150 SE", in_service=False)
    net.line.loc[3, "max_i_ka"] = 0.0
    arguments, given = files(net)
    solved_as_pandapower(net, import_pandapower(*arguments, **given))
    for file in arguments[2].iterdir():
        file.unlink()
    arguments[2].rmdir()
    for column, value in (("sn_mva", 0.0), ("vk_percent", np.nan), ("vkr_percent", 50.0)):
        before = net.trafo.loc[1, column]
        net.trafo.loc[1, column] = value
        with pytest.raises(FloatingPointError):
            pp.runpp(net, numba=False)
        error = refused(net)
        assert error.problem.startswith(f"trafo 1: {column} is {value}, ")
        assert "remove the row" in error.remedy
        net.trafo.loc[1, column] = before
    net.line.loc[3, "to_bus"] = 77
    assert refused(net).problem == "line 3: to_bus is 77, no bus of the network"


def test_two_elements_of_one_name_both_count(net, files):
    for _ in range(2):
        pp.create_load(net, 3, 0.01, name="L")
    arguments, given = files(net)
    case = solved_as_pandapower(net, import_pandapower(*arguments, **given))
    own = case.elements[case.elements.connection_point == "CP 3"]
    assert own.name.to_list() == ["load 1", "L", "L (load 4)"]


def test_rows_that_are_the_same(net, refused, tmp_path):
    for header, row in (
        (HEADER, "CP 2,a,load,A,0.01,0,0"),
        ("connection_point,kind,profile,p_mw,q_mvar", "CP 2,load,A,0.01,0"),
    ):
        error = refused(net, elements=f"{header}\n{row}\n{row}\n", profiles=PROFILES)
        assert error.problem == "line 3 is the same as line 2"
        assert error.file == str(tmp_path / "elements.csv")


@pytest.mark.parametrize(
    ("row", "file", "says"),
    [
        ("CP 2,a,load,,0.01,0,0", "elements.csv", "elements without a profile: a"),
        ("CP 2,a,load,B,0.01,0,0", "elements.csv", "profiles.csv lacks columns"),
        ("CP 9,a,load,A,0.01,0,0", "elements.csv", "unknown connection points: CP 9"),
        ("CP 2,a,load,A,100,0,0", "elements.csv", "runpp does not solve net.json"),
        ("CP 2,a\x07,load,A,0.01,0,0", "elements.csv", "line 2 holds the control character U+0007"),
    ],
)
def test_errors_of_elements_name_their_file(net, refused, tmp_path, row, file, says):
    error = refused(net, elements=f"{HEADER}\n{row}\n", profiles=PROFILES)
    assert says in error.problem
    assert error.file == str(tmp_path / file)


def test_a_negative_profile_is_refused_at_the_import(net, refused, tmp_path):
    row = f"{HEADER}\nCP 2,a,load,A,0.01,0,0\n"
    error = refused(net, None, ProfileError, elements=row, profiles=PROFILES.replace("0.5", "-0.5"))
    assert error.problem == "is negative in step 1 (-0.5)"
    assert (error.file, error.field) == (str(tmp_path / "profiles.csv"), "A_p")


def test_times_of_a_parquet_file(net, files, tmp_path):
    arguments, given = files(net)
    given["profiles"] = tmp_path / "profiles.parquet"
    for times, says in (
        (["2016-01-01T00:00:00.0005", "2016-01-01T00:15:00.0005"], "finer than a millisecond"),
        (["1500-01-01T00:00", "1500-01-01T00:15"], "times before 1678-01-01 or after 2261-12-31"),
    ):
        stamps = np.array(times, dtype="datetime64[us]")
        pd.DataFrame({"time": stamps}).to_parquet(given["profiles"])
        with pytest.raises(ProfileError, match=says):
            import_pandapower(*arguments, **given)
        assert not (tmp_path / "grid").exists()


def test_the_command_says_it_with_its_exit_code(net, files, tmp_path, capsys):
    arguments, given = files(net, cell("load", "in_service", "False"))
    told = ["--points", arguments[1], "--profiles", given["profiles"], "--out", arguments[2]]
    assert main(["grids", "import", *map(str, (arguments[0], *told))]) == EXIT_USER
    said = capsys.readouterr().err
    for words in ("net.json", "load.in_service", "'False'", "remedy: "):
        assert words in said
    assert not arguments[2].exists()
