"""Manifest of a result folder: its origin, and the hash of each file.

Everything but the key ``timing`` is the same in two runs of one scenario on one machine.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import cosim
from cosim.errors import ResultFolderError
from cosim.inputs.json_file import parse_json
from cosim.inputs.kept import INPUTS_FOLDER, sha256
from cosim.results.columns import FORMAT_VERSION
from cosim.results.environment import environment
from cosim.results.storage import replace_text

MANIFEST = "manifest.json"
TABLES_FOLDER = "tables"
RUNS_FOLDER = "runs"
"""Folder in which a study keeps the result folders of its runs."""

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pandapower",
    "mosaik",
    "vyper",
    "py-evm",
    "pyrevm",
)
"""Packages whose versions can move a number."""


def build_manifest(
    folder: str | Path,
    *,
    name: str,
    seed: int,
    complete: bool,
    intervals: int,
    intervals_done: int,
    start: str,
    step_s: int,
    contracts: Mapping[str, Mapping[str, Any]],
    chain: Mapping[str, Any],
    power_flow: Mapping[str, Any],
    indicators: Mapping[str, Any],
    timing: Mapping[str, Any],
) -> dict[str, Any]:
    """Put the manifest together from a folder whose tables are closed.

    Parameters
    ----------
    folder : str or Path
        The folder with ``scenario.yaml``, ``network.json``, ``tables/`` and ``inputs/``.
    name, seed : str, int
        Of the scenario.
    complete : bool
        Whether every interval was run.
    intervals, intervals_done : int
        Intervals of the scenario, and how many of them are recorded and settled.
    start : str
        Start of interval 0, ISO 8601.
    step_s : int
        Length of an interval. [s]
    contracts : mapping
        By contract name: ``address``, ``runtime_code_hash`` and ``storage_root``.
    chain : mapping
        Settings, last block, digest of the final state.
    power_flow : mapping
        Engine, and the comparison with the reference: ``reference_intervals``,
        ``largest_difference_vm_pu``, ``largest_difference_loading_percent``, ``tolerance_pu``.
    indicators : mapping
        As :meth:`cosim.report.indicators.Indicators.as_dict` gives them.
    timing : mapping
        Wall time by stage. [s]

    Returns
    -------
    dict
        Ready for :func:`write_manifest`.
    """
    root = Path(folder)
    return {
        "format": FORMAT_VERSION,
        "name": name,
        "seed": seed,
        "complete": complete,
        "intervals": intervals,
        "intervals_done": intervals_done,
        "start": start,
        "step_s": step_s,
        "versions": versions(),
        "git_revision": git_revision(),
        "environment": environment(),
        "sha256": file_hashes(root),
        "contracts": {key: dict(value) for key, value in contracts.items()},
        "chain": dict(chain),
        "power_flow": dict(power_flow),
        "indicators": dict(indicators),
        "timing": dict(timing),
    }


def write_manifest(folder: str | Path, manifest: Mapping[str, Any]) -> Path:
    """Write ``manifest.json`` with sorted keys.

    Raises
    ------
    ValueError
        If a number in it is not finite: JSON has no word for it.
    """
    path = Path(folder) / MANIFEST
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    replace_text(path, text + "\n")
    return path


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """Read the manifest of a result folder.

    Raises
    ------
    ResultFolderError
        If there is none, or it is not one.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultFolderError(
            f"is not a result folder: {MANIFEST} cannot be read ({error.strerror})",
            file=folder,
            remedy="give the folder that 'cosim run' names when it has finished",
        ) from error
    except ValueError as error:
        raise ResultFolderError(
            f"is not JSON: {error}", file=path, remedy="run the scenario again"
        ) from error
    if not isinstance(manifest, dict) or "complete" not in manifest:
        raise ResultFolderError(
            "is not the manifest of a result folder",
            file=path,
            remedy="give the folder that 'cosim run' names when it has finished",
        )
    return manifest


def is_complete(folder: str | Path) -> bool:
    """Return True if a folder is the result of a run that reached its end."""
    if not (Path(folder) / MANIFEST).is_file():
        return False
    manifest = read_manifest(folder)
    return bool(manifest["complete"]) and not manifest.get("runs")


def flatten(indicators: Mapping[str, Any]) -> dict[str, float | None]:
    """Return indicators by dotted path; only numbers and what has no value, truth as 0 and 1.

    Parameters
    ----------
    indicators : mapping
        Nested, as in a run's manifest.
    """
    found: dict[str, float | None] = {}
    for key, value in indicators.items():
        if isinstance(value, Mapping):
            found |= {f"{key}.{inner}": number for inner, number in flatten(value).items()}
        elif value is None or isinstance(value, int | float):
            found[str(key)] = int(value) if isinstance(value, bool) else value
    return found


def file_hashes(folder: str | Path) -> dict[str, str]:
    """Return SHA-256 of scenario, network, each table and each input, by path in the folder."""
    root = Path(folder)
    files = [root / "network.json", root / "scenario.yaml"]
    files += sorted((root / TABLES_FOLDER).glob("*.parquet"))
    files += sorted(path for path in (root / INPUTS_FOLDER).rglob("*") if path.is_file())
    return {file.relative_to(root).as_posix(): sha256(file) for file in files}


def git_revision() -> str | None:
    """Return the commit of cosim's checkout, ``+changed`` if it differs; None without one."""
    source = Path(cosim.__file__).parent
    commit = _git(source, "rev-parse", "HEAD")
    if commit is None or _git(source, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    return f"{commit}+changed" if _git(source, "status", "--porcelain", ".") else commit


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            check=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def versions() -> dict[str, str | None]:
    """Return the versions of Python, cosim and the packages that can move a number."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    found["cosim"] = cosim.__version__
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found
