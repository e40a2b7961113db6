"""Hash of everything that decides a run's result, known before the run is played.

It covers the scenario with its defaults, but for its name and description; the content of every
file that it names and of its grid; cosim's own code and contracts; the versions of the packages
that can move a number, and the plug-ins of others. Two runs with one hash have the same tables.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cosim
from cosim.grid.catalogue import grid_folder
from cosim.inputs.kept import sha256
from cosim.resources import folder as resource_folder
from cosim.results.environment import foreign_plug_ins
from cosim.results.inputs import GRID_FILES, PROFILES
from cosim.results.manifest import versions
from cosim.scenario import Scenario

_LONGEST_NAME = 1024
"""Texts of a scenario above this are no names of files."""
_WITHOUT_EFFECT = ("name", "description")
DIGITS = 32
"""Of the SHA-256, hexadecimal; enough for a folder's name."""


@functools.cache
def code_identity() -> dict[str, Any]:
    """Return what of this installation decides a result, as JSON has it.

    Returns
    -------
    dict
        ``code``: SHA-256 over cosim's modules and contracts; ``versions`` as a manifest has them;
        ``plug_ins`` of other packages with the SHA-256 of their modules.
    """
    return {
        "code": _code_hash(),
        "versions": versions(),
        "plug_ins": foreign_plug_ins(),
    }


def input_hash(scenario: Scenario) -> str:
    """Return the hash of the inputs of a run.

    Parameters
    ----------
    scenario : Scenario
        Files and grid are looked up from its file.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    GridDataError
        If there is no such grid.
    """
    fields = json.loads(scenario.model_dump_json())
    for name in _WITHOUT_EFFECT:
        fields.pop(name, None)
    base = None if scenario.file is None else scenario.file.parent
    inputs = {
        "scenario": fields,
        "grid": _grid_hashes(grid_folder(scenario.grid.network, base)),
        "files": {named: _hash_of(file) for named, file in named_files(scenario).items()},
        "environment": code_identity(),
    }
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def named_files(scenario: Scenario) -> dict[str, Path]:
    """Return the files that a scenario names, wherever they stand in it, by name in order.

    Every text counts that is the path of a file there, relative to the scenario's: also options of
    plug-ins, of which nothing is known.
    """
    base = Path() if scenario.file is None else scenario.file.parent
    found = {}
    for text in sorted(set(_texts(json.loads(scenario.model_dump_json())))):
        try:
            is_file = 0 < len(text) <= _LONGEST_NAME and (base / text).is_file()
        except (OSError, ValueError):  # no name of a file
            continue
        if is_file:
            found[text] = base / text
    return found


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def _grid_hashes(grid: Path) -> dict[str, str]:
    files = [grid / name for name in (*GRID_FILES, PROFILES)]
    return {file.name: _hash_of(file) for file in files if file.is_file()}


def _hash_of(file: Path) -> str:
    stat = file.stat()
    return _hash_at(file, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=4096)
def _hash_at(file: Path, changed_ns: int, size: int) -> str:
    """Return a file's hash; read once by as many runs as there are, until it changes."""
    return sha256(file)


def _code_hash() -> str:
    digest = hashlib.sha256()
    package = Path(cosim.__file__).resolve().parent
    contracts = resource_folder("contracts")
    files = [("cosim", package, file) for file in package.rglob("*.py")]
    files += [
        ("contracts", contracts, file)
        for file in contracts.rglob("*")
        if file.suffix in (".vy", ".vyi", ".json")
    ]
    named = {f"{top}/{file.relative_to(base).as_posix()}": file for top, base, file in files}
    for name in sorted(named):
        if name.startswith(("cosim/contracts/", "cosim/grids/", "cosim/scenarios/")):
            continue  # data of a wheel
        digest.update(f"{name} {sha256(named[name])}\n".encode())
    return digest.hexdigest()
