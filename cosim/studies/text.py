"""The words and numbers of a study's report: the table of runs, and what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cosim.report.summary import number
from cosim.studies.charts import curtailed_kwh, indicator
from cosim.studies.results import FinishedRun
from cosim.studies.study import axis_labels, value_text

STAGE_HEADINGS = ("before", "after", "delivered")
"""Of the minutes with violated limits, the first cells of a row."""

HEADINGS = (
    ("Flexibility bought", "kWh"),
    ("its cost", "EUR"),
    ("Curtailed", "kWh"),
    ("Orders late", ""),
    ("Welfare", "EUR"),
    ("Cost per prosumer", "EUR"),
)
"""Of the other cells: words and unit."""

SHORT_HEADINGS = (
    "limits\nviolated\n[min]",
    "flexibility\nbought\n[kWh]",
    "its\ncost\n[EUR]",
    "cur-\ntailed\n[kWh]",
    "orders\nlate",
    "welfare\n[EUR]",
    "cost per\nprosumer\n[EUR]",
)
"""Of :func:`short_cells`."""

_CELLS = (
    (0, indicator("violations.scheduled.any.minutes")),
    (0, indicator("violations.relieved.any.minutes")),
    (0, indicator("violations.delivered.any.minutes")),
    (1, indicator("flexibility_awarded_kwh")),
    (2, indicator("flexibility_cost_eur")),
    (1, curtailed_kwh),
    (0, indicator("orders.late")),
    (2, indicator("welfare_eur")),
    (2, indicator("mean_cost_eur")),
)


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
    """Headings of the axes: the last part of their fields."""
    return list(axis_labels(tuple(runs[0].values)).values())


def short_cells(row: RunRow) -> list[str]:
    """The same as a run's cells, for a narrow screen: the minutes of the three stages in one."""
    before, after, delivered, *rest = row.cells
    return [f"{before}→{after}→{delivered}", *rest]


def run_rows(runs: Sequence[FinishedRun]) -> list[RunRow]:
    """Every run as a row, called by its variant, or by its number where there are none."""
    return [
        RunRow(
            run.name,
            run.variant or str(k),
            [_axis_text(value) for value in run.values.values()],
            [number(value(run.indicators), "", digits) for digits, value in _CELLS],
        )
        for k, run in enumerate(runs, start=1)
    ]


def _axis_text(value: Any) -> str:
    is_long = isinstance(value, int) and abs(value) >= 10_000
    return number(value, "", 0) if is_long else value_text(value)


def expectation_rows(outcomes: Sequence[Mapping[str, Any]]) -> list[ExpectationRow]:
    """Every expectation with its figures."""
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
    """A number with six digits that count."""
    if value == int(value) and abs(value) < 1e15:
        return number(value, "", 0)
    return f"{value:.6g}".replace("-", "−")
