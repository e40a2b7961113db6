"""Checkpoints that are not what they were, and runs that can have none, are refused in time."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkpointed import EVERY, die_after, dying

import cosim
from cosim.cli import main
from cosim.errors import NotResumableWarning, ScenarioError, UserError
from cosim.inputs.kept import sha256
from cosim.prosumers.strategies import Truthful
from cosim.runs.checkpoint.seal import sealed
from cosim.scenario import Scenario


def refused(checkpointed_file: Path, out: Path, match: str) -> None:
    before = files_of_partial(out)
    with pytest.raises(UserError, match=match):
        cosim.run(checkpointed_file, out, checkpoint=EVERY, resume=True)
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
def test_a_chunk_that_was_changed_is_refused(
    copied: Path, checkpointed_file: Path, name: str
) -> None:
    path = Path(f"{copied}.partial/checkpoint") / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    refused(checkpointed_file, copied, f"{Path(name).name}.*was changed after it was written")


def test_a_chunk_that_is_missing_is_refused(copied: Path, checkpointed_file: Path) -> None:
    shutil.rmtree(f"{copied}.partial/checkpoint/00000")
    refused(checkpointed_file, copied, "is not the next chunk")


def test_a_chunk_of_another_run_is_refused(copied: Path, checkpointed_file: Path) -> None:
    chunk = Path(f"{copied}.partial/checkpoint/00000/chunk.json")
    chunk.write_text(chunk.read_text().replace('"intervals_done": 3', '"intervals_done": 2'))
    refused(checkpointed_file, copied, "does not follow the chunk before it")


def test_a_file_more_is_refused(copied: Path, checkpointed_file: Path) -> None:
    Path(f"{copied}.partial/checkpoint/00001/tables/trades2.parquet").write_bytes(b"")
    refused(checkpointed_file, copied, "has other files")


def test_another_scenario_is_refused(copied: Path, checkpointed_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(checkpointed_file.read_text().replace("seed: ", "seed: 1"))
    refused(other, copied, r"not the same scenario \(of the scenario: seed\)")


def test_another_version_is_refused(
    copied: Path, checkpointed_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cosim, "__version__", "0.0.9")
    refused(checkpointed_file, copied, "belongs to another run: not the same cosim")


def put_state(copied: Path, data: bytes) -> None:
    """Give the last chunk another state, its hash right."""
    place = Path(f"{copied}.partial/checkpoint/00001")
    (place / "state.pickle").write_bytes(data)
    chunk = json.loads((place / "chunk.json").read_text())
    chunk["files"]["state.pickle"] = sha256(place / "state.pickle")
    (place / "chunk.json").write_text(json.dumps(chunk))


def test_a_state_of_somebody_else_is_not_read(
    copied: Path, checkpointed_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the hash right and nothing wrong in it: only its seal is of another key."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    refused(checkpointed_file, copied, "written by somebody else")
    result = cosim.run(checkpointed_file, copied, checkpoint=EVERY, resume=True, trust=True)
    assert result.complete


def test_a_state_that_calls_something_is_refused_although_its_hash_is_right(
    copied: Path, checkpointed_file: Path, tmp_path: Path
) -> None:
    caught = tmp_path / "caught"

    class Call:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {caught}",)

    put_state(copied, bytes(32) + pickle.dumps(Call(), 5))
    refused(checkpointed_file, copied, "written by somebody else")
    put_state(copied, sealed(pickle.dumps(Call(), 5)))
    refused(checkpointed_file, copied, "cannot be read: it names posix.system")
    assert not caught.exists()


def test_a_state_of_something_else_is_refused(copied: Path, checkpointed_file: Path) -> None:
    put_state(copied, sealed(pickle.dumps([1, 2], 5)))
    refused(checkpointed_file, copied, "checkpoint cannot be read")


def test_a_strategy_that_later_keeps_what_cannot_be_written_costs_the_checkpoints_alone(
    checkpointed_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bid = Truthful.bid

    def keeping(self: Any, context: Any) -> Any:
        if context.interval >= 4:
            self.rule = lambda: 0
        return bid(self, context)

    monkeypatch.setattr(Truthful, "bid", keeping)
    out = tmp_path / "run"
    with dying(), pytest.warns(NotResumableWarning, match="no more checkpoints from interval 6"):
        cosim.run(checkpointed_file, out, checkpoint=EVERY, progress=die_after(9))
    chunks = sorted(path.name for path in Path(f"{out}.partial/checkpoint").glob("[0-9]*"))
    assert chunks == ["00000"]  # what was saved stays


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
    checkpointed_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_a_function(self: Any, *arguments: Any) -> None:
        made(self, *arguments)
        self.rule = lambda: 0

    made = Truthful.__init__
    monkeypatch.setattr(Truthful, "__init__", with_a_function)
    with pytest.raises(UserError, match="state of bidders cannot be written"):
        cosim.run(checkpointed_file, tmp_path / "run", checkpoint=EVERY)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("cosim.runs.checkpoint.checkpoints.SECONDS_PER_DAY", 3 * 900)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with dying():
            cosim.run(checkpointed_file, tmp_path / "run", progress=die_after(0))
    assert [w for w in told if w.category is NotResumableWarning]


@pytest.mark.parametrize("command", ["verify", "report", "inspect"])
@pytest.mark.parametrize("where", ["", "checkpoint"])
def test_a_command_for_results_says_that_a_run_is_not_finished(
    copied: Path, command: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(f"{copied}.partial") / where
    assert main([command, str(folder)]) == 2
    said = capsys.readouterr().err
    assert "is of a run that is not finished\n  remedy: go on with 'cosim run --resume'" in said
    assert len(said.splitlines()) == 2
