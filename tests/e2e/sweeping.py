"""A tiny campaign, processes that sweep it, and what they leave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

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
