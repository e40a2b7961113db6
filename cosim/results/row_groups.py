"""Row groups of a table, read one by one.

Rows of a table lie in its file by interval, or by the time of their block, and a Parquet file says
of each row group which values it holds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_GROUPS_KEPT = 2
"""Row groups of a table that are kept decoded: stretches of a run follow one another."""


class RowGroups:
    """Row groups of one table, by what their rows' clock says.

    Parameters
    ----------
    files : sequence of Path
    text : sequence of str
        Columns that are read as dictionaries.
    trusts_statistics : bool
        Whether the file is believed which values a group holds; or else they are looked at.
    """

    def __init__(
        self, files: Sequence[Path], text: Sequence[str], trusts_statistics: bool = True
    ) -> None:
        self._trusts = trusts_statistics
        self._files = [pq.ParquetFile(path, read_dictionary=list(text)) for path in files]
        self._kept: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._spans: dict[str, list[tuple[int, int, int, int]]] = {}

    def spans(self, clock: str) -> list[tuple[int, int, int, int]]:
        """Return file, group, lowest and highest value of a column, of every group with rows."""
        if clock not in self._spans:
            self._spans[clock] = [
                (k, group, *span)
                for k, file in enumerate(self._files)
                for group in range(file.num_row_groups)
                if (span := _span(file, group, clock, self._trusts)) is not None
            ]
        return self._spans[clock]

    def read(self, clock: str, first: int, last: int, columns: Sequence[str]) -> Any:
        """Return columns of the rows with ``first <= clock < last``, in their order, as Arrow.

        Returns
        -------
        pyarrow.Table or None
            None where no group has such rows.
        """
        needed = list(dict.fromkeys((clock, *columns)))
        parts = []
        for k, group, low, high in self.spans(clock):
            if high < first or low >= last:
                continue
            rows = self._group(k, group, needed)
            at = rows[clock]
            if low < first or high >= last:
                rows = rows.filter(pc.and_(pc.greater_equal(at, first), pc.less(at, last)))
            parts.append(rows.select(list(columns)))
        if not parts:
            return None
        return pa.concat_tables(parts).unify_dictionaries()

    def forget(self) -> None:
        """Forget the row groups that are kept decoded."""
        self._kept.clear()

    def _group(self, k: int, group: int, columns: list[str]) -> Any:
        """Return a row group with these columns at least."""
        kept = self._kept.pop((k, group), None)
        if kept is None or not set(columns) <= set(kept.column_names):
            wanted = columns if kept is None else [*kept.column_names, *columns]
            kept = self._files[k].read_row_group(group, columns=list(dict.fromkeys(wanted)))
        self._kept[k, group] = kept
        while len(self._kept) > _GROUPS_KEPT:
            self._kept.popitem(last=False)
        return kept


def _span(file: Any, group: int, clock: str, trusts: bool) -> tuple[int, int] | None:
    """Return lowest and highest value of a column in a row group; None without rows."""
    place = file.schema_arrow.names.index(clock)
    column = file.metadata.row_group(group).column(place)
    if not file.metadata.row_group(group).num_rows:
        return None
    if trusts and column.statistics is not None and column.statistics.has_min_max:
        return int(column.statistics.min), int(column.statistics.max)
    values = file.read_row_group(group, columns=[clock])[clock]
    found = pc.min_max(values)
    return int(found["min"].as_py()), int(found["max"].as_py())


def dictionary_codes(read: Any, name: str) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return a column of text, read as a dictionary, as codes and their words.

    Returns
    -------
    (n_rows,) int32 and list of str
        Words in the order in which they first occur.
    """
    joined = read[name].unify_dictionaries().combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        joined = joined.chunk(0)
    codes = joined.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return codes, [str(word) for word in joined.dictionary.to_pylist()]
