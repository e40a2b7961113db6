"""Reading of a run in stretches that fit into memory: a short run whole, a long one by days."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import ResultFolderError
from cosim.results.parts import parts_of
from cosim.results.row_groups import RowGroups
from cosim.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from cosim.results.reader import Results

T = TypeVar("T")

SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR

ROWS_KEPT = 500_000
"""Of a long run, a table with more rows is read anew whenever it is asked for."""

LONG_RUN_DAYS = 7
"""A longer run is read by days, and its report shows days in place of intervals."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in what pyarrow makes of it."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        problem = str(error).splitlines()[0]
        raise ResultFolderError(
            f"cannot be read: {problem}",
            file=path,
            remedy="run the scenario again with this version of cosim",
        ) from error


class InStretches:
    """Base of a result: what of it is read in stretches, and what is kept of it."""

    def __init__(self) -> None:
        self._groups: dict[str, RowGroups] = {}
        self._kept: dict[object, Any] = {}

    @property
    def run(self) -> Results:
        """The run: of a stretch, the run that it is of."""
        return self._this

    @property
    def _this(self) -> Results:
        return cast("Results", self)

    @property
    def first(self) -> int:
        """Interval of the run that is the first here."""
        return 0

    @property
    def is_long(self) -> bool:
        """True if the run is longer than :data:`LONG_RUN_DAYS`, and read day by day."""
        return self._this.n_intervals * self._this.step_s > LONG_RUN_DAYS * SECONDS_PER_DAY

    def stretches(self) -> Iterator[Results]:
        """Yield the run in stretches that fit into memory: a short one whole, a long one by days.

        Yields
        ------
        Results
            The run itself, or its calendar days as :class:`cosim.results.windows.Window`. Rows of
            the set-up phase are in the first.
        """
        from cosim.results.windows import Window, calendar_days

        this = self._this
        if not self.is_long:
            yield this
            return
        for first, last in calendar_days(this.n_intervals, this.start, this.step_s):
            yield Window(this, first, last, with_setup=first == 0)
        for groups in self._groups.values():
            groups.forget()

    def window(self, first: int, last: int) -> Results:
        """Return intervals ``first`` to ``last - 1`` as a result of their own.

        Raises
        ------
        ResultFolderError
            If the run has not all of them.
        """
        n = self._this.n_intervals
        if not 0 <= first < last <= n:
            raise ResultFolderError(
                f"has the intervals 0 to {n - 1}, and {first} to {last - 1} are asked for",
                file=self._this.folder,
                remedy="ask for some of those that it has",
            )
        from cosim.results.windows import Window

        return Window(self._this, first, last)

    def row_groups(self, table: str) -> RowGroups | None:
        """Return the row groups of a table; None where an unfinished run has none of it yet.

        Raises
        ------
        ResultFolderError
            If a file cannot be read.
        """
        this = self._this
        if table not in self._groups:
            files = parts_of(this.folder, table)
            if this.is_unfinished and not files:
                return None
            text = [c.name for c in this.schema(table).columns if c.kind == "string"]
            with naming(this.file_of(table)):
                self._groups[table] = RowGroups(
                    files or [this.file_of(table)], [name for name in text if name != "arguments"]
                )
        return self._groups[table]

    def batches(
        self, table: str, columns: Sequence[str] | None = None, text: Sequence[str] = ()
    ) -> Iterator[Any]:
        """Yield every row of a table as it lies on the disk, one row group after the other.

        Parameters
        ----------
        table : str
        columns : sequence of str, optional
            Columns to read; all by default.
        text : sequence of str
            Columns that are read as dictionaries.

        Yields
        ------
        pyarrow.Table
            Of a table without rows, one without rows.

        Raises
        ------
        ResultFolderError
            If it cannot be read.
        """
        for path in parts_of(self._this.folder, table) or [self._this.file_of(table)]:
            with naming(path):
                file = pq.ParquetFile(path, read_dictionary=list(text))
                if not file.num_row_groups:
                    yield file.read(columns)
            for group in range(file.num_row_groups):
                with naming(path):
                    rows = file.read_row_group(group, columns)
                yield rows

    def n_rows(self, table: str) -> int:
        """Return how many rows a table has, those of intervals that do not count among them.

        Raises
        ------
        ResultFolderError
            If it cannot be read.
        """
        files = parts_of(self._this.folder, table) or [self._this.file_of(table)]
        total = 0
        for path in files:
            with naming(path):
                total += pq.read_metadata(path).num_rows
        return total

    def kept(self, key: object, make: Callable[[], T]) -> T:
        """Return what was made of this result before, or make it and keep it."""
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found
