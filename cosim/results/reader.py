"""Reads a result folder, each table when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from cosim.errors import ResultFolderError
from cosim.results.manifest import MANIFEST, TABLES_FOLDER, read_manifest
from cosim.results.schemas import TABLES
from cosim.units import SECONDS_PER_HOUR


class Results:
    """A result folder.

    Parameters
    ----------
    folder : str or Path
        Folder with ``scenario.yaml``, ``network.json`` and ``tables/``; a manifest need not be
        there yet.
    intervals : int, optional
        How many intervals count; by default what the manifest calls done, and while there is no
        manifest yet, those that are both delivered and settled.

    Raises
    ------
    ResultFolderError
        If the folder is not a result folder.
    """

    def __init__(self, folder: str | Path, intervals: int | None = None) -> None:
        self.folder = Path(folder)
        if not (self.folder / TABLES_FOLDER).is_dir():
            raise ResultFolderError(
                f"is not a result folder: it has no {TABLES_FOLDER}/",
                file=self.folder,
                remedy="give the folder that 'cosim run' names when it has finished",
            )
        self._intervals = intervals
        self._frames: dict[str, pd.DataFrame] = {}

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest; empty while there is none."""
        return read_manifest(self.folder) if (self.folder / MANIFEST).exists() else {}

    @cached_property
    def scenario(self) -> dict[str, Any]:
        """The scenario as run, every default written out."""
        path = self.folder / "scenario.yaml"
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise ResultFolderError(
                f"cannot be read: {error}", file=path, remedy="run the scenario again"
            ) from error
        return dict(data)

    @cached_property
    def network(self) -> Any:
        """The pandapower network as solved."""
        import pandapower

        path = self.folder / "network.json"
        if not path.is_file():
            raise ResultFolderError("is missing", file=path, remedy="run the scenario again")
        return pandapower.from_json(str(path))

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
            last = pc.max(self._parquet(table, ["interval"])["interval"]).as_py()
            counts.append(0 if last is None else last + 1)
        return int(min(counts))

    @property
    def step_s(self) -> int:
        """Length of an interval. [s]"""
        return int(self.scenario["time"]["step_s"])

    @property
    def step_h(self) -> float:
        """Length of an interval. [h]"""
        return self.step_s / SECONDS_PER_HOUR

    @cached_property
    def times(self) -> pd.DatetimeIndex:
        """Start of each interval, in the profiles' time."""
        start = pd.Timestamp(self.scenario["time"]["start"]).tz_localize(None)
        return pd.date_range(
            start, periods=self.n_intervals, freq=pd.Timedelta(seconds=self.step_s)
        )

    def frame(self, table: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Rows of a table that belong to the intervals that count.

        Parameters
        ----------
        table : str
            Name of a table in :data:`cosim.results.schemas.TABLES`.
        columns : sequence of str, optional
            Columns to read; by default all that are there. Text comes as categories.

        Raises
        ------
        ResultFolderError
            If the table is missing.
        """
        wanted = list(self.columns(table) if columns is None else columns)
        frame = self._frames.get(table)
        if frame is None or not set(wanted) <= set(frame.columns):
            frame = self._frames[table] = self._read(table, wanted)
        return frame[wanted]

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the names of a table's columns, with those that only some runs have."""
        declared = TABLES[table]
        if declared.further:
            with self._file(table) as path:
                declared = declared.with_further(pq.read_schema(path).names)
        return tuple(column.name for column in declared.columns)

    def _read(self, table: str, columns: list[str]) -> pd.DataFrame:
        read = self._parquet(table, columns)
        if "interval" in columns:
            read = read.filter(pc.less(read["interval"], self.n_intervals))
        frame: pd.DataFrame = read.to_pandas()
        return frame

    def _parquet(self, table: str, columns: list[str]) -> Any:
        text = [c.name for c in TABLES[table].columns if pa.types.is_string(c.type)]
        text = [name for name in text if name in columns and name != "arguments"]
        with self._file(table) as path:
            return pq.read_table(path, columns=columns, read_dictionary=text)

    @contextmanager
    def _file(self, table: str) -> Iterator[Path]:
        """A table's file, and an error for what pyarrow makes of it."""
        path = self.folder / TABLES_FOLDER / f"{table}.parquet"
        try:
            yield path
        except (OSError, pa.ArrowException) as error:
            problem = str(error).splitlines()[0]
            raise ResultFolderError(
                f"cannot be read: {problem}",
                file=path,
                remedy="run the scenario again with this version of cosim",
            ) from error
