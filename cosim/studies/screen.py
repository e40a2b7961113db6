"""A study in the terminal: progress, the table of runs, what was expected."""

from __future__ import annotations

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
    axis_headings,
    columns,
    expectation_rows,
    run_rows,
    short_cells,
)


def print_study(result: StudyResult, console: Console) -> None:
    """Print the runs, and the expectations with met or NOT met.

    Parameters
    ----------
    result : StudyResult
    console : rich.console.Console
        Where to.
    """
    axes = axis_headings(result.runs)
    has_variants = any(run.variant for run in result.runs)
    table = Table(
        title="Runs; limits violated: before → after flexibility → delivered",
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    if has_variants:
        table.add_column("variant", no_wrap=True)
    for heading in axes:
        table.add_column(escape(heading.replace("_", "_\n")), justify="right", no_wrap=True)
    for heading in ("limits\nviolated\n[min]", *(c.short for c in columns(result.runs))):
        table.add_column(escape(heading), justify="right", no_wrap=True)
    for row, run in zip(run_rows(result.runs), result.runs, strict=True):
        variant = [escape(run.variant)] if has_variants else []
        table.add_row(*variant, *row.values, *short_cells(row))
    if not console.is_terminal:  # a file has no edge at which to cut
        wide = console.options.update(max_width=10_000)
        console.width = max(console.width, Measurement.get(console, wide, table).maximum)
    console.print(table)
    _print_comparisons(result, console)
    for each in result.impossible:
        console.print(f"impossible: {escape(each.name)}: {escape(each.reason)}", soft_wrap=True)
    for expected in expectation_rows([asdict(outcome) for outcome in result.outcomes]):
        word = "[green]met[/green]" if expected.met else "[bold red]NOT met[/bold red]"
        console.print(
            f"{word}: {escape(expected.text)}  ({escape(expected.figures)})", soft_wrap=True
        )


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
        console.print(table)
    measured = [one.sentence() for one in result.measured]
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
