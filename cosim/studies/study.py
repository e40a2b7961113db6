"""Section ``study`` of a scenario file, and the runs that it stands for.

A run's fields are those of the file with the overrides of its variant and its values on the axes
put in: mappings are merged, everything else is replaced. Keys may be dotted, and a number in a
dotted key is a place in a list. The result is an ordinary scenario, validated as one.
"""

from __future__ import annotations

import copy
import datetime
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cosim.errors import ScenarioError
from cosim.report.indicators import known_indicators
from cosim.scenario import read_fields, scenario_of
from cosim.scenario.explaining import explained
from cosim.scenario.loading import SECTIONS, STUDY
from cosim.scenario.overrides import put
from cosim.settings import Model
from cosim.studies.counterfactuals import COUNTERFACTUALS, with_counterfactuals
from cosim.studies.declaration import (
    AS_GIVEN,
    CENTRAL_OPTIMUM,
    ImpossibleRun,
    Study,
    StudyRun,
    StudySettings,
)
from cosim.studies.expectations import Expectation, nearest, parse_expectation
from cosim.studies.seeding import with_seeds

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class _File(Model):
    """The part of a file that is no scenario; only its errors are looked at."""

    study: StudySettings


def is_study(path: str | Path) -> bool:
    """Return True for a scenario file that is a study.

    Raises
    ------
    ScenarioError
        If it cannot be read.
    """
    return STUDY in read_fields(path)


def load_study(
    path: str | Path,
    overrides: Mapping[str, Any] | None = None,
    compare: Sequence[str] | None = None,
) -> Study:
    """Read a study and work out its runs.

    Parameters
    ----------
    path : str or Path
        A scenario file with a section ``study``.
    overrides : mapping, optional
        Put into every run last, for options of the command line.
    compare : sequence of str, optional
        Counterfactuals, instead of those of ``study.compare``. A file without a section ``study``
        is then one run with its counterfactuals.

    Raises
    ------
    ScenarioError
        If the file, a variant, an axis or an expectation cannot be used; names the file, the field
        and the run. A combination that is no scenario is one unless ``study.skip_impossible``.
    """
    file = Path(path)
    return study_of(read_fields(file), file, file.read_text("utf-8"), overrides, compare)


def study_of(
    fields: Mapping[str, Any],
    file: Path,
    text: str,
    overrides: Mapping[str, Any] | None = None,
    compare: Sequence[str] | None = None,
) -> Study:
    """Return the study that fields describe.

    Parameters
    ----------
    fields : mapping
        As a file has them.
    file : Path
        Where they come from; named in errors.
    text : str
        The same as YAML, kept with the results.
    overrides, compare
        As of :func:`load_study`.

    Raises
    ------
    ScenarioError
        As :func:`load_study`.
    """
    base = dict(fields)
    section = base.pop(STUDY, {} if compare else None)
    if compare is not None and isinstance(section, Mapping):
        section = {**section, "compare": list(compare), "compare_variants": []}
        text = yaml.safe_dump({**yaml.safe_load(text), STUDY: section}, sort_keys=False)
    settings = _settings(section, file)
    combinations = _combinations(settings, file)
    runs: list[StudyRun] = []
    impossible: list[ImpossibleRun] = []
    name = str(base.get("name", file.stem))
    for run, variant, values in combinations:
        changes = [(settings.variants.get(variant) or {}, f"study.variants.{variant}")]
        changes += [({field: value}, f"study.axes.{field}") for field, value in values.items()]
        changes.append((dict(overrides or {}), "(command line)"))
        try:
            scenario = scenario_of(merged(base, run, name, changes, file), file)
        except ScenarioError as error:
            if not settings.skip_impossible or variant == run:
                raise _in_run(run, error, file) from error
            impossible.append(ImpossibleRun(run, variant, values, _reason(error)))
            continue
        runs.append(StudyRun(run, variant, values, scenario))
    if not runs:
        raise ScenarioError(
            f"no combination is a scenario; the first: {impossible[0].reason}",
            file=file,
            field="study.axes",
            remedy="change a value or the scenario",
        )
    compared = [run for run in runs if settings.compares(run.variant)]
    measured = {run.name for run in compared} if CENTRAL_OPTIMUM in settings.compare else set()
    for one in compared if measured else ():
        if one.scenario.simulators:
            raise ScenarioError(
                f"run {one.name!r}: devices of another simulator are not known, so there is no "
                f"{CENTRAL_OPTIMUM}",
                file=file,
                field="simulators",
                remedy=f"leave it out of study.compare: name {', '.join(COUNTERFACTUALS)} there",
            )
    played = [each for each in settings.compare if each != CENTRAL_OPTIMUM]
    runs, comparisons = with_counterfactuals(runs, compared, played, name, file)
    runs, comparisons = with_seeds(runs, comparisons, settings.seeds, name, file)
    return Study(
        name=name,
        description=str(base.get("description", "")),
        file=file,
        text=text,
        settings=settings,
        runs=tuple(runs),
        impossible=tuple(impossible),
        expectations=_expectations(settings, runs, impossible, file),
        comparisons=tuple(comparisons),
        measured=tuple(run for run in runs if run.point in measured),
    )


def axis_labels(fields: Sequence[str]) -> dict[str, str]:
    """Return short names of axes: the last part of the field, or all where that is ambiguous."""
    last = [field.rsplit(".", 1)[-1] for field in fields]
    return {
        field: short if last.count(short) == 1 else field.replace(".", "_")
        for field, short in zip(fields, last, strict=True)
    }


def value_text(value: Any) -> str:
    """Return a value on an axis as one word or JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | str) else json.dumps(value)


def _settings(data: Any, file: Path) -> StudySettings:
    try:
        settings = _File.model_validate({STUDY: data}).study
    except ValidationError as error:
        raise explained(error, file, _File) from error
    varied = settings.variants or settings.axes or settings.compare
    if not varied and settings.seeds == 1:
        raise ScenarioError(
            "names neither variants, axes, counterfactuals nor seeds, so there is nothing to "
            "compare",
            file=file,
            field=STUDY,
            remedy="add study.variants, study.axes, study.compare or study.seeds; see "
            "docs/studies.md",
        )
    for k, variant in enumerate(settings.compare_variants):
        if variant not in settings.variants:
            raise ScenarioError(
                f"{variant!r} is no variant of this study",
                file=file,
                field=f"study.compare_variants.{k}",
                remedy=f"name some of: {', '.join(settings.variants) or '(no variants)'}",
            )
    for variant in settings.variants:
        if not _NAME.fullmatch(variant):
            raise ScenarioError(
                "a variant's name has letters, digits, _ and - only",
                file=file,
                field=f"study.variants.{variant}",
                remedy="name it otherwise: the name is a folder, and stands in expectations",
            )
    return settings


def _combinations(settings: StudySettings, file: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Return name, variant and values on the axes of every run."""
    labels = axis_labels(tuple(settings.axes))
    axes = [
        [
            (field, value, f"{labels[field]}-{_word(plain(value), k)}")
            for k, value in enumerate(values)
        ]
        for field, values in settings.axes.items()
    ]
    found = []
    for variant, *points in itertools.product(settings.variants or ("",), *axes):
        parts = [*([str(variant)] if variant else []), *(word for _, _, word in points)]
        values = {field: plain(value) for field, value, _ in points}
        if not variant and (settings.compare or not parts):
            found.append(("_".join(parts) or AS_GIVEN, AS_GIVEN, values))
        else:
            found.append(("_".join(parts), str(variant), values))
    names = [name for name, _, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise ScenarioError(
                f"two runs would be named {name!r}",
                file=file,
                field="study.axes",
                remedy="give every value of an axis once",
            )
    return found


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: YAML also has times, which become text."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(own) for key, own in value.items()}
    return [plain(own) for own in value] if isinstance(value, list | tuple) else value


def _word(value: Any, place: int) -> str:
    """Return a value as part of a folder's name; what is no single word is counted."""
    text = value_text(value)
    if isinstance(value, Mapping | list | tuple) or value is None:
        return str(place + 1)
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-") or str(place + 1)


def merged(
    base: Mapping[str, Any],
    run: str,
    name: str,
    changes: Sequence[tuple[Mapping[str, Any], str]],
    file: Path,
) -> dict[str, Any]:
    """Return the fields of one run.

    Parameters
    ----------
    base : mapping
        Fields of the file.
    run, name : str
        Of the run, and of the study or campaign.
    changes : sequence of (mapping, str)
        Fields by dotted path, and what in the file asks for them.
    file : Path
        Named in errors.

    Raises
    ------
    ScenarioError
        If a change is of the name or of the section itself, or its place is not there.
    """
    fields = copy.deepcopy(dict(base))
    for overrides, where in changes:
        for key, value in overrides.items():
            if key == "name" or key.split(".")[0] in SECTIONS:
                raise ScenarioError(
                    f"a run cannot change {key!r}",
                    file=file,
                    field=where,
                    remedy="leave it out: runs are named after their variant and axes",
                )
            put(fields, key.split("."), value, file, where)
    fields["name"] = f"{name}.{run}"
    return fields


def _in_run(run: str, error: ScenarioError, file: Path) -> ScenarioError:
    return ScenarioError(
        f"run {run!r}: {error.problem}", file=file, field=error.field, remedy=error.remedy
    )


def _reason(error: ScenarioError) -> str:
    known = error.field is not None and error.field != "(top level)"
    return f"{error.field}: {error.problem}" if known else error.problem


def _expectations(
    settings: StudySettings,
    runs: Sequence[StudyRun],
    impossible: Sequence[ImpossibleRun],
    file: Path,
) -> tuple[Expectation, ...]:
    names = [*dict.fromkeys([run.point for run in runs] + [run.name for run in runs])]
    left_out = {run.name: run.reason for run in impossible}
    found = []
    for k, text in enumerate(settings.expect):
        try:
            expectation = parse_expectation(text, (*names, *left_out))
            _indicators_known(expectation)
        except ValueError as error:
            raise ScenarioError(
                f"{text!r}: {error}",
                file=file,
                field=f"study.expect.{k}",
                remedy="write e.g. 'attacked.cost_eur < honest.cost_eur'; see docs/studies.md",
            ) from error
        for reference in expectation.references:
            if reference.run in left_out:
                raise ScenarioError(
                    f"{text!r}: run {reference.run!r} is impossible: {left_out[reference.run]}",
                    file=file,
                    field=f"study.expect.{k}",
                    remedy="expect something of a run that can be made",
                )
        found.append(expectation)
    return tuple(found)


def _indicators_known(expectation: Expectation) -> None:
    """Refuse an indicator that no run has; what stands below it is known after the run only."""
    known = list(known_indicators())
    for reference in expectation.references:
        first = reference.indicator.split(".")[0]
        if first not in known:
            raise ValueError(f"unknown indicator {first!r}: {nearest(first, known)}")
