"""Rows of a run that is not finished, in the chunks of its checkpoint."""

from __future__ import annotations

from pathlib import Path

from cosim.errors import ResultFolderError
from cosim.results.manifest import MANIFEST, TABLES_FOLDER, read_manifest

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


def require_nothing_to_go_on_from(folder: Path) -> None:
    """Refuse to begin a run anew where one stopped: days of work would be removed.

    Parameters
    ----------
    folder : Path
        The result folder to be.

    Raises
    ------
    ResultFolderError
        If there is a checkpoint.
    """
    if (checkpoint := unfinished(folder)) is None:
        return
    done = read_manifest(checkpoint) if (checkpoint / MANIFEST).is_file() else {}
    said = f" after {done['intervals_done']} of {done['intervals']} intervals" if done else ""
    raise ResultFolderError(
        f"a run stopped here{said}, and can go on",
        file=checkpoint.parent,
        remedy="go on with --resume (in Python resume=True), or begin anew with --force "
        "(force=True)",
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
