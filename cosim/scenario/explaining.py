"""Errors of a validation as a user can mend them: the field, the problem and the remedy."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cosim.errors import ScenarioError


def explained(
    error: ValidationError, file: str | Path | None, model: type[BaseModel]
) -> ScenarioError:
    """Return the first of a validation's errors, as a user can mend it.

    Parameters
    ----------
    error : ValidationError
        Of the model.
    file : str or Path or None
        Named in the error; None where the fields come from no file.
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
        where = " in this file" if file else ""
        problem += f" (and {others} more problem{'s' if others > 1 else ''}{where})"
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
