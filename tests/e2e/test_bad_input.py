"""What bad input gets: exit code 2, file, field and remedy, and nothing half-written.

Every case goes through the command line with ``--force`` over an earlier result, which must come
out of it untouched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandapower as pp
import pandas as pd
import pytest
import yaml
from result_folders import contents

from cosim.cli import EXIT_USER, main
from cosim.resources import folder as resource_folder

GRID = "1-LV-rural1--1-sw"
GRIDS = resource_folder("grids")
BASE: dict[str, Any] = {
    "name": "short",
    "seed": 1,
    "time": {"start": "2016-05-24T11:00:00", "intervals": 2},
    "grid": {"network": GRID, "reference_sample": 1},
}


def scenario(folder: Path, **changes: Any) -> Path:
    """A scenario file; a change's dots lead to its field."""
    data = yaml.safe_load(yaml.safe_dump(BASE))
    for path, value in changes.items():
        *outer, last = path.split("__")
        section = data
        for key in outer:
            section = section.setdefault(key, {})
        section[last] = value
    file = folder / "scenario.yaml"
    file.write_text(yaml.safe_dump(data))
    return file


def grid_copy(folder: Path) -> Path:
    copy = folder / "grid"
    shutil.copytree(GRIDS / GRID, copy)
    return copy


@pytest.fixture(scope="module")
def earlier(quickstart_result: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An earlier result that no failing run may touch."""
    folder = tmp_path_factory.mktemp("results") / "earlier"
    shutil.copytree(quickstart_result, folder)
    return folder


@pytest.fixture
def refused(earlier: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a scenario that must be refused; gives the message."""

    def run(file: Path, *names: str, trust: bool = False) -> str:
        before = contents(earlier)
        capsys.readouterr()
        options = ["--out", str(earlier), "--force", *(["--trust"] if trust else [])]
        assert main(["run", str(file), *options]) == EXIT_USER
        message = capsys.readouterr().err
        assert contents(earlier) == before
        assert [path.name for path in earlier.parent.iterdir()] == ["earlier"]
        assert "Traceback" not in message
        assert "remedy: " in message
        for name in names:
            assert name in message, message
        return message

    return run


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        (
            {"prosumers__battery__capacity_mwh": 0.008},
            ("prosumers.battery.capacity_mwh", "unknown field", "'capacity_kwh'"),
        ),
        (
            {"dso__budget_kwh": 3},
            ("dso.budget_kwh", "unknown field", "'budget_eur'"),
        ),
        (
            {"prosumers__battery__capacity_kwh": "8 kWh"},
            ("prosumers.battery.capacity_kwh", "'8 kWh'", "unit"),
        ),
        ({"time__step_s": "15 min"}, ("time.step_s", "'15 min'")),
        ({"time__intervals": 0}, ("time.intervals", "given: 0")),
        ({"grid__limits": {"vm_min_pu": 1.2}}, ("grid.limits", "vm_min_pu must be below")),
        ({"seed": -3}, ("seed", "-3")),
        ({"market__order_lead_s": 800}, ("market.order_lead_s + market.metering_s",)),
        ({"dso__max_rounds": 6}, ("dso.max_rounds = 6 need 20",)),
        (
            {"prosumers__strategies": [{"name": "truthful", "share": 0.7}]},
            ("prosumers", "add up to 0.7, not 1"),
        ),
    ],
)
def test_fields_and_units_of_the_scenario(
    tmp_path: Path,
    refused: Callable[..., str],
    changes: dict[str, Any],
    names: tuple[str, ...],
) -> None:
    file = scenario(tmp_path, **changes)
    refused(file, str(file), *names)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name: [", ("is not YAML", "line 1")),
        ("- a\n- b\n", ("no mapping",)),
        ("", ("no mapping",)),
        ("name: x\nseed: 1\n", ("field time", "missing", "1 more problem")),
    ],
)
def test_files_that_are_no_scenario(
    tmp_path: Path, refused: Callable[..., str], text: str, names: tuple[str, ...]
) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    refused(file, str(file), *names)


def test_a_scenario_that_is_not_there(tmp_path: Path, refused: Callable[..., str]) -> None:
    refused(tmp_path / "absent.yaml", "absent.yaml", "No such file")


def test_an_unknown_grid_is_answered_with_the_known_ones(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    file = scenario(tmp_path, grid__network="1-LV-rural9--1-sw")
    refused(file, str(file), "grid.network", "1-LV-rural9--1-sw", GRID)


def test_an_unknown_strategy_is_answered_with_the_known_ones(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    file = scenario(tmp_path, prosumers__strategies=[{"name": "thruthful", "share": 1.0}])
    refused(file, str(file), "prosumers.strategies", "thruthful", "zero_intelligence")


def test_an_unknown_option_of_a_strategy(tmp_path: Path, refused: Callable[..., str]) -> None:
    strategy = {"name": "truthful", "share": 1.0, "options": {"greed": 3}}
    file = scenario(tmp_path, prosumers__strategies=[strategy])
    refused(file, str(file), "prosumers.strategies", "greed")


def points(grid: str = GRID) -> list[str]:
    return list(pd.read_csv(GRIDS / grid / "connection_points.csv")["name"])


def test_two_prosumers_on_one_meter(tmp_path: Path, refused: Callable[..., str]) -> None:
    first, second = points()[:2]
    file = scenario(tmp_path, prosumers__meters={first: "meter 1", second: "meter 1"})
    refused(file, str(file), "prosumers.meters", first, second, "meter 1")


def test_a_meter_of_nobody(tmp_path: Path, refused: Callable[..., str]) -> None:
    file = scenario(tmp_path, prosumers__meters={"nobody": "meter 1"})
    refused(file, str(file), "prosumers.meters", "nobody")


@pytest.mark.parametrize("start", ["2015-12-31T23:45:00", "2016-12-31T23:45:00", "2031-01-01"])
def test_a_window_outside_the_profiles(
    tmp_path: Path, refused: Callable[..., str], start: str
) -> None:
    file = scenario(tmp_path, time__start=start)
    refused(file, "profiles.parquet", "time.start", "2016-01-01", start[:10])


def test_a_start_between_two_steps(tmp_path: Path, refused: Callable[..., str]) -> None:
    file = scenario(tmp_path, time__start="2016-05-24T11:07:00")
    refused(file, "profiles.parquet", "2016-05-24 11:07:00", "multiple of 900 s")


def test_steps_finer_than_the_profiles(tmp_path: Path, refused: Callable[..., str]) -> None:
    file = scenario(
        tmp_path,
        time__step_s=600,
        market__order_lead_s=400,
        market__metering_s=120,
    )
    refused(file, "profiles.parquet", "900 s", "600 s")


def broken_profiles(grid: Path, mend: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    file = grid / "profiles.parquet"
    mend(pd.read_parquet(file)).to_parquet(file, index=False)


def a_profile(grid: Path) -> str:
    elements = pd.read_csv(grid / "elements.csv")
    return str(elements[elements.kind == "pv"].profile.iloc[0]) + "_p"


def without_value(table: pd.DataFrame, column: str) -> pd.DataFrame:
    at = table.index[table.time == pd.Timestamp("2016-05-24 11:15")]
    table.loc[at, column] = float("nan")
    return table


def test_profiles_with_a_missing_value(tmp_path: Path, refused: Callable[..., str]) -> None:
    grid = grid_copy(tmp_path)
    column = a_profile(grid)
    broken_profiles(grid, lambda table: without_value(table, column))
    refused(
        scenario(tmp_path, grid__network=str(grid)),
        str(grid / "profiles.parquet"),
        column,
        "fill the gap",
    )


def test_profiles_with_a_missing_step(tmp_path: Path, refused: Callable[..., str]) -> None:
    grid = grid_copy(tmp_path)
    gap = pd.Timestamp("2016-05-24 11:15")
    broken_profiles(grid, lambda table: table[table.time != gap])
    refused(
        scenario(tmp_path, grid__network=str(grid)),
        str(grid / "profiles.parquet"),
        "field time",
        "2016-05-24",
        "11:00",
    )


def test_profiles_shorter_than_the_run(tmp_path: Path, refused: Callable[..., str]) -> None:
    grid = grid_copy(tmp_path)
    broken_profiles(grid, lambda table: table[table.time <= pd.Timestamp("2016-05-24 11:00")])
    refused(
        scenario(tmp_path, grid__network=str(grid)),
        str(grid / "profiles.parquet"),
        "time.intervals",
        "2016-05-24 11:30:00",
    )


def test_profiles_without_a_column_that_an_element_names(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    grid = grid_copy(tmp_path)
    column = a_profile(grid)
    broken_profiles(grid, lambda table: table.drop(columns=column))
    refused(scenario(tmp_path, grid__network=str(grid)), "elements.csv", "profile", column)


def edit_network(grid: Path, edit: Callable[[Any], None]) -> None:
    file = str(grid / "network.json")
    net = pp.from_json(file)
    edit(net)
    pp.to_json(net, file)


def test_a_network_without_coordinates(tmp_path: Path, refused: Callable[..., str]) -> None:
    grid = grid_copy(tmp_path)

    def edit(net: Any) -> None:
        net.bus.loc[net.bus.index[2], "geo"] = None

    edit_network(grid, edit)
    refused(
        scenario(tmp_path, grid__network=str(grid)),
        str(grid / "network.json"),
        "bus.geo",
        "without coordinates",
        "cosim grids import lays out a network",
    )


def test_an_isolated_connection_point(tmp_path: Path, refused: Callable[..., str]) -> None:
    grid = grid_copy(tmp_path)
    table = pd.read_csv(grid / "connection_points.csv")
    name, bus = table.iloc[-1]["name"], int(table.iloc[-1]["bus"])

    def edit(net: Any) -> None:
        net.line.loc[(net.line.from_bus == bus) | (net.line.to_bus == bus), "in_service"] = False

    edit_network(grid, edit)
    refused(
        scenario(tmp_path, grid__network=str(grid)),
        str(grid / "network.json"),
        "isolated connection points",
        str(name),
    )


@pytest.mark.parametrize(
    "file", ["network.json", "connection_points.csv", "elements.csv", "profiles.parquet"]
)
def test_a_grid_folder_without_one_of_its_files(
    tmp_path: Path, refused: Callable[..., str], file: str
) -> None:
    grid = grid_copy(tmp_path)
    (grid / file).unlink()
    refused(scenario(tmp_path, grid__network=str(grid)), str(grid / file), "missing")


@pytest.mark.parametrize("file", ["network.json", "profiles.parquet"])
def test_a_grid_folder_with_a_file_of_garbage(
    tmp_path: Path, refused: Callable[..., str], file: str
) -> None:
    grid = grid_copy(tmp_path)
    (grid / file).write_bytes(b"PAR1 this is neither JSON nor Parquet PAR1")
    refused(scenario(tmp_path, grid__network=str(grid)), str(grid / file), "cannot be read")


def test_a_simulator_that_does_not_start(tmp_path: Path, refused: Callable[..., str]) -> None:
    reading = {
        "from_simulator": "grid",
        "from_entity": "Bus-0",
        "from_attribute": "Vm[pu]",
        "attribute": "u",
    }
    foreign = {
        "name": "Weather",
        "python": "no.such.module:Thing",
        "model": "Sky",
        "reads": [reading],
    }
    file = scenario(tmp_path, simulators=[foreign])
    refused(file, str(file), "simulators.Weather.python", "'no.such.module:Thing'", "--trust")
    refused(file, str(file), "simulators.Weather", "could not be started", trust=True)


def test_a_result_folder_that_exists_already(
    tmp_path: Path, earlier: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(earlier)
    assert main(["run", str(scenario(tmp_path)), "--out", str(earlier)]) == EXIT_USER
    message = capsys.readouterr().err
    assert str(earlier) in message
    assert "exists already" in message
    assert "--force" in message
    assert contents(earlier) == before
    assert [path.name for path in earlier.parent.iterdir()] == ["earlier"]


def test_force_replaces_results_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter1.txt").write_text("a year of work")
    file = scenario(tmp_path)
    assert main(["run", str(file), "--out", str(thesis), "--force"]) == EXIT_USER
    assert "is not a result folder" in capsys.readouterr().err
    assert contents(thesis).keys() == {"chapter1.txt"}
    (tmp_path / "plain").write_text("a file")
    assert main(["run", str(file), "--out", str(tmp_path / "plain"), "--force"]) == EXIT_USER
    assert "in the way" in capsys.readouterr().err
    assert (tmp_path / "plain").read_text() == "a file"
    assert {path.name for path in tmp_path.iterdir()} == {"thesis", "plain", "scenario.yaml"}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"prosumers__batteries": {}}, "prosumers.batteries"),
        ({"time__start": "1999-01-01T00:00:00"}, "profiles.parquet"),
    ],
)
def test_a_process_exits_with_code_2_and_no_trace(
    tmp_path: Path, changes: dict[str, Any], name: str
) -> None:
    file = scenario(tmp_path, **changes)
    process = subprocess.run(
        [sys.executable, "-m", "cosim.cli", "run", str(file)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == EXIT_USER
    assert name in process.stderr
    assert "remedy: " in process.stderr
    assert "Traceback" not in process.stderr
    results = tmp_path / "results"
    assert not results.exists() or not list(results.iterdir())
