"""Writes a result folder: Parquet tables in bounded memory, the folder visible only when whole.

Everything is written to ``<folder>.partial`` next to the target and renamed at the end, so that a
reader never meets half a result, and a run that fails leaves an earlier result as it was.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Collection, Container, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import NodeError, ResultFolderError
from cosim.results.columns import Column, Table
from cosim.results.manifest import MANIFEST, read_manifest
from cosim.results.schemas import TABLES

ROWS_PER_GROUP = 65_536
"""Rows that are buffered per table before they are written."""

_LOCK = ".lock"

_AS_GIVEN = {str, int, type(None), list}
"""Types of values that pyarrow takes, or refuses, without changing them."""


def prepare(out: str | Path, force: bool = False) -> Path:
    """Check that a result may be written to a path.

    Parameters
    ----------
    out : str or Path
        The result folder to be.
    force : bool
        Whether a result folder that is there may be replaced, at the end of the run.

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    ResultFolderError
        If something is there already and ``force`` was not given, or is no result folder.
    """
    folder = Path(out).absolute()
    if folder.is_symlink() or folder.exists():
        if not folder.is_dir():
            raise ResultFolderError(
                "is in the way of the result folder and is not a folder",
                file=folder,
                remedy="name another folder with --out",
            )
        is_result = (folder / MANIFEST).is_file()
        if not is_result and any(folder.iterdir()):
            raise ResultFolderError(
                f"is not a result folder (it has no {MANIFEST}) and will not be replaced",
                file=folder,
                remedy="name another folder with --out",
            )
        if is_result and not force:
            raise ResultFolderError(
                "exists already",
                file=folder,
                remedy="replace it with --force, or name another folder with --out",
            )
    return folder


class TableWriter:
    """Collects a run's tables and turns them into a result folder.

    Parameters
    ----------
    out : str or Path
        The result folder to be.
    force : bool
        Whether an earlier result there is replaced, once this one is finished.
    rows_per_group : int
        Rows buffered per table; also the size of the Parquet row groups.
    resumable : str, optional
        Name of a file in the folder that outlives a :class:`~cosim.errors.NodeError`, so that the
        run can be resumed; no part of the result.
    resume : bool
        Whether to keep that file of an earlier run, whatever becomes of this one.

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
    ) -> None:
        self._target = prepare(out, force)
        self.folder = self._target.with_name(self._target.name + ".partial")
        self._force = force
        self._resumable = resumable
        self._resume = resume
        kept = {_LOCK, resumable} if resume and resumable else {_LOCK}
        self._lock: TextIO | None = claim(self.folder, kept)
        tables = self.folder / "tables"
        tables.mkdir()
        self._tables = {
            name: _TableFile(table, tables / f"{name}.parquet", rows_per_group)
            for name, table in TABLES.items()
        }
        self._closed = False

    def append(self, table: str, columns: Mapping[str, Any]) -> None:
        """Add rows to a table.

        Parameters
        ----------
        table : str
            Name of a table in :data:`cosim.results.schemas.TABLES`.
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
            raise ValueError(f"unknown table {table!r}; known: {', '.join(TABLES)}") from None

    def close(self) -> None:
        """Write what is buffered and close every table, empty ones included."""
        if not self._closed:
            for table in self._tables.values():
                table.close()
            self._closed = True

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
            (self.folder / self._resumable).unlink(missing_ok=True)
        self._release()
        replaced = self._target.with_name(self._target.name + ".replaced")
        if self._target.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            os.rename(self._target, replaced)
        os.rename(self.folder, self._target)
        shutil.rmtree(replaced, ignore_errors=True)
        return self._target

    def abort(self) -> None:
        """Remove what was written; an earlier result stays. Harmless after :meth:`finish`."""
        if self._lock is not None:
            for table in self._tables.values():
                table.discard()
            self._closed = True
            self._release()
            shutil.rmtree(self.folder)

    def suspend(self) -> None:
        """Remove what was written but the file that lets the run be resumed."""
        if self._lock is not None and self._resumable:
            for table in self._tables.values():
                table.discard()
            self._closed = True
            _clear(self.folder, {_LOCK, self._resumable})
            self._release()

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
        """Remove the partial folder unless :meth:`finish` was called, or the run can go on."""
        if error is not None and (self._resume or _caused_by_node(error)):
            self.suspend()
        self.abort()


def _caused_by_node(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, NodeError):
            return True
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
    ResultFolderError
        If another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / _LOCK).open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise ResultFolderError(
            "another run is writing this result",
            file=folder,
            remedy="wait for it to end, or name another folder with --out",
        ) from None
    _clear(folder, kept)
    return lock


def _clear(folder: Path, kept: Collection[str]) -> None:
    for path in folder.iterdir():
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


class _TableFile:
    """One table's buffer and its Parquet file."""

    def __init__(self, table: Table, path: Path, rows_per_group: int) -> None:
        self._table = table
        self._path = path
        self._rows_per_group = rows_per_group
        self._chunks: list[tuple[int, dict[str, Any]]] = []
        self._n_rows = 0
        self._file: Any = None
        if not table.further:
            self._open(())

    def _open(self, given: Container[str]) -> None:
        """Settle the columns and open the file."""
        table = self._table = self._table.with_further(given)
        self._schema = table.arrow
        self._names = tuple(column.name for column in table.columns)
        self._required = frozenset(c.name for c in table.columns if not c.optional)
        self._file = pq.ParquetWriter(
            self._path,
            self._schema,
            version="2.6",
            compression="zstd",
            compression_level=3,
            use_dictionary=True,
            write_statistics=True,
            data_page_version="1.0",
        )

    def append(self, columns: Mapping[str, Any]) -> None:
        given = columns.keys()
        if self._file is None:
            self._open(given)
        if unknown := sorted(given - set(self._names)):
            raise ValueError(f"table {self._table.name!r} has no column {', '.join(unknown)}")
        if missing := sorted(self._required - given):
            raise ValueError(f"table {self._table.name!r} lacks column {', '.join(missing)}")
        values = {name: _own(value) for name, value in columns.items()}
        lengths = {name: len(v) for name, v in values.items() if not isinstance(v, _Scalar)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"table {self._table.name!r}: columns of different length: {lengths}")
        n_rows = next(iter(lengths.values()), 1)
        if n_rows:
            self._chunks.append((n_rows, values))
            self._n_rows += n_rows
            if self._n_rows >= self._rows_per_group:
                self._flush(final=False)

    def _flush(self, final: bool) -> None:
        """Write full row groups of the buffer; the last, shorter one only at the end."""
        if not self._n_rows:
            return
        arrays = [self._array(column) for column in self._table.columns]
        batch = pa.Table.from_arrays(arrays, schema=self._schema)
        size = self._rows_per_group
        n_written = self._n_rows if final else self._n_rows - self._n_rows % size
        for start in range(0, n_written, size):
            self._file.write_table(batch.slice(start, min(size, n_written - start)), size)
        self._chunks = []
        self._n_rows -= n_written
        if self._n_rows:
            rest = batch.slice(n_written).combine_chunks()
            self._chunks.append((self._n_rows, {name: rest[name].chunk(0) for name in self._names}))

    def _array(self, column: Column) -> Any:
        parts = [
            _arrow(chunk.get(column.name, _NULL), n_rows, column) for n_rows, chunk in self._chunks
        ]
        array = pa.concat_arrays(parts)
        if not column.optional and array.null_count:
            raise ValueError(f"table {self._table.name!r}: {column.name} has missing values")
        return array

    def close(self) -> None:
        if self._file is None:
            self._open(())
        self._flush(final=True)
        self._file.close()

    def discard(self) -> None:
        self._chunks = []
        self._n_rows = 0
        if self._file is not None:
            self._file.close()


class _Scalar:
    """One value for every row of a chunk."""

    def __init__(self, value: Any) -> None:
        self.value = value


_NULL = _Scalar(None)


def _own(value: Any) -> Any:
    """A copy of a column's values that nobody else can change, or a scalar."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value.copy()
    if value is None or isinstance(value, str | bytes | int | float | np.generic):
        return _Scalar(value.item() if isinstance(value, np.generic) else value)
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return _Scalar(value.item())
        raise ValueError(f"a column has one dimension, not {value.ndim}")
    if isinstance(value, Iterable):
        return list(value)
    raise ValueError(f"{value!r} is neither a column nor a scalar")


def _arrow(value: Any, n_rows: int, column: Column) -> Any:
    """Values of one chunk in the column's type, refusing any that would change."""
    kind = column.type
    try:
        if isinstance(value, pa.Array):
            return value
        if isinstance(value, _Scalar):
            return pa.repeat(pa.scalar(_readable(value.value, kind), kind), n_rows)
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            array = pa.array(value)
            if value.dtype.kind == "f" and not pa.types.is_floating(kind):
                raise ValueError("fractional numbers in a column of integers")
            if value.dtype.kind == "b" and not pa.types.is_boolean(kind):
                raise ValueError("booleans in a column of numbers")
            return array if array.type == kind else array.cast(kind)
        if not set(map(type, value)) <= _AS_GIVEN:
            value = [_readable(item, kind) for item in value]
        return pa.array(value, kind, from_pandas=False)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"column {column.name}: {error}") from error


def _readable(item: Any, kind: Any) -> Any:
    """Bytes become hexadecimal text in a column of text; NumPy scalars become Python's.

    pyarrow would cut a fraction off without a word.
    """
    if isinstance(item, bytes) and pa.types.is_string(kind):
        return f"0x{item.hex()}"
    if isinstance(item, np.generic):
        item = item.item()
    if isinstance(item, float) and pa.types.is_integer(kind):
        raise ValueError(f"{item!r} is not an integer")
    return item
