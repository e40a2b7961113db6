"""From a file to a campaign: every run validated and named by the hash of its inputs.

A point's fields are those of the file with its values put in by dotted path, as in a study
(:mod:`cosim.studies.study`); the result is an ordinary scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cosim.campaigns.declaration import (
    Campaign,
    CampaignRun,
    CampaignSettings,
    Point,
    settings_of,
)
from cosim.campaigns.designs import points_of
from cosim.errors import ScenarioError
from cosim.report.indicators import known_indicators
from cosim.runs.input_hash import input_hash
from cosim.scenario import Scenario, read_fields, scenario_of
from cosim.scenario.loading import CAMPAIGN, STUDY
from cosim.seeds import replication_seed
from cosim.studies.declaration import ImpossibleRun, Study
from cosim.studies.expectations import nearest
from cosim.studies.study import merged, plain, study_of, value_text

SHOWN = (
    "mean_cost_eur",
    "welfare_eur",
    "curtailed_injection_kwh",
    "violations.delivered.any.minutes",
)
"""Indicators that report and terminal show where a campaign names none."""
_SEED = "seed"
_UNKNOWN = "unknown field"
"""A field that does not exist makes no point impossible: it is a mistake."""
_HASH_IN_NAME = 12


Hash = Callable[[Scenario], str]


def load_campaign(
    path: str | Path,
    overrides: Mapping[str, Any] | None = None,
    hash_of: Hash = input_hash,
) -> Campaign:
    """Read a campaign and work out its runs.

    Parameters
    ----------
    path : str or Path
        A scenario file with a section ``campaign``, or one with a section ``study``, of which
        every run is one.
    overrides : mapping, optional
        Put into every run last, for options of the command line.
    hash_of : callable
        Names a run by its scenario; default: the hash of its inputs.

    Raises
    ------
    ScenarioError
        If the file, a factor or a point cannot be used; names the file, the field and the point.
    GridDataError
        If a grid is not there.
    """
    file = Path(path)
    fields, text = read_fields(file), file.read_text("utf-8")
    both = [name for name in (CAMPAIGN, STUDY) if name in fields]
    if len(both) != 1:
        raise ScenarioError(
            "has a section campaign and a section study"
            if both
            else "has no section campaign, so there is nothing to sweep",
            file=file,
            field=CAMPAIGN,
            remedy="leave one out"
            if both
            else "add campaign.vary with fields and their values; see docs/campaigns.md",
        )
    if STUDY in fields:
        return _of_study(study_of(fields, file, text, overrides), hash_of)
    base = dict(fields)
    settings = settings_of(base.pop(CAMPAIGN), file)
    _indicators_known(settings, file)
    factors, points = points_of(settings, file)
    name = str(base.get("name", file.stem))
    runs: list[CampaignRun] = []
    impossible: list[ImpossibleRun] = []
    for point in points:
        try:
            scenario = _scenario(base, name, point, overrides, file)
        except ScenarioError as error:
            if not settings.skip_impossible or error.problem.startswith(_UNKNOWN):
                raise ScenarioError(
                    f"point {point.index} ({_words(point)}): {error.problem}",
                    file=file,
                    field=error.field,
                    remedy=error.remedy,
                ) from error
            known = error.field is not None and error.field != "(top level)"
            reason = f"{error.field}: {error.problem}" if known else error.problem
            impossible.append(ImpossibleRun(str(point.index), "", point.values, reason))
            continue
        runs += _with_seeds(scenario, name, point, settings.seeds, file, hash_of)
    if not runs:
        raise ScenarioError(
            f"no point is a scenario; the first: {impossible[0].reason}",
            file=file,
            field=f"{CAMPAIGN}.vary",
            remedy="change a value or the scenario",
        )
    return Campaign(
        name=name,
        description=str(base.get("description", "")),
        file=file,
        text=text,
        design=settings.design,
        factors=factors,
        seeds=settings.seeds,
        indicators=settings.indicators or SHOWN,
        runs=tuple(runs),
        impossible=tuple(impossible),
    )


def _scenario(
    base: Mapping[str, Any],
    name: str,
    point: Point,
    overrides: Mapping[str, Any] | None,
    file: Path,
) -> Scenario:
    changes = [(own, where) for where, own in point.overrides]
    changes.append((dict(overrides or {}), "(command line)"))
    return scenario_of(merged(base, f"point-{point.index}", name, changes, file), file)


def run_name(campaign: str, run_hash: str) -> str:
    """Return the name of a run's scenario."""
    return f"{campaign}.{run_hash[:_HASH_IN_NAME]}"


def _with_seeds(
    scenario: Scenario, name: str, point: Point, n: int, file: Path, hash_of: Hash
) -> Iterator[CampaignRun]:
    """Yield a point's runs, one per seed; all points have the same seeds."""
    swept = {key for _, own in point.overrides for key in own}
    if n > 1 and _SEED in swept:
        raise ScenarioError(
            f"point {point.index} has a seed of its own, and points are compared seed by seed",
            file=file,
            field=f"{CAMPAIGN}.seeds",
            remedy="leave 'seed' out of campaign.vary, or campaign.seeds out",
        )
    values = {key: plain(value) for key, value in point.values.items()}
    for number in range(1, n + 1):
        seed = replication_seed(scenario.seed, number)
        own = scenario if number == 1 else scenario.model_copy(update={_SEED: seed})
        found = hash_of(own)
        named = own.model_copy(update={"name": run_name(name, found)})
        yield CampaignRun(found, point.index, values, number, named)


def _of_study(study: Study, hash_of: Hash) -> Campaign:
    """Return a study as a campaign: its variants, axes, counterfactuals and seeds."""
    points: dict[str, int] = {}
    runs = []
    for run in study.runs:
        found = hash_of(run.scenario)
        named = run.scenario.model_copy(update={"name": run_name(study.name, found)})
        index = points.setdefault(run.point, len(points))
        number = run.replication.number if run.replication else 1
        values = {"variant": run.variant or run.point, **run.values}
        runs.append(CampaignRun(found, index, values, number, named))
    return Campaign(
        name=study.name,
        description=study.description,
        file=study.file,
        text=study.text,
        design=STUDY,
        factors=(),
        seeds=study.settings.seeds,
        indicators=SHOWN,
        runs=tuple(runs),
        impossible=study.impossible,
    )


def _indicators_known(settings: CampaignSettings, file: Path) -> None:
    """Refuse an indicator that no run has; what stands below it is known after the run only."""
    known = list(known_indicators())
    for k, name in enumerate(settings.indicators):
        first = name.split(".")[0]
        if first not in known:
            raise ScenarioError(
                f"unknown indicator {first!r}: {nearest(first, known)}",
                file=file,
                field=f"{CAMPAIGN}.indicators.{k}",
                remedy="name one of docs/results.md",
            )


def _words(point: Point) -> str:
    return ", ".join(f"{name} {value_text(plain(value))}" for name, value in point.values.items())
