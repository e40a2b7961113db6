"""What the tests of whole runs look at: the files of a folder, the tables of a result."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cosim.evm.accounts import account
from cosim.verify.verification import CHECKED, verify

KEY = ["interval", "prosumer"]


def contents(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every path below a folder with its inode, size and time: what was not touched is the same."""
    return {
        path.relative_to(folder).as_posix(): (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        for stat in [path.stat()]
    }


def table_bytes(folder: Path) -> dict[str, bytes]:
    """Every table of a result, as it lies on the disk."""
    return {path.stem: path.read_bytes() for path in sorted((folder / "tables").glob("*.parquet"))}


class Tables:
    """The tables of a result folder, each read when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._frames: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._frames:
            self._frames[name] = pd.read_parquet(self._folder / "tables" / f"{name}.parquet")
        return self._frames[name]


@dataclass(frozen=True)
class Case:
    """A result, and what it is known to violate before flexibility."""

    folder: Path
    violated: frozenset[str]

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.folder)

    @cached_property
    def scenario(self) -> dict[str, Any]:
        return dict(yaml.safe_load((self.folder / "scenario.yaml").read_text()))

    @property
    def intervals(self) -> int:
        return int(self.scenario["time"]["intervals"])

    def ueur(self, section: str, field: str) -> int:
        return round(self.scenario[section][field] * 1_000_000)

    @cached_property
    def names(self) -> list[str]:
        """Prosumers in connection-point order."""
        table = self.tables["prosumers"]
        return list(table[table.interval == 0].prosumer)

    @cached_property
    def name_of(self) -> dict[str, str]:
        """Prosumers by the addresses that follow from the seed."""
        seed = self.scenario["seed"]
        return {account(seed, f"prosumer {name}").hex: name for name in self.names}

    def events(self, name: str) -> pd.DataFrame:
        """Events of one name, an argument a column, in the order of the chain."""
        events = self.tables["events"]
        rows = events[events.event == name]
        frame = pd.DataFrame([json.loads(text) for text in rows.arguments], index=rows.index)
        if "account" in frame:
            frame["prosumer"] = frame.account.map(self.name_of)
        return frame


def verified(folder: Path, *names: str, parts: tuple[str, ...] = CHECKED) -> None:
    """A stranger's checks find no difference; those of these names compared something."""
    done = verify(folder, parts=parts)
    assert [str(each) for check in done.checks for each in check.differences] == []
    compared = {check.name for check in done.checks if check.compared and check.recomputed}
    assert sorted(set(names) - compared) == []


def same(left: pd.Series, right: pd.Series) -> None:
    """Equal in every row, to the integer."""
    assert len(left) == len(right) > 0
    assert left.tolist() == right.tolist()


def by_prosumer(case: Case, values: pd.Series) -> pd.Series:
    """A row for every interval and prosumer, as in ``settlement``; 0 for none."""
    index = pd.MultiIndex.from_frame(case.tables["settlement"][KEY])
    assert set(values.index) <= set(index)
    return values.reindex(index, fill_value=0)
