"""Checks, and the differences that they find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

SHOWN = 5
"""Differences of one check that are kept; the others are counted."""

ORDINALS = frozenset(
    (
        *("interval", "round", "block", "index", "log_index", "request", "offer"),
        *("bus", "line", "trafo", "element_idx"),
    )
)
"""Columns of numbers that name a row, where they come first in a table; of texts any does."""


def row_name(frame: pd.DataFrame, i: int) -> str:
    """Return the name of a row by the columns at the front that tell it: interval, prosumer, …

    Parameters
    ----------
    frame : DataFrame
    i : int
        Position of the row. One that these columns do not tell from others has its number as well.
    """
    names = []
    for name in map(str, frame.columns):
        if name not in ORDINALS and not isinstance(frame[name].iloc[i], str):
            break
        names.append(name)
    told = [f"{name} {frame[name].iloc[i]}" for name in names]
    if not names or frame.duplicated(names, keep=False).iloc[i]:
        told.append(f"row {i}")
    return ", ".join(told)


def printable(text: str) -> str:
    """Return a text on one line: names in a result are its author's, and may hold what steers a
    terminal.
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


@dataclass(frozen=True)
class Difference:
    """One place where a result does not say what was recomputed.

    Parameters
    ----------
    table : str
        Table or file.
    row, column : str
        Where in it.
    recorded, recomputed : object
        What it says, and what it should.
    """

    table: str
    row: str
    column: str
    recorded: Any
    recomputed: Any

    def __str__(self) -> str:
        where = printable(", ".join(part for part in (self.table, self.row, self.column) if part))
        return f"{where}: recorded {_shown(self.recorded)}, recomputed {_shown(self.recomputed)}"


@dataclass
class Check:
    """One kind of comparison.

    Parameters
    ----------
    name : str
        E.g. ``receipts``.
    method : str
        Source of the recomputed values.
    compared : int
        Values compared.
    largest : dict of str to float
        By column: largest difference of numbers that are compared with a tolerance.
    n_differences : int
        Number of values that differ.
    differences : list of Difference
        The first of them.
    notes : list of str
        What could not be checked, and why.
    details : set of str
        Those of them that are alike in every result.
    recomputed : bool
        False where nothing recomputes the table that the check is named after.
    left_out : str
        Why the check was not made; a result with such a check is not verified.
    """

    name: str
    method: str
    compared: int = 0
    largest: dict[str, float] = field(default_factory=dict)
    n_differences: int = 0
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    details: set[str] = field(default_factory=set)
    recomputed: bool = True
    left_out: str = ""

    @property
    def passed(self) -> bool:
        """True if nothing differs."""
        return not self.n_differences

    @property
    def verdict(self) -> str:
        """``ok``, ``DIFFERS``, or that nothing was recomputed or there to compare."""
        if self.n_differences:
            return "DIFFERS"
        if self.left_out:
            return "not re-run" if self.name == "rerun" else "not checked"
        if not self.recomputed:
            return "not recomputed"
        return "ok" if self.compared else "nothing to compare"

    def add(self, other: Check) -> None:
        """Take over what another check of the same kind compared and found."""
        self.compared += other.compared
        for column, largest in other.largest.items():
            self.largest[column] = max(self.largest.get(column, 0.0), largest)
        self.n_differences += other.n_differences
        self.differences += other.differences[: max(SHOWN - len(self.differences), 0)]
        self.notes += [note for note in other.notes if note not in self.notes]
        self.details |= other.details

    def leave_out(self, reason: str) -> None:
        """Say that the check was not made, and why."""
        self.left_out = reason
        self.note(f"{self.verdict}: {reason}")

    def differ(
        self, table: str, row: str, column: str, recorded: Any, recomputed: Any, n: int = 1
    ) -> None:
        """Note a difference."""
        self.n_differences += n
        if len(self.differences) < SHOWN:
            self.differences.append(Difference(table, row, column, recorded, recomputed))

    def note(self, text: str, detail: bool = False) -> None:
        """Say what was not checked; each text once. A detail is alike in every result."""
        shown = printable(text)
        if shown not in self.notes:
            self.notes.append(shown)
        if detail:
            self.details.add(shown)

    def equal(self, table: str, row: str, column: str, recorded: Any, recomputed: Any) -> bool:
        """Compare one value exactly."""
        self.compared += 1
        same = type_free(recorded) == type_free(recomputed)
        if not same:
            self.differ(table, row, column, recorded, recomputed)
        return bool(same)

    def columns(
        self,
        table: str,
        rows: Sequence[str] | pd.Index | None,
        recorded: pd.DataFrame,
        recomputed: pd.DataFrame,
        names: Sequence[str],
    ) -> None:
        """Compare columns of two frames with the same rows in the same order, exactly.

        Parameters
        ----------
        table : str
        rows : sequence of str or index, optional
            What to call the rows; default: see :func:`row_name`.
        recorded, recomputed : DataFrame
        names : sequence of str
            Columns.
        """
        for name in names:
            left, right = plain(recorded[name]), plain(recomputed[name])
            self.compared += len(left)
            wrong = np.flatnonzero(~_same(left, right))
            for i in wrong[:SHOWN]:
                row = row_name(recorded, int(i)) if rows is None else str(rows[int(i)])
                self.differ(table, row, name, left[i], right[i])
            self.n_differences += max(len(wrong) - SHOWN, 0)

    def keyed(
        self,
        table: str,
        key: Sequence[str],
        recorded: pd.DataFrame,
        recomputed: pd.DataFrame,
        names: Sequence[str],
    ) -> None:
        """Compare two frames whose rows are found by a key: none missing, none too many, all equal.

        Parameters
        ----------
        table : str
        key : sequence of str
            Columns that name a row.
        recorded, recomputed : DataFrame
        names : sequence of str
            Columns that are compared.
        """
        left, right = _indexed(recorded, key), _indexed(recomputed, key)
        self.compared += len(right)
        for index in left.index[left.index.duplicated()]:
            self.differ(table, _key(key, index), "", "two rows", "one row")
        left = left[~left.index.duplicated()]
        missing = right.index[~right.index.isin(left.index)]
        extra = left.index[~left.index.isin(right.index)]
        for index in missing:
            self.differ(table, _key(key, index), "", "no row", "a row")
        for index in extra:
            self.differ(table, _key(key, index), "", "a row", "no row")
        both = right.index[right.index.isin(left.index)]
        rows = pd.Index([_key(key, index) for index in both], dtype=object)
        self.columns(table, rows, left.loc[both], right.loc[both], names)

    def numbers(
        self,
        table: str,
        rows: Sequence[str] | pd.Index | None,
        column: str,
        recorded: npt.ArrayLike,
        recomputed: npt.ArrayLike,
        tolerance: float,
    ) -> None:
        """Compare numbers with an absolute tolerance; NaN equals NaN."""
        left = np.asarray(recorded, dtype=np.float64)
        right = np.asarray(recomputed, dtype=np.float64)
        self.compared += left.size
        gap = np.abs(left - right)
        gap[np.isnan(left) & np.isnan(right)] = 0.0
        if gap.size and np.isfinite(gap).any():
            seen = float(gap[np.isfinite(gap)].max())
            self.largest[column] = max(self.largest.get(column, 0.0), seen)
        wrong = np.flatnonzero(~(gap <= tolerance))
        for i in wrong[:SHOWN]:
            self.differ(table, _row(rows, int(i)), column, float(left[i]), float(right[i]))
        self.n_differences += max(len(wrong) - SHOWN, 0)


def plain(values: pd.Series) -> npt.NDArray[np.object_]:
    """Return values as Python objects, None where one is missing."""
    array = values.to_numpy(dtype=object)
    missing = pd.isna(array) if array.ndim == 1 else np.zeros(len(array), dtype=bool)
    if missing.any():
        array = array.copy()
        array[missing] = None
    return np.asarray(array, dtype=object)


def type_free(value: Any) -> Any:
    """Return a value that compares by content: arrays and tuples as lists."""
    if isinstance(value, np.ndarray | tuple):
        return list(value)
    return value


def _same(left: npt.NDArray[np.object_], right: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    if any(isinstance(value, np.ndarray | list) for value in left[:1]):
        pairs = zip(left, right, strict=True)
        return np.array([type_free(a) == type_free(b) for a, b in pairs], dtype=np.bool_)
    return np.asarray(left == right, dtype=np.bool_)


def _indexed(frame: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    if len(key) == 1:
        return frame.set_index(pd.Index(plain(frame[key[0]]), dtype=object))
    return frame.set_index(pd.MultiIndex.from_arrays([plain(frame[name]) for name in key]))


def _key(key: Sequence[str], index: Any) -> str:
    values = index if isinstance(index, tuple) else (index,)
    return ", ".join(f"{name} {value}" for name, value in zip(key, values, strict=True))


def _row(rows: Sequence[str] | pd.Index | None, i: int) -> str:
    return f"row {i}" if rows is None else str(rows[i])


def _shown(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 100 else f"{text[:80]}… ({len(text)} characters)"
