"""A run that was killed, ended or had no space goes on, and ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkpointed import EVERY, INTERVALS, Killed, die_after, dying, files_of
from result_folders import contents
from talking_runs import start

import cosim
from cosim.cli import main
from cosim.cli.options import EXIT_INTERRUPTED, EXIT_TERMINATED
from cosim.errors import NotResumableWarning, ResultFolderError, UserError
from cosim.results import writer
from cosim.results.parts import unfinished
from cosim.runs.checkpoint import folder as checkpoint_folder
from cosim.scenario import Scenario

KILLS = int(os.environ.get("KILLS", "3"))
"""Processes that are killed; more of them: ``KILLS=20 make test-resume``."""

# plays a run in a process of its own; the last argument says how it dies
CHILD = """
import os, random, signal, sys, threading
import cosim
from cosim.runs.checkpoint import folder as checkpoint_folder

file, out, how = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

kind, _, value = how.partition(":")
if kind == "writing":  # at the so manieth file that is brought to the disk
    left = [int(value)]
    to_disk = checkpoint_folder.to_disk
    def counted(path):
        left[0] -= 1
        if not left[0]:
            die()
        to_disk(path)
    checkpoint_folder.to_disk = counted

def progress(interval, violated):
    print("interval", interval, flush=True)
    if kind == "after" and interval == int(value.split("+")[0]):
        threading.Timer(float(value.split("+")[1]), die).start()

cosim.run(file, out, checkpoint=3, resume=os.path.exists(out + ".partial/checkpoint/00000"),
          progress=progress)
"""


@pytest.fixture(scope="module")
def whole(checkpointed_file: Path) -> dict[str, str]:
    """Every file of the run that nothing interrupts and that writes no checkpoint."""
    return files_of(
        cosim.run(checkpointed_file, checkpointed_file.parent / "whole", checkpoint=0).folder
    )


def test_killed_at_random_moments_it_ends_the_same(
    checkpointed_file: Path, whole: dict[str, str], tmp_path: Path
) -> None:
    rng = random.Random(20160524 + KILLS)
    out, intervals = str(tmp_path / "run"), -1
    path = os.pathsep.join(entry for entry in sys.path if entry)
    kinds = ["after", "writing", *(rng.choice(["after", "writing"]) for _ in range(KILLS - 2))]
    for kind in [*kinds[:KILLS], "never"]:
        how = kind
        if kind == "writing":
            how = f"writing:{rng.randint(1, 60)}"
        elif kind == "after":
            how = f"after:{min(intervals + 4, INTERVALS - 1)}+{rng.random() * 0.05}"
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(checkpointed_file), out, how],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        told = [int(line.split()[1]) for line in done.stdout.splitlines()]
        # it goes on where a checkpoint is: what was done before is not played again
        assert not told or (told[0] % EVERY == 0 and told[0] <= intervals + 1)
        intervals = max([intervals, *told])
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert files_of(Path(out)) == whole
    assert not Path(f"{out}.partial").exists()


def test_a_resumed_run_plays_only_what_is_missing(
    copied: Path, checkpointed_file: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    on_disk: list[Path] = []

    def noted(folder: Path) -> None:
        assert unfinished(copied) is None  # a kill from here on finds it put aside
        on_disk.extend(folder.rglob("*"))

    monkeypatch.setattr(writer, "all_to_disk", noted)
    result = cosim.run(
        checkpointed_file,
        copied,
        checkpoint=EVERY,
        resume=True,
        progress=lambda i, v: told.append(i),
    )
    assert told == list(range(6, INTERVALS))
    assert files_of(result.folder) == whole
    again = cosim.run(checkpointed_file, copied, resume=True, progress=lambda i, v: told.append(i))
    assert (again.folder, len(told)) == (copied, INTERVALS - 6)  # complete already
    other = cosim.load_scenario(checkpointed_file).replace(seed=99)
    with pytest.raises(UserError, match="complete result of another scenario: seed differs"):
        cosim.run(other, copied, resume=True)
    names = {path.name for path in on_disk}
    assert {*map(os.path.basename, whole)} - names <= {"report.html"}


def test_other_lengths_of_chunks_give_the_same(
    copied: Path, checkpointed_file: Path, whole: Any
) -> None:
    result = cosim.run(checkpointed_file, copied, checkpoint=5, resume=True)
    assert files_of(result.folder) == whole


def test_on_the_reference_engine(short_scenario: Callable[..., Scenario], tmp_path: Path) -> None:
    scenario = short_scenario(2, start="2016-05-24T12:00:00", ledger={"engine": "py-evm"})
    expected = files_of(cosim.run(scenario, tmp_path / "whole").folder)
    with dying():
        cosim.run(scenario, tmp_path / "run", checkpoint=1, progress=die_after(1))
    told: list[int] = []
    resumed = cosim.run(
        scenario,
        tmp_path / "run",
        checkpoint=1,
        resume=True,
        progress=lambda i, v: told.append(i),
    )
    assert told == [1]
    assert files_of(resumed.folder) == expected


def signalled(signum: int, *arguments: str | Path) -> tuple[int, str]:
    """Exit code and error output of a run that gets a signal after its fifth interval."""
    process = start(*arguments)
    assert process.stderr is not None
    errors = []
    for line in process.stderr:
        errors.append(line)
        if line.strip() == "interval 4":
            process.send_signal(signum)
            break
    _, rest = process.communicate(timeout=120)
    return process.returncode, "".join([*errors, rest])


def test_sigterm_keeps_the_checkpoint(checkpointed_file: Path, whole: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = (checkpointed_file, "--out", out, "--checkpoint", "3")
    code, errors = signalled(signal.SIGTERM, *options)
    assert code == EXIT_TERMINATED
    assert "Traceback" not in errors
    assert f"3 intervals are kept in {out}.partial: go on with --resume" in errors
    assert not out.exists()
    assert main(["run", *map(str, options), "--resume"]) == 0
    assert files_of(out) == whole


def test_ctrl_c_shows_what_is_done_and_can_go_on(
    checkpointed_file: Path, whole: Any, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = (checkpointed_file, "--out", out, "--checkpoint", "3")
    code, _ = signalled(signal.SIGINT, *options)
    assert code == EXIT_INTERRUPTED
    assert cosim.open_result(out).complete is False
    assert not (out / "checkpoint").exists()
    assert main(["run", *map(str, options), "--resume"]) == 0
    assert files_of(out) == whole
    assert not Path(f"{out}.partial").exists()


def test_a_full_disk_keeps_the_checkpoint(
    copied: Path, checkpointed_file: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, chunk = checkpoint_folder.CheckpointFolder.land, f"{copied}.partial/checkpoint/00002"

    def full(self: Any, done: int, write: Callable[[Path], None]) -> None:
        if len(self.chunks) == 2:

            def written(folder: Path) -> None:
                write(folder)
                raise OSError(28, "No space left on device", str(folder / "state.pickle"))

            real(self, done, written)
        real(self, done, write)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_folder.CheckpointFolder, "land", full)
        with pytest.raises(UserError, match="No space left on device"):
            cosim.run(checkpointed_file, copied, checkpoint=EVERY, resume=True)
    assert not Path(chunk).exists()
    assert (
        files_of(cosim.run(checkpointed_file, copied, checkpoint=EVERY, resume=True).folder)
        == whole
    )


def test_what_is_done_can_be_read_meanwhile(
    copied: Path, whole: Any, checkpointed_file: Path
) -> None:
    so_far, result = (
        cosim.open_result(copied),
        cosim.open_result(checkpointed_file.parent / "whole"),
    )
    assert so_far.complete is False
    n = so_far.manifest["intervals_done"]
    assert n == 5  # the sixth is delivered and not settled
    for table in ("buses", "settlement", "orders", "flexibility", "transactions"):
        expected = result.frame(table)
        expected = expected[expected["interval"] < n].reset_index(drop=True)
        mine = so_far.frame(table)
        assert len(mine) == len(expected) > 0
        assert mine.astype(object).equals(expected.astype(object))
    assert so_far.indicators["intervals"] == n
    with pytest.raises(ResultFolderError, match="has done so far"):
        so_far.verify()


def test_without_a_checkpoint_resume_begins_at_the_start(
    checkpointed_file: Path, whole: Any, tmp_path: Path
) -> None:
    """One command for a job that a scheduler starts again and again."""
    out, told = tmp_path / "run", []
    with pytest.warns(NotResumableWarning, match="begins at its start"):
        cosim.run(checkpointed_file, out, resume=True, progress=lambda i, v: told.append(i))
    assert told[0] == 0
    assert files_of(out) == whole


def test_a_run_that_is_killed_while_it_is_finished_can_go_on(
    copied: Path, checkpointed_file: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path, target: Path) -> None:
        raise Killed

    with monkeypatch.context() as patch, dying():
        patch.setattr("cosim.results.writer.take_place", killed)
        patch.setattr("cosim.results.writer.TableWriter.__exit__", lambda *details: None)
        cosim.run(checkpointed_file, copied, checkpoint=EVERY, resume=True)
    assert not copied.exists()
    told: list[int] = []
    again = cosim.run(checkpointed_file, copied, resume=True, progress=lambda i, v: told.append(i))
    assert told[0] > 0
    assert files_of(again.folder) == whole
    assert [path.name for path in copied.parent.iterdir()] == [copied.name]


def test_time_spent_before_counts(copied: Path, checkpointed_file: Path) -> None:
    """This process writes no checkpoint; the time of writing some is that of the first."""
    result = cosim.run(checkpointed_file, copied, checkpoint=0, resume=True)
    assert result.manifest["timing"]["checkpoints"] > 0


def test_without_resume_a_run_begins_anew_if_that_is_wanted(
    copied: Path, checkpointed_file: Path, whole: Any
) -> None:
    before = contents(Path(f"{copied}.partial"))
    with pytest.raises(ResultFolderError, match="a run stopped here after 5 of 12 intervals, and"):
        cosim.run(checkpointed_file, copied, checkpoint=EVERY)
    assert contents(Path(f"{copied}.partial")) == before
    told: list[int] = []
    cosim.run(
        checkpointed_file,
        copied,
        checkpoint=EVERY,
        force=True,
        progress=lambda i, v: told.append(i),
    )
    assert told[0] == 0
    assert files_of(copied) == whole
