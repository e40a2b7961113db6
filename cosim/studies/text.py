"""Words and numbers of a study's report: the table of runs, and what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cosim.report.comparison import Column
from cosim.report.text import number
from cosim.studies.charts import DELIVERED, RELIEVED, SCHEDULED, comparisons
from cosim.studies.results import FinishedRun
from cosim.studies.study import axis_labels, value_text

STAGE_HEADINGS = ("before", "after", "delivered")
"""Of the minutes with violated limits, the first cells of a row."""


def columns(runs: Sequence[FinishedRun]) -> list[Column]:
    """Return columns of the table of runs that have a value in any of them, but for the minutes."""
    every = (column for each in comparisons() for column in each.columns)
    shown = [c for c in every if any(c.value(run.indicators) is not None for run in runs)]
    return sorted(shown, key=lambda column: column.place)


@dataclass(frozen=True)
class RunRow:
    """A run as a row: its name, what it is called in the table, its values, its indicators."""

    name: str
    label: str
    values: list[str]
    cells: list[str]


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
    return [f"{before}→{after}→{delivered}", *rest]


def run_rows(runs: Sequence[FinishedRun]) -> list[RunRow]:
    """Return every run as a row, called by its variant, or by its number where there are none."""
    cells = [(0, value) for value in (SCHEDULED, RELIEVED, DELIVERED)]
    cells += [(column.digits, column.value) for column in columns(runs)]
    return [
        RunRow(
            run.name,
            run.variant or str(k),
            [_axis_text(value) for value in run.values.values()],
            [number(value(run.indicators), "", digits) for digits, value in cells],
        )
        for k, run in enumerate(runs, start=1)
    ]


def _axis_text(value: Any) -> str:
    is_long = isinstance(value, int) and abs(value) >= 10_000
    return number(value, "", 0) if is_long else value_text(value)


def expectation_rows(outcomes: Sequence[Mapping[str, Any]]) -> list[ExpectationRow]:
    """Return every expectation with its figures."""
    return [
        ExpectationRow(
            outcome["text"],
            outcome["problem"]
            or f"{figure(outcome['left'])} {outcome['comparison']} {figure(outcome['right'])}",
            outcome["met"],
        )
        for outcome in outcomes
    ]


def figure(value: float) -> str:
    """Return a number with six digits that count."""
    if value == int(value) and abs(value) < 1e15:
        return number(value, "", 0)
    return f"{value:.6g}".replace("-", "−")
