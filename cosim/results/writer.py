"""Writer of a result folder: Parquet tables in bounded memory, the folder visible only when whole.

Everything is written to ``<folder>.partial`` next to the target and renamed at the end, so that a
reader never meets half a result, and a run that fails leaves an earlier result as it was.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import pyarrow.parquet as pq

from cosim.errors import BusyFolderError, NodeError, ResultFolderError, RunError, UserError
from cosim.results.columns import Table
from cosim.results.manifest import MANIFEST, TABLES_FOLDER, read_manifest
from cosim.results.parquet import TableFile
from cosim.results.parts import CHECKPOINT, unfinished, unfinished_in
from cosim.results.schemas import tables_of
from cosim.results.storage import (
    all_to_disk,
    disk_trouble,
    settled_place,
    storage_error,
    take_place,
    writing_to,
)

ROWS_PER_GROUP = 65_536
"""Rows that are buffered per table before they are written."""

_LOCK = ".lock"


def prepare(out: str | Path, force: bool = False) -> Path:
    """Check that a result may be written to a path.

    Parameters
    ----------
    out : str or Path
        The result folder to be.
    force : bool
        Let a result folder that is there be replaced, at the end of the run.

    Returns
    -------
    Path
        The folder, absolute; where ``out`` is a link, the folder that it leads to.

    Raises
    ------
    ResultFolderError
        If something is there already and ``force`` was not given, or is no result folder, a link
        that leads nowhere or a mount point.
    """
    folder = settled_place(out)
    if folder.exists():
        if not folder.is_dir():
            raise ResultFolderError(
                "is in the way of the result folder and is not a folder",
                file=folder,
                remedy="name another folder with --out (in Python out=)",
            )
        is_result = (folder / MANIFEST).is_file()
        if not is_result and any(folder.iterdir()):
            raise ResultFolderError(
                f"is not a result folder (it has no {MANIFEST}) and will not be replaced",
                file=folder,
                remedy="name another folder with --out (in Python out=)",
            )
        if is_result and not force:
            raise ResultFolderError(
                "exists already",
                file=folder,
                remedy="replace it with --force (in Python force=True), or name another folder "
                "with --out (out=)",
            )
    return folder


class TableWriter:
    """Writer of a run's tables, which become a result folder.

    Parameters
    ----------
    out : str or Path
        The result folder to be.
    force : bool
        Replace an earlier result there, once this one is finished.
    rows_per_group : int
        Rows buffered per table; also the size of the Parquet row groups.
    resumable : str, optional
        Name of a file in the folder that outlives a :class:`~cosim.errors.NodeError`, so that the
        run can be resumed; no part of the result.
    resume : bool
        Keep that file of an earlier run, whatever becomes of this one.
    tables : mapping of str to Table, optional
        What is written; default: the tables of a run without plug-ins.
    keeps_parts : bool
        Whether :meth:`write_parts` is called now and then: rows are kept until it is.

    Attributes
    ----------
    folder : Path
        The folder being written; anything else that belongs to the result goes there.

    Raises
    ------
    ResultFolderError
        As :func:`prepare`, or when another run is writing to the same place.

    Notes
    -----
    The bytes of a table depend on its rows and their order alone: not on how the rows were
    distributed over calls of :meth:`append`, nor on the time.
    """

    def __init__(
        self,
        out: str | Path,
        *,
        force: bool = False,
        rows_per_group: int = ROWS_PER_GROUP,
        resumable: str | None = None,
        resume: bool = False,
        tables: Mapping[str, Table] | None = None,
        keeps_parts: bool = False,
    ) -> None:
        # a run that was interrupted leaves what it has done, and can go on
        force = force or (resume and _is_incomplete(Path(out)))
        self._target = prepare(out, force)
        self.folder = self._target.with_name(self._target.name + ".partial")
        self._force = force
        self._resumable = resumable
        self._resume = resume
        kept = {_LOCK, resumable} if resume and resumable else {_LOCK}
        self._lock: TextIO | None = claim(self.folder, kept)
        self._aside = self.folder.with_name(self.folder.name + ".resumable")
        if resume and resumable and self._aside.exists():  # killed while it was finished
            _remove(self.folder / resumable)
            os.rename(self._aside, self.folder / resumable)
        self._whole = False
        place = self.folder / TABLES_FOLDER
        place.mkdir()
        self._tables = {
            name: TableFile(table, place / f"{name}.parquet", rows_per_group, keeps_parts)
            for name, table in (tables or tables_of()).items()
        }
        self._closed = False

    def append(self, table: str, columns: Mapping[str, Any]) -> None:
        """Add rows to a table.

        Parameters
        ----------
        table : str
            Name of one of the tables.
        columns : mapping of str to array-like or scalar
            Values by column name, all of one length; a scalar stands for every row. Optional
            columns may be left out; further columns of the table are in it when the first call for
            it gives them. Addresses and data may be given as ``bytes``. Values are
            copied.

        Raises
        ------
        ValueError
            If the table or a column is unknown, a column is missing, lengths differ, or a value
            does not fit its column (at the latest when the row group is written).
        """
        if self._closed:
            raise ValueError("the tables of this result are closed")
        try:
            self._tables[table].append(columns)
        except KeyError:
            if table in self._tables:
                raise
            known = ", ".join(self._tables)
            raise ValueError(f"unknown table {table!r}; known: {known}") from None

    def write_parts(self, folder: Path) -> None:
        """Write the rows that came since the last call into a folder, a file per table.

        Tables without new rows have none. The parts of a table, one after the other, are its rows.
        """
        for name, table in self._tables.items():
            part = table.take_part()
            if part is not None:
                path = folder / f"{name}.parquet"
                pq.write_table(part, path, compression="lz4", write_statistics=False)

    def stop_parts(self) -> None:
        """Keep no rows any more for :meth:`write_parts`."""
        for table in self._tables.values():
            table.stop_parts()

    def read_parts(self, folder: Path) -> None:
        """Add the rows that :meth:`write_parts` wrote.

        Raises
        ------
        ValueError
            If a file is no part of one of the tables.
        """
        for path in sorted(folder.glob("*.parquet")):
            if path.stem not in self._tables:
                raise ValueError(f"there is no table {path.stem!r}")
            self._tables[path.stem].give_part(pq.read_table(path))

    def close(self) -> None:
        """Write what is buffered and close every table, empty ones included."""
        if not self._closed:
            for table in self._tables.values():
                table.close()
            self._closed = True

    def keep(self) -> None:
        """Keep the folder from here on if the disk fails: everything of the run is in it."""
        self._whole = True

    def finish(self, complete: bool = True) -> Path:
        """Close the tables and put the folder in its place.

        Parameters
        ----------
        complete : bool
            False when the run was interrupted; the manifest must say the same.

        Returns
        -------
        Path
            The result folder.

        Raises
        ------
        ValueError
            If no manifest was written, or it disagrees about ``complete``.
        """
        self.close()
        if read_manifest(self.folder)["complete"] is not complete:
            raise ValueError(f"{MANIFEST} does not say complete: {complete}")
        prepare(self._target, self._force)
        if self._resumable:
            # until the result has its place, a run that is killed can go on
            _remove(self._aside)
            if (self.folder / self._resumable).exists():
                os.rename(self.folder / self._resumable, self._aside)
                all_to_disk(self.folder)  # before what it could be made from is removed
        self._release()
        take_place(self.folder, self._target)
        if self._resumable and not complete and unfinished_in(self._aside):
            self.folder.mkdir()
            os.rename(self._aside, self.folder / self._resumable)
        _remove(self._aside)
        return self._target

    def abort(self) -> None:
        """Remove what was written; an earlier result stays. Harmless after :meth:`finish`."""
        if self._lock is not None:
            self._discard()
            self._release()
            shutil.rmtree(self.folder)

    def _can_go_on(self) -> bool:
        """True if a later process can go on from what lies in the folder."""
        if self._resumable == CHECKPOINT:
            return unfinished(self._target) is not None
        return bool(self._resumable) and (self.folder / str(self._resumable)).exists()

    def suspend(self) -> None:
        """Remove what was written but what lets the run be resumed, if there is any."""
        if self._lock is not None and self._resumable and self._can_go_on():
            self._discard()
            _clear(self.folder, {_LOCK, self._resumable})
            self._release()

    def _discard(self) -> None:
        for table in self._tables.values():
            with suppress(OSError):  # a full disk takes no footer either
                table.discard()
        self._closed = True

    def _release(self) -> None:
        if self._lock is not None:
            (self.folder / _LOCK).unlink()
            self._lock.close()
            self._lock = None

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the partial folder unless :meth:`finish` was called, or the run can go on.

        Raises
        ------
        StorageError
            In place of an error of the disk. A run that is finished is kept, and its place named.
        """
        trouble = disk_trouble(error, self.folder, self._target)
        if trouble is not None and self._whole:
            with suppress(OSError):
                self._release()
            kept = (
                f"the run is finished and kept in {self.folder} ('cosim report' and 'cosim verify' "
                "read it; the next run to the same place removes it)"
            )
            raise storage_error(trouble, self._target, kept) from error
        if error is not None and (
            self._resume or _caused_by_node(error) or _is_from_outside(error, trouble)
        ):
            self.suspend()
        self.abort()
        if trouble is not None:
            raise storage_error(trouble, self._target) from error


def _is_from_outside(error: BaseException, trouble: OSError | None) -> bool:
    """Return True if nothing is wrong with the run itself: it can go on."""
    return trouble is not None or not isinstance(error, UserError | RunError)


def _is_incomplete(folder: Path) -> bool:
    """Return True if a result is there of a run that the user interrupted."""
    return (folder / MANIFEST).is_file() and read_manifest(folder).get("complete") is False


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _caused_by_node(error: BaseException | None) -> bool:
    seen: set[int] = set()  # an exception that a loop raised anew can be its own context
    while error is not None and id(error) not in seen:
        if isinstance(error, NodeError):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def claim(folder: Path, kept: Collection[str] = (_LOCK,)) -> TextIO:
    """Make a partial folder anew and hold its lock; what a dead run left there is removed.

    Parameters
    ----------
    folder : Path
    kept : collection of str
        Names of files that stay.

    Raises
    ------
    BusyFolderError
        If another run holds it.
    StorageError
        If the disk is full or read-only, or the place not the user's.
    """
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise BusyFolderError(
            "another run is writing this result",
            file=folder,
            remedy="wait for it to end, or name another folder with --out",
        ) from None
    _clear(folder, kept)
    return lock


def _clear(folder: Path, kept: Collection[str]) -> None:
    for path in folder.iterdir():
        if path.name not in kept:
            _remove(path)
