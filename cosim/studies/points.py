"""Points of a study: the runs that differ in nothing but the seed, and their means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.report.comparison import Indicators, Value, indicator
from cosim.studies.estimates import Estimate, estimate
from cosim.studies.results import FinishedRun, is_number
from cosim.studies.study import value_text

MEANS_TABLE, MEANS_CSV = "means.parquet", "means.csv"


@dataclass(frozen=True)
class Point:
    """A variant at a place on the axes, with its runs.

    Parameters
    ----------
    name, variant : str
    values : dict
        Value on each axis, by field.
    runs : tuple of FinishedRun
        By seed; one in a study with one seed.
    """

    name: str
    variant: str
    values: dict[str, Any]
    runs: tuple[FinishedRun, ...]

    def estimate(self, value: Value) -> Estimate:
        """Return mean and interval of a value over the seeds."""
        return estimate([value(run.indicators) for run in self.runs])

    def less(self, other: Point, value: Value) -> Estimate:
        """Return mean and interval of the difference to another point, taken seed by seed."""
        others = {_number(run): value(run.indicators) for run in other.runs}
        pairs = ((value(run.indicators), others.get(_number(run))) for run in self.runs)
        return estimate([None if a is None or b is None else a - b for a, b in pairs])


def points_of(runs: Sequence[FinishedRun]) -> list[Point]:
    """Return the points of runs, in their order."""
    grouped: dict[str, list[FinishedRun]] = {}
    for run in runs:
        grouped.setdefault(run.point, []).append(run)
    return [Point(name, own[0].variant, own[0].values, tuple(own)) for name, own in grouped.items()]


def n_seeds(runs: Sequence[FinishedRun]) -> int:
    """Return the most seeds that a point was played with."""
    return max(map(_number, runs))


def reference_of(point: Point, points: Sequence[Point]) -> Point:
    """Return the point that another is compared with.

    The first variant at the same values on the axes, or the first point where there are no
    variants; the first of all is compared with itself.
    """
    if not point.variant:
        return points[0]
    return next(other for other in points if other.values == point.values)


def mean_indicators(points: Sequence[Point], n: int) -> dict[str, Indicators]:
    """Return means by point and indicator, as expectations compare them.

    A point of which a run could not be made is left out, and an indicator that lacks a value with
    any seed has none: a mean of those that happen to have one would be another quantity.
    """
    found: dict[str, Indicators] = {}
    for point in points:
        if len(point.runs) == n:
            means = {name: point.estimate(indicator(name)) for name in _indicators([point])}
            found[point.name] = {
                name: each.mean if each.n == n else None for name, each in means.items()
            }
    return found


def by_seed(runs: Sequence[FinishedRun]) -> list[dict[str, Indicators]]:
    """Return, for every seed, the indicators by point."""
    found: dict[int, dict[str, Indicators]] = {}
    for run in runs:
        found.setdefault(_number(run), {})[run.point] = run.indicators
    return [found[number] for number in sorted(found)]


def means_table(points: Sequence[Point]) -> pd.DataFrame:
    """Return a row per point and indicator: mean, interval, and difference to the reference.

    Returns
    -------
    pandas.DataFrame
        ``point``, ``variant``, the axes by field, ``indicator``, ``n``, ``mean``,
        ``standard_deviation``, ``low``, ``high``; of the difference to the point ``against``
        (:func:`reference_of`), seed by seed, ``difference``, ``difference_low`` and
        ``difference_high``, missing for that point itself.
    """
    axes = dict.fromkeys(axis for point in points for axis in point.values)
    numeric = {axis: all(is_number(point.values[axis]) for point in points) for axis in axes}
    rows = []
    for point in points:
        against = reference_of(point, points)
        place = {
            axis: point.values[axis] if numeric[axis] else value_text(point.values[axis])
            for axis in axes
        }
        for name in _indicators(points):
            own, is_first = point.estimate(indicator(name)), against is point
            change = estimate([]) if is_first else point.less(against, indicator(name))
            rows.append(
                {
                    "point": point.name,
                    "variant": point.variant or None,
                    **place,
                    "indicator": name,
                    "n": own.n,
                    "mean": own.mean,
                    "standard_deviation": own.deviation,
                    "low": own.low,
                    "high": own.high,
                    "against": None if is_first else against.name,
                    "difference": change.mean,
                    "difference_low": change.low,
                    "difference_high": change.high,
                }
            )
    numbers = ("mean", "standard_deviation", "low", "high")
    differences = ("difference", "difference_low", "difference_high")
    return pd.DataFrame(rows).astype(dict.fromkeys((*numbers, *differences), "float64"))


def write_means(folder: Path, runs: Sequence[FinishedRun]) -> None:
    """Write ``means.parquet`` and ``means.csv`` into a study's folder."""
    table = means_table(points_of(runs))
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(arrow, folder / MEANS_TABLE)
    table.to_csv(folder / MEANS_CSV, index=False)


def _number(run: FinishedRun) -> int:
    return run.replication.number if run.replication else 1


def _indicators(points: Sequence[Point]) -> Mapping[str, None]:
    """Return the names of all indicators, in the order of the manifests."""
    return dict.fromkeys(name for point in points for run in point.runs for name in run.indicators)
