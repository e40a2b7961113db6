"""Runs against their counterfactuals in words and numbers, for report and terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cosim.report.panel import TextTable
from cosim.report.text import number, plus_minus
from cosim.studies.counterfactuals import COUNTERFACTUALS
from cosim.studies.differences import DELIVERY_DIFFERS, SCHEDULE_DIFFERS, Difference
from cosim.studies.money_text import money_of_pairs, pair_table

NOT_PLAYED = (
    "The run without the market was not played, so no gain of the market is stated: name "
    "no_market in study.compare, or give --compare."
)

_MOST = 8
"""So many pairs of runs get a sentence each."""

_DELIVERED, _SCHEDULED = (f"violations.{s}.any.minutes" for s in ("delivered", "scheduled"))
_SHORT: tuple[tuple[str, str, int], ...] = (
    ("Welfare gain [EUR]", "welfare_eur", 2),
    ("Schedules differ [kWh]", SCHEDULE_DIFFERS, 1),
    ("Deliveries differ [kWh]", DELIVERY_DIFFERS, 1),
)

Pair = tuple[str, str]


def by_pair(found: Iterable[Difference]) -> dict[Pair, dict[str, Difference]]:
    """Return differences by run and counterfactual, then by quantity."""
    pairs: dict[Pair, dict[str, Difference]] = {}
    for each in found:
        pair = (each.compared.run, each.compared.counterfactual)
        pairs.setdefault(pair, {})[each.quantity.key] = each
    return pairs


def remaining_violations(found: Sequence[Difference]) -> list[str]:
    """Return what counterfactuals leave out, then for each pair what is violated and differs.

    Always a sentence on the run without the market: that it was not played, if so. Means over
    seeds are called so. More than :data:`_MOST` pairs stand in the table alone.
    """
    sentences = []
    pairs = by_pair(each for each in found if each.compared.counterfactual in COUNTERFACTUALS)
    for left_out in dict.fromkeys(counterfactual for _, counterfactual in pairs):
        sentences.append(f"{left_out}: {COUNTERFACTUALS[left_out].title}.")
    if len(pairs) <= _MOST:
        sentences += [_sentence(run, pair) for (run, _), pair in pairs.items()]
    if all(counterfactual != "no_market" for _, counterfactual in pairs):
        sentences.append(NOT_PLAYED)
    return sentences


def _sentence(run: str, pair: Mapping[str, Difference]) -> str:
    before, after = (pair[key] for key in (_SCHEDULED, _DELIVERED))
    return (
        f"{run} against {after.compared.against}: limits are violated in "
        f"{number(after.of_against, 'min', 0)} as delivered there, and in "
        f"{number(after.of_run, 'min', 0)} here; by schedules in "
        f"{number(before.of_against, 'min', 0)} and {number(before.of_run, 'min', 0)}. "
        f"Schedules of {_text(pair[SCHEDULE_DIFFERS], 'kWh')} and deliveries of "
        f"{_text(pair[DELIVERY_DIFFERS], 'kWh')} differ.{_means(after)}"
    )


def comparison_tables(found: Sequence[Difference]) -> list[TextTable]:
    """Return a row per pair of runs, their money by role, and for a single run every quantity.

    None without pairs.
    """
    pairs = by_pair(each for each in found if each.compared.counterfactual in COUNTERFACTUALS)
    if not pairs:
        return []
    headings = (*(heading for heading, _, _ in _SHORT), "Violated, delivered [min]")
    cells = [_short_cells(pair) for pair in pairs.values()]
    averaged = any(each.over_seeds for each in found)
    means = "Means over seeds, taken seed by seed, and half of their 95 % intervals: "
    short = pair_table(means if averaged else "", list(pairs), headings, cells)
    tables = [short, *money_of_pairs(pairs)]
    if len({run for run, _ in pairs}) == 1:
        tables.append(_every_quantity(pairs))
    return tables


def _short_cells(pair: Mapping[str, Difference]) -> tuple[str, ...]:
    delivered = pair[_DELIVERED]
    return (
        *(_text(pair.get(key), "", digits) for _, key, digits in _SHORT),
        f"{number(delivered.of_against, '', 0)} → {number(delivered.of_run, '', 0)}",
    )


def _text(each: Difference | None, unit: str, digits: int = 1) -> str:
    """Return a difference, with half of its interval where it is a mean."""
    if each is None:
        return number(None)
    return plus_minus(each.difference, each.half_width, unit, digits)


def _means(each: Difference) -> str:
    n = each.over_seeds.n if each.over_seeds else 0
    return f" Means of {n} seeds, and half of their 95 % intervals." if n else ""


def _every_quantity(pairs: Mapping[Pair, Mapping[str, Difference]]) -> TextTable:
    """Return a row per quantity: the run, and each counterfactual with the difference to it."""
    ((run, _), *_) = pairs
    against = [next(iter(pair.values())).compared.against for pair in pairs.values()]
    headings = ["Quantity", run, *against]
    rows = []
    quantities = {q.key: q for pair in pairs.values() for q in (d.quantity for d in pair.values())}
    for key, quantity in quantities.items():
        own = [pair.get(key) for pair in pairs.values()]
        values = [v for d in own if d for v in (d.of_run, d.of_against, d.difference)]
        if not any(values):
            continue  # nothing of the kind in any run
        first = next(d for d in own if d is not None)
        unit = f" [{quantity.unit}]" if quantity.unit else ""
        row = [quantity.title + unit, number(first.of_run, "", quantity.digits)]
        row += [_with_difference(each, quantity.digits) for each in own]
        rows.append(tuple(row))
    title = f"{run}, quantity by quantity; in parentheses: {run} less the run of the column"
    return TextTable(title, tuple(headings), rows)


def _with_difference(one: Difference | None, digits: int) -> str:
    """A counterfactual's value with the difference to it; the latter alone where it is all."""
    if one is None:
        return "—"
    difference = f"({_text(one, '', digits)})"
    if one.of_against is None or one.of_against != one.of_against:
        return difference
    return f"{number(one.of_against, '', digits)} {difference}"
