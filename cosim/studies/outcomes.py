"""Outcomes of what a study expects, from the indicators of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cosim.report.comparison import Indicators
from cosim.studies.declaration import Study
from cosim.studies.expectations import Outcome, check_expectation
from cosim.studies.points import by_seed, mean_indicators, points_of
from cosim.studies.results import FinishedRun


def outcomes_of(study: Study, runs: Sequence[FinishedRun]) -> tuple[Outcome, ...]:
    """Return the outcome of every expectation; the name of a point stands for its mean."""
    found: dict[str, Indicators] = {run.name: run.indicators for run in runs}
    seeds: Sequence[Mapping[str, Indicators]] = ()
    if study.settings.seeds > 1:
        found |= mean_indicators(points_of(runs), study.settings.seeds)
        seeds = by_seed(runs)
    return tuple(check_expectation(each, found, seeds) for each in study.expectations)
