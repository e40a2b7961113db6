"""Identity of a run: everything that must be the same where it goes on from a checkpoint."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import platform
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cosim
from cosim.inputs.kept import ReadFiles, sha256
from cosim.results.inputs import write_inputs
from cosim.runs.checkpoint.names import plug_in_packages
from cosim.runs.input_hash import code_identity
from cosim.scenario import Scenario

FORMAT = 1
"""Of a checkpoint."""

Identity = dict[str, str]
"""Values that must be the same, by name; a digest where a value is long."""


def identity_of(scenario: Scenario, read: ReadFiles) -> Identity:
    """Return what a run is, so that another run can be told from it.

    Parameters
    ----------
    scenario : Scenario
        As run, every default written out.
    read : ReadFiles
        Files that its set-up read.
    """
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_inputs(folder, read, scenario)
        files = [path for path in sorted(inputs.rglob("*")) if path.is_file()]
        of_inputs = _digest(f"{file.relative_to(inputs)} {sha256(file)}" for file in files)
    code = code_identity()
    return {
        "checkpoint format": str(FORMAT),
        "scenario": _digest([scenario.to_yaml()]),
        "input files": of_inputs,
        "cosim": f"{cosim.__version__} {code['code']}",
        "Python": platform.python_version(),
        "packages": _digest([json.dumps(code["versions"], sort_keys=True)]),
        "plug-ins": _digest([json.dumps(code["plug_ins"], sort_keys=True), *_plug_in_files()]),
    }


def differing(one: Identity, other: Identity) -> list[str]:
    """Return what differs, in words."""
    names = dict.fromkeys([*one, *other])
    return [name for name in names if one.get(name) != other.get(name)]


def _plug_in_files() -> list[str]:
    """Return every module of the packages that plug-ins are of, with its SHA-256."""
    found = []
    for package in sorted(plug_in_packages()):
        spec = importlib.util.find_spec(package)
        places = list(spec.submodule_search_locations or ()) if spec is not None else []
        files = [file for place in places for file in Path(place).rglob("*.py")]
        if spec is not None and not places and spec.origin:
            files = [Path(spec.origin)]
        found += [f"{package} {file.name} {sha256(file)}" for file in sorted(files)]
    return found


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
