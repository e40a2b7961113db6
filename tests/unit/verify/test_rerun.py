"""The run played again: from the folder alone, compared cell by cell, or plainly not played."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forgery import hash_again

from cosim.cli import main
from cosim.cli.options import EXIT_NOT_RERUN, EXIT_UNCHECKED, EXIT_USER
from cosim.errors import CheckError, OutOfTime, ResultFolderError
from cosim.grid.catalogue import open_grid
from cosim.replay.findings import Check
from cosim.results.reader import Results
from cosim.runs.again import main as again
from cosim.runs.experiment import run_scenario
from cosim.runs.preparation import prepare_grid
from cosim.scenario import Scenario, load_scenario
from cosim.verify.rerun import Rerun, compare, compare_tables, time_limit_s
from cosim.verify.verification import QUESTIONS, Verification, parts_of, verify

RERUN = ("rerun",)


@pytest.fixture(scope="module")
def moved(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A result of a grid, a slack voltage and a forecast whose files are gone by now."""
    base = tmp_path_factory.mktemp("moved")
    near = base / "near"
    shutil.copytree(open_grid("1-LV-rural1--1-sw").folder, near / "grids" / "village")
    (near / "vm.csv").write_text(
        "time,vm_pu\n" + "".join(f"2016-05-24T11:{m:02}:00,1.0{m}\n" for m in (0, 15, 30, 45))
    )
    scenario = short_scenario(
        2, grid={"network": "grids/village", "slack_voltage": {"file": "vm.csv"}}
    )
    (near / "s.yaml").write_text(scenario.to_yaml())
    run_scenario(load_scenario(near / "s.yaml"), near / "s.yaml", near / "result")
    shutil.move(near / "result", base / "result")
    shutil.rmtree(near)
    return base / "result"


def test_a_result_needs_no_file_but_its_own(moved: Path) -> None:
    done = verify(moved)
    assert [str(one) for check in done.checks for one in check.differences] == []
    assert done.passed
    rerun = done.checks[-1]
    assert rerun.notes == [
        f"{len(pq_files(moved))} of {len(pq_files(moved))} tables are equal by byte"
    ]
    inputs = next(check for check in done.checks if check.name == "inputs")
    assert inputs.notes[0].startswith("the grid grids/village is the author's own: network.json ")
    assert {p.name for p in (moved / "inputs" / "grid" / "village").iterdir()} == {
        "network.json", "connection_points.csv", "elements.csv", "profiles.parquet", "SOURCE.md",
    }  # fmt: skip
    # two intervals and the days before them that forecasts are judged by, not the whole year
    kept = pq.read_metadata(moved / "inputs" / "grid" / "village" / "profiles.parquet").num_rows
    assert kept < 35_136 / 10


def pq_files(folder: Path) -> list[Path]:
    return sorted((folder / "tables").glob("*.parquet"))


def spoilt(moved: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "spoilt"
    shutil.copytree(moved, folder)
    return folder


def test_another_voltage_of_the_grid_above_is_found(moved: Path, tmp_path: Path) -> None:
    folder = spoilt(moved, tmp_path)
    file = folder / "inputs" / "files" / "0.csv"
    file.write_text(file.read_text().replace("1.015", "1.016"))
    hash_again(folder)
    done = verify(folder, parts=RERUN)
    assert done.failed == ["rerun"]
    assert {one.table for one in done.checks[0].differences} >= {"buses"}
    # of every table and column the first row that differs, which is one of interval 1
    of_table = [one for one in done.checks[0].differences if one.table == "buses"]
    assert {one.column for one in of_table} == {"vm_pu", "va_degree"}
    buses = pd.read_parquet(folder / "tables" / "buses.parquet")
    assert of_table[0].row == f"interval 1, bus {buses.bus[buses.interval == 1].iloc[0]}"


def test_another_contract_source_is_found(moved: Path, tmp_path: Path) -> None:
    folder = spoilt(moved, tmp_path)
    source = folder / "inputs" / "contracts" / "money" / "EuroToken.vy"
    source.write_text(source.read_text() + "\n# hidden\n")
    hash_again(folder)
    assert verify(folder, parts=("files",)).failed == ["inputs"]


def test_an_index_does_not_lead_out_of_the_folder(moved: Path, tmp_path: Path) -> None:
    folder = spoilt(moved, tmp_path)
    index = folder / "inputs" / "index.json"
    outside = tmp_path / "elsewhere.csv"
    shutil.copyfile(folder / "inputs" / "files" / "0.csv", outside)
    said = json.loads(index.read_text())
    for place in ("../../elsewhere.csv", str(outside), ".", ""):
        said["files"][0]["file"] = place
        index.write_text(json.dumps(said))
        with pytest.raises(ResultFolderError, match="is not among the inputs of the result"):
            prepare_grid(load_scenario(folder / "scenario.yaml"))


def test_inputs_that_are_gone_are_no_pass(moved: Path, tmp_path: Path) -> None:
    folder = spoilt(moved, tmp_path)
    (folder / "inputs" / "grid" / "village" / "profiles.parquet").unlink()
    hash_again(folder)
    done = verify(folder, parts=(*RERUN, "grid"))
    assert not done.passed
    assert done.left_out == ["network", "rerun"]
    # and the files that must be there are known without it
    assert "files" in verify(folder, parts=("files",)).failed


def test_a_file_too_large_to_be_kept_is_told_by_its_hash(moved: Path, tmp_path: Path) -> None:
    folder = spoilt(moved, tmp_path)
    index = folder / "inputs" / "index.json"
    said = json.loads(index.read_text())
    kept = folder / "inputs" / said["files"][0]["file"]
    content = kept.read_bytes()
    kept.unlink()
    said["files"][0]["file"] = None
    index.write_text(json.dumps(said, indent=2, sort_keys=True) + "\n")
    hash_again(folder)
    scenario = folder / "scenario.yaml"
    with pytest.raises(ResultFolderError, match=said["files"][0]["sha256"]):
        prepare_grid(load_scenario(scenario))
    (folder / "vm.csv").write_bytes(content + b"2016-05-24T12:00:00,1.0\n")
    with pytest.raises(ResultFolderError, match="too large to be kept"):
        prepare_grid(load_scenario(scenario))
    (folder / "vm.csv").write_bytes(content)
    assert prepare_grid(load_scenario(scenario)).slack_vm_pu is not None


def test_a_full_disk_accuses_nobody(moved: Path) -> None:
    code = (
        "import resource, sys; from cosim.cli import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "verify", str(moved), "--only", "rerun"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("DIFFERS")) == (EXIT_UNCHECKED, 0)
    assert "says nothing of the result: the run could not be played again" in done.stderr
    assert "File too large" in done.stderr
    # a check that writes for itself
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        with pytest.raises(CheckError, match="bytes could not be checked"):
            verify(moved, parts=("files",))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_run_that_is_played_for_too_long_is_not_re_run(
    moved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = time.monotonic()
    assert main(["verify", str(moved), "--only", "rerun", "--timeout", "0.2"]) == EXIT_NOT_RERUN
    assert time.monotonic() - begin < 10
    said = capsys.readouterr().out
    assert "rerun: not re-run: it was not done after 0.2 s; --timeout gives it longer" in said
    assert "these inputs? not re-run" in said
    for wrong in ("0", "inf", "long"):
        with pytest.raises(SystemExit) as stopped:
            main(["verify", str(moved), "--timeout", wrong])
        assert stopped.value.code == EXIT_USER


def test_the_time_limit_follows_from_what_the_run_took_within_bounds() -> None:
    assert time_limit_s({"timing": {"set-up": 100.0, "mosaik": 20.0}}) == 3600.0
    assert time_limit_s({"timing": {"set-up": 1.0}}) == 1800.0
    assert time_limit_s({"timing": {"mosaik": 1e5}}) == 7 * 86_400.0
    for forged in ({}, {"timing": 3}, {"timing": {"set-up": "long", "mosaik": float("inf")}}):
        assert time_limit_s(forged) == 1800.0


def test_a_plug_in_that_takes_for_ever_is_no_accusation(moved: Path) -> None:
    def late(results: object) -> Check:
        raise OutOfTime("it did not return within 1 s")

    with pytest.raises(CheckError, match="lottery could not be checked: it did not return within"):
        Verification(moved, "revm").run("lottery", late, None)


def test_no_place_for_temporary_files_is_no_accusation(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with pytest.raises(CheckError, match="no place to play the run again"):
        Rerun(Results(copied))


def test_floats_of_power_flows_may_be_noise_and_nothing_else_may() -> None:
    table = pa.table({"interval": [0, 1], "vm_pu": [1.0, 1.02]})
    near, far = (pa.table({"interval": [0, 1], "vm_pu": [1.0, 1.02 + d]}) for d in (1e-13, 1e-6))
    check = Check("rerun", "")
    compare_tables(check, "buses", near, table)
    assert check.passed
    assert check.largest["vm_pu"] == pytest.approx(1e-13, rel=0.01)
    compare_tables(check, "buses", far, table)
    assert [(one.table, one.row, one.column) for one in check.differences] == [
        ("buses", "interval 1", "vm_pu")
    ]
    missing = pa.table({"interval": [0, 1], "vm_pu": [float("nan"), float("inf")]})
    for left, right, same in ((missing, missing, True), (missing, table, False)):
        check = Check("rerun", "")
        compare_tables(check, "buses", left, right)
        assert check.passed is same
    exact = Check("rerun", "")
    compare_tables(exact, "orders", near, table)
    assert [one.column for one in exact.differences] == ["vm_pu"]
    for other in (table.slice(0, 1), table.rename_columns(["interval", "vm"])):
        check = Check("rerun", "")
        compare_tables(check, "buses", other, table)
        assert not check.passed


def test_another_blas_moves_floats_by_noise_only(moved: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    command = [sys.executable, "-m", "cosim.runs.again", str(moved), str(out)]
    env = os.environ | {"OPENBLAS_CORETYPE": "Prescott"}
    subprocess.run(command, check=True, capture_output=True, env=env)
    check = Check("rerun", "")
    compare(check, Results(moved), out)
    assert [str(one) for one in check.differences] == []
    assert max(check.largest.values(), default=0.0) < 1e-10


def test_a_foreign_simulator_is_started_only_when_trusted(
    short_scenario: Callable[..., Scenario],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = tmp_path / "started"
    module = tmp_path / "their_load.py"
    module.write_text(
        "import pathlib\n"
        "import mosaik_api_v3\n"
        f"pathlib.Path({str(started)!r}).touch()\n"
        "META = {'api_version': '3.0', 'type': 'time-based', 'models': "
        "{'Load': {'public': True, 'params': [], 'attrs': ['P']}}}\n"
        "class Sim(mosaik_api_v3.Simulator):\n"
        "    def __init__(self): super().__init__(META)\n"
        "    def init(self, sid, time_resolution=1.0, **params): return self.meta\n"
        "    def create(self, num, model): return [{'eid': 'load', 'type': model}]\n"
        "    def step(self, time, inputs, max_advance): return time + 900\n"
        "    def get_data(self, outputs): return {'load': {'P': 0.003}}\n"
    )
    load = {
        "name": "their_load",
        "python": "their_load:Sim",
        "model": "Load",
        "feeds": [
            {
                "attribute": "P",
                "to_entity": "LV1.101 Bus 14",
                "to_attribute": "P_load[MW]",
            }
        ],
    }
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ".")  # meant from here, in the rerun as well
    folder = tmp_path / "result"
    scenario = short_scenario(2, simulators=[load])
    run_scenario(scenario, tmp_path / "s.yaml", folder, trust=True)
    started.unlink()
    assert main(["verify", str(folder), "--only", "rerun"]) == EXIT_NOT_RERUN
    said = capsys.readouterr().out
    assert not started.exists()
    assert "it was not played again" in said
    assert "starts simulators of its own: simulators.their_load.python" in " ".join(said.split())
    assert main(["verify", str(folder), "--only", "rerun", "--trust"]) == 0
    assert started.exists()
    # one that stops is no pass: the result says that it did not
    module.write_text(module.read_text().replace("return time + 900", "raise OSError('broken')"))
    done = verify(folder, parts=RERUN, trust=True)
    assert done.failed == ["rerun"]
    first = str(done.checks[0].differences[0])
    assert "SimulatorError: simulator their_load: failed in step" in first


def test_questions_and_parts_may_be_named_together() -> None:
    assert parts_of(["rerun"]) == ("rerun",)
    assert parts_of(["replay", "recompute"]) == ("files", "ledger", "grid", "indicators", "report")
    assert parts_of(["grid", "replay"]) == ("grid", "files", "ledger")
    assert set(QUESTIONS) == {"rerun", "replay", "recompute"}


def test_the_command_takes_several_parts(moved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(moved), "--only", "files,report", "--only", "rerun"]) == 0
    said = capsys.readouterr().out
    n = len(pq_files(moved))
    assert (
        f"is it what this version makes of these inputs? yes: {n} of {n} tables are equal by byte, "
        "every float equal\nis it right by other means? yes, as far as was asked: files, report, "
        "rerun\n"
    ) in said
    with pytest.raises(SystemExit) as stopped:
        main(["verify", str(moved), "--only", "rerun,all"])
    assert stopped.value.code == EXIT_USER
    assert "'all' is none of rerun, replay, recompute" in capsys.readouterr().err


def test_the_program_says_what_became_of_it(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied / "scenario.yaml").write_text("name: x\n")
    assert again([str(copied), str(tmp_path / "out")]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["outcome"] == "refused"
    assert str(copied / "scenario.yaml") in told["said"]
    assert not (tmp_path / "out").exists()
