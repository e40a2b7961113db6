"""The one pass over a long run's days from which most of its indicators and report are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cosim.report.checks import grid_records
from cosim.report.costs import cost_sums, other_costs, payments_by_interval
from cosim.report.energy import power_of
from cosim.report.ledger import (
    base_fees,
    fees_of_settlement,
    gas_of_stretch,
    gas_sums,
    last_block,
    last_settling_block,
    paid_wei,
)
from cosim.report.off_plan import off_plan_wh
from cosim.report.outside import drawn_inside, members_of, readings_outside
from cosim.report.roles import drawn_wh, generating, payments_by_prosumer, readings_inside
from cosim.report.stretches import make_at_once
from cosim.report.subjects import subjects
from cosim.report.year import market_sums
from cosim.results.reader import Results

OF_EACH_STRETCH: tuple[Callable[[Results], Any], ...] = (
    # what reads all columns of a table before what reads some
    payments_by_prosumer,
    cost_sums,
    payments_by_interval,
    readings_inside,
    drawn_inside,
    fees_of_settlement,
    power_of,
    generating,
    drawn_wh,
    readings_outside,
    off_plan_wh,
    market_sums,
    paid_wei,
    gas_sums,
    gas_of_stretch,
    last_block,
    last_settling_block,
    grid_records,
)
"""Functions of a stretch that indicators and report of every run ask for."""


def read_in_one_pass(results: Results) -> None:
    """Make of each day of a long run what its indicators and its report will ask for.

    Its subjects add theirs (:attr:`cosim.plugins.reported.Reported.of_each_stretch`). Nothing is
    done the second time, nor of a short run.
    """
    if results.is_long:
        results.kept("one pass", lambda: _read(results))


def _read(results: Results) -> bool:
    # these are asked for by the functions, and pass over the days themselves
    members_of(results)
    other_costs(results)
    base_fees(results)
    own = [make for subject in subjects(results) for make in subject.of_each_stretch]
    make_at_once(results, [*OF_EACH_STRETCH, *own])
    return True
