"""Counterfactuals: the same households, weather and seed with a part of the scenario left out.

A gain is a difference between two runs, and says which: a counterfactual is played like any other
run. It keeps everything but what its name says, also an attack, and mechanisms other than local
market and flexibility market.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.dso.instruments.base import Instrument
from cosim.errors import ScenarioError
from cosim.plugins import INSTRUMENTS
from cosim.scenario import Scenario
from cosim.studies.declaration import AS_GIVEN, Compared, StudyRun


@dataclass(frozen=True)
class Counterfactual:
    """A part of a scenario that is left out.

    Parameters
    ----------
    title : str
        In words.
    changes : callable
        Fields of the scenario that it replaces, by their dotted names.
    """

    title: str
    changes: Callable[[Scenario], dict[str, Any]]


def without(scenario: Scenario, counterfactual: str) -> Scenario:
    """Return the scenario of a counterfactual, under the same name.

    Parameters
    ----------
    scenario : Scenario
    counterfactual : str
        A key of :data:`COUNTERFACTUALS`.

    Raises
    ------
    ScenarioError
        If what is left is no scenario.
    """
    return scenario.replace(**COUNTERFACTUALS[counterfactual].changes(scenario))


def asks_for_flexibility(entry: str | Mapping[str, Any]) -> bool:
    """Return True for an instrument of a scenario that buys: one that awards offers."""
    name = entry if isinstance(entry, str) else str(entry["kind"])
    return INSTRUMENTS.load(name).award is not Instrument.award


def _no_flexibility(scenario: Scenario) -> dict[str, Any]:
    kept = [entry for entry in scenario.dso.instruments if not asks_for_flexibility(entry)]
    return {"dso.instruments": kept}


def _no_market(scenario: Scenario) -> dict[str, Any]:
    alone = [{"name": "supplier_only", "share": 1.0}]
    named = [
        own.model_dump(mode="json", exclude={"strategy"}, exclude_unset=True)
        for own in scenario.prosumers.named
    ]
    changes = {"prosumers.strategies": alone, "prosumers.named": named}
    return {**changes, **_no_flexibility(scenario)}


def _no_relief(scenario: Scenario) -> dict[str, Any]:
    return {"dso.procure": False}


COUNTERFACTUALS: Mapping[str, Counterfactual] = {
    "no_market": Counterfactual(
        "nobody trades and nobody sells flexibility; the DSO's other instruments stay", _no_market
    ),
    "no_flexibility": Counterfactual(
        "the local market without flexibility; the DSO's other instruments stay", _no_flexibility
    ),
    "no_relief": Counterfactual(
        "the local market with a DSO that does nothing: violations are recorded", _no_relief
    ),
}
"""By name, in the order in which they are compared."""


def with_counterfactuals(
    runs: Sequence[StudyRun],
    compared: Sequence[StudyRun],
    counterfactuals: Sequence[str],
    study: str,
    file: Path,
) -> tuple[list[StudyRun], list[Compared]]:
    """Add counterfactuals to the runs of a study.

    Parameters
    ----------
    runs : sequence of StudyRun
    compared : sequence of StudyRun
        Those of them that have counterfactuals.
    counterfactuals : sequence of str
        Keys of :data:`COUNTERFACTUALS`.
    study : str
        Its name, which those of the scenarios begin with.
    file : Path
        Named in errors.

    Returns
    -------
    list of StudyRun, list of Compared
        A counterfactual that equals a run of the study, or a counterfactual of another, is played
        once.

    Raises
    ------
    ScenarioError
        If a counterfactual is no scenario, or has the name of a run.
    """
    every = list(runs)
    names = {run.name for run in runs}
    known = {_content(run.scenario): run.name for run in reversed(runs)}
    comparisons = []
    for run in compared:
        for counterfactual in counterfactuals:
            name = counterfactual if run.name == AS_GIVEN else f"{counterfactual}_{run.name}"
            try:
                scenario = without(run.scenario, counterfactual).replace(name=f"{study}.{name}")
            except ScenarioError as error:
                raise ScenarioError(
                    f"{counterfactual} of run {run.name!r}: {error.problem}",
                    file=file,
                    field=error.field,
                    remedy="leave it out of study.compare, or change the scenario",
                ) from error
            content = _content(scenario)
            if content not in known:
                if name in names:
                    raise ScenarioError(
                        f"a run and a counterfactual would both be named {name!r}",
                        file=file,
                        field="study.compare",
                        remedy="name the variant otherwise",
                    )
                variant = "" if run.variant == AS_GIVEN else f"_{run.variant}"
                every.append(StudyRun(name, counterfactual + variant, run.values, scenario))
                names.add(name)
                known[content] = name
            comparisons.append(Compared(run.name, counterfactual, known[content]))
    return every, comparisons


def _content(scenario: Scenario) -> str:
    """Return what a scenario says, apart from its name."""
    return scenario.model_dump_json(exclude={"name"})
