"""A campaign in real processes: interrupted, killed, extended, failed; nothing lost or twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import yaml
from checkpointed import die_after, dying
from result_folders import contents

import cosim
from cosim.campaigns.campaign import load_campaign
from cosim.campaigns.execution import Task, play
from cosim.campaigns.folder import opened
from cosim.campaigns.report import write_campaign_report
from cosim.campaigns.sweep import State
from cosim.campaigns.table import write_table
from cosim.campaigns.verification import verify_campaign
from cosim.campaigns.worker_processes import Processes
from cosim.cli import main
from cosim.errors import BusyFolderError, CheckError, ResultFolderError
from cosim.inputs.kept import sha256
from cosim.report.report import write_report
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario

BASE: dict[str, Any] = {
    "name": "tiny",
    "seed": 1,
    "time": {"start": "2016-05-24T11:00:00", "intervals": 1},
    "grid": {"network": "1-LV-rural1--1-sw", "reference_sample": 1},
}
PV = "prosumers.scaling.pv"


def write(file: Path, base: dict[str, Any] | None = None, **section: Any) -> Path:
    file.write_text(yaml.safe_dump({**BASE, **(base or {}), "campaign": section}, sort_keys=False))
    return file


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, "-m", "cosim.cli", "sweep", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(folder: Path) -> dict[str, int]:
    """Runs that are finished, and when their manifests were written."""
    manifests = (folder / "runs").glob("*/manifest.json")
    return {
        file.parent.name: file.stat().st_mtime_ns
        for file in manifests
        if not file.parent.name.endswith(".partial")
    }


def file_bytes(folder: Path) -> dict[str, bytes]:
    """Bytes of every file but manifests, which hold the time that a run took."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "manifest.json"
    }


def wait_for(condition: Callable[[], Any], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def test_interrupted_killed_and_extended_nothing_is_lost_or_played_twice(tmp_path: Path) -> None:
    folder = tmp_path / "result"
    file, longer = tmp_path / "tiny.yaml", {"time": {**BASE["time"], "intervals": 4}}
    write(file, longer, vary={PV: [1, 2, 3]})
    process = start(file, "--out", folder, "--jobs", "1")
    wait_for(lambda: finished(folder))
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in output
    assert "missing" in output
    assert "what is finished is kept; the same command goes on" in output
    first = finished(folder)
    assert 0 < len(first) < 3
    assert not list((folder / "runs").glob("*.partial"))
    wait_for(lambda: not any(worker.is_running() for worker in workers), 10)
    table = pd.read_parquet(folder / "campaign.parquet")
    assert (table["status"] == "done").sum() == len(first)

    # the same and two more, killed in the middle: workers end by themselves
    write(file, longer, vary={PV: [1, 2, 3, 4, 5]})
    process = start(file, "--out", folder, "--jobs", "2")
    wait_for(lambda: len(finished(folder)) > len(first))
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not any(worker.is_running() for worker in workers), 10)
    second = finished(folder)
    assert len(second) < 5
    assert first.items() <= second.items()

    process = start(file, "--out", folder, "--jobs", "1")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert f"5 of 5 runs done ({5 - len(second)} now)" in output
    third = finished(folder)
    assert len(third) == 5
    assert second.items() <= third.items()
    assert {path.name for path in (folder / "runs").iterdir()} == set(third)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cosim.SweepResult, list[State]]:
    """A campaign with a point that cannot be run: its day is not in the profiles."""
    folder = tmp_path_factory.mktemp("swept")
    file = write(
        folder / "tiny.yaml",
        {"prosumers": {"variation": {}}},
        vary={"time.start": ["2030-01-01T00:00:00", "2016-05-24T11:00:00"], PV: [1, 2]},
        seeds=2,
        indicators=["welfare_eur", "violations.delivered.any.minutes"],
    )
    told: list[State] = []
    return file, cosim.sweep(file, folder / "result", jobs=2, progress=told.append), told


def test_a_failed_run_is_recorded_and_stops_no_other(
    swept: tuple[Path, cosim.SweepResult, list[State]],
) -> None:
    _, result, told = swept
    assert (result.played, result.count("done"), result.count("failed")) == (4, 4, 4)
    assert not result.complete
    assert len(result.errors) == 4
    assert all("2030" in error for error in result.errors.values())
    for run in result.errors:
        record = json.loads((result.folder / "failed" / f"{run}.json").read_text())
        assert record["values"]["time.start"] == "2030-01-01T00:00:00"
        assert record["failure"]["kind"] == "user"
        assert record["failure"]["remedy"]
    assert (told[-1].runs, told[-1].runs_total, told[-1].failed) == (8, 8, 4)
    assert told[-1].intervals == told[-1].intervals_total == 8
    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert manifest["kind"] == "campaign"
    assert manifest["complete"] is False


def test_the_table_is_tidy(swept: tuple[Path, cosim.SweepResult, list[State]]) -> None:
    _, result, _ = swept
    table = pd.read_parquet(result.parquet)
    pd.testing.assert_frame_equal(table, result.table)
    assert list(table.columns[:9]) == [
        "hash", "folder", "status", "error", "point", "number", "seed", "time.start", PV,
    ]  # fmt: skip
    assert list(table["point"]) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert list(table["number"]) == [1, 2] * 4
    assert table["folder"].isna().tolist() == [True] * 4 + [False] * 4
    for row in table[table["status"] == "done"].to_dict("records"):
        own = cosim.open_result(result.folder / row["folder"])
        assert own.complete
        assert own.scenario.prosumers.scaling.pv == row[PV]
        assert own.scenario.seed == row["seed"]
        assert own.indicators["welfare_eur"] == row["welfare_eur"]
        nested = own.indicators["violations"]["delivered"]["any"]["minutes"]
        assert nested == row["violations.delivered.any.minutes"]
    # an indicator of a run that failed is missing, not 0
    assert table["welfare_eur"].isna().sum() == 4
    assert table["welfare_eur"].nunique() == 4


def test_a_run_is_what_cosim_run_makes_of_its_scenario(
    swept: tuple[Path, cosim.SweepResult, list[State]], tmp_path: Path
) -> None:
    _, result, _ = swept
    run = result.folder / str(result.table["folder"].dropna().iloc[0])
    scenario = cosim.load_scenario(run / "scenario.yaml")
    again = run_scenario(scenario, run / "scenario.yaml", tmp_path / "again", report=False)
    for file in sorted((run / "tables").iterdir()):
        assert file.read_bytes() == (again.folder / "tables" / file.name).read_bytes()
    assert write_report(run).is_file()


def test_a_second_sweep_does_only_what_is_missing(
    swept: tuple[Path, cosim.SweepResult, list[State]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, result, _ = swept
    before = contents(result.folder / "runs")
    assert main(["sweep", str(file), "--out", str(result.folder)]) == 1
    printed = capsys.readouterr().out
    assert "4 of 8 runs done (0 now), 4 failed" in printed
    assert "--retry plays them again" in printed
    assert contents(result.folder / "runs") == before
    # a run that is gone is played again, and has the bytes that it had
    gone = str(result.table["folder"].dropna().iloc[-1])
    own = file_bytes(result.folder / gone)
    for path in sorted((result.folder / gone).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (result.folder / gone).rmdir()
    assert cosim.sweep(file, result.folder, jobs=1).played == 1
    assert len(own) > 20
    assert file_bytes(result.folder / gone) == own


def test_failed_runs_are_retried_if_asked(
    swept: tuple[Path, cosim.SweepResult, list[State]],
) -> None:
    file, result, _ = swept
    told: list[State] = []
    again = cosim.sweep(file, result.folder, jobs=1, retry=True, progress=told.append)
    assert (told[-1].runs, told[-1].failed, again.played) == (4, 4, 0)


def test_a_run_whose_process_dies_is_played_once_more_and_stops_no_other(tmp_path: Path) -> None:
    campaign = load_campaign(write(tmp_path / "tiny.yaml", vary={PV: [1, 2, 3]}))
    always, once, never = campaign.distinct
    executor = Processes(1)
    killed: list[str] = []

    def kill(run: str, intervals: int) -> None:
        if run == always or (run == once and once not in killed):
            killed.append(run)
            (worker,) = executor._workers
            worker.process.kill()

    tasks = [
        Task(run.hash, run.scenario, campaign.file, tmp_path / "runs" / run.hash, False)
        for run in campaign.runs
    ]
    answers = {answer.hash: answer.failure for answer in executor.play(tasks, kill)}
    assert sorted(killed) == sorted([always, always, once])
    assert (answers[once], answers[never]) == (None, None)
    failure = answers[always]
    assert failure is not None
    assert (failure.kind, "killed by SIGKILL" in failure.text) == ("lost", True)
    # played before the word came back, it may be whole; a part of it never stays
    assert {once, never} <= {path.name for path in (tmp_path / "runs").iterdir()} <= {
        always, once, never,
    }  # fmt: skip


def test_a_campaign_is_verified_whole(
    swept: tuple[Path, cosim.SweepResult, list[State]], capsys: pytest.CaptureFixture[str]
) -> None:
    _, result, _ = swept
    assert main(["verify", str(result.folder), "--only", "files,recompute"]) == 0
    output = capsys.readouterr().out
    assert "its own files and all 4 runs agree, nothing differs; NOT EVERYTHING was" in output
    assert "declaration: run" in output
    assert "is failed: the campaign's word" in output
    run = result.folder / str(result.table["folder"].dropna().iloc[0])
    assert main(["report", str(run)]) == 0
    assert main(["verify", str(run), "--only", "report"]) == 0
    assert main(["report", str(result.folder), "--figures", str(result.folder / "svg")]) == 0
    assert list((result.folder / "svg").glob("tiny_*.svg"))
    shutil.rmtree(result.folder / "svg")


def better(table: pd.DataFrame) -> None:
    table.loc[table["status"] == "done", "welfare_eur"] += 1.0


def labelled_otherwise(table: pd.DataFrame) -> None:
    table[PV] = 3 - table[PV]


@pytest.mark.parametrize(
    ("change", "where"),
    [(better, ["tables", "report"]), (labelled_otherwise, ["tables", "report"])],
)
def test_a_forged_table_of_a_campaign_is_found(
    swept: tuple[Path, cosim.SweepResult, list[State]],
    tmp_path: Path,
    change: Callable[[pd.DataFrame], None],
    where: list[str],
) -> None:
    forged = tmp_path / "forged"
    shutil.copytree(swept[1].folder, forged)
    table = pd.read_parquet(forged / "campaign.parquet")
    change(table)
    write_table(forged, table, "campaign.parquet", "campaign.csv")
    restate(forged)
    assert verify_campaign(forged, "revm").failed == where


def test_a_forged_run_of_a_campaign_is_found(
    swept: tuple[Path, cosim.SweepResult, list[State]], tmp_path: Path
) -> None:
    """A run that stands for another, one left out, another design, a file that is nobody's."""
    folder = tmp_path / "forged"
    shutil.copytree(swept[1].folder, folder)
    kept = (folder / "manifest.json").read_bytes()
    done = [run["name"] for run in json.loads(kept)["runs"] if run["status"] == "done"]
    one, other = (folder / "runs" / done[k] for k in (0, 2))
    one.rename(folder / "runs" / "x")
    other.rename(one)
    (folder / "runs" / "x").rename(other)
    write_campaign_report(folder)
    assert verify_campaign(folder, "revm").failed == ["declaration", "tables"]
    one.rename(folder / "runs" / "x")
    other.rename(one)
    (folder / "runs" / "x").rename(other)

    def stating(change: Callable[[dict[str, Any]], None]) -> list[str]:
        manifest = json.loads(kept)
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        write_campaign_report(folder)
        return verify_campaign(folder, "revm").failed

    def dropped(manifest: dict[str, Any]) -> None:
        manifest["runs"] = [run for run in manifest["runs"] if run["name"] != done[0]]

    def failing(manifest: dict[str, Any]) -> None:
        for run in manifest["runs"]:
            run["status"] = "missing" if run["name"] == done[0] else run["status"]

    def seeded(manifest: dict[str, Any]) -> None:
        manifest["seeds"] = 1

    def one_for_two(manifest: dict[str, Any]) -> None:
        for run in manifest["runs"]:
            run["name"] = done[0] if run["name"] == done[1] else run["name"]

    assert stating(lambda manifest: None) == []
    assert "declaration" in stating(dropped)
    assert "campaign" in stating(failing)
    assert "declaration" in stating(seeded)
    assert "declaration" in stating(one_for_two)
    (folder / "more.csv").write_text("")
    assert stating(lambda manifest: None) == ["campaign"]


def test_what_was_found_counts_although_a_run_cannot_be_checked_here(
    swept: tuple[Path, cosim.SweepResult, list[State]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def troubled(*arguments: object, **options: object) -> None:
        raise CheckError("the disk is full")

    monkeypatch.setattr("cosim.campaigns.verification.verify", troubled)
    assert main(["verify", str(swept[1].folder)]) == 3
    stray = swept[1].folder / "stray.txt"
    stray.write_text("")
    try:
        assert main(["verify", str(swept[1].folder)]) == 1
    finally:
        stray.unlink()
    output = capsys.readouterr().out
    assert "no further run was checked: the disk is full" in output
    assert "campaign tiny: NOT VERIFIED; differences in its own campaign" in output


def test_a_campaign_without_a_finished_run_is_not_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = write(tmp_path / "tiny.yaml", vary={PV: [1, 2]}), tmp_path / "out"

    class Idle(Processes):
        def play(self, tasks: Any, tell: Any) -> Any:
            raise KeyboardInterrupt
            yield

    assert cosim.sweep(file, out, executor=Idle(1)).interrupted
    assert main(["verify", str(out), "--only", "files"]) == 4
    assert "campaign tiny: NOT VERIFIED; none of its runs is finished" in capsys.readouterr().out


def test_ctrl_c_while_tables_are_written_says_that_runs_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cosim.campaigns.sweep._swept", interrupted)
    file = write(tmp_path / "tiny.yaml", vary={PV: [1, 2]})
    assert main(["sweep", str(file), "--out", str(tmp_path / "out")]) == 130
    assert "interrupted; what is finished is kept; the same command" in capsys.readouterr().err


def restate(folder: Path) -> None:
    """State the hashes of a campaign's files anew."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"] = {name: sha256(folder / name) for name in manifest["sha256"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_two_sweeps_in_one_folder_do_not_meet(
    swept: tuple[Path, cosim.SweepResult, list[State]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, result, _ = swept
    campaign = load_campaign(file)
    with opened(result.folder, campaign):
        assert main(["sweep", str(file), "--out", str(result.folder)]) == 2
        assert "another sweep is at work in this folder" in capsys.readouterr().err
        with pytest.raises(BusyFolderError):
            cosim.sweep(campaign, result.folder, part=(1, 2))
    # parts share the folder, and a whole sweep waits for them
    with opened(result.folder, campaign, shared=True):
        with opened(result.folder, campaign, shared=True):
            pass
        with pytest.raises(BusyFolderError):
            cosim.sweep(campaign, result.folder)


def test_a_folder_of_something_else_stays(tmp_path: Path) -> None:
    file = write(tmp_path / "tiny.yaml", vary={PV: [1, 2]})
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(ResultFolderError, match="is not the folder of a campaign"):
        cosim.sweep(file, other)
    assert file_bytes(other) == {"thesis.txt": b"mine"}


def test_parts_of_an_array_script_play_everything_once(tmp_path: Path) -> None:
    file = write(tmp_path / "tiny.yaml", vary={PV: [1, 2]})
    folder, script = tmp_path / "result", tmp_path / "sweep.sh"
    arguments = ["sweep", str(file), "--out", str(folder), "--write-slurm", str(script)]
    assert main([*arguments, "--jobs", "2"]) == 0
    assert not folder.exists()
    text = script.read_text()
    assert "#SBATCH --array=1-2\n" in text
    path = os.pathsep.join(entry for entry in sys.path if entry)
    tasks = [
        subprocess.Popen(
            ["bash", str(script)],
            env=os.environ | {"PYTHONPATH": path, "SLURM_ARRAY_TASK_ID": str(k)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for k in (1, 2)
    ]
    outputs = [task.communicate(timeout=120)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], outputs
    assert len(finished(folder)) == 2
    assert not (folder / "campaign.parquet").exists()
    collected = cosim.sweep(file, folder)
    assert (collected.played, collected.complete) == (0, True)
    assert collected.parquet.is_file()


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b"])
def test_a_part_that_is_none_is_refused(
    part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sweep", "x.yaml", "--part", part])
    assert caught.value.code == 2
    assert f"{part!r} is no part such as 1/8" in capsys.readouterr().err


def test_bad_input_is_told_before_anything_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "result"
    for vary, says in (
        ({"prosumers.scaling.pw": [1]}, "field prosumers.scaling.pw"),
        ({PV: []}, "field campaign.vary.prosumers.scaling.pv: has no values"),
        ({"grid.network": ["no-such-grid"]}, "no grid 'no-such-grid'"),
    ):
        file = write(tmp_path / "bad.yaml", vary=vary)
        assert main(["sweep", str(file), "--out", str(folder)]) == 2
        assert says in capsys.readouterr().err
    assert not folder.exists()


def test_a_long_run_goes_on_in_its_middle(
    tmp_path: Path,
    short_scenario: Callable[..., Scenario],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed in its sixth interval, with a checkpoint after four."""
    monkeypatch.setattr("cosim.runs.checkpoint.checkpoints.SECONDS_PER_DAY", 4 * 900)
    file = write(tmp_path / "campaign.yaml", vary={PV: [1]})
    scenario = short_scenario(6, start="2016-05-24T11:00:00")
    with opened(tmp_path / "sweep", load_campaign(file)) as folder:
        target = folder.runs / "abc"
        task = Task("abc", scenario, file, target, trust=False)
        with dying():
            play(task, lambda done: die_after(6)(done, False))
        folder.clear()  # as the next sweep does
        told: list[int] = []
        assert play(task, told.append) is None
        assert told == [5, 6]
        expected = run_scenario(scenario, file, tmp_path / "whole", report=False).folder
        assert file_bytes(target) == file_bytes(expected)
        # a checkpoint that is damaged costs the run its beginning, not its result
        shutil.rmtree(target)
        with dying():
            play(task, lambda done: die_after(6)(done, False))
        state = target.with_name("abc.partial") / "checkpoint/00000/state.pickle"
        state.write_bytes(state.read_bytes()[:-9])
        told.clear()
        assert play(task, told.append) is None
        assert told[0] == 1
        assert file_bytes(target) == file_bytes(expected)
