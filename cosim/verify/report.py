"""Print of a verification: what was checked, how many values, the largest differences, verdicts."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cosim.replay.findings import Check
from cosim.verify.verification import Verification

WIDE = 110
"""Columns of a screen on which the source of recomputed values fits."""

RERUN = "rerun"

_VERDICTS = {"ok": "green", "DIFFERS": "bold red", "not re-run": "bold yellow"}
_PRINTED = ("vm_pu", "va_degree", "loading_percent", "p_slack_mw", "value", "value of buses")


def print_verification(done: Verification, console: Console) -> None:
    """Print a table of all checks, then what differs and what was not checked."""
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
    console.print(table)
    for check in done.checks:
        for note in check.notes:
            console.print(f"{check.name}: {note}", markup=False, highlight=False, soft_wrap=True)
    for check in done.checks:
        for difference in check.differences:
            text = f"{check.name}: {difference}"
            console.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
        if (more := check.n_differences - len(check.differences)) > 0:
            console.print(f"{check.name}: and {more} more", style="red", markup=False)
    _print_answers(done, console)
    compared = f"{sum(check.compared for check in done.checks):,}".replace(",", " ")
    if done.passed:
        partly = f"; NOT EVERYTHING was checked: {done.limits}" if done.limits else ""
        text = f"{done.folder}: {compared} values compared, nothing differs{partly}"
        console.print(text, markup=False, soft_wrap=True)
    elif not done.failed:
        console.print(
            f"{done.folder}: NOT VERIFIED; {compared} values compared, nothing differs, but it was "
            "not played again",
            style="bold yellow",
            markup=False,
            soft_wrap=True,
        )
    else:
        console.print(
            f"{done.folder}: NOT VERIFIED; differences in {', '.join(done.failed)}",
            style="bold red",
            markup=False,
            soft_wrap=True,
        )


def _print_answers(done: Verification, console: Console) -> None:
    """Print a line for each of the two questions that was asked."""
    again = next((check for check in done.checks if check.name == RERUN), None)
    others = [check for check in done.checks if check.name != RERUN]
    if again is not None:
        _answer(console, "is it what this version makes of these inputs?", _of_rerun(again))
    if others:
        failed = [check.name for check in others if not check.passed]
        said = f"no: {', '.join(failed)}" if failed else "yes"
        if done.limits and not failed:
            said += f", as far as was asked: {done.limits}"
        _answer(console, "is it right by other means?", said)


def _of_rerun(check: Check) -> str:
    if check.left_out:
        return "not re-run"
    if not check.passed:
        return f"no: {check.differences[0]}"
    gaps = _largest(check)
    floats = "every float equal" if gaps in ("exact", "0") else f"floats by {gaps}"
    return f"yes: {check.notes[0]}, {floats}"


def _answer(console: Console, question: str, said: str) -> None:
    style = {"yes": "green", "not": "bold yellow"}.get(said[:3], "bold red")
    text = f"{question} {said}"
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _largest(check: Check) -> str:
    """Largest differences by column; equal ones where nothing differs at all."""
    if not check.largest:
        return "exact"
    some = {name: gap for name, gap in check.largest.items() if gap}
    shown = {name: gap for name, gap in some.items() if name in _PRINTED} or some
    worst = sorted(shown.items(), key=lambda item: -item[1])[:4]
    return ", ".join(f"{name} {gap:.0e}" for name, gap in worst) or "0"
