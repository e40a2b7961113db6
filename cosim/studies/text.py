"""Words and numbers of a study's report: the table of runs, and what was expected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cosim.report.comparison import Column, Value
from cosim.report.text import number
from cosim.studies.charts import DELIVERED, RELIEVED, SCHEDULED, comparisons
from cosim.studies.estimates import Estimate
from cosim.studies.points import Point, n_seeds, points_of, reference_of
from cosim.studies.results import FinishedRun
from cosim.studies.study import axis_labels, value_text

STAGE_HEADINGS = ("before", "after", "delivered")
"""Of the minutes with violated limits, the first cells of a row."""


def columns(runs: Sequence[FinishedRun]) -> list[Column]:
    """Return columns of the table of runs that have a value in any of them, but for the minutes."""
    every = (column for each in comparisons() for column in each.columns)
    shown = [c for c in every if any(c.value(run.indicators) is not None for run in runs)]
    return sorted(shown, key=lambda column: column.place)


def seeds_note(runs: Sequence[FinishedRun]) -> str:
    """Return what means and intervals of several seeds are, and cover; empty with one seed."""
    n = n_seeds(runs)
    if n == 1:
        return ""
    return (
        f"Means of {n} seeds, ± half of the mean's 95 % interval (Student's t over seeds). It "
        "covers what a seed draws: who has a battery, how loads vary, strategies, forecast errors, "
        "times at which orders are sent, times of blocks. It does not cover other days or feeders, "
        "which are axes of their own."
    )


@dataclass(frozen=True)
class RunRow:
    """A run, or with several seeds a point of the study, as a row.

    Parameters
    ----------
    label : str
        What it is called in the table.
    values, cells : list of str
        On the axes; minutes of the three stages, then indicators.
    margins : list of str
        Half of each cell's interval; empty where there is none.
    runs : list of (str, str)
        Word and name of each of its runs; none for a difference.
    """

    label: str
    values: list[str]
    cells: list[str]
    margins: list[str]
    runs: list[tuple[str, str]]


@dataclass(frozen=True)
class ExpectationRow:
    """An expectation, its two sides in numbers, and whether it is met."""

    text: str
    figures: str
    met: bool


def axis_headings(runs: Sequence[FinishedRun]) -> list[str]:
    """Return headings of the axes: the last part of their fields."""
    return list(axis_labels(tuple(runs[0].values)).values())


def short_cells(row: RunRow) -> list[str]:
    """Return a run's cells for a narrow screen: the minutes of the three stages in one."""
    before, after, delivered, *rest = row.cells
    cells = [f"{before}→{after}→{delivered}", *rest]
    if not any(row.margins):
        return cells
    margins = [", ".join(row.margins[:3]), *row.margins[3:]]
    return [f"{cell}\n{margin}" for cell, margin in zip(cells, margins, strict=True)]


def run_rows(runs: Sequence[FinishedRun]) -> list[RunRow]:
    """Return every run as a row, called by its variant, or by its number where there are none.

    With several seeds a row is a point, and its cells are means; a cell whose value not every seed
    has says of how many it is the mean.
    """
    points = points_of(runs)
    return [
        _row(
            _labels(points)[point.name],
            point,
            [(digits, point.estimate(value)) for digits, value in _cells(runs)],
            [(_seed_word(run), run.name) for run in point.runs],
        )
        for point in points
    ]


def paired_title(runs: Sequence[FinishedRun]) -> str:
    """Return what rows of :func:`paired_rows` are."""
    first = "variant at the same values" if any(run.variant for run in runs) else "point"
    return (
        f"Differences to the first {first}, seed by seed: both are played with the same "
        f"{n_seeds(runs)} seeds (common random numbers); ± half of the 95 % interval of the mean "
        "difference (paired t)"
    )


def paired_rows(runs: Sequence[FinishedRun], compared: Collection[str] = ()) -> list[RunRow]:
    """Return every point less the one that it is compared with (:func:`reference_of`).

    Parameters
    ----------
    runs : sequence of FinishedRun
    compared : collection of str
        Points that have counterfactuals, if any: counterfactuals have a table of their own.

    Returns
    -------
    list of RunRow
        None with one seed.
    """
    points = [point for point in points_of(runs) if not compared or point.name in compared]
    if n_seeds(runs) == 1:
        return []
    labels = _labels(points)
    pairs = ((point, reference_of(point, points)) for point in points)
    return [
        _row(
            f"{labels[point.name]} less {labels[against.name]}",
            point,
            [(digits, point.less(against, value)) for digits, value in _cells(runs)],
            [],
        )
        for point, against in pairs
        if point is not against
    ]


def _labels(points: Sequence[Point]) -> dict[str, str]:
    return {point.name: point.variant or str(k) for k, point in enumerate(points, start=1)}


def _row(
    label: str, point: Point, means: Sequence[tuple[int, Estimate]], runs: list[tuple[str, str]]
) -> RunRow:
    n = len(point.runs)
    return RunRow(
        label,
        [_axis_text(value) for value in point.values.values()],
        [
            number(mean.mean, "", digits) + (f" (n {mean.n})" if 0 < mean.n < n else "")
            for digits, mean in means
        ],
        [
            "" if mean.half_width is None else f"±\u00a0{number(mean.half_width, '', digits)}"
            for digits, mean in means
        ],
        runs,
    )


def _cells(runs: Sequence[FinishedRun]) -> list[tuple[int, Value]]:
    """Return digits and value of every cell of a row."""
    cells: list[tuple[int, Value]] = [(0, value) for value in (SCHEDULED, RELIEVED, DELIVERED)]
    return cells + [(column.digits, column.value) for column in columns(runs)]


def _seed_word(run: FinishedRun) -> str:
    return f"seed {run.replication.number}" if run.replication else ""


def _axis_text(value: Any) -> str:
    is_long = isinstance(value, int) and abs(value) >= 10_000
    return number(value, "", 0) if is_long else value_text(value)


def expectation_rows(outcomes: Sequence[Mapping[str, Any]]) -> list[ExpectationRow]:
    """Return every expectation with its figures."""
    return [
        ExpectationRow(
            outcome["text"],
            outcome["problem"]
            or f"{figure(outcome['left'])}{'' if outcome['met'] else ', not'} "
            f"{outcome['comparison']} {figure(outcome['right'])}"
            + _difference(outcome.get("difference")),
            outcome["met"],
        )
        for outcome in outcomes
    ]


def _difference(over_seeds: Mapping[str, Any] | None) -> str:
    """Return the difference of both sides over seeds, if it was taken."""
    if over_seeds is None:
        return ""
    mean, half, n = (over_seeds[key] for key in ("mean", "half_width", "n"))
    return f"; left less right {figure(mean)} ± {figure(half)} over {n} seeds"


def figure(value: float) -> str:
    """Return a number with six digits that count."""
    if value == int(value) and abs(value) < 1e15:
        return number(value, "", 0)
    return f"{value:.6g}".replace("-", "−")
