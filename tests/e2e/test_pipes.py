"""Output that nobody reads, or that has no place: no failed run, nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from installed_plugins import ROOT

from cosim.cli.output import EXIT_UNREAD
from cosim.results.manifest import read_manifest
from cosim.scenario import Scenario

FULL = Path("/dev/full")


def command(arguments: Sequence[str | Path], out: int, cwd: Path) -> tuple[int, str]:
    """Run ``cosim`` with a file descriptor as its standard output; exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "cosim.cli", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr


def unread(arguments: Sequence[str | Path], cwd: Path) -> tuple[int, str]:
    """Run it into a pipe whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return command(arguments, writer, cwd)
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    "arguments", [["schema"], ["schema", "--markdown"], ["grids", "list"], ["--help"]]
)
def test_output_that_nobody_reads_is_dropped_without_a_word(
    arguments: list[str], tmp_path: Path
) -> None:
    assert unread(arguments, tmp_path) == (EXIT_UNREAD, "")


def test_a_run_whose_output_nobody_reads_is_finished(
    tmp_path: Path, short_scenario: Callable[..., Scenario]
) -> None:
    (tmp_path / "short.yaml").write_text(short_scenario(1).to_yaml(), encoding="utf-8")
    code, said = unread(["run", "short.yaml", "--out", "out/short"], tmp_path)
    assert (code, said) == (EXIT_UNREAD, "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["short"]
    assert read_manifest(tmp_path / "out" / "short")["complete"]
    # rich prints the verification; nothing of it is an error
    assert unread(["verify", "out/short", "--only", "files"], tmp_path) == (EXIT_UNREAD, "")


def test_both_streams_may_lose_their_reader(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    program = [sys.executable, "-m", "cosim.cli", "run", "no-such-file.yaml"]
    done = subprocess.run(program, cwd=tmp_path, stdout=writer, stderr=writer, check=False)
    os.close(writer)
    assert done.returncode == 2, "its own exit code is what counts"


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output_is_one_line(tmp_path: Path) -> None:
    with FULL.open("w") as full:
        code, said = command(["schema"], full.fileno(), tmp_path)
    assert code == 2
    assert said.splitlines() == [
        "cosim: standard output cannot be written to: No space left on device",
        "  remedy: send it where there is space; files that the command writes are finished",
    ]
