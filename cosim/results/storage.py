"""Writing where the disk may be full, read-only or somebody else's: whole, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cosim.errors import ResultFolderError, StorageError, own_trouble

REMEDY = "free space there, or name a folder of a disk with space and of your own, with --out"


def replace_text(path: Path, text: str) -> None:
    """Write a file anew: it holds the new text or, whatever happens, what it held."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def disk_trouble(error: BaseException | None, *places: Path) -> OSError | None:
    """Return what the disk failed in: no space at the root of an error, or a path that is refused.

    Parameters
    ----------
    error : BaseException or None
    *places : Path
        Folders that are written; an error of any kind that names a file in them counts.
    """
    trouble = own_trouble(error)
    if isinstance(trouble, OSError):
        return trouble
    if isinstance(error, OSError) and error.filename is not None:
        # of os.rename both ends
        names = [os.fsdecode(name) for name in (error.filename, error.filename2) if name]
        if any(Path(name).is_relative_to(place) for name in names for place in places):
            return error
    return None


def storage_error(trouble: OSError, place: Path, kept: str = "") -> StorageError:
    """Return the one clear line for a disk that fails.

    Parameters
    ----------
    trouble : OSError
    place : Path
        Which folder could not be written.
    kept : str
        What is kept, and where.
    """
    reason = trouble.strerror or str(trouble)
    detail = f"cannot be written: {reason.splitlines()[0]}"
    return StorageError(f"{detail}; {kept}" if kept else detail, file=place, remedy=REMEDY)


@contextmanager
def writing_to(place: Path) -> Iterator[None]:
    """Let a disk that fails do so in one clear line.

    Raises
    ------
    StorageError
    """
    try:
        yield
    except OSError as error:
        trouble = disk_trouble(error, place, place.parent)
        if trouble is None:
            raise
        raise storage_error(trouble, place) from error


def settled_place(out: str | Path) -> Path:
    """Return where a folder is to be: absolute, at the end of a link.

    Raises
    ------
    ResultFolderError
        If it is a link that leads nowhere, or a mount point, which cannot be replaced.
    """
    folder = Path(out).absolute()
    if folder.is_symlink():
        target = Path(os.path.realpath(folder))
        if not target.exists():
            raise ResultFolderError(
                f"is a link to {os.readlink(folder)}, which is not there",
                file=folder,
                remedy="make the folder that it leads to, or name another one with --out",
            )
        folder = target
    if folder.exists() and os.path.ismount(folder):
        raise ResultFolderError(
            "is where a disk is mounted, so that no finished result can take its place",
            file=folder,
            remedy=f"name a folder in it, such as {folder / 'result'}",
        )
    return folder


def take_place(folder: Path, target: Path) -> None:
    """Give a finished folder its name; what was there before goes last, or stays if that fails."""
    replaced = target.with_name(target.name + ".replaced")
    moved = target.exists()
    if moved:
        shutil.rmtree(replaced, ignore_errors=True)
        os.rename(target, replaced)
    try:
        os.rename(folder, target)
    except OSError:
        if moved:
            os.rename(replaced, target)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def to_disk(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def all_to_disk(folder: Path) -> None:
    """Bring a folder and everything in it to the disk."""
    for path in sorted(folder.rglob("*")):
        if not path.is_symlink():
            to_disk(path)
    to_disk(folder)
