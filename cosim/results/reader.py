"""Reader of a result folder, each table when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cosim.errors import MissingDeviceError, ResultFolderError, UserError
from cosim.inputs.yaml_file import read_yaml
from cosim.results.columns import Table
from cosim.results.manifest import MANIFEST, TABLES_FOLDER, read_manifest
from cosim.results.parts import has_tables, parts_of
from cosim.results.schemas import all_tables
from cosim.results.stretches import ROWS_KEPT, InStretches, naming
from cosim.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from cosim.scenario import Scenario


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield rows as named tuples of plain values."""
    yield from frame.itertuples(index=False)


def by_interval(frame: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the rows of each interval."""
    groups: Any = frame.groupby("interval")
    for interval, rows in groups:
        yield int(interval), rows


class Results(InStretches):
    """A result folder.

    Parameters
    ----------
    folder : str or Path
        Folder with ``scenario.yaml``, ``network.json`` and ``tables/``; a manifest need not be
        there yet. Or the checkpoint of a run, with tables in its chunks.
    intervals : int, optional
        Intervals that count; by default what the manifest calls done, and while there is no
        manifest yet, those that are both delivered and settled.

    Raises
    ------
    ResultFolderError
        If the folder is not a result folder.
    """

    def __init__(self, folder: str | Path, intervals: int | None = None) -> None:
        self.folder = Path(folder)
        if not has_tables(self.folder):
            raise ResultFolderError(
                f"is not a result folder: it has no {TABLES_FOLDER}/",
                file=self.folder,
                remedy="give the folder that 'cosim run' names when it has finished",
            )
        self._intervals = intervals
        self._frames: dict[str, pd.DataFrame] = {}
        self._schemas: dict[str, Table] = {}
        self._whole: dict[str, pd.DataFrame] = {}
        super().__init__()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest; empty while there is none."""
        return read_manifest(self.folder) if (self.folder / MANIFEST).exists() else {}

    def forget_manifest(self) -> None:
        """Read the manifest anew when it is next asked for, because it was written again."""
        vars(self).pop("manifest", None)

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario as run.

        Raises
        ------
        ScenarioError
            If it is none of this version.
        """
        from cosim.scenario import load_scenario  # what only reads tables needs no plug-in

        return load_scenario(self.folder / "scenario.yaml")

    @cached_property
    def scenario_fields(self) -> dict[str, Any]:
        """The fields of the scenario as run, every default written out; nothing is checked."""
        path = self.folder / "scenario.yaml"
        data = read_yaml(path, ResultFolderError, "run the scenario again")
        return dict(data)

    @cached_property
    def network(self) -> Any:
        """The pandapower network as solved."""
        from cosim.grid.reading import read_network  # takes seconds

        path = self.folder / "network.json"
        if not path.is_file():
            raise ResultFolderError("is missing", file=path, remedy="run the scenario again")
        return read_network(path)

    @property
    def n_intervals(self) -> int:
        """Intervals that are recorded and settled."""
        if self._intervals is None:
            done = self.manifest.get("intervals_done")
            self._intervals = self._intervals_in_tables() if done is None else int(done)
        return self._intervals

    def _intervals_in_tables(self) -> int:
        counts = []
        for table in ("buses", "settlement"):
            last = pc.max(self.arrow(table, ["interval"])["interval"]).as_py()
            counts.append(0 if last is None else last + 1)
        return int(min(counts))

    @property
    def step_s(self) -> int:
        """Length of an interval. [s]"""
        return int(self.scenario_fields["time"]["step_s"])

    @property
    def step_h(self) -> float:
        """Length of an interval. [h]"""
        return self.step_s / SECONDS_PER_HOUR

    @property
    def start(self) -> pd.Timestamp:
        """Start of interval 0, in the profiles' time."""
        return pd.Timestamp(self.scenario_fields["time"]["start"]).tz_localize(None)

    @cached_property
    def times(self) -> pd.DatetimeIndex:
        """Start of each interval, in the profiles' time."""
        step = pd.Timedelta(seconds=self.step_s)
        return pd.date_range(self.start, periods=self.n_intervals, freq=step)

    def frame(
        self, table: str, columns: Sequence[str] | None = None, *, time: bool = False
    ) -> pd.DataFrame:
        """Return the rows of a table that belong to the intervals that count.

        Parameters
        ----------
        table : str
            Name of a table, as in :func:`cosim.results.schemas.all_tables`.
        columns : sequence of str, optional
            Columns to read; all by default.
        time : bool
            Add a column ``time``, in the profiles' time: after ``interval`` the start
            of the interval (of the set-up phase, -1: one step before the first), or else, after a
            Unix time of the ledger, that time.

        Returns
        -------
        DataFrame
            Text comes as categories; whole numbers that may be missing stay whole.

        Raises
        ------
        ResultFolderError
            If the table is missing.
        UserError
            If there is no such table, or a time is asked of a table that has none.
        """
        schema = self.schema(table)
        wanted = [c.name for c in schema.columns] if columns is None else list(columns)
        clock = _clock(schema) if time else None
        needed = wanted if clock is None or clock in wanted else [clock, *wanted]
        frame = self._frames.get(table)
        if frame is None or not set(needed) <= set(frame.columns):
            # with those that were asked for before, so that two askers do not read by turns
            known = [] if frame is None else list(map(str, frame.columns))
            frame = self._settled(schema, list(dict.fromkeys((*needed, *known))))
            if len(frame) <= ROWS_KEPT or not self.is_long:
                self._frames[table] = frame
        chosen = frame[wanted]
        if clock is not None:
            place = wanted.index(clock) + 1 if clock in wanted else 0
            chosen = chosen.copy()
            chosen.insert(place, "time", self._time(frame[clock]))
        return chosen

    def schema(self, table: str) -> Table:
        """Return what a table is, with the columns that only some runs have.

        Raises
        ------
        MissingDeviceError
            If it has columns that no installed package declares.
        ResultFolderError
            If the table is missing or unreadable.
        """
        if table in self._schemas:
            return self._schemas[table]
        declared = _schema(table)
        if not (declared.is_open or declared.further):
            return declared
        files = parts_of(self.folder, table) or [self.file_of(table)]
        if self.is_unfinished and not files[0].exists():
            return declared
        with naming(files[0]):
            names = pq.read_schema(files[0]).names
        known = declared.with_further(names)
        unknown = sorted(set(names) - {column.name for column in known.columns})
        if declared.is_open and unknown:
            raise MissingDeviceError(
                f"has columns of devices that are not installed: {', '.join(unknown)}",
                file=files[0],
                remedy="install the packages whose devices the run had",
            )
        self._schemas[table] = known
        return known

    def _time(self, clock: pd.Series) -> pd.Series:
        """Return the time that intervals, or Unix times, stand for."""
        if clock.name == "interval":
            return self.start + pd.to_timedelta(clock * self.step_s, unit="s")
        return pd.to_datetime(clock, unit="s")

    def _settled(self, schema: Table, columns: list[str]) -> pd.DataFrame:
        """Return columns of the intervals that count."""
        text = [c.name for c in schema.columns if c.kind == "string" and c.name in columns]
        text = [name for name in text if name != "arguments"]
        has_interval = any(column.name == "interval" for column in schema.columns)
        needed = [*columns, "interval"] if has_interval and "interval" not in columns else columns
        read = self.arrow(schema.name, needed, read_dictionary=text)
        with naming(self.file_of(schema.name)):
            if has_interval:
                read = read.filter(pc.less(read["interval"], self.n_intervals))
            return as_frame(read.select(columns), schema)

    def table(self, table: str) -> pd.DataFrame:
        """Return every row of a table, those of intervals that were not settled included.

        Text comes as such; whole numbers that may be missing stay whole. The frame is the one that
        every caller gets: it must not be changed.

        Raises
        ------
        ResultFolderError, UserError
            As :meth:`frame`.
        """
        if table not in self._whole:
            schema, read = self.schema(table), self.arrow(table)
            with naming(self.file_of(table)):
                self._whole[table] = as_frame(read, schema)
        return self._whole[table]

    def forget_tables(self) -> None:
        """Forget the tables that were read, which are read again when next asked for."""
        self._frames.clear()
        self._whole.clear()

    def arrow(self, table: str, columns: list[str] | None = None, **options: Any) -> Any:
        """Return a table as it lies on the disk.

        Raises
        ------
        ResultFolderError
            If it cannot be read.
        """
        files = parts_of(self.folder, table)
        if self.is_unfinished and not files:
            empty = _schema(table).arrow.empty_table()
            return empty if columns is None else empty.select(columns)
        path: Any = files if len(files) > 1 else self.file_of(table) if not files else files[0]
        with naming(self.file_of(table)):
            return pq.read_table(path, columns=columns, **options)

    def file_of(self, table: str) -> Path:
        """Return the file of a table of a finished run."""
        return self.folder / TABLES_FOLDER / f"{table}.parquet"

    @cached_property
    def is_unfinished(self) -> bool:
        """True for the checkpoint of a run: tables in parts, those without rows in none."""
        return not (self.folder / TABLES_FOLDER).is_dir()


def _schema(table: str) -> Table:
    """Return the schema of a table by its name."""
    known = all_tables()
    if table not in known:
        raise UserError(
            f"there is no table {table!r}", field="table", remedy=f"take one of {', '.join(known)}"
        )
    return known[table]


def _clock(schema: Table) -> str:
    """Return the column of a table that says when its rows were."""
    names = [column.name for column in schema.columns]
    times = [name for name in names if name == "timestamp_s" or name.endswith("_at_s")]
    if "interval" in names:
        return "interval"
    if not times:
        raise UserError(
            f"the table {schema.name!r} has neither intervals nor times",
            field="time",
            remedy="join it with one that has, such as transactions by block and index",
        )
    return times[0]


def as_frame(read: Any, schema: Table) -> pd.DataFrame:
    """Return rows of a table as a DataFrame; whole numbers that may be missing stay whole."""
    frame: pd.DataFrame = read.to_pandas()
    for column in schema.columns:
        if column.is_optional_integer and column.name in frame:
            whole = read[column.name].to_pandas(types_mapper=lambda kind: pd.Int64Dtype())
            frame[column.name] = whole
    return frame
