"""What the tests of whole runs look at: the files of a folder, the tables of a result."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


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
