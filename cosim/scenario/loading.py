"""From a scenario file to a scenario, with errors that name the field and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from cosim.errors import ScenarioError
from cosim.scenario.root import Scenario


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file.

    Parameters
    ----------
    path : str or Path
        A YAML file.

    Raises
    ------
    ScenarioError
        If the file is missing, is not YAML, or does not describe a scenario; names the field and,
        for an unknown one, the nearest known name.
    """
    return scenario_of(read_fields(path), path)


def read_fields(path: str | Path) -> dict[str, Any]:
    """Read the fields of a scenario file, of which nothing is checked but that it is a mapping.

    Raises
    ------
    ScenarioError
        If the file is missing, is not YAML, or is no mapping.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(
            f"cannot be read: {error.strerror}",
            file=file,
            remedy="give the path of a scenario file, e.g. scenarios/quickstart.yaml",
        ) from error
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"is not YAML: {error}", file=file, remedy="mend the YAML") from error
    if not isinstance(data, dict):
        raise ScenarioError(
            "holds no mapping of fields", file=file, remedy="start from scenarios/quickstart.yaml"
        )
    return data


def scenario_of(fields: Mapping[str, Any], file: str | Path) -> Scenario:
    """The scenario that fields describe.

    Parameters
    ----------
    fields : mapping
        As :func:`read_fields` gives them, perhaps changed since.
    file : str or Path
        Where they come from; named in errors.

    Raises
    ------
    ScenarioError
        If they do not describe a scenario; names the file and the field.
    """
    try:
        return Scenario.model_validate(fields)
    except ValidationError as error:
        raise explained(error, Path(file), Scenario) from error


def json_schema() -> dict[str, Any]:
    """JSON schema of a scenario file, for editors."""
    return Scenario.model_json_schema()


def explained(error: ValidationError, file: Path, model: type[BaseModel]) -> ScenarioError:
    """The first of a validation's errors, as a user can mend it.

    Parameters
    ----------
    error : ValidationError
        Of the model.
    file : Path
        Named in the error.
    model : type of BaseModel
        What was validated; its known fields are offered where one is unknown.
    """
    first = error.errors()[0]
    location = tuple(first["loc"])
    field = ".".join(str(part) for part in _without_kinds(model, location))
    remedy = None
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        problem = "unknown field"
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        remedy = (
            f"did you mean '{near[0]}'? (a field's unit is the end of its name)"
            if near
            else f"known fields here: {', '.join(known)}"
        )
    elif first["type"].startswith("union_tag"):
        known = [str(kind) for kind in _kinds(_models_on(model, location)[-1])]
        problem = "kind is missing" if first["type"] == "union_tag_not_found" else "unknown kind"
        field, remedy = f"{field}.kind", f"known kinds: {', '.join(known)}"
    elif first["type"] == "missing":
        problem = "missing"
        remedy = "add it; see docs/scenarios.md"
    else:
        given = first.get("input")
        if isinstance(given, str | int | float | bool):
            problem = f"{problem} (given: {given!r})"
        remedy = "give a value in the unit that the field's name ends with, within its range"
        if first["type"] == "value_error":
            remedy = "change one of the fields named"
    others = len(error.errors()) - 1
    if others:
        problem += f" (and {others} more problem{'s' if others > 1 else ''} in this file)"
    return ScenarioError(problem, file=file, field=field or "(top level)", remedy=remedy)


def _fields_at(root: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Names of the known fields of the model at a location in a file."""
    models = _models_on(root, location)[-1]
    return sorted({name for model in models for name in model.model_fields})


def _without_kinds(root: type[BaseModel], location: tuple[str | int, ...]) -> list[str | int]:
    """A location without the kind by which one of several models was chosen for a section."""
    before = _models_on(root, location[:-1]) if location else []
    return [
        part
        for part, models in zip(location, before, strict=True)
        if not (len(models) > 1 and part in _kinds(models))
    ]


def _models_on(root: type[BaseModel], location: tuple[str | int, ...]) -> list[tuple[Any, ...]]:
    """Models that may stand before each part of a location, and after its last one."""
    models: tuple[Any, ...] = (root,)
    passed = [models]
    for part in location:
        if len(models) > 1 and part in _kinds(models):
            models = (_kinds(models)[part],)
        elif not isinstance(part, int):
            fields = [model.model_fields[part] for model in models if part in model.model_fields]
            models = tuple(
                candidate
                for field in fields
                for candidate in (field.annotation, *getattr(field.annotation, "__args__", ()))
                if isinstance(candidate, type) and issubclass(candidate, BaseModel)
            )
        passed.append(models)
    return passed


def _kinds(models: tuple[Any, ...]) -> dict[Any, Any]:
    """Models of a section by the kind that each stands for."""
    return {model.model_fields["kind"].annotation.__args__[0]: model for model in models}
