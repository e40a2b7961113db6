"""A study in the terminal: progress, the table of runs, what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from cosim.studies.comparison_text import comparison_tables, remaining_violations
from cosim.studies.declaration import Study
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
        table = Table(
            title=escape(text.title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False
        )
        table.add_column(text.headings[0], no_wrap=True)
        for heading in text.headings[1:]:
            table.add_column(escape(heading), justify="right")
        for row in text.rows:
            table.add_row(*map(escape, row))
        _print_uncut(table, console)
    measured = optimum_sentences(result.measured, {run.name: run.point for run in result.runs})
    for sentence in (*remaining_violations(result.differences), *measured):
        console.print(escape(sentence), soft_wrap=True, highlight=False)


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
