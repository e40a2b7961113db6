"""Checks of the mechanisms of a run, asked of the registry; and tables that nothing recomputes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from cosim.plugins import MECHANISMS
from cosim.replay.checks import MechanismChecks, Recompute
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.scenario import Scenario


def checks_of(scenario: Scenario) -> list[MechanismChecks[Any]]:
    """Return the checks of a run's mechanisms, in the order of their ranks."""
    found = [mechanism.checks() for mechanism in scenario.mechanisms()]
    return [each for each in found if each is not None]


def recompute(history: History) -> Iterator[tuple[str, Recompute]]:
    """Yield the checks of a run's mechanisms by name, and one for each table that has none."""
    recomputed = set()
    for mechanism in history.mechanisms:
        for name, check in mechanism.checks(history).items():
            recomputed.add(name)
            yield name, check
    written, used = tables_of(history.scenario), {m.section for m in history.scenario.mechanisms()}
    for section, kind in MECHANISMS.every().items():
        for table in kind.tables:
            if table.name not in written or table.name in recomputed:
                continue
            yield (
                table.name,
                partial(_not_recomputed, section, table.name)
                if section in used
                else partial(_empty, history.results, section, table.name),
            )


def _empty(results: Results, section: str, table: str) -> Check:
    """Check that a mechanism left no rows in a run that does not have it."""
    check = Check(table, f"empty: the scenario has no {section}")
    check.equal(table, "", "number of rows", len(results.table(table)), 0)
    return check


def _not_recomputed(section: str, table: str) -> Check:
    """Say that no check of its mechanism recomputes a table."""
    check = Check(table, "nothing", recomputed=False)
    package = MECHANISMS.package(section)
    check.note(f"not recomputed: {section} of the package {package} has no check of this table")
    return check
