"""Sums and rows put together of the stretches of a run: a short one whole, a long one by days."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from cosim.inputs.long_series import let_go
from cosim.results.reader import Results
from cosim.results.row_groups import dictionary_codes
from cosim.units import BoolArray

T = TypeVar("T")


def of_each(results: Results, make: Callable[[Results], T]) -> Iterator[T]:
    """Yield what is made of each stretch, in their order."""
    made = _made_at_once(results).pop(make, None)
    if made is not None:
        yield from made
        return
    for part in results.stretches():
        yield make(part)


def make_at_once(results: Results, makes: Sequence[Callable[[Results], Any]]) -> None:
    """Make of each stretch of a long run whatever will be asked for, in one pass.

    A stretch is read and decoded once then, not once for each. What was made is kept until
    :func:`of_each`, or a function here that uses it, asks for it.

    Parameters
    ----------
    results : Results
        Of a short run nothing is made: its tables stay decoded anyway.
    makes : sequence of callable
        As they are given to the functions here later: the same, not others that do the same.
    """
    if not results.is_long:
        return
    made: dict[Any, list[Any]] = {make: [] for make in makes}
    for part in results.stretches():
        for make, parts in made.items():
            parts.append(make(part))
    _made_at_once(results).update(made)
    let_go()


def _made_at_once(results: Results) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = results.kept("made at once", dict)
    return found


def first_of(results: Results) -> Results:
    """Return the first stretch: it has every column that the run has."""
    return next(results.stretches())


def along(results: Results, make: Callable[[Results], Any]) -> Any:
    """Return arrays of all stretches behind each other, the first axis being intervals or rows."""
    if results.is_long:
        let_go()
    return np.concatenate([np.asarray(one) for one in of_each(results, make)])


def added(results: Results, make: Callable[[Results], T]) -> T:
    """Return the sum over all stretches of whole numbers, where the order does not matter."""
    found: T = reduce(operator.add, of_each(results, make))
    return found


def added_by_name(results: Results, make: Callable[[Results], Any]) -> Any:
    """Return sums of whole numbers over all stretches, of frames or series with names as index.

    The index has the order of the first, as categories if it had them there; names that only later
    ones have follow.
    """
    parts = list(of_each(results, make))
    if len(parts) == 1:
        return parts[0]
    plain = [part.set_axis(part.index.astype(str)) for part in parts]
    order = list(dict.fromkeys(name for part in plain for name in part.index))
    total = plain[0].reindex(order, fill_value=0)
    for part in plain[1:]:
        total = total + part.reindex(order, fill_value=0)
    return total.rename_axis(parts[0].index.name)


def by_interval_of_all(results: Results, make: Callable[[Results], pd.DataFrame]) -> pd.DataFrame:
    """Return frames of all stretches behind each other, by interval of the run."""
    parts = list(of_each(results, make))
    if len(parts) == 1:
        return parts[0]
    joined = pd.concat(parts, ignore_index=True)
    return joined.set_axis(pd.RangeIndex(len(joined), name="interval"))


def rows_of_all(results: Results, make: Callable[[Results], pd.DataFrame]) -> pd.DataFrame:
    """Return rows of all stretches; those of an ``interval`` say which of the result it is."""
    parts = []
    for part, rows in zip(results.stretches(), of_each(results, make), strict=True):
        if "interval" in rows and part.first > results.first:
            rows = rows.assign(interval=rows["interval"] + part.first - results.first)
        parts.append(rows)
    kept = [rows for rows in parts if len(rows)] or parts[:1]
    return kept[0] if len(kept) == 1 else pd.concat(kept, ignore_index=True)


def column_of(
    results: Results, table: str, name: str, chosen: BoolArray | None = None
) -> npt.NDArray[Any]:
    """Return one column of the intervals that count; of a long run nothing of it is kept.

    Parameters
    ----------
    results : Results
    table, name : str
        A column of numbers, none of them missing, of a table with ``interval``.
    chosen : (m,) bool, optional
        Rows of each interval that are wanted, where every interval has ``m`` of them; default: all.

    Returns
    -------
    (n_rows,) array
    """
    if not results.is_long:
        values = np.asarray(results.frame(table, (name,))[name].to_numpy())
        return values if chosen is None else values[np.resize(chosen, len(values))]
    let_go()
    found: npt.NDArray[Any] | None = None
    n_seen = n_found = 0
    for read in results.batches(table, list(dict.fromkeys(("interval", name)))):
        inside = read["interval"].to_numpy() < results.n_intervals
        values = np.asarray(read[name].to_numpy())
        if found is None:
            found = np.empty(_n_rows(results, table, chosen), values.dtype)
        values = values if inside.all() else values[inside]
        n_before, n_seen = n_seen, n_seen + len(values)
        if chosen is not None:
            values = values[chosen[np.arange(n_before, n_seen) % len(chosen)]]
        found[n_found : n_found + len(values)] = values
        n_found += len(values)
    assert found is not None
    return found[:n_found]


def columns_of(
    results: Results, table: str, names: Sequence[str], dtype: npt.DTypeLike
) -> Iterator[list[npt.NDArray[Any]]]:
    """Yield columns of a table without intervals, of a long run row group by row group.

    Parameters
    ----------
    results : Results
    table : str
    names : sequence of str
        Columns of numbers, none of them missing.
    dtype : data type
        Of the arrays.
    """
    if not results.is_long:
        rows = results.frame(table, names)
        yield [rows[name].to_numpy().astype(dtype, copy=False) for name in names]
        return
    for read in results.batches(table, names):
        yield [read[name].to_numpy().astype(dtype, copy=False) for name in names]


def _n_rows(results: Results, table: str, chosen: BoolArray | None) -> int:
    """Return how many rows a column may have."""
    if chosen is None:
        return results.n_rows(table)
    return results.n_intervals * int(chosen.sum())


def codes_of(results: Results, table: str, name: str) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return one column of text as codes, and their words; of a long run nothing of it is kept.

    Returns
    -------
    (n_rows,) int32 and list of str
    """
    if not results.is_long:
        text = results.frame(table, (name,))[name].astype(str)
        known, places = np.unique(text.to_numpy(), return_inverse=True)
        return places.astype(np.int32), known.tolist()
    places_of: dict[str, int] = {}
    found, n_found = np.empty(results.n_rows(table), np.int32), 0
    for read in results.batches(table, ("interval", name), text=(name,)):
        inside = read["interval"].to_numpy() < results.n_intervals
        codes, words = dictionary_codes(read, name)
        own = np.array([places_of.setdefault(word, len(places_of)) for word in words], np.int32)
        codes = own[codes if inside.all() else codes[inside]]
        found[n_found : n_found + len(codes)] = codes
        n_found += len(codes)
    return found[:n_found], list(places_of)
