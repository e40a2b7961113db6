"""Errors of a validation as a user can mend them: the field, the problem and the remedy."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cosim.errors import ScenarioError

_BRANCH = re.compile(r"(literal|function-\w+|tagged-union|nullable|constrained-\w+|tuple|list)\[")
"""Part of a location by which pydantic tells the types of a union apart."""
_NUMBERS = {"float", "int", "str", "bool"}
_TOLD = re.compile(r"([a-z]\w*)((?:\.\w+)*): (.+)", re.DOTALL)
"""A problem that begins with the dotted path of its field."""

UNKNOWN_FIELD, UNKNOWN_KIND, NO_KIND = "unknown field", "unknown kind", "kind is missing"


def explained(
    error: ValidationError, file: str | Path | None, model: type[BaseModel]
) -> ScenarioError:
    """Return a validation's errors as a user can mend them: the first with its remedy, then all.

    Parameters
    ----------
    error : ValidationError
        Of the model.
    file : str or Path or None
        Named in the error; None where the fields come from no file.
    model : type of BaseModel
        What was validated; its known fields are offered where one is unknown.
    """
    found: dict[str, tuple[str, str]] = {}
    for one in sorted(error.errors(), key=lambda each: _is_branch(each["loc"])):
        field, problem, remedy = _explained(one, model)
        # the types of a union each say what is wrong; what is wrong within a section says more
        if field not in found and not any(named.startswith(f"{field}.") for named in found):
            found[field] = problem, remedy
    (field, (problem, remedy)), *rest = found.items()
    if rest:
        where = " in this file" if file else ""
        problem += f" (and {len(rest)} more problem{'s' if len(rest) > 1 else ''}{where})"
        problem += "".join(
            f"\n  also field {name}: {more}{_named_remedy(more, said)}"
            for name, (more, said) in rest
        )
    return ScenarioError(problem, file=file, field=field, remedy=remedy)


def _named_remedy(problem: str, remedy: str) -> str:
    """Return the remedy of a further problem where it names names; others say what is general."""
    return f"; {remedy}" if problem in (UNKNOWN_FIELD, UNKNOWN_KIND, NO_KIND) else ""


def _explained(one: Any, model: type[BaseModel]) -> tuple[str, str, str]:
    """Return field, problem and remedy of one error of a validation."""
    location = tuple(one["loc"])
    field = ".".join(str(part) for part in _without_kinds(model, location)) or "(top level)"
    problem = one["msg"].removeprefix("Value error, ")
    told = _TOLD.match(problem) if one["type"] == "value_error" else None
    if told and told[1] in _fields_at(model, location):  # a check of several, about this one
        field = ".".join((field, told[1] + told[2]) if location else (told[1] + told[2],))
        problem = told[3]
    if one["type"] == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        remedy = (
            f"did you mean '{near[0]}'? (a field's unit is the end of its name)"
            if near
            else f"known fields here: {', '.join(known)}"
        )
        return field, UNKNOWN_FIELD, remedy
    if one["type"].startswith("union_tag"):
        known = [str(kind) for kind in _kinds(_models_on(model, location)[-1])]
        problem = NO_KIND if one["type"] == "union_tag_not_found" else UNKNOWN_KIND
        return f"{field}.kind", problem, f"known kinds: {', '.join(known)}"
    if one["type"] == "missing":
        return field, "missing", "add it; see docs/scenarios.md"
    if one["type"] == "model_type":
        problem = "is no section of fields"
    given = one.get("input")
    if isinstance(given, str | int | float | bool):
        problem = f"{problem} (given: {given!r})"
    if one["type"] == "value_error":
        return field, problem, "change one of the fields named"
    return (
        field,
        problem,
        "give a value in the unit that the field's name ends with, within its range",
    )


def _is_branch(location: tuple[str | int, ...]) -> bool:
    """Return True for an error of a type of a union that holds no section."""
    last = location[-1] if location else ""
    return isinstance(last, str) and (bool(_BRANCH.match(last)) or last in _NUMBERS)


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
        if not (_names_model(part, models) or _is_branch((part,)))
    ]


def _names_model(part: str | int, models: tuple[Any, ...]) -> bool:
    """Return True for the kind, or the class, by which one of several models was chosen."""
    if len(models) > 1 and part in _kinds(models):
        return True
    return part in {model.__name__ for model in models}


def _models_on(root: type[BaseModel], location: tuple[str | int, ...]) -> list[tuple[Any, ...]]:
    """Models that may stand before each part of a location, and after its last one."""
    models: tuple[Any, ...] = (root,)
    passed = [models]
    for part in location:
        chosen = [model for model in models if model.__name__ == part]
        if len(models) > 1 and part in _kinds(models):
            models = (_kinds(models)[part],)
        elif chosen:
            models = tuple(chosen)
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
    return {
        model.model_fields["kind"].annotation.__args__[0]: model
        for model in models
        if "kind" in model.model_fields
    }
