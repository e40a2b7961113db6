"""Packages that a test installs for a program of its own: a module and its entry points."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from warm_python import run_warm

import cosim

ROOT = Path(cosim.__file__).resolve().parents[1]
EXAMPLE = ROOT / "docs" / "examples" / "cosim-example"


def pip_install(source: Path, site: Path) -> Path:
    """Install a package into a folder as a user would, without any network."""
    copy = site.with_name(f"{site.name}-source")
    shutil.copytree(source, copy)  # a build leaves files next to its source
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-index", "--no-deps", "--no-build-isolation", "--target", site, copy),
        ],
        check=True,
        timeout=120,
    )
    return site


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


def python(
    arguments: Sequence[str | Path],
    *sites: Path,
    cwd: Path | None = None,
    given: str | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run Python in a process that sees the packages and has the environment variables.

    Parameters
    ----------
    arguments : sequence of str or Path
    *sites : Path
        Folders of installed packages.
    cwd : Path, optional
        Its working directory; default: that of the tests.
    given : str, optional
        Its standard input.
    **variables : str
        Of its environment.
    """
    path = os.pathsep.join(map(str, (*sites, ROOT)))
    env = {**os.environ, "PYTHONPATH": path, **variables}
    return run_warm([*map(str, arguments)], env, cwd or Path.cwd(), given)


def cosim_cli(
    arguments: Sequence[str | Path], *sites: Path, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that sees the packages."""
    return python(["-m", "cosim.cli", *arguments], *sites, cwd=cwd, **variables)
