"""Money by role of a study's runs, and of runs less their counterfactuals, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cosim.report.comparison import indicator
from cosim.report.panel import TextTable
from cosim.report.roles import ROLES
from cosim.report.text import number, plus_minus
from cosim.studies.differences import Difference
from cosim.studies.points import points_of
from cosim.studies.results import FinishedRun

_LEAST_EUR = 0.005
"""A role whose money is below this everywhere takes no part."""

Row = tuple[str, ...]
RECEIVED = "Money by role (received, paid negative) [EUR]"


def money_of_runs(runs: Sequence[FinishedRun]) -> list[TextTable]:
    """Return what each role received in every run, or on the mean of every point's seeds.

    Parameters
    ----------
    runs : sequence of FinishedRun

    Returns
    -------
    list of TextTable
        None without several points.
    """
    points = points_of(runs)
    if len(points) < 2:
        return []
    means = {role: [point.estimate(indicator(_key(role))) for point in points] for role in ROLES}
    roles = _taking_part({role: [mean.mean for mean in own] for role, own in means.items()})
    rows = [
        (point.name, *(plus_minus(means[r][k].mean, means[r][k].half_width, "", 2) for r in roles))
        for k, point in enumerate(points)
    ]
    return [TextTable(RECEIVED, ("Run", *(ROLES[r] for r in roles)), rows)]


def money_of_pairs(
    pairs: Mapping[tuple[str, str], Mapping[str, Difference]],
) -> list[TextTable]:
    """Return what each role received in runs less what it received in their counterfactuals.

    Parameters
    ----------
    pairs : mapping
        By run and counterfactual: differences by quantity.

    Returns
    -------
    list of TextTable
        None if no quantity is money by role.
    """
    found = {role: [pair.get(_key(role)) for pair in pairs.values()] for role in ROLES}
    changes = {role: [d.difference if d else None for d in own] for role, own in found.items()}
    roles = _taking_part(changes)
    if not roles:
        return []
    cells = [tuple(_cell(found[role][k]) for role in roles) for k in range(len(pairs))]
    headings = tuple(ROLES[role] for role in roles)
    return [pair_table(f"{RECEIVED}: ", list(pairs), headings, cells)]


def pair_table(
    title: str, pairs: Sequence[tuple[str, str]], headings: Sequence[str], cells: Sequence[Row]
) -> TextTable:
    """Return a table with a row per run and counterfactual.

    Parameters
    ----------
    title : str
        Its beginning; what is subtracted from what follows it.
    pairs : sequence of (str, str)
        What is the same in all of them stands in the title alone.
    headings : sequence of str
    cells : sequence of tuple of str
        By pair.
    """
    runs, lefts = (list(dict.fromkeys(names)) for names in zip(*pairs, strict=True))
    every = "each run" if title else "Each run"
    title += f"{runs[0] if len(runs) == 1 else every} less the same run "
    title += f"as {lefts[0]}" if len(lefts) == 1 else "with something left out"
    shown = [k for k, names in enumerate((runs, lefts)) if len(names) > 1] or [0]
    first = tuple(("Run", "against")[k] for k in shown)
    rows = [(*(pair[k] for k in shown), *own) for pair, own in zip(pairs, cells, strict=True)]
    return TextTable(title, (*first, *headings), rows)


def _key(role: str) -> str:
    return f"money_by_role_eur.{role}"


def _taking_part(values: Mapping[str, Sequence[float | None]]) -> list[str]:
    return [r for r, own in values.items() if any(abs(v or 0.0) >= _LEAST_EUR for v in own)]


def _cell(each: Difference | None) -> str:
    return number(None) if each is None else plus_minus(each.difference, each.half_width, "", 2)
