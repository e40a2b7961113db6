"""Runs of a study with several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cosim.errors import ScenarioError
from cosim.seeds import replication_seed
from cosim.studies.declaration import Compared, Replication, StudyRun

_SEED = "seed"
"""The field of a scenario."""


def with_seeds(
    runs: Sequence[StudyRun], comparisons: Sequence[Compared], n: int, study: str, file: Path
) -> tuple[list[StudyRun], list[Compared]]:
    """Return every run and every comparison with so many seeds.

    Parameters
    ----------
    runs : sequence of StudyRun
    comparisons : sequence of Compared
    n : int
        1 leaves everything as it is.
    study : str
        Its name, which those of the scenarios begin with.
    file : Path
        Named in errors.

    Returns
    -------
    list of StudyRun, list of Compared
        ``<run>_seed-1``, which has the scenario's own seed, to ``<run>_seed-<n>``. All runs with
        the same number have the same seed, so that a comparison is made seed by seed.

    Raises
    ------
    ScenarioError
        If a run has a seed of its own, or the name of another.
    """
    if n == 1:
        return list(runs), list(comparisons)
    own = [run for run in runs if run.scenario.seed != runs[0].scenario.seed or _SEED in run.values]
    if own:
        raise ScenarioError(
            f"run {own[0].name!r} has a seed of its own, and runs are compared seed by seed",
            file=file,
            field="study.seeds",
            remedy="leave 'seed' out of variants and axes, or leave study.seeds out",
        )
    points = {run.name for run in runs}
    every = []
    for run in runs:
        for number in range(1, n + 1):
            name = _name(run.name, number)
            if name in points:
                raise ScenarioError(
                    f"a run and a seed of run {run.name!r} would both be named {name!r}",
                    file=file,
                    field="study.seeds",
                    remedy="name the variant otherwise",
                )
            seed = replication_seed(run.scenario.seed, number)
            scenario = run.scenario.replace(name=f"{study}.{name}", seed=seed)
            replication = Replication(run.name, number, seed)
            every.append(replace(run, name=name, scenario=scenario, replication=replication))
    return every, [
        Compared(_name(pair.run, number), pair.counterfactual, _name(pair.against, number))
        for pair in comparisons
        for number in range(1, n + 1)
    ]


def _name(point: str, number: int) -> str:
    return f"{point}_seed-{number}"
