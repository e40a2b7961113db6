"""A network file is read as data: nothing but pandapower's own tables is ever built of it."""

from __future__ import annotations

import json
import sys

import pandapower as pp
import pandapower.control as control
import pandas as pd
import pytest
from pandapower.timeseries import DFData, OutputWriter

from cosim.cli import main
from cosim.errors import GridDataError
from cosim.grid.reading import read_network, read_with_options
from cosim.results.reader import Results

MODULE = "marker_of_a_network_file"


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """Leaves a file behind when its module is imported."""
    left = tmp_path / "imported"
    (tmp_path / f"{MODULE}.py").write_text(
        f"open({str(left)!r}, 'w').close()\n\n\nclass Marker:\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield left
    sys.modules.pop(MODULE, None)


@pytest.fixture
def feeder():
    """Two buses and a line, as a user would send it."""
    net = pp.create_empty_network()
    a, b = pp.create_bus(net, 0.4, geodata=(0, 0)), pp.create_bus(net, 0.4, geodata=(0, 1))
    pp.create_ext_grid(net, a)
    pp.create_line_from_parameters(net, a, b, 0.1, 0.2, 0.08, 1, 0.27, name="cable")
    pp.create_sgen(net, b, 0.01)
    return net


def data_of(net):
    return json.loads(pp.to_json(net))


def written(tmp_path, data):
    file = tmp_path / "network.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data))
    return file


def marked(content="anything"):
    return {"_module": MODULE, "_class": "Marker", "_object": content}


def table_edited(data, table, edit):
    """Change the JSON that a table holds in a text."""
    own = data["_object"][table]
    inner = json.loads(own["_object"])
    edit(inner)
    own["_object"] = json.dumps(inner)


def in_a_cell(data):
    table_edited(data, "line", lambda table: table["data"][0].__setitem__(0, marked()))


def in_a_controller(data):
    inner = json.dumps({"index": 0, "data_source": marked()})
    object_ = {
        "_module": "pandapower.control.controller.const_control",
        "_class": "ConstControl",
        "_object": inner,
    }

    def edit(table):
        table["columns"], table["index"] = ["object"], [0]
        table["data"] = [[object_]]

    table_edited(data, "controller", edit)


def in_a_text_in_a_text(data):
    data["_object"]["name"] = json.dumps(json.dumps(marked()))


def in_a_nested_network(data):
    data["_object"]["other"] = {
        "_module": "pandapower.auxiliary",
        "_class": "pandapowerNet",
        "_object": json.dumps(marked()),
    }


def in_an_array(data):
    data["_object"]["array"] = {"_module": "numpy", "_class": "array", "_object": [1.0, marked()]}


def in_a_spline(data):
    data["_object"]["spline"] = {
        "_module": "pandapower.control.util.characteristic",
        "_class": "SplineCharacteristic",
        "_object": json.dumps({"index": 0, "x_vals": [0, 1], "y_vals": marked()}),
    }


def with_escapes(data):
    text = (
        json.dumps(marked()).replace("_module", "\\u005fmodule").replace("_class", "\\u005fclass")
    )
    data["_object"]["std_types"]["line"]["x"] = "MARK"
    return json.dumps(data).replace('"MARK"', text)


def as_the_network(data):
    data |= marked(data["_object"])


def function_of_a_module(data):
    data["_object"]["call"] = {"_module": MODULE, "_class": "function", "_object": "Marker"}


def class_without_module(data):
    data["_object"]["half"] = {"_class": "Marker", "_object": ""}


def module_that_is_no_text(data):
    data["_object"]["odd"] = {"_module": [MODULE], "_class": {"a": 1}, "_object": ""}


def builtin(data):
    data["_object"]["call"] = {"_module": "builtins", "_class": "eval", "_object": "1"}


HIDDEN = [
    (in_a_cell, "line.name"), (in_a_controller, "controller.object.data_source"),
    (in_a_text_in_a_text, "name"),
    (in_an_array, "array"), (in_a_spline, "spline.y_vals"), (with_escapes, "std_types.line.x"),
    (as_the_network, None), (function_of_a_module, "call"), (class_without_module, "half"),
    (module_that_is_no_text, "odd"), (builtin, "call"),
]  # fmt: skip


@pytest.mark.parametrize(("hide", "place"), HIDDEN, ids=lambda part: getattr(part, "__name__", ""))
def test_a_foreign_object_is_named_and_not_built(tmp_path, marker, feeder, hide, place):
    data = data_of(feeder)
    file = written(tmp_path, hide(data) or data)
    with pytest.raises(GridDataError) as caught:
        read_network(file)
    error = caught.value
    assert error.file == str(file)
    assert error.field == place
    assert "holds an object of class" in error.problem
    assert any(name in error.problem for name in (f"{MODULE}.", "Marker", "builtins.eval", MODULE))
    assert not marker.exists()
    assert MODULE not in sys.modules


def test_the_marker_would_show_if_it_were_built(marker):
    __import__(MODULE)
    assert marker.exists()


def twice_in_the_file(data):
    text = json.dumps(data)
    return text[:-1] + ', "_module": "pandapower.auxiliary"}'


def twice_in_a_table(data):
    own = data["_object"]["line"]
    own["_object"] = own["_object"][:-1] + ', "data": []}'


def path_as_table(data):
    data["_object"]["line"]["_object"] = "/somewhere/table.json"


def table_with_an_argument(data):
    data["_object"]["line"]["storage_options"] = {"a": "b"}


def controller_outside_a_table(data):
    data["_object"]["control"] = {
        "_module": "pandapower.control.controller.const_control",
        "_class": "ConstControl",
        "_object": "{}",
    }


def table_that_is_no_text(data):
    data["_object"]["line"]["_object"] = json.loads(data["_object"]["line"]["_object"])


def deep(data):
    return "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (twice_in_the_file, "key '_module' stands twice"),
        (twice_in_a_table, "key 'data' stands twice"),
        (path_as_table, "cannot be read as a pandapower network"),
        (table_with_an_argument, "unknown argument 'storage_options'"),
        (controller_outside_a_table, "ConstControl that is no row of a table"),
        (table_that_is_no_text, "DataFrame that is no JSON in a text"),
        (in_a_nested_network, "pandapowerNet that is no mapping of tables"),
        (deep, "cannot be read as a pandapower network"),
        (lambda data: "[]", "cannot be read as a pandapower network"),
        (lambda data: '{"a": 1}', "cannot be read as a pandapower network"),
        (lambda data: "{", "cannot be read as a pandapower network"),
    ],
)
def test_what_readers_could_take_in_two_ways_is_refused(tmp_path, feeder, edit, says):
    data = data_of(feeder)
    file = written(tmp_path, edit(data) or data)
    with pytest.raises(GridDataError, match=says) as caught:
        read_network(file)
    assert caught.value.file == str(file)


def test_controllers_in_service_are_refused_by_name(tmp_path, feeder):
    net = feeder
    high = pp.create_bus(net, 20.0, geodata=(1, 1))
    pp.create_transformer(net, high, 0, "0.4 MVA 20/0.4 kV")
    control.DiscreteTapControl(net, 0, 0.98, 1.02)
    control.ContinuousTapControl(net, 0, 1.0)
    file = tmp_path / "network.json"
    pp.to_json(net, str(file))
    with pytest.raises(GridDataError, match=r"ontinuousTapControl \(controller 1\); ") as caught:
        read_network(file)
    assert (caught.value.file, caught.value.field) == (str(file), "controller")
    assert "run_control=True" in caught.value.remedy
    net.controller.loc[1, "in_service"] = False
    pp.to_json(net, str(file))
    assert read_network(file).tap_control.to_dict("records") == [
        {"trafo": 0, "side": "lv", "vm_lower_pu": 0.98, "vm_upper_pu": 1.02}
    ]


def test_stored_options_reach_no_power_flow(tmp_path, feeder):
    pp.set_user_pf_options(feeder, algorithm="gs", max_iteration=1)
    file = tmp_path / "network.json"
    pp.to_json(feeder, str(file))
    net, options = read_with_options(file)
    assert options == {"algorithm": "gs", "max_iteration": 1}
    assert net.user_pf_options == {}
    pp.runpp(net, numba=False)
    assert net.converged


def test_controllers_out_of_service_are_left_out_and_everything_else_stays(tmp_path, feeder):
    net = feeder
    high = pp.create_bus(net, 20.0, geodata=(1, 1))
    pp.create_transformer(net, high, 0, "0.4 MVA 20/0.4 kV")
    source = DFData(pd.DataFrame({"power": [1.0, 2.0]}))
    control.ConstControl(net, "sgen", "p_mw", 0, "power", source)
    control.DiscreteTapControl(net, 0, 0.98, 1.02)
    control.SplineCharacteristic(net, [-2, 0, 2], [3.8, 4.0, 4.2])
    OutputWriter(net, output_path=None)
    net.controller["in_service"] = False
    net["graph"] = pp.topology.create_nxgraph(net)
    file = tmp_path / "network.json"
    pp.to_json(net, str(file))
    read, theirs = read_network(file), pp.from_json(str(file))
    assert len(net.controller) == 2
    assert len(read.controller) == len(read.output_writer) == 0
    for table in ("bus", "line", "trafo", "sgen", "ext_grid"):
        pd.testing.assert_frame_equal(read[table], theirs[table])
    assert read.characteristic.object[0](1.0) == pytest.approx(4.1)
    assert sorted(read.graph.nodes) == [0, 1, 2]


def test_what_is_read_is_what_pandapower_reads(rural3):
    own = rural3.net
    theirs = pp.from_json(str(rural3.folder / "network.json"))
    for table, frame in theirs.items():
        if isinstance(frame, pd.DataFrame) and len(frame):
            pd.testing.assert_frame_equal(own[table], frame, check_exact=True)


def test_the_command_line_refuses_such_a_file(tmp_path, marker, feeder, capsys):
    data = data_of(feeder)
    in_a_cell(data)
    file = written(tmp_path, data)
    points = tmp_path / "points.csv"
    points.write_text("name,bus\nhome,1\n")
    made = tmp_path / "made"
    code = main(["grids", "import", str(file), "--points", str(points), "--out", str(made)])
    said = capsys.readouterr().err
    assert code == 2
    assert str(file) in said
    assert f"{MODULE}.Marker" in said
    assert not made.exists()
    assert not marker.exists()


def test_the_reader_of_results_refuses_it_too(tmp_path, marker, feeder):
    (tmp_path / "tables").mkdir()
    (tmp_path / "manifest.json").write_text('{"complete": true}')
    data = data_of(feeder)
    in_a_cell(data)
    written(tmp_path, data)
    with pytest.raises(GridDataError, match=f"{MODULE}.Marker"):
        _ = Results(tmp_path).network
    assert not marker.exists()


def test_one_file_is_built_once_and_each_reader_has_a_network_of_its_own(
    tmp_path, feeder, monkeypatch
):
    built = []
    build = pp.from_json_string
    monkeypatch.setattr(pp, "from_json_string", lambda *a, **k: built.append(1) or build(*a, **k))
    file, other = tmp_path / "network.json", tmp_path / "other.json"
    for path in (file, other):
        pp.to_json(feeder, str(path))
    first = read_network(file)
    first.bus.loc[0, "vn_kv"] = 110.0
    first.line.drop(index=0, inplace=True)
    first.user_pf_options["tolerance_mva"] = 1.0
    for path in (file, other):
        again = read_network(path)
        assert again.bus.vn_kv.tolist() == [0.4, 0.4]
        assert len(again.line) == 1
        assert again.user_pf_options == {}
    assert len(built) == 1
    feeder.bus.loc[0, "vn_kv"] = 20.0
    pp.to_json(feeder, str(file))
    assert read_network(file).bus.vn_kv.tolist() == [20.0, 0.4]
