"""One table's Parquet file: rows are buffered and written in groups of a fixed size."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.results.columns import Column, Table

_AS_GIVEN = {str, int, type(None), list}
"""Types of values that pyarrow takes, or refuses, without changing them."""


class TableFile:
    """One table's buffer and its Parquet file.

    Parameters
    ----------
    table : Table
    path : Path
        The file to be.
    rows_per_group : int
        Rows that are buffered, and written together.
    keeps_parts : bool
        Whether rows are kept until :meth:`take_part`.
    """

    def __init__(
        self, table: Table, path: Path, rows_per_group: int, keeps_parts: bool = False
    ) -> None:
        self._table = table
        self._keeps_parts = keeps_parts
        # written rows that no part has, and rows of the buffer that one has
        self._untaken: list[Any] = []
        self._n_taken = 0
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
        self._known = frozenset(self._names)
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
        """Add rows, as :meth:`cosim.results.writer.TableWriter.append` takes them."""
        given = columns.keys()
        if self._file is None:
            self._open(given)
        if not given <= self._known:
            unknown = ", ".join(sorted(given - self._known))
            raise ValueError(f"table {self._table.name!r} has no column {unknown}")
        if not given >= self._required:
            missing = ", ".join(sorted(self._required - given))
            raise ValueError(f"table {self._table.name!r} lacks column {missing}")
        values = {name: _own(value) for name, value in columns.items()}
        lengths = {len(v) for v in values.values() if type(v) is not _Scalar}
        if len(lengths) > 1:
            found = {name: len(v) for name, v in values.items() if type(v) is not _Scalar}
            raise ValueError(f"table {self._table.name!r}: columns of different length: {found}")
        n_rows = next(iter(lengths), 1)
        if n_rows:
            self._chunks.append((n_rows, values))
            self._n_rows += n_rows
            if self._n_rows >= self._rows_per_group:
                self._flush(final=False)

    def _flush(self, final: bool) -> None:
        """Write full row groups of the buffer; the last, shorter one only at the end."""
        if not self._n_rows:
            return
        batch = self._buffered()
        size = self._rows_per_group
        n_written = self._n_rows if final else self._n_rows - self._n_rows % size
        for start in range(0, n_written, size):
            self._file.write_table(batch.slice(start, min(size, n_written - start)), size)
        if self._keeps_parts and n_written > self._n_taken:
            self._untaken.append(batch.slice(self._n_taken, n_written - self._n_taken))
        self._n_taken = max(0, self._n_taken - n_written)
        self._buffer(batch.slice(n_written))

    def _buffered(self) -> Any:
        """Return the rows of the buffer."""
        arrays = [self._array(column) for column in self._table.columns]
        return pa.Table.from_arrays(arrays, schema=self._schema)

    def _buffer(self, rows: Any) -> None:
        """Let the buffer hold these rows."""
        self._n_rows = rows.num_rows
        self._chunks = []
        if self._n_rows:
            rows = rows.combine_chunks()
            self._chunks.append((self._n_rows, {name: rows[name].chunk(0) for name in self._names}))

    def take_part(self) -> Any:
        """Return the rows that came since the last call, as an Arrow table; None if none did."""
        parts, self._untaken = self._untaken, []
        if self._n_rows > self._n_taken:
            batch = self._buffered()
            parts.append(batch.slice(self._n_taken))
            self._buffer(batch)
            self._n_taken = self._n_rows
        return pa.concat_tables(parts) if parts else None

    def stop_parts(self) -> None:
        """Keep no rows any more for :meth:`take_part`."""
        self._keeps_parts, self._untaken = False, []

    def give_part(self, part: Any) -> None:
        """Add rows that :meth:`take_part` returned in a run that this one goes on from.

        Raises
        ------
        ValueError
            If the part is one of another table.
        """
        if self._file is None:
            self._open(part.schema.names)
        if part.schema.names != self._schema.names:
            raise ValueError(f"table {self._table.name!r} has other columns")
        # of lists, the file names the items otherwise
        part = part.cast(self._schema).combine_chunks()
        columns = {name: part[name].chunk(0) for name in self._names}
        self._chunks.append((part.num_rows, columns))
        self._n_rows += part.num_rows
        self._n_taken = self._n_rows
        if self._n_rows >= self._rows_per_group:
            self._flush(final=False)

    def _array(self, column: Column) -> Any:
        chunks = [(n_rows, chunk.get(column.name, _NULL)) for n_rows, chunk in self._chunks]
        kind = column.type
        parts = [
            _arrow([value for _, value in run], [n_rows for n_rows, _ in run], column, kind)
            for _, group in groupby(chunks, key=_alike)
            if (run := list(group))
        ]
        array = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        if not column.optional and array.null_count:
            raise ValueError(f"table {self._table.name!r}: {column.name} has missing values")
        return array

    def close(self) -> None:
        """Write what is buffered and close the file."""
        if self._file is None:
            self._open(())
        self._flush(final=True)
        self._file.close()

    def discard(self) -> None:
        """Close the file without what is buffered."""
        self._chunks = []
        self._n_rows = 0
        if self._file is not None:
            self._file.close()


class _Scalar:
    """One value for every row of a chunk."""

    def __init__(self, value: Any) -> None:
        self.value = value


_NULL = _Scalar(None)


_SCALARS = (str, bytes, int, float, np.generic, type(None))


def _own(value: Any) -> Any:
    """Return a copy of a column's values, or a scalar."""
    if isinstance(value, np.ndarray):
        if value.ndim == 1:
            return value.copy()
        if value.ndim == 0:
            return _Scalar(value.item())
        raise ValueError(f"a column has one dimension, not {value.ndim}")
    if isinstance(value, list):
        return list(value)
    if isinstance(value, _SCALARS):
        return _Scalar(value.item() if isinstance(value, np.generic) else value)
    if isinstance(value, Iterable):
        return list(value)
    raise ValueError(f"{value!r} is neither a column nor a scalar")


def _alike(chunk: tuple[int, Any]) -> Any:
    """Return what chunks have in common that become one array: their type."""
    value = chunk[1]
    # as text: a NumPy type equals any class that it would hold
    return type(value), value.dtype.str if isinstance(value, np.ndarray) else ""


def _arrow(values: list[Any], lengths: list[int], column: Column, kind: Any) -> Any:
    """Return the values of chunks of one type in the column's, refusing any that would change.

    Together: a chunk of an interval is small, and what an array takes has little to do with its
    length then.
    """
    first = values[0]
    try:
        if isinstance(first, pa.Array):
            return first if len(values) == 1 else pa.concat_arrays(values)
        if isinstance(first, _Scalar):
            array = pa.array([_readable(value.value, kind) for value in values], kind)
            return array.take(pa.array(np.repeat(np.arange(len(values)), lengths)))
        if isinstance(first, np.ndarray) and first.dtype.kind in "biuf":
            array = pa.array(np.concatenate(values))
            if first.dtype.kind == "f" and not pa.types.is_floating(kind):
                raise ValueError("fractional numbers in a column of integers")
            if first.dtype.kind == "b" and not pa.types.is_boolean(kind):
                raise ValueError("booleans in a column of numbers")
            return array if array.type == kind else array.cast(kind)
        items = [item for value in values for item in value]
        as_given = _AS_GIVEN | {bytes} if column.kind == "binary" else _AS_GIVEN
        if not set(map(type, items)) <= as_given:
            items = [_readable(item, kind) for item in items]
        return pa.array(items, kind, from_pandas=False)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"column {column.name}: {error}") from error


def _readable(item: Any, kind: Any) -> Any:
    """Turn bytes into hexadecimal text in a column of text, NumPy scalars into Python's.

    pyarrow would cut a fraction off without a word.
    """
    if isinstance(item, bytes) and pa.types.is_string(kind):
        return f"0x{item.hex()}"
    if isinstance(item, np.generic):
        item = item.item()
    if isinstance(item, float) and pa.types.is_integer(kind):
        raise ValueError(f"{item!r} is not an integer")
    return item
