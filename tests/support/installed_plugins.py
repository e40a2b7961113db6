"""Packages that a test installs for a program of its own: a module and its entry points."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import cosim

ROOT = Path(cosim.__file__).resolve().parents[1]


def install(site: Path, package: str, source: str, points: Mapping[str, Mapping[str, str]]) -> Path:
    """Put a package into a folder, as pip would: module, metadata, entry points by group."""
    site.mkdir(parents=True, exist_ok=True)
    (site / f"{package}.py").write_text(source, encoding="utf-8")
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in named.items())])
        for group, named in points.items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(groups) + "\n", encoding="utf-8")
    return site


def cosim_cli(arguments: Sequence[str | Path], *sites: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that sees the packages."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*sites, ROOT)))}
    program = "import sys; from cosim.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
