"""Tables as arrays over time, for maps and charts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cosim.report.checks import checks_of_stage, grid_record
from cosim.results.reader import Results
from cosim.units import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class ElementSeries:
    """Values of all elements of one kind over time.

    Parameters
    ----------
    idx : (n_elements,) int64
        Indices of the elements in the network.
    value : (n_intervals, n_elements) float
        Voltage [pu] or loading [%]; NaN where there is no solution.
    violated : (n_intervals, n_elements) bool
        Whether a limit is violated.
    """

    idx: IntArray
    value: FloatArray
    violated: BoolArray

    def without(self, idx: npt.ArrayLike) -> ElementSeries:
        """Return the series of the elements that are not listed."""
        kept = ~np.isin(self.idx, idx)
        return ElementSeries(self.idx[kept], self.value[:, kept], self.violated[:, kept])

    def reduced(self, function: str) -> FloatArray:
        """Return ``min``, ``median`` or ``max`` over elements by interval, NaN where unsolved."""
        found = np.full(len(self.value), np.nan)
        solved = ~np.isnan(self.value).all(axis=1)
        if solved.any():
            found[solved] = getattr(np, f"nan{function}")(self.value[solved], axis=1)
        return found


@dataclass(frozen=True)
class StageSeries:
    """Results of the grid checks of one stage: buses' voltages, branches' loadings."""

    bus: ElementSeries
    line: ElementSeries
    trafo: ElementSeries

    @property
    def n_violated(self) -> IntArray:
        """(n_intervals,) number of violated elements."""
        parts = (self.bus, self.line, self.trafo)
        return np.asarray(sum(part.violated.sum(axis=1) for part in parts), dtype=np.int64)


def stage_series(results: Results, stage: str) -> StageSeries:
    """Return the grid checks of a stage as arrays."""
    checks = checks_of_stage(results, stage)
    return StageSeries(
        bus=_dense(results, checks, "bus", "vm_pu"),
        line=_dense(results, checks, "line", "loading_percent"),
        trafo=_dense(results, checks, "trafo", "loading_percent"),
    )


def _dense(results: Results, checks: pd.DataFrame, element: str, quantity: str) -> ElementSeries:
    rows = checks[(checks["element"] == element) & (checks["quantity"] == quantity)]
    known = results.network[element].index.to_numpy(dtype=np.int64)
    idx = np.sort(known)
    column = np.searchsorted(idx, rows["element_idx"].to_numpy())
    interval = rows["interval"].to_numpy()
    value = np.full((results.n_intervals, len(idx)), np.nan)
    violated = np.zeros(value.shape, dtype=bool)
    value[interval, column] = rows["value"].to_numpy()
    np.logical_or.at(violated, (interval, column), rows["violated"].to_numpy())
    return ElementSeries(idx, value, violated)


def per_interval(
    results: Results, intervals: npt.ArrayLike, values: npt.ArrayLike, scale: float = 1.0
) -> FloatArray:
    """Return the sum of values by interval.

    Parameters
    ----------
    results : Results
        Says how many intervals there are.
    intervals, values : (n,) array-like
        Interval and value of each row.
    scale : float
        Factor on the sums.

    Returns
    -------
    (n_intervals,) float
    """
    sums = np.bincount(
        np.asarray(intervals, dtype=np.int64),
        weights=np.asarray(values, dtype=np.float64),
        minlength=results.n_intervals,
    )
    return np.asarray(sums * scale, dtype=np.float64)


@dataclass(frozen=True)
class Offender:
    """An element that violates a limit at some stage, for the report's table."""

    name: str
    kind: str
    unit: str
    minutes: dict[str, float]
    worst: dict[str, float]
    drivers: tuple[str, ...]


def offenders(results: Results, n_drivers: int = 3) -> list[Offender]:
    """Return elements with violated limits, the longest violated before flexibility first.

    Parameters
    ----------
    results : Results
        A result folder.
    n_drivers : int
        How many connection points to name, by how often and how far up they stand among the
        drivers.
    """
    found: dict[tuple[str, str, int], dict[str, tuple[float, float]]] = {}
    for stage, record in grid_record(results).items():
        for key, (n_intervals, worst) in record.offenders.items():
            found.setdefault(key, {})[stage] = n_intervals * results.step_s / 60, worst
    drivers = _drivers(results, n_drivers)
    listed = [
        Offender(
            name=element_name(results, element, idx),
            kind=kind,
            unit="pu" if element == "bus" else "%" if element in ("line", "trafo") else "",
            minutes={stage: values[0] for stage, values in stages.items()},
            worst={stage: float(values[1]) for stage, values in stages.items()},
            drivers=drivers.get((element, idx), ()),
        )
        for (kind, element, idx), stages in found.items()
    ]
    return sorted(listed, key=lambda o: (-o.minutes.get("scheduled", 0.0), o.kind, o.name))


def element_name(results: Results, element: str, idx: int) -> str:
    """Return the name of an element with its index."""
    word = {"bus": "Bus", "line": "Line", "trafo": "Transformer"}.get(element)
    if word is None:
        return "Whole network"
    name = str(results.network[element].at[idx, "name"])
    return f"{name} ({word.lower()} {idx})" if name not in ("", "None", "nan") else f"{word} {idx}"


def _drivers(results: Results, n_drivers: int) -> dict[tuple[str, int], tuple[str, ...]]:
    rows = results.frame("violations", ["element", "element_idx", "drivers"])
    counts: dict[tuple[str, int], dict[str, int]] = {}
    for element, idx, names in zip(
        rows["element"].astype(str), rows["element_idx"], rows["drivers"], strict=True
    ):
        of_element = counts.setdefault((element, int(idx)), {})
        for place, name in enumerate(list(names)[:n_drivers]):
            of_element[name] = of_element.get(name, 0) + n_drivers - place
    return {
        key: tuple(sorted(names, key=lambda name: (-names[name], name))[:n_drivers])
        for key, names in counts.items()
    }
