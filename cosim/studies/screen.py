"""A study in the terminal: progress, the table of runs, what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from cosim.report.panel import TextTable
from cosim.studies.comparison_text import comparison_tables, remaining_violations
from cosim.studies.declaration import Study
from cosim.studies.money_text import money_of_runs
from cosim.studies.runner import StudyResult
from cosim.studies.text import (
    RunRow,
    axis_headings,
    columns,
    expectation_rows,
    paired_rows,
    paired_title,
    run_rows,
    seeds_note,
    short_cells,
)
from cosim.studies.yardstick import optimum_sentences

_WIDTH = 100
"""Columns that tables of words and numbers may take where nothing shows them."""
_FIRST_COLUMN = 26
"""Characters that their first column has at least."""
_LABELS = ("Run", "Point", "Parameter", "against", "Quantity")
"""Headings of columns that say what a row is."""


def print_study(result: StudyResult, console: Console) -> None:
    """Print the runs, and the expectations with met or NOT met.

    Parameters
    ----------
    result : StudyResult
    console : rich.console.Console
        Where to.
    """
    _print_rows(
        "Runs; limits violated: before → after flexibility → delivered",
        run_rows(result.runs),
        result,
        console,
    )
    if note := seeds_note(result.runs):
        console.print(note, soft_wrap=True, highlight=False)
    compared = {each.compared.run for each in result.differences}
    if rows := paired_rows(result.runs, compared):
        _print_rows(paired_title(result.runs), rows, result, console)
    for text in money_of_runs(result.runs):
        print_text_table(text, console)
    _print_comparisons(result, console)
    for each in result.impossible:
        console.print(f"impossible: {escape(each.name)}: {escape(each.reason)}", soft_wrap=True)
    for expected in expectation_rows([asdict(outcome) for outcome in result.outcomes]):
        word = "[green]met[/green]" if expected.met else "[bold red]NOT met[/bold red]"
        console.print(
            f"{word}: {escape(expected.text)}  ({escape(expected.figures)})", soft_wrap=True
        )


def _print_rows(title: str, rows: Sequence[RunRow], result: StudyResult, console: Console) -> None:
    """Print rows with the axes and columns of the table of runs."""
    table = Table(
        title=title,
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    has_variants = any(run.variant for run in result.runs)
    if has_variants:
        table.add_column("variant", no_wrap=True)
    for heading in axis_headings(result.runs):
        table.add_column(escape(heading.replace("_", "_\n")), justify="right", no_wrap=True)
    for heading in ("limits\nviolated\n[min]", *(c.short for c in columns(result.runs))):
        table.add_column(escape(heading), justify="right", no_wrap=True)
    for row in rows:
        variant = [escape(row.label)] if has_variants else []
        table.add_row(*variant, *row.values, *short_cells(row))
    _print_uncut(table, console)


def _print_uncut(table: Table, console: Console) -> None:
    """Print a table; what is no terminal has no edge at which to cut, so it takes what it needs."""
    if not console.is_terminal:
        wide = console.options.update(max_width=10_000)
        console.width = max(console.width, Measurement.get(console, wide, table).maximum)
    console.print(table)


def _print_comparisons(result: StudyResult, console: Console) -> None:
    """Print runs against their counterfactuals."""
    for text in comparison_tables(result.differences):
        print_text_table(text, console)
    measured = optimum_sentences(result.measured, {run.name: run.point for run in result.runs})
    for sentence in (*remaining_violations(result.differences), *measured):
        console.print(escape(sentence), soft_wrap=True, highlight=False)


def print_text_table(text: TextTable, console: Console) -> None:
    """Print a table of words and numbers in the width that there is.

    Headings and first column break between words. Numbers keep to a line, as far as this leaves the
    first column enough; else a difference stands below its value. Columns that do not fit even so
    follow in a block of their own, with the labels of their rows.
    """
    available = max(console.width, 0 if console.is_terminal else _WIDTH)
    columns = list(zip(text.headings, *text.rows, strict=True))
    labels = [column for column in columns if column[0] in _LABELS]
    blocks: list[list[tuple[str, ...]]] = []
    for column in columns[len(labels) :]:
        if not blocks or _least_width([*labels, *blocks[-1], column]) > available:
            blocks.append([])
        blocks[-1].append(column)
    for k, block in enumerate(blocks):
        _print_block("" if k else text.title, [*labels, *block], len(labels), available, console)


def _least_width(columns: Sequence[Sequence[str]]) -> int:
    """Return the width that columns take whose cells break between words."""
    first, *others = map(_longest_word, columns)
    return max(first, min(_widest(columns[0]), _FIRST_COLUMN)) + sum(others) + _edges(columns)


def _edges(columns: Sequence[Sequence[str]]) -> int:
    return 3 * len(columns) - 1


def _longest_word(column: Sequence[str]) -> int:
    return max(cell_len(word) for cell in column for word in cell.split(" "))


def _widest(column: Sequence[str]) -> int:
    """Return the width of a column's cells, and of the longest word of its heading."""
    return max(_longest_word(column), *map(cell_len, column[1:]))


def _print_block(
    title: str, columns: Sequence[Sequence[str]], n_labels: int, available: int, console: Console
) -> None:
    first = max(_longest_word(columns[0]), min(_widest(columns[0]), _FIRST_COLUMN))
    others = [_widest(column) for column in columns[1:]]
    if first + sum(others) + _edges(columns) > available:
        others = [_longest_word(column) for column in columns[1:]]
    first = max(first, min(_widest(columns[0]), available - _edges(columns) - sum(others)))
    table = Table(
        title=escape(title) or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    for k, (column, width) in enumerate(zip(columns, (first, *others), strict=True)):
        justify: JustifyMethod = "left" if k < n_labels else "right"
        table.add_column(escape(column[0]), justify=justify, width=width)
    for row in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*map(escape, row))
    _print_uncut(table, console)


class StudyProgress:
    """A progress bar over the intervals of every run, with the runs done and the time left."""

    def __init__(self, console: Console, study: Study) -> None:
        n_runs = len(study.runs)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("interval {task.completed}/{task.total}"),
            TextColumn(f"run {{task.fields[runs]}}/{n_runs} done"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        total = sum(run.scenario.time.intervals for run in study.runs)
        self._task = self._bar.add_task(escape(study.name), total=total, runs=0)

    def tell(self, intervals: int, runs: int) -> None:
        """Move on to so many intervals and runs."""
        self._bar.update(self._task, completed=intervals, runs=runs)

    def __enter__(self) -> StudyProgress:
        self._bar.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.__exit__(None, None, None)
