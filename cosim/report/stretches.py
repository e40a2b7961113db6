"""Sums and rows put together of the stretches of a run: a short one whole, a long one by days."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from cosim.inputs.long_series import let_go
from cosim.results.reader import Results
from cosim.results.row_groups import dictionary_codes

T = TypeVar("T")


def of_each(results: Results, make: Callable[[Results], T]) -> Iterator[T]:
    """Yield what is made of each stretch, in their order."""
    for part in results.stretches():
        yield make(part)


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
    for part in results.stretches():
        rows = make(part)
        if "interval" in rows and part.first > results.first:
            rows = rows.assign(interval=rows["interval"] + part.first - results.first)
        parts.append(rows)
    kept = [rows for rows in parts if len(rows)] or parts[:1]
    return kept[0] if len(kept) == 1 else pd.concat(kept, ignore_index=True)


def column_of(results: Results, table: str, name: str) -> npt.NDArray[Any]:
    """Return one column of the intervals that count; of a long run nothing of it is kept.

    Parameters
    ----------
    results : Results
    table, name : str
        A column of numbers, none of them missing, of a table with ``interval``.

    Returns
    -------
    (n_rows,) array
    """
    if not results.is_long:
        return np.asarray(results.frame(table, (name,))[name].to_numpy())
    let_go()
    read = results.arrow(table, list(dict.fromkeys(("interval", name))))
    inside = read["interval"].to_numpy() < results.n_intervals
    values = np.asarray(read[name].to_numpy())
    return values if inside.all() else values[inside]


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
    read = results.arrow(table, ["interval", name], read_dictionary=[name])
    inside = read["interval"].to_numpy() < results.n_intervals
    codes, words = dictionary_codes(read, name)
    return (codes if inside.all() else codes[inside]), words
