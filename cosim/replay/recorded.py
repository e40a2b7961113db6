"""A result folder as its author left it: read, and believed in nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import ResultFolderError
from cosim.evm.accounts import account
from cosim.grid.network_model import NetworkModel, build_network_model
from cosim.grid.reading import read_network
from cosim.prosumers.population import assign_meters
from cosim.results.manifest import TABLES_FOLDER, read_manifest
from cosim.results.schemas import TABLES
from cosim.scenario import Scenario, load_scenario


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """Rows as named tuples of plain values."""
    yield from frame.itertuples(index=False)


def by_interval(frame: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Rows of each interval."""
    groups: Any = frame.groupby("interval")
    for interval, rows in groups:
        yield int(interval), rows


class Recorded:
    """Files of a result folder.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    ResultFolderError
        If it is not a result folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        if not (self.folder / TABLES_FOLDER).is_dir():
            raise ResultFolderError(
                f"is not a result folder: it has no {TABLES_FOLDER}/",
                file=self.folder,
                remedy="give the folder that 'cosim run' names when it has finished",
            )
        self._frames: dict[str, pd.DataFrame] = {}

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario as run."""
        return load_scenario(self.folder / "scenario.yaml")

    @cached_property
    def network(self) -> Any:
        """The pandapower network as solved."""
        return read_network(self.folder / "network.json")

    @cached_property
    def model(self) -> NetworkModel:
        """The network condensed to its connection points; nothing is solved with it here."""
        return build_network_model(self.network)

    @property
    def intervals_done(self) -> int:
        """Intervals that were settled."""
        return int(self.manifest["intervals_done"])

    def arrow(self, table: str) -> Any:
        """A table as it lies on the disk."""
        return pq.read_table(self.folder / TABLES_FOLDER / f"{table}.parquet")

    def frame(self, table: str) -> pd.DataFrame:
        """All rows of a table; whole numbers that may be missing stay whole."""
        if table not in self._frames:
            read = self.arrow(table)
            frame = read.to_pandas()
            for column in TABLES[table].columns:
                if column.optional and pa.types.is_integer(column.type):
                    frame[column.name] = read[column.name].to_pandas(
                        types_mapper={pa.int64(): pd.Int64Dtype()}.get
                    )
            self._frames[table] = frame
        return self._frames[table]

    @cached_property
    def delivered(self) -> frozenset[int]:
        """Intervals that were delivered."""
        return frozenset(self.frame("grid_balance")["interval"].tolist())

    @cached_property
    def prosumers(self) -> tuple[str, ...]:
        """Connection points in their order."""
        return tuple(dict.fromkeys(self.frame("prosumers")["prosumer"]))

    @cached_property
    def meters(self) -> tuple[str, ...]:
        """Their meters."""
        return assign_meters(self.prosumers, self.scenario.prosumers.meters)

    @cached_property
    def prosumer_of(self) -> dict[str, str]:
        """Connection points by the address of their account, ``0x`` and hexadecimal."""
        seed = self.scenario.seed
        return {account(seed, f"prosumer {name}").hex: name for name in self.prosumers}

    @cached_property
    def household_of(self) -> dict[str, str]:
        """The same, and those who may move in."""
        seed = self.scenario.seed
        moved = {account(seed, f"next household {name}").hex: name for name in self.prosumers}
        return self.prosumer_of | moved

    @cached_property
    def metered_by(self) -> dict[str, str]:
        """Connection points by the address of their meter."""
        seed = self.scenario.seed
        pairs = zip(self.prosumers, self.meters, strict=True)
        return {account(seed, f"meter {meter}").hex: name for name, meter in pairs}

    def deviation(self) -> str | None:
        """Why devices and agents need not be those of this version; None if they are."""
        if self.scenario.simulators:
            names = ", ".join(one.name for one in self.scenario.simulators)
            return f"the scenario has simulators of its own: {names}"
        attack = getattr(self.scenario, "attack", None)
        if attack is not None and getattr(attack, "active", True):
            return "the scenario is an attack"
        return None
