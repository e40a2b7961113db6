"""Print of a verification: what was checked, how many values, the largest differences, verdicts."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cosim.replay.findings import Check, Difference
from cosim.scenario.time import TimeSettings
from cosim.verify.verification import Verification

WIDE = 110
"""Columns of a screen on which the source of recomputed values fits."""

RERUN = "rerun"

_VERDICTS = {"ok": "green", "DIFFERS": "bold red", "not re-run": "bold yellow"}
_INTERVAL = re.compile(r"\binterval (\d{1,9})\b")
_PRINTED = ("vm_pu", "va_degree", "loading_percent", "p_slack_mw", "value", "value of buses")


def print_verification(
    done: Verification,
    console: Console,
    verbose: bool = True,
    alone: bool = True,
    told: set[str] | None = None,
) -> None:
    """Print a verification: every check, or what there is to know of it.

    Parameters
    ----------
    done : Verification
    console : Console
    verbose : bool
        A table of all checks, and every note.
    alone : bool
        It is the only one: both questions are answered. Otherwise only where something is amiss.
    told : set of str, optional
        Notes that need not be told again; gets those that are told here.
    """
    told = set() if told is None else told
    if verbose:
        console.print(_table(done, console))
    for check in done.checks:
        for note in check.notes:
            text = f"{check.name}: {note}"
            if verbose or (note not in check.details and text not in told):
                told.add(text)
                _line(console, text)
    for check in done.checks:
        for difference in check.differences:
            _line(console, f"{check.name}: {_timed(difference, done.clock)}", "red")
        if (more := check.n_differences - len(check.differences)) > 0:
            _line(console, f"{check.name}: and {more} more", "red")
    if verbose or alone or not done.passed:
        _print_answers(done, console)
    compared = f"{sum(check.compared for check in done.checks):,}".replace(",", " ")
    if done.passed:
        partly = f"; NOT EVERYTHING was checked: {done.limits}" if done.limits else ""
        _line(console, f"{done.folder}: {compared} values compared, nothing differs{partly}")
    elif not done.failed:
        text = f"NOT VERIFIED; {compared} values compared, nothing differs, but "
        text += "it was not played again" if RERUN in done.left_out else _not_made(done)
        _line(console, f"{done.folder}: {text}", "bold yellow")
    else:
        text = f"{done.folder}: NOT VERIFIED; differences in {', '.join(done.failed)}"
        _line(console, text, "bold red")


def _not_made(done: Verification) -> str:
    return f"not checked: {', '.join(done.left_out)}"


def _line(console: Console, text: str, style: str | None = None) -> None:
    """Print a line as it is, however long."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _timed(difference: Difference, clock: TimeSettings | None) -> str:
    """Return a difference in words; behind an interval the time at which it begins."""
    if clock is None:
        return str(difference)

    def with_time(found: re.Match[str]) -> str:
        begin_s = int(found[1]) * clock.step_s
        try:
            begin = clock.start + timedelta(seconds=begin_s)
        except OverflowError:
            return found[0]
        return f"{found[0]} ({begin:%Y-%m-%d %H:%M})"

    return str(replace(difference, row=_INTERVAL.sub(with_time, difference.row)))


def _table(done: Verification, console: Console) -> Table:
    """Return a table of all checks."""
    table = Table(box=box.SIMPLE)
    table.add_column("check", no_wrap=True)
    if wide := console.width >= WIDE:
        table.add_column("recomputed from")
    table.add_column("values", justify="right")
    table.add_column("largest difference")
    table.add_column("verdict", no_wrap=True)
    for check in done.checks:
        colour = _VERDICTS.get(check.verdict, "dim")
        table.add_row(
            check.name,
            *([escape(check.method)] if wide else []),
            f"{check.compared:,}".replace(",", " "),
            _largest(check),
            f"[{colour}]{check.verdict}[/]",
        )
    return table


def _print_answers(done: Verification, console: Console) -> None:
    """Print a line for each of the two questions that was asked."""
    again = next((check for check in done.checks if check.name == RERUN), None)
    others = [check for check in done.checks if check.name != RERUN]
    if again is not None:
        _answer(
            console, "is it what this version makes of these inputs?", _of_rerun(again, done.clock)
        )
    if others:
        failed = [check.name for check in others if not check.passed]
        said = f"no: {', '.join(failed)}" if failed else "yes"
        if done.limits and not failed:
            said += f", as far as was asked: {done.limits}"
        _answer(console, "is it right by other means?", said)


def _of_rerun(check: Check, clock: TimeSettings | None) -> str:
    if check.left_out:
        return "not re-run"
    if not check.passed:
        return f"no: {_timed(check.differences[0], clock)}"
    gaps = _largest(check)
    floats = "every float equal" if gaps in ("exact", "0") else f"floats by {gaps}"
    return f"yes: {check.notes[0]}, {floats}"


def _answer(console: Console, question: str, said: str) -> None:
    style = {"yes": "green", "not": "bold yellow"}.get(said[:3], "bold red")
    _line(console, f"{question} {said}", style)


def _largest(check: Check) -> str:
    """Largest differences by column; equal ones where nothing differs at all."""
    if not check.largest:
        return "exact"
    some = {name: gap for name, gap in check.largest.items() if gap}
    shown = {name: gap for name, gap in some.items() if name in _PRINTED} or some
    worst = sorted(shown.items(), key=lambda item: -item[1])[:4]
    return ", ".join(f"{name} {gap:.0e}" for name, gap in worst) or "0"
