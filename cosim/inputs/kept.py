"""Input files that a result folder keeps, so that its scenario can be played from it alone.

``inputs/index.json`` of a result folder says which file of the folder stands for which name in
the scenario. A scenario that lies next to it reads those files; any other reads the files where
they are, and a run notes which it read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from cosim.errors import ResultFolderError
from cosim.inputs.json_file import parse_json

INPUTS_FOLDER = "inputs"
INDEX = "index.json"


@dataclass
class ReadFiles:
    """Files that a run read, by the names that its scenario gives them.

    Parameters
    ----------
    grid : tuple of (str, Path), optional
        Name of the grid in the scenario, and its folder.
    files : dict of str to Path
        Other files.
    rows : dict of Path to tuple of (int, int)
        First row and one beyond the last that was read of a file of time series.
    columns : dict of Path to set of str
        Columns of them.
    """

    grid: tuple[str, Path] | None = None
    files: dict[str, Path] = field(default_factory=dict)
    rows: dict[Path, tuple[int, int]] = field(default_factory=dict)
    columns: dict[Path, set[str]] = field(default_factory=dict)


_noted: ContextVar[ReadFiles | None] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[ReadFiles]:
    """Note which files are read from here on."""
    read = ReadFiles()
    token = _noted.set(read)
    try:
        yield read
    finally:
        _noted.reset(token)


def note_grid(named: str, folder: Path) -> None:
    """Note which grid was read."""
    if (read := _noted.get()) is not None:
        read.grid = (named, folder)


def note_columns(file: Path, columns: Iterable[str]) -> None:
    """Note which columns of a file of time series must be there."""
    if (read := _noted.get()) is not None:
        read.columns.setdefault(file, set()).update(columns)


def note_rows(file: Path, first: int, end: int, columns: Iterable[str]) -> None:
    """Note which rows and columns of a file of time series were read."""
    note_columns(file, columns)
    if (read := _noted.get()) is None:
        return
    known = read.rows.get(file, (first, end))
    read.rows[file] = (min(known[0], first), max(known[1], end))


def located(named: str, folder: Path | None) -> Path:
    """Return the file that a scenario names, and note it.

    Parameters
    ----------
    named : str
        As in the scenario: absolute, or from the scenario file's folder.
    folder : Path, optional
        Folder of the scenario file; a result folder has files of its own.

    Raises
    ------
    ResultFolderError
        If the index of a result folder cannot be used, or the file is too large to be kept there
        and is not, elsewhere, the one that was read.
    """
    elsewhere = Path(named) if folder is None else folder / named
    entry = next((e for e in _index(folder).get("files", ()) if e.get("named") == named), None)
    file = elsewhere
    if entry is not None and entry.get("file") is not None:
        file = _inside(folder, entry["file"])
    elif entry is not None and (not file.is_file() or sha256(file) != entry.get("sha256")):
        raise ResultFolderError(
            f"was too large to be kept with the result, and is not here; its SHA-256 is "
            f"{entry.get('sha256')}",
            file=elsewhere,
            remedy="put that file there",
        )
    if (read := _noted.get()) is not None:
        read.files[named] = file
    return file


def kept_grid(named: str, folder: Path | None) -> Path | None:
    """Return the grid folder that a result keeps for a name in its scenario; None if it has none.

    Raises
    ------
    ResultFolderError
        If the index of the result folder cannot be used.
    """
    entry = _index(folder).get("grid")
    if not isinstance(entry, dict) or entry.get("named") != named:
        return None
    return _inside(folder, entry.get("folder"))


def kept_files(folder: Path) -> list[str]:
    """Return the files, from the folder of inputs, that a result keeps of those named."""
    entries = _index(folder).get("files", [])
    return [str(entry["file"]) for entry in entries if entry.get("file") is not None]


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _index(folder: Path | None) -> dict[str, Any]:
    """Return the index of a result folder; nothing where there is none."""
    if folder is None:
        return {}
    path = folder / INPUTS_FOLDER / INDEX
    if not path.is_file():
        return {}
    try:
        index = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultFolderError(
            f"is not JSON: {error}", file=path, remedy="run the scenario again"
        ) from error
    whole = isinstance(index, dict) and isinstance(index.get("files", []), list)
    if not whole or not all(isinstance(entry, dict) for entry in index.get("files", [])):
        raise ResultFolderError(
            "is not the index of a result's inputs", file=path, remedy="run the scenario again"
        )
    return dict(index)


def _inside(folder: Path | None, relative: object) -> Path:
    """Return a path in the inputs of a result folder; refuse one that leads out of them."""
    root = (folder or Path()) / INPUTS_FOLDER
    text = str(relative)
    parts = PurePosixPath(text).parts
    path = root / text
    within = path.resolve().is_relative_to(root.resolve())
    if not isinstance(relative, str) or ".." in parts or not parts or not within:
        raise ResultFolderError(
            f"names {text!r}, which is not among the inputs of the result",
            file=root / INDEX,
            remedy="run the scenario again",
        )
    return path
