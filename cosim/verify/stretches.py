"""A long run checked day by day: rows of tables as they lie there, and checks put together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from cosim.inputs.long_series import let_go
from cosim.replay.findings import Check
from cosim.results.parts import parts_of
from cosim.results.reader import Results, as_frame, by_interval
from cosim.results.row_groups import RowGroups
from cosim.results.stretches import naming
from cosim.results.windows import calendar_days

if TYPE_CHECKING:
    from cosim.scenario import Scenario
    from cosim.verify.population import RebuiltPopulation


class Rows:
    """Rows of a run's tables by interval, whatever else the tables' files say of themselves."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._groups: dict[str, RowGroups] = {}

    def groups(self, table: str) -> RowGroups:
        """Return the row groups of a table.

        Raises
        ------
        ResultFolderError
            If it cannot be read.
        """
        if table not in self._groups:
            results = self.results
            files = parts_of(results.folder, table) or [results.file_of(table)]
            with naming(results.file_of(table)):
                self._groups[table] = RowGroups(files, (), trusts_statistics=False)
        return self._groups[table]

    def forget(self) -> None:
        """Forget the row groups that are kept decoded."""
        for groups in self._groups.values():
            groups.forget()


class Stretch(Results):
    """Intervals of a run with every row that names them; unlike a window, as in the run's tables.

    Parameters
    ----------
    rows : Rows
    first, last : int
        ``first`` to ``last - 1``. Of the run's first stretch and its last, rows before and after
        them are in it as well, so that none is left out.
    is_first, is_last : bool
    """

    def __init__(self, rows: Rows, first: int, last: int, is_first: bool, is_last: bool) -> None:
        super().__init__(rows.results.folder, intervals=rows.results.n_intervals)
        self._rows = rows
        self._first = first
        self._bounds = -sys.maxsize if is_first else first, sys.maxsize if is_last else last
        self._last = last

    @property
    def first(self) -> int:
        """Its first interval."""
        return self._first

    @cached_property
    def scenario(self) -> Scenario:
        """The run's scenario."""
        return self._rows.results.scenario

    @cached_property
    def network(self) -> Any:
        """The pandapower network as solved."""
        return self._rows.results.network

    def table(self, table: str) -> pd.DataFrame:
        """Return every row of a table that names one of the intervals, as in the run's table."""
        schema = self._rows.results.schema(table)
        if "interval" not in [column.name for column in schema.columns]:
            return self._rows.results.table(table)
        if table not in self._whole:
            names = [column.name for column in schema.columns]
            with naming(self.file_of(table)):
                read = self._rows.groups(table).read("interval", *self._bounds, names)
                empty = schema.arrow.empty_table()
                self._whole[table] = as_frame(empty if read is None else read, schema)
        return self._whole[table]

    def recorded_until(self, table: str) -> int:
        """Return the interval after the last one here that a table should have rows of."""
        highest = max((high for *_, high in self._rows.groups(table).spans("interval")), default=-1)
        return highest + 1 if self._bounds[1] == sys.maxsize else min(self._last, highest + 1)


def stretches_of(rows: Rows) -> Iterator[Results]:
    """Yield a long run in stretches of a day, a short one whole."""
    results = rows.results
    if not results.is_long:
        yield results
        return
    days = list(calendar_days(results.n_intervals, results.start, results.step_s))
    for k, (first, last) in enumerate(days):
        yield Stretch(rows, first, last, k == 0, k == len(days) - 1)
    rows.forget()


def rows_by_interval(results: Results, table: str) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the rows of each interval of a table, of a long run read day by day."""
    for part in stretches_of(Rows(results)) if results.is_long else (results,):
        yield from by_interval(part.table(table))


def populations_of(rebuilt: RebuiltPopulation) -> Iterator[RebuiltPopulation]:
    """Yield the population with each stretch of its run as its result."""
    for part in stretches_of(Rows(rebuilt.results)):
        if part is rebuilt.results:
            yield rebuilt
            return
        yield rebuilt.within(part)
        let_go()


def joined(checks: Sequence[Check]) -> Check:
    """Return the check of a run whose stretches were checked one after the other."""
    if len(checks) == 1:
        return checks[0]
    whole = Check(checks[0].name, checks[0].method, recomputed=checks[0].recomputed)
    for check in checks:
        whole.add(check)
    return whole


def in_stretches(rebuilt: RebuiltPopulation, work: Callable[[RebuiltPopulation], Check]) -> Check:
    """Run a check on each stretch, and return all of them as one."""
    return joined([work(part) for part in populations_of(rebuilt)])
