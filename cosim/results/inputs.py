"""Inputs of a run in its result folder: grid, profiles of its window, named files, contracts.

With them a stranger plays the run again who has nothing but the folder and this version of cosim.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from cosim.evm.contracts import sources_of
from cosim.inputs.kept import INDEX, INPUTS_FOLDER, ReadFiles, sha256
from cosim.inputs.profiles import TIME

if TYPE_CHECKING:
    from cosim.scenario import Scenario

LARGEST = 64 * 2**20
"""Files above this are not kept: their hash says which they were. [bytes]"""

GRID_FOLDER, FILES_FOLDER, CONTRACTS_FOLDER = "grid", "files", "contracts"
PROFILES = "profiles.parquet"
GRID_FILES = ("network.json", "connection_points.csv", "elements.csv")
SOURCE = "SOURCE.md"

EVERY_RUN = ("EuroToken", "SmartMeters")
"""Contracts of every run; the others are those of its mechanisms."""


def write_inputs(folder: str | Path, read: ReadFiles, scenario: Scenario) -> Path:
    """Write the inputs of a run into its result folder.

    Parameters
    ----------
    folder : str or Path
        The result folder to be.
    read : ReadFiles
        What the run read.
    scenario : Scenario
        As run; its mechanisms say which contracts there are.

    Returns
    -------
    Path
        The folder of the inputs.
    """
    place = Path(folder) / INPUTS_FOLDER
    place.mkdir()
    index: dict[str, Any] = {"files": []}
    if read.grid is not None:
        named, grid = read.grid
        index["grid"] = {"named": named, "folder": f"{GRID_FOLDER}/{grid.name}"}
        _write_grid(place / GRID_FOLDER / grid.name, grid, read)
    for number, (named, file) in enumerate(sorted(read.files.items())):
        entry: dict[str, Any] = {"named": named, "sha256": sha256(file), "file": None}
        if file.stat().st_size <= LARGEST:
            entry["file"] = f"{FILES_FOLDER}/{number}{file.suffix}"
            (place / FILES_FOLDER).mkdir(exist_ok=True)
            shutil.copyfile(file, place / entry["file"])
        index["files"].append(entry)
    for name, source in contract_sources(scenario).items():
        path = place / CONTRACTS_FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
    text = json.dumps(index, indent=2, sort_keys=True, ensure_ascii=False)
    (place / INDEX).write_text(text + "\n", encoding="utf-8")
    return place


def contract_sources(scenario: Scenario) -> dict[str, Path]:
    """Return the sources of a run's contracts, with what they import, by subject and name."""
    found: dict[str, Path] = {}
    for name in EVERY_RUN:
        found |= sources_of(name)
    for mechanism in scenario.mechanisms():
        for name in mechanism.contracts:
            found |= sources_of(name, mechanism.sources)
    return dict(sorted(found.items()))


def _write_grid(place: Path, grid: Path, read: ReadFiles) -> None:
    """Copy a grid folder, but of its profiles only what was read."""
    place.mkdir(parents=True)
    for name in GRID_FILES:
        shutil.copyfile(grid / name, place / name)
    if (grid / SOURCE).is_file():
        shutil.copyfile(grid / SOURCE, place / SOURCE)
    file = grid / PROFILES
    pq.write_table(window_of(file, read), place / PROFILES, compression="zstd")


def window_of(file: Path, read: ReadFiles) -> Any:
    """Return the rows and columns of a file of profiles that a run read, two rows at least."""
    whole = pq.ParquetFile(file)
    first, end = read.rows.get(file, (0, 2))
    n_rows = whole.metadata.num_rows
    end = min(max(end, first + 2), n_rows)
    first = max(0, min(first, end - 2))
    names = whole.schema_arrow.names
    wanted = [name for name in names if name == TIME or name in read.columns.get(file, set(names))]
    rows = whole.read(columns=wanted).slice(first, end - first)
    return pa.table({name: rows[name].combine_chunks() for name in wanted})
