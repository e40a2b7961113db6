"""Ctrl-C in a real process: what is done is kept and marked incomplete, or nothing is left."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from result_folders import Tables, contents
from talking_runs import start

from cosim.cli import EXIT_INTERRUPTED, main
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.results.writer import TableWriter
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario

INTERVALS = 40


@pytest.fixture(scope="module")
def scenario_file(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    file = folder / "scenario.yaml"
    file.write_text(short_scenario(intervals=INTERVALS, start="2016-05-24T08:00:00").to_yaml())
    return file


@pytest.fixture(scope="module")
def interrupted(scenario_file: Path) -> tuple[Path, int, str, str]:
    """Folder, exit code and outputs of a run interrupted after its sixth interval."""
    folder = scenario_file.parent / "result"
    process = start(scenario_file, "--out", folder)
    assert process.stderr is not None
    for line in process.stderr:
        if line.strip() == "interval 5":
            process.send_signal(signal.SIGINT)
            break
    output, errors = process.communicate(timeout=120)
    return folder, process.returncode, output, errors


def test_the_process_says_so_and_exits_with_130(interrupted: tuple[Path, int, str, str]) -> None:
    folder, code, output, errors = interrupted
    assert code == EXIT_INTERRUPTED
    assert "INCOMPLETE" in output
    assert f"of {INTERVALS} intervals" in output
    assert str(folder) in output
    assert "Traceback" not in errors


def test_what_is_done_is_kept_and_marked(interrupted: tuple[Path, int, str, str]) -> None:
    folder = interrupted[0]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["complete"] is False
    assert manifest["intervals"] == INTERVALS
    assert 5 <= manifest["intervals_done"] < INTERVALS
    assert {path.stem for path in (folder / "tables").iterdir()} == set(tables_of())
    assert not (folder.parent / "result.partial").exists()
    assert not (folder / ".lock").exists()
    report = (folder / "report.html").read_text()
    assert "incomplete" in report.lower()


def test_what_is_kept_is_what_a_whole_run_has(
    interrupted: tuple[Path, int, str, str],
    short_scenario: Callable[..., Scenario],
) -> None:
    folder = interrupted[0]
    done = Results(folder).n_intervals
    # a run of just these intervals: forecasts, prices and money do not know of later ones
    whole = folder.parent / "whole"
    file = folder.parent / "scenario.yaml"
    assert main(["run", str(file), "--out", str(whole)]) == 0
    mine, theirs = Tables(folder), Tables(whole)
    for name, table in tables_of().items():
        if "interval" not in [column.name for column in table.columns]:
            continue
        expected = theirs[name][theirs[name].interval < done].reset_index(drop=True)
        kept = mine[name][mine[name].interval < done].reset_index(drop=True)
        pd.testing.assert_frame_equal(kept, expected, check_exact=True)
        # one interval more may be delivered, not settled
        assert (mine[name].interval <= done).all()
    blocks = mine["blocks"]
    pd.testing.assert_frame_equal(blocks, theirs["blocks"].head(len(blocks)))
    assert mine["transactions"].block.max() <= blocks.block.max()


def test_before_anything_is_settled_nothing_is_left(scenario_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "early"
    process = start(scenario_file, "--out", folder)
    partial = tmp_path / "early.partial"
    deadline = time.monotonic() + 120
    while not partial.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == EXIT_INTERRUPTED
    assert "interrupted; nothing was written" in errors
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("table", "last", "complete"),
    [
        ("buses", 1, False),  # the second interval is delivered, but its meters have not reported
        ("settlement", 1, True),  # nothing is left to be done
    ],
)
def test_a_run_is_complete_when_its_last_interval_is_settled(
    short_scenario: Callable[..., Scenario],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    last: int,
    complete: bool,
) -> None:
    append = TableWriter.append

    def appended(self: TableWriter, name: str, columns: Mapping[str, Any]) -> None:
        append(self, name, columns)
        if name == table and columns["interval"] == last:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(TableWriter, "append", appended)
    file = tmp_path / "scenario.yaml"
    handler = signal.getsignal(signal.SIGINT)
    result = run_scenario(short_scenario(intervals=2), file, tmp_path / "result")
    assert result.complete is complete
    assert result.intervals_done == 1 + complete
    assert json.loads((result.folder / "manifest.json").read_text())["complete"] is complete
    assert signal.getsignal(signal.SIGINT) is handler
