"""SIGTERM, and a kill, of runs and studies in real processes: exit codes, what is kept, workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml
from result_folders import contents

from cosim.cli import main
from cosim.results.manifest import read_manifest

BASE: dict[str, Any] = {
    "name": "tiny",
    "seed": 1,
    "time": {"start": "2016-05-24T11:00:00", "intervals": 2},
    "grid": {"network": "1-LV-rural1--1-sw", "reference_sample": 1},
}
VARIANTS = {"one": {}, "two": {"seed": 2}, "three": {"seed": 3}, "four": {"seed": 4}}


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, "-m", "cosim.cli", "run", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def finished(folder: Path) -> list[str]:
    return [
        file.parent.name
        for file in (folder / "runs").glob("*/report.html")
        if not file.parent.name.endswith(".partial")
    ]


def test_sigterm_of_a_run_is_an_interruption_with_its_own_code(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(BASE | {"time": {**BASE["time"], "intervals": 400}}))
    folder = tmp_path / "out"
    process = start(file, "--out", folder)
    buses = tmp_path / "out.partial" / "tables" / "buses.parquet"
    wait_for(buses.exists)
    time.sleep(2)  # in the middle of the run, or of its set-up
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Traceback" not in output
    assert not (tmp_path / "out.partial").exists()
    if folder.exists():
        assert read_manifest(folder)["complete"] is False
        assert "INCOMPLETE (interrupted)" in output
    else:
        assert "interrupted; nothing was written" in output


def test_a_study_that_is_ended_or_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    file, folder = tmp_path / "tiny.yaml", tmp_path / "out"
    file.write_text(yaml.safe_dump(BASE | {"study": {"variants": VARIANTS}}, sort_keys=False))
    partial = tmp_path / "out.partial"
    process = start(file, "--out", folder, "--jobs", "2")
    wait_for(lambda: finished(partial))
    workers = psutil.Process(process.pid).children(recursive=True)
    # as batch systems do: to every process of the group
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143, output
    assert "Traceback" not in output
    assert f"finished and kept in {partial}; the same command goes on" in " ".join(output.split())
    wait_for(lambda: not any(worker.is_running() for worker in workers), 10)
    assert not folder.exists()
    first = sorted(path.name for path in (partial / "runs").iterdir())
    assert set(finished(partial)) <= set(first) < set(VARIANTS)  # of one the report may be missing
    assert all(read_manifest(partial / "runs" / name)["indicators"] for name in first)
    kept = {name: contents(partial / "runs" / name / "tables") for name in first}

    process = start(file, "--out", folder, "--jobs", "2")
    wait_for(lambda: len(psutil.Process(process.pid).children()) >= 2)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not any(worker.is_running() for worker in workers), 10)

    # another seed of a variant is another run, and nothing of the old one stays
    changed = {**VARIANTS, first[0]: {"seed": 9}}
    file.write_text(yaml.safe_dump(BASE | {"study": {"variants": changed}}, sort_keys=False))
    assert main(["run", str(file), "--out", str(folder), "--jobs", "1"]) == 0
    assert not partial.exists()
    names = {path.name for path in folder.iterdir()}
    assert {"manifest.json", "report.html", "runs", "study.csv"} <= names
    assert not any(name.startswith(".") for name in names)
    assert {path.name for path in (folder / "runs").iterdir()} == set(VARIANTS)
    for name in first[1:]:
        assert contents(folder / "runs" / name / "tables") == kept[name]
    assert contents(folder / "runs" / first[0] / "tables") != kept[first[0]]
    assert len(list((folder / "runs").glob("*/report.html"))) == len(VARIANTS)
    assert not list((folder / "runs").rglob(".lock"))
    seeds = {name: read_manifest(folder / "runs" / name)["seed"] for name in VARIANTS}
    assert seeds == {"one": 1, "two": 2, "three": 3, "four": 4} | {first[0]: 9}
