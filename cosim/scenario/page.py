"""The page docs/scenarios.md, made from the scenario models so that it cannot go stale.

Every installed plug-in's section is on it; the page that ships has those that ship.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cosim.plugins import MECHANISMS
from cosim.scenario import Scenario

_HEAD = """# Scenario files

A scenario is one YAML file. Unknown fields are refused, with the nearest known name; a field's unit
is the end of its name. `results/<name>/scenario.yaml` repeats a run's scenario with every default
written out, and `cosim schema` prints the JSON schema for editors. This page is made by
`cosim schema --markdown`.

What readers of YAML read differently is refused with its line: a key given twice, `010` (octal in
YAML 1.1), `1:30` (sexagesimal), `0x10`, `1_0`, `yes`, `no`, `on` and `off`. Write numbers in plain
decimal digits (`1_700_000` and `1e-6` are fine), `true` and `false`, and put a text that looks like
one of these in quotes. `time.start` is an ISO 8601 date and time, with a UTC offset if the times of
the profiles have one and without if they have none ([grids](grids.md#profilesparquet)).
"""


def markdown(shipped_only: bool = False) -> str:
    """Return the page: one table per section, one row per field.

    Parameters
    ----------
    shipped_only : bool
        Leave out sections of plug-ins that other packages declare.
    """
    owners = {name: MECHANISMS.package(name) for name in MECHANISMS.names}
    foreign = {name: owner for name, owner in owners.items() if owner != "cosim"}
    parts = [_HEAD]
    for path, model in _sections("", Scenario):
        package = foreign.get(path.split(".")[0].removesuffix("[]"))
        if package and shipped_only:
            continue
        title = f"`{path}`" if path else "Top level"
        if path and (kind := model.model_fields.get("kind")) is not None:
            title += f" of kind {_type_name(kind.annotation)}"
        if package:
            title += f" (package {package})"
        parts.append(f"\n## {title}\n\n{_first_line(model)}\n\n")
        parts.append("| field | type | default | meaning |\n|---|---|---|---|\n")
        for name, field in model.model_fields.items():
            if not path and shipped_only and name in foreign:
                continue
            cells = (f"`{name}`", _type(field), _default(field), field.description or "")
            parts.append("| " + " | ".join(cells) + " |\n")
    return "".join(parts)


def _sections(
    path: str, model: type[BaseModel], known: set[type[BaseModel]] | None = None
) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield sections with their paths; of those in place of a number, the first of each only."""
    known = set() if known is None else known
    yield path, model
    for name, field in model.model_fields.items():
        for inner, many in _models(field.annotation):
            if _in_place_of_number(field.annotation):
                if inner in known:
                    continue
                known.add(inner)
            yield from _sections(
                f"{path}.{name}".lstrip(".") + ("[]" if many else ""), inner, known
            )


def _models(annotation: Any, many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    elif typing.get_origin(annotation) is tuple:
        for inner in typing.get_args(annotation):
            yield from _models(inner, True)
    elif _is_union(annotation):
        for inner in typing.get_args(annotation):
            yield from _models(inner, many)


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (types.UnionType, typing.Union)


def _in_place_of_number(annotation: Any) -> bool:
    """Tell if a field takes a number or sections that stand for one."""
    return _is_union(annotation) and any(
        (typing.get_args(inner) or (inner,))[0] is float for inner in typing.get_args(annotation)
    )


def _type(field: FieldInfo) -> str:
    annotation = field.annotation
    if any(True for _ in _models(annotation)) and _in_place_of_number(annotation):
        return "number or section"
    if any(True for _ in _models(annotation)):
        if typing.get_origin(annotation) is tuple:
            return "list of sections"
        return "optional section" if _is_union(annotation) else "section"
    return _type_name(annotation).replace("|", "or") + _range(field)


def _type_name(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(annotation))
    if origin is typing.Annotated:
        return _type_name(typing.get_args(annotation)[0])
    if _is_union(annotation):
        return " or ".join(
            _type_name(inner) for inner in typing.get_args(annotation) if inner is not type(None)
        )
    if origin is dict:
        return "mapping"
    if origin is tuple:
        return f"list, each {_type_name(typing.get_args(annotation)[0])}"
    name = str(getattr(annotation, "__name__", annotation))
    plain = {
        "str": "text",
        "int": "integer",
        "float": "number",
        "bool": "true or false",
        "Any": "any value",
    }
    return plain.get(name, name)


def _range(field: FieldInfo) -> str:
    signs = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
    bounds = [
        f"{sign} {getattr(item, key):g}"
        for item in field.metadata
        for key, sign in signs
        if getattr(item, key, None) is not None
    ]
    return f", {', '.join(bounds)}" if bounds else ""


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "**required**" if field.is_required() else "none"
    if any(True for _ in _models(field.annotation)):
        if isinstance(field.default, float):
            return f"`{field.default}`"
        return "none" if field.default is None else ""
    if field.default is None or field.default == "":
        return "none"
    shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"`{shown}`"


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
