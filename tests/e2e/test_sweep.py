"""A campaign in real processes: interrupted, killed, extended, failed; nothing lost or twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from checkpointed import die_after, dying
from sweeping import BASE, PV, file_bytes, finished, start, wait_for, write

import cosim
from cosim.campaigns.campaign import load_campaign
from cosim.campaigns.execution import Task, play
from cosim.campaigns.folder import opened
from cosim.campaigns.worker_processes import Processes
from cosim.cli import main
from cosim.errors import ResultFolderError
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario


def test_interrupted_killed_and_extended_nothing_is_lost_or_played_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "result"
    file, longer = tmp_path / "tiny.yaml", {"time": {**BASE["time"], "intervals": 4}}
    write(file, longer, vary={PV: [1, 2, 3, 4]})
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
    assert 0 < len(first) < 4
    assert not list((folder / "runs").glob("*.partial"))
    wait_for(lambda: not any(worker.is_running() for worker in workers), 10)
    table = pd.read_parquet(folder / "campaign.parquet")
    assert (table["status"] == "done").sum() == len(first)

    # the same and one more, killed in the middle: workers end by themselves
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

    assert main(["sweep", str(file), "--out", str(folder), "--jobs", "1"]) == 0
    assert f"5 of 5 runs done ({5 - len(second)} now)" in capsys.readouterr().out
    third = finished(folder)
    assert len(third) == 5
    assert second.items() <= third.items()
    assert {path.name for path in (folder / "runs").iterdir()} == set(third)


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
