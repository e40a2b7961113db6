"""Stretches of a run, such as its days, read by the row groups that hold them.

Tables of a long run do not fit into memory. Rows of a table lie there by interval, and a Parquet
file says of each of its row groups which intervals it holds, so that a stretch is read without the
rest. A stretch is itself a result, with intervals from 0, and whatever reads a result reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cosim.results.columns import Table
from cosim.results.reader import Results, as_frame
from cosim.results.stretches import SECONDS_PER_DAY

if TYPE_CHECKING:
    from cosim.scenario import Scenario

CLOCKS = ("interval", "timestamp_s")
"""Columns by which rows of a table lie in its file."""


def calendar_days(n_intervals: int, start: datetime, step_s: int) -> Iterator[tuple[int, int]]:
    """Yield the first interval of every calendar day of a run, and the one after its last.

    A day has the intervals that begin in it; of the first and the last there may be fewer.
    """
    first = 0
    while first < n_intervals:
        begin = start + timedelta(seconds=first * step_s)
        midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        left_s = (midnight - begin).total_seconds()
        last = min(n_intervals, first + max(1, -int(-left_s // step_s)))
        yield first, last
        first = last


class Window(Results):
    """A stretch of a run, as a result of its own: intervals count from 0.

    Blocks of the ledger are those of the stretch and of a day before and after it. Tables that say
    of nothing when it was, such as ``storages``, are those of the run.

    Parameters
    ----------
    run : Results
    first, last : int
        Its intervals in the run: ``first`` to ``last - 1``.
    with_setup : bool
        Whether rows of the set-up phase, before the first interval, are in it.
    """

    def __init__(self, run: Results, first: int, last: int, with_setup: bool = False) -> None:
        super().__init__(run.folder, intervals=last - first)
        self._run = run
        self._first = first
        self._with_setup = with_setup

    @property
    def run(self) -> Results:
        """The run that it is of."""
        return self._run

    @property
    def first(self) -> int:
        """Its first interval in the run."""
        return self._first

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The run's manifest."""
        return self._run.manifest

    @cached_property
    def scenario(self) -> Scenario:
        """The run's scenario."""
        return self._run.scenario

    @cached_property
    def network(self) -> Any:
        """The pandapower network as solved."""
        return self._run.network

    @cached_property
    def scenario_fields(self) -> dict[str, Any]:
        """The scenario's fields, with the start of the stretch as that of the run."""
        fields = dict(self._run.scenario_fields)
        start = datetime.fromisoformat(str(fields["time"]["start"]))
        moved = start + timedelta(seconds=self._first * self._run.step_s)
        fields["time"] = {**fields["time"], "start": moved.isoformat()}
        return fields

    def schema(self, table: str) -> Table:
        """Return what a table is."""
        return self._run.schema(table)

    def _settled(self, schema: Table, columns: list[str]) -> pd.DataFrame:
        names = [column.name for column in schema.columns]
        clock = next((name for name in CLOCKS if name in names), None)
        groups = None if clock is None else self._run.row_groups(schema.name)
        if clock is None or groups is None:
            return self._run.frame(schema.name, columns)
        first, last, moved = self._first, self._first + self.n_intervals, self._first
        if clock != "interval":
            day_s, moved = SECONDS_PER_DAY, 0
            start = pd.Timestamp(self.scenario_fields["time"]["start"]).timestamp()
            end = start + self.n_intervals * self.step_s
            first, last = int(start) - day_s, int(end) + day_s
        elif self._with_setup:
            first = min(first, -1)
        read = groups.read(clock, first, last, columns)
        if read is None:
            read = schema.arrow.empty_table().select(columns)
        frame = as_frame(read, schema)
        for name in frame.columns[frame.dtypes == "category"]:
            frame[name] = frame[name].cat.remove_unused_categories()
        if moved and "interval" in frame:
            frame["interval"] = np.where(
                frame["interval"] < 0, frame["interval"], frame["interval"] - moved
            )
        return frame
