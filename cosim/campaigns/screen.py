"""A sweep in the terminal: progress of the whole campaign, and what came of it."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cosim.campaigns.sweep import State, SweepResult
from cosim.campaigns.table import DONE, FAILED, MISSING
from cosim.campaigns.text import point_table, sensitivity_tables
from cosim.studies.screen import print_text_table
from cosim.studies.study import value_text

MOST_ERRORS = 10
"""Failed runs that are named; the table has all."""


def print_sweep(result: SweepResult, console: Console) -> None:
    """Print points, sensitivities and failed runs of a campaign.

    Parameters
    ----------
    result : SweepResult
    console : rich.console.Console
    """
    for table in (
        point_table(result),
        *sensitivity_tables(result.sensitivities, result.campaign.indicators),
    ):
        if table is not None:
            print_text_table(table, console)
    values = {run.hash: run.values for run in result.campaign.runs}
    for k, (run_hash, error) in enumerate(result.errors.items()):
        if k == MOST_ERRORS:
            console.print(f"… and {len(result.errors) - k} more; see the column error")
            break
        place = ", ".join(f"{name} {value_text(v)}" for name, v in values[run_hash].items())
        console.print(
            f"[bold red]failed[/bold red]: {run_hash[:12]} ({escape(place)}): {escape(error)}",
            soft_wrap=True,
            highlight=False,
        )
    for one in result.campaign.impossible:
        console.print(f"impossible: point {escape(one.name)}: {escape(one.reason)}", soft_wrap=True)


def summary(result: SweepResult) -> str:
    """Return in a line how many runs are done, failed and missing."""
    n = len(result.status)
    parts = [f"{result.count(DONE)} of {n} runs done ({result.played} now)"]
    parts += [
        f"{result.count(state)} {word}"
        for state, word in ((FAILED, "failed"), (MISSING, "missing"))
        if result.count(state)
    ]
    return ", ".join(parts)


class SweepProgress:
    """A progress bar over the intervals of all runs that are missing, with the time left."""

    def __init__(self, console: Console, name: str) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=600.0,
        )
        self._task = self._bar.add_task(escape(name), total=None, said="")

    def tell(self, state: State) -> None:
        """Move on; a sweep that has nothing to do has no bar."""
        if not state.runs_total:
            self._bar.update(self._task, visible=False)
            return
        failed = f", {state.failed} failed" if state.failed else ""
        self._bar.update(
            self._task,
            completed=state.intervals,
            total=state.intervals_total,
            said=f"run {state.runs}/{state.runs_total}{failed}",
        )

    def __enter__(self) -> SweepProgress:
        self._bar.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.__exit__(None, None, None)
