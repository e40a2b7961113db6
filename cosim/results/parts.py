"""Rows of a run that is not finished, in the chunks of its checkpoint."""

from __future__ import annotations

from pathlib import Path

from cosim.errors import ResultFolderError
from cosim.results.manifest import MANIFEST, TABLES_FOLDER

CHECKPOINT = "checkpoint"
"""Folder, in the folder that a run writes, of what it can go on from."""


def unfinished(folder: Path) -> Path | None:
    """Return the checkpoint of a run that is to become a result folder; None if there is none."""
    place = folder.with_name(folder.name + ".partial") / CHECKPOINT
    return place if unfinished_in(place) else None


def unfinished_in(checkpoint: Path) -> bool:
    """Tell if a folder holds the chunks of a checkpoint."""
    return any(checkpoint.glob("[0-9]*"))


def require_finished(folder: Path) -> None:
    """Refuse what a run left that is not finished, where a result is wanted.

    Raises
    ------
    ResultFolderError
        If the folder, or one in it, is a checkpoint.
    """
    whole = folder.parent if folder.name == CHECKPOINT else folder
    if unfinished_in(whole / CHECKPOINT) and not (whole / MANIFEST).is_file():
        raise ResultFolderError(
            "is of a run that is not finished",
            file=folder,
            remedy="go on with 'cosim run --resume' and the same --out; cosim.open_result, in "
            "Python, reads what is done",
        )


def parts_of(folder: Path, table: str) -> list[Path]:
    """Return the files of a table: one in a result folder, of a checkpoint one per chunk."""
    whole = folder / TABLES_FOLDER / f"{table}.parquet"
    if whole.exists():
        return [whole]
    return sorted(folder.glob(f"[0-9]*/{TABLES_FOLDER}/{table}.parquet"))


def has_tables(folder: Path) -> bool:
    """Tell if there are tables: of a result, or of a checkpoint."""
    return (folder / TABLES_FOLDER).is_dir() or any(folder.glob(f"[0-9]*/{TABLES_FOLDER}"))


def tables_in(folder: Path) -> set[str]:
    """Return the names of the tables that have rows, or a file."""
    places = (f"{TABLES_FOLDER}/*.parquet", f"[0-9]*/{TABLES_FOLDER}/*.parquet")
    return {file.stem for place in places for file in folder.glob(place)}
