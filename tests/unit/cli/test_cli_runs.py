"""The command line: what each command prints and the code with which it exits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import cosim
import cosim.runs.experiment
import cosim.scenario.loading
from cosim.cli import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USER, main
from cosim.errors import (
    EngineError,
    PowerFlowMismatchError,
    ReconciliationError,
    ResultFolderError,
    ScenarioError,
    SimulatorError,
)

SCENARIO = {
    "name": "small",
    "seed": 1,
    "time": {"start": "2016-05-24T11:00:00", "intervals": 2},
    "grid": {"network": "1-LV-rural1--1-sw"},
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SCENARIO))
    return path


class Called(Exception):
    """Carries what run_scenario was called with out of it."""


@pytest.fixture
def called(monkeypatch):
    """Run the command line as far as run_scenario; gives its arguments."""

    def run(*arguments: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        def stop(*args: Any, **options: Any) -> None:
            raise Called(args, options)

        monkeypatch.setattr(cosim.runs.experiment, "run_scenario", stop)
        with pytest.raises(Called) as caught:
            main(["run", *arguments])
        return caught.value.args

    return run


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"cosim {cosim.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run"], ["run", "x.yaml", "--engine", "geth"]])
def test_usage_errors_exit_as_user_errors(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == EXIT_USER
    assert "usage: cosim" in capsys.readouterr().err


def test_a_run_goes_to_results_by_the_name_of_the_scenario(called, file):
    (scenario, given, out), options = called(str(file))
    assert scenario.name == "small"
    assert scenario.ledger.engine == "auto"
    assert given == file
    assert out == Path("results/small")
    assert options["force"] is False


def test_options_of_a_run_reach_it(called, file, tmp_path):
    (scenario, _, out), options = called(
        str(file), "--out", str(tmp_path / "here"), "--engine", "py-evm", "--force"
    )
    assert scenario.ledger.engine == "py-evm"
    assert scenario.ledger.block_time_s == 12
    assert out == tmp_path / "here"
    assert options["force"] is True


def test_the_engine_of_the_scenario_holds_unless_another_is_named(called, tmp_path):
    path = tmp_path / "reference.yaml"
    path.write_text(yaml.safe_dump(SCENARIO | {"ledger": {"engine": "py-evm"}}))
    assert called(str(path))[0][0].ledger.engine == "py-evm"
    assert called(str(path), "--engine", "revm")[0][0].ledger.engine == "revm"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (
            ScenarioError("is wrong", field="grid.network"),
            EXIT_USER,
            "field grid.network: is wrong",
        ),
        (ResultFolderError("exists already", file="here"), EXIT_USER, "file here: exists already"),
        (
            ReconciliationError(3, ["LV1 Bus 2"], "one Wh is missing"),
            EXIT_FAILED,
            "the run stopped: interval 3, LV1 Bus 2: one Wh is missing",
        ),
        (SimulatorError("Weather", "crashed"), EXIT_FAILED, "the run stopped: simulator Weather"),
        (PowerFlowMismatchError("they differ"), EXIT_FAILED, "the run stopped: they differ"),
        (EngineError("no space"), EXIT_FAILED, "the run stopped: no space"),
        (KeyboardInterrupt(), EXIT_INTERRUPTED, "interrupted; nothing was written"),
        (
            PermissionError(13, "Permission denied", "/results"),
            EXIT_USER,
            "file /results: Permission denied",
        ),
    ],
)
def test_errors_become_exit_codes(monkeypatch, file, capsys, error, code, says):
    def fail(*args: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(cosim.runs.experiment, "run_scenario", fail)
    assert main(["run", str(file)]) == code
    message = capsys.readouterr().err
    assert message.startswith("cosim: ")
    assert says in message
    assert "Traceback" not in message


def test_an_error_of_the_program_is_not_dressed_up_as_one_of_the_user(monkeypatch, file):
    def fail(*args: Any, **options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cosim.runs.experiment, "run_scenario", fail)
    with pytest.raises(ZeroDivisionError):
        main(["run", str(file)])


def test_a_place_that_cannot_hold_a_result(file, tmp_path, capsys):
    (tmp_path / "plain").write_text("a file")
    out = tmp_path / "plain" / "result"
    assert main(["run", str(file), "--out", str(out)]) == EXIT_USER
    message = capsys.readouterr().err
    assert str(out) in message
    assert "remedy: " in message


def test_the_schema_is_json_and_knows_the_defaults(capsys):
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$defs"]["LedgerSettings"]["properties"]["block_time_s"]["default"] == 12


@pytest.mark.parametrize(("section", "field"), [("study", "compare"), ("campaign", "vary")])
def test_the_schema_knows_the_sections_of_studies_and_campaigns(capsys, section, field):
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    model = schema["properties"][section]["$ref"].removeprefix("#/$defs/")
    assert field in schema["$defs"][model]["properties"]
    assert not [name for name in _references(schema) if name not in schema["$defs"]]


def _references(part):
    if isinstance(part, dict):
        if isinstance(name := part.get("$ref"), str):
            yield name.removeprefix("#/$defs/")
        for value in part.values():
            yield from _references(value)
    if isinstance(part, list):
        for value in part:
            yield from _references(value)


@pytest.mark.parametrize("given", ["spam", "attacks/spam", "small"])
def test_scenarios_that_come_with_cosim_are_found_by_name(
    called, file, given, tmp_path, monkeypatch
):
    own = tmp_path / "own"
    (own / "attacks").mkdir(parents=True)
    shutil.copy(file, own / "attacks" / "spam.yaml")
    shutil.copy(file, own / "small.yaml")
    monkeypatch.setattr(cosim.scenario.loading, "folder", lambda kind: own)
    (_, found, _), _ = called(given)
    assert found == own / ("small.yaml" if given == "small" else "attacks/spam.yaml")


def test_a_name_outside_of_the_scenarios_is_not_one_of_them(file, tmp_path, monkeypatch, capsys):
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(cosim.scenario.loading, "folder", lambda kind: tmp_path / "own")
    assert main(["run", "../small"]) == EXIT_USER
    assert "../small" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("jobs", "problem"),
    [("0", "0 is not above 0"), ("-1", "-1 is not above 0"), ("two", "invalid whole number")],
)
def test_there_is_at_least_one_job(jobs, problem, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["run", "quickstart", "--jobs", jobs])
    assert exit_.value.code == EXIT_USER
    assert problem in capsys.readouterr().err


def test_grids_are_listed_with_what_they_hold(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")  # nothing is cut, however narrow it is
    assert main(["grids", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, points in (("1-LV-rural1--1-sw", "13"), ("1-LV-rural3--2-sw", "118")):
        at = lines.index(name)
        assert f"{points} connection points" in lines[at + 2]
        assert "2016-01-01T00:00 to 2016-12-31T23:45" in lines[at + 3]


def test_an_import_needs_to_know_who_is_connected_where(tmp_path, capsys):
    assert main(["grids", "import", str(tmp_path / "net.json")]) == EXIT_USER
    message = capsys.readouterr().err
    assert "net.json" in message
    assert "--points" in message


def test_a_report_is_written_anew(quickstart_result, tmp_path, capsys):
    folder = tmp_path / "result"
    shutil.copytree(quickstart_result, folder)
    first = (folder / "report.html").read_bytes()
    (folder / "report.html").write_text("lost")
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == f"report: {folder / 'report.html'}"
    assert (folder / "report.html").read_bytes() == first


def test_a_report_of_nothing_is_refused(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == EXIT_USER
    message = capsys.readouterr().err
    assert str(tmp_path) in message
    assert "is not a result folder" in message
    assert list(tmp_path.iterdir()) == []
