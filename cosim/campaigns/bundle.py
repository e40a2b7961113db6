"""A run as it travels: its inputs to a worker that shares no disk, and its result back.

Inputs are laid out as a result folder keeps them (:mod:`cosim.inputs.kept`), so that a worker reads
them as it would its own files, and its result has the bytes that a run here has.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from cosim.errors import ResultFolderError
from cosim.grid.catalogue import grid_folder
from cosim.inputs.kept import INDEX, INPUTS_FOLDER, sha256
from cosim.mechanisms.local_market.tariffs import with_values
from cosim.results.inputs import FILES_FOLDER, GRID_FILES, GRID_FOLDER, PROFILES, SOURCE
from cosim.results.manifest import MANIFEST
from cosim.results.storage import take_place
from cosim.results.writer import claim
from cosim.runs.input_hash import named_files
from cosim.scenario import Scenario

SCENARIO_FILE = "scenario.yaml"


def pack_inputs(scenario: Scenario) -> bytes:
    """Return grid and named files of a scenario, as a ZIP file.

    The same files give the same bytes, so that runs that share them share what is sent.
    """
    base = Path() if scenario.file is None else scenario.file.parent
    grid = grid_folder(scenario.grid.network, base)
    index: dict[str, Any] = {
        "grid": {"named": scenario.grid.network, "folder": f"{GRID_FOLDER}/{grid.name}"},
        "files": [],
    }
    place = f"{INPUTS_FOLDER}/{GRID_FOLDER}/{grid.name}"
    files = {f"{place}/{name}": grid / name for name in (*GRID_FILES, PROFILES, SOURCE)}
    entries = []
    for number, (named, file) in enumerate(named_files(scenario).items()):
        own = f"{FILES_FOLDER}/{number}{file.suffix}"
        entries.append({"named": named, "sha256": sha256(file), "file": own})
        files[f"{INPUTS_FOLDER}/{own}"] = file
        if _is_within(named):
            files[PurePosixPath(named).as_posix()] = file
    index["files"] = entries
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        _add(archive, f"{INPUTS_FOLDER}/{INDEX}", json.dumps(index, sort_keys=True).encode())
        for name, file in sorted(files.items()):
            if file.is_file():
                _add(archive, name, file.read_bytes())
    return packed.getvalue()


def travels_whole(scenario: Scenario) -> bool:
    """Return True if every named file lies within the folder of the scenario's file."""
    return all(_is_within(named) for named in named_files(scenario))


def ready_to_travel(scenario: Scenario) -> Scenario:
    """Return a scenario that needs no prices out of files from elsewhere."""
    return scenario if travels_whole(scenario) else with_values(scenario)


def unpack_inputs(packed: bytes, fields: str, folder: Path) -> Scenario:
    """Return the scenario of a worker's run, with its inputs in a folder.

    Parameters
    ----------
    packed : bytes
        As :func:`pack_inputs` gives them.
    fields : str
        The scenario as JSON.
    folder : Path
        Empty.
    """
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(folder)
    return Scenario.of(json.loads(fields), folder / SCENARIO_FILE)


def pack_result(folder: Path) -> bytes:
    """Return a result folder as a ZIP file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            _add(archive, file.relative_to(folder).as_posix(), file.read_bytes())
    return packed.getvalue()


def land(packed: bytes, target: Path) -> None:
    """Put a result folder in its place, whole.

    Raises
    ------
    BusyFolderError
        If another run is writing there.
    ResultFolderError
        If it is not a whole result.
    """
    partial = target.with_name(target.name + ".partial")
    with claim(partial) as lock:
        try:
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                archive.extractall(partial)
        except zipfile.BadZipFile as error:
            raise ResultFolderError(
                "came back damaged", file=target, remedy="sweep again"
            ) from error
        if not (partial / MANIFEST).is_file():
            raise ResultFolderError("came back without a manifest", file=target)
        Path(lock.name).unlink()
        take_place(partial, target)


def _is_within(named: str) -> bool:
    path = PurePosixPath(named)
    return not path.is_absolute() and ".." not in path.parts


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file whose entry does not depend on the clock."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)
