"""A run that was killed, ended or had no space goes on, and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import cosim
from cosim.cli import EXIT_USER, main
from cosim.cli.options import EXIT_INTERRUPTED, EXIT_TERMINATED
from cosim.errors import NotResumableWarning, ResultFolderError, ScenarioError, UserError
from cosim.inputs.kept import sha256
from cosim.prosumers.strategies import Truthful
from cosim.runs.checkpoint import folder as checkpoint_folder
from cosim.scenario import Scenario

INTERVALS, EVERY = 12, 3
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
    to_disk = checkpoint_folder._to_disk
    def counted(path):
        left[0] -= 1
        if not left[0]:
            die()
        to_disk(path)
    checkpoint_folder._to_disk = counted

def progress(interval, violated):
    print("interval", interval, flush=True)
    if kind == "after" and interval == int(value.split("+")[0]):
        threading.Timer(float(value.split("+")[1]), die).start()

cosim.run(file, out, checkpoint=3, resume=os.path.exists(out + ".partial/checkpoint/00000"),
          progress=progress)
"""


class Killed(BaseException):
    """Stands for whatever ends a process."""


@pytest.fixture(scope="module")
def file(short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With trades, flexibility, batteries, fees and draws, so that much can be forgotten."""
    scenario = short_scenario(
        intervals=INTERVALS,
        start="2016-05-24T10:30:00",
        prosumers={
            "battery": {"mode": "arbitrage"},
            "strategies": [
                {"name": "truthful", "share": 0.5},
                {"name": "zero_intelligence", "share": 0.5},
            ],
        },
        ledger={"initial_base_fee_gwei": 5.0, "tip_gwei": 0.1, "consensus": "proof_of_work"},
    )
    file = tmp_path_factory.mktemp("resumed") / "scenario.yaml"
    file.write_text(scenario.to_yaml())
    return file


@pytest.fixture(scope="module")
def whole(file: Path) -> dict[str, str]:
    """Every file of the run that nothing interrupts and that writes no checkpoint."""
    return files_of(cosim.run(file, file.parent / "whole", checkpoint=0).folder)


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file; of the manifest, of all but the timing."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name == "manifest.json":
            data = json.loads(path.read_text())
            del data["timing"]
            found[path.name] = json.dumps(data, sort_keys=True)
        elif path.is_file():
            found[path.relative_to(folder).as_posix()] = sha256(path)
    return found


def die_after(interval: int) -> Callable[[int, bool], None]:
    def progress(at: int, violated: bool) -> None:
        if at == interval:
            raise Killed

    return progress


@contextmanager
def dying() -> Iterator[None]:
    with pytest.raises(Killed):
        yield


@pytest.fixture(scope="module")
def died(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that died after its eighth interval, with two checkpoints."""
    out = tmp_path_factory.mktemp("died") / "run"
    with dying():
        cosim.run(file, out, checkpoint=EVERY, progress=die_after(7))
    return out


@pytest.fixture
def copied(died: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    out = tmp_path / "run"
    shutil.copytree(f"{died}.partial", f"{out}.partial")
    return out


def test_killed_at_random_moments_it_ends_the_same(
    file: Path, whole: dict[str, str], tmp_path: Path
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
            [sys.executable, "-c", CHILD, str(file), out, how],
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


def test_a_resumed_run_plays_only_what_is_missing(copied: Path, file: Path, whole: Any) -> None:
    told: list[int] = []
    result = cosim.run(
        file, copied, checkpoint=EVERY, resume=True, progress=lambda i, v: told.append(i)
    )
    assert told == list(range(6, INTERVALS))
    assert files_of(result.folder) == whole


def test_other_lengths_of_chunks_give_the_same(copied: Path, file: Path, whole: Any) -> None:
    result = cosim.run(file, copied, checkpoint=5, resume=True)
    assert files_of(result.folder) == whole


def test_on_the_reference_engine(short_scenario: Callable[..., Scenario], tmp_path: Path) -> None:
    scenario = short_scenario(4, start="2016-05-24T12:00:00", ledger={"engine": "py-evm"})
    expected = files_of(cosim.run(scenario, tmp_path / "whole").folder)
    with dying():
        cosim.run(scenario, tmp_path / "run", checkpoint=2, progress=die_after(2))
    resumed = cosim.run(scenario, tmp_path / "run", checkpoint=2, resume=True)
    assert files_of(resumed.folder) == expected


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    code = CHILD.split("def die")[0].replace("file, out, how = sys.argv[1:]", "") + TELLING
    return subprocess.Popen(
        [sys.executable, "-c", code, "run", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


TELLING = """
from cosim import cli
from cosim.cli import running

tell = running._RunProgress.tell

def told(self, interval, violated):
    tell(self, interval, violated)
    print("interval", interval, file=sys.stderr, flush=True)

running._RunProgress.tell = told
sys.exit(cli.main(sys.argv[1:]))
"""


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


def test_sigterm_keeps_the_checkpoint(file: Path, whole: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = (file, "--out", out, "--checkpoint", "3")
    code, errors = signalled(signal.SIGTERM, *options)
    assert code == EXIT_TERMINATED
    assert "Traceback" not in errors
    assert f"3 intervals are kept in {out}.partial: go on with --resume" in errors
    assert not out.exists()
    assert main(["run", *map(str, options), "--resume"]) == 0
    assert files_of(out) == whole


def test_ctrl_c_shows_what_is_done_and_can_go_on(file: Path, whole: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = (file, "--out", out, "--checkpoint", "3")
    code, _ = signalled(signal.SIGINT, *options)
    assert code == EXIT_INTERRUPTED
    assert cosim.open_result(out).complete is False
    assert not (out / "checkpoint").exists()
    assert main(["run", *map(str, options), "--resume"]) == 0
    assert files_of(out) == whole
    assert not Path(f"{out}.partial").exists()


def test_a_full_disk_keeps_the_checkpoint(
    copied: Path, file: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
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
            cosim.run(file, copied, checkpoint=EVERY, resume=True)
    assert not Path(chunk).exists()
    assert files_of(cosim.run(file, copied, checkpoint=EVERY, resume=True).folder) == whole


def test_what_is_done_can_be_read_meanwhile(copied: Path, whole: Any, file: Path) -> None:
    so_far, result = cosim.open_result(copied), cosim.open_result(file.parent / "whole")
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


def refused(file: Path, out: Path, match: str) -> None:
    before = files_of_partial(out)
    with pytest.raises(UserError, match=match):
        cosim.run(file, out, checkpoint=EVERY, resume=True)
    assert files_of_partial(out) == before  # it can still go on when that is mended


def files_of_partial(out: Path) -> dict[str, str]:
    root = Path(f"{out}.partial/checkpoint")
    names = ("network.json", "scenario.yaml")  # written anew
    return {
        path.relative_to(root).as_posix(): sha256(path)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in names
    }


@pytest.mark.parametrize(
    "name",
    ["00001/state.pickle", "00001/storage-0.parquet", "00000/tables/buses.parquet"],
)
def test_a_chunk_that_was_changed_is_refused(copied: Path, file: Path, name: str) -> None:
    path = Path(f"{copied}.partial/checkpoint") / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    refused(file, copied, f"{Path(name).name}.*was changed after it was written")


def test_a_chunk_that_is_missing_is_refused(copied: Path, file: Path) -> None:
    shutil.rmtree(f"{copied}.partial/checkpoint/00000")
    refused(file, copied, "is not the next chunk")


def test_a_chunk_of_another_run_is_refused(copied: Path, file: Path) -> None:
    chunk = Path(f"{copied}.partial/checkpoint/00000/chunk.json")
    chunk.write_text(chunk.read_text().replace('"intervals_done": 3', '"intervals_done": 2'))
    refused(file, copied, "does not follow the chunk before it")


def test_a_file_more_is_refused(copied: Path, file: Path) -> None:
    Path(f"{copied}.partial/checkpoint/00001/tables/trades2.parquet").write_bytes(b"")
    refused(file, copied, "has other files")


def test_another_scenario_is_refused(copied: Path, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text().replace("seed: ", "seed: 1"))
    refused(other, copied, "another is here: scenario")


def test_another_version_is_refused(
    copied: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cosim, "__version__", "0.0.9")
    refused(file, copied, "another is here: cosim")


def test_a_state_that_calls_something_is_refused_although_its_hash_is_right(
    copied: Path, file: Path, tmp_path: Path
) -> None:
    caught = tmp_path / "caught"

    class Call:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {caught}",)

    place = Path(f"{copied}.partial/checkpoint/00001")
    (place / "state.pickle").write_bytes(pickle.dumps(Call(), 5))
    chunk = json.loads((place / "chunk.json").read_text())
    chunk["files"]["state.pickle"] = sha256(place / "state.pickle")
    (place / "chunk.json").write_text(json.dumps(chunk))
    refused(file, copied, "cannot be read: it names posix.system")
    assert not caught.exists()


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["run", str(file), "--out", str(out), "--resume"]) == EXIT_USER
    message = capsys.readouterr().err
    assert "there is no checkpoint to go on from" in message
    assert "--resume" in message
    assert not Path(f"{out}.partial").exists()


def test_without_resume_a_run_begins_anew(copied: Path, file: Path, whole: Any) -> None:
    told: list[int] = []
    cosim.run(file, copied, checkpoint=EVERY, progress=lambda i, v: told.append(i))
    assert told[0] == 0
    assert files_of(copied) == whole


def test_simulators_of_others_have_no_state_here(
    short_scenario: Callable[..., Scenario], tmp_path: Path
) -> None:
    display = {
        "name": "display",
        "python": "mosaik.basic_simulators:OutputSimulator",
        "model": "Dict",
        "params": {},
        "reads": [
            {
                "from_simulator": "grid",
                "from_entity": "Bus-0",
                "from_attribute": "Vm[pu]",
                "attribute": "value",
            }
        ],
    }
    scenario = short_scenario(4, simulators=[display])
    with pytest.raises(ScenarioError, match="'display' of others"):
        cosim.run(scenario, tmp_path / "run", checkpoint=2, trust=True)
    assert list(tmp_path.iterdir()) == []


def test_a_strategy_that_cannot_be_written_is_told_before_the_run(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_a_function(self: Any, *arguments: Any) -> None:
        made(self, *arguments)
        self.rule = lambda: 0

    made = Truthful.__init__
    monkeypatch.setattr(Truthful, "__init__", with_a_function)
    with pytest.raises(UserError, match="state of bidders cannot be written"):
        cosim.run(file, tmp_path / "run", checkpoint=EVERY)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("cosim.runs.checkpoint.checkpoints.SECONDS_PER_DAY", 3 * 900)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with dying():
            cosim.run(file, tmp_path / "run", progress=die_after(0))
    assert [w for w in told if w.category is NotResumableWarning]
