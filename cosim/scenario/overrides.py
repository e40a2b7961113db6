"""Changes of a scenario's fields: mappings are merged, everything else is replaced."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cosim.errors import ScenarioError


def put(node: Any, path: Sequence[str], value: Any, file: str | Path | None, where: str) -> None:
    """Put a value at a path into nested fields.

    Parameters
    ----------
    node : dict or list
        Changed in place.
    path : sequence of str
        Names of fields; a number is a place in a list.
    value : object
        A mapping is merged into the fields that are there, unless it names another ``kind``. Its
        keys may be dotted. Everything else replaces what is there.
    file : str or Path or None
        Named in errors.
    where : str
        What asks for the change; named in errors.

    Raises
    ------
    ScenarioError
        If a place is not in its list.
    """
    key: Any = path[0]
    if isinstance(node, list):
        if not key.isdigit() or int(key) >= len(node):
            raise ScenarioError(
                f"{key!r} is no place in a list of {len(node)}",
                file=file,
                field=where,
                remedy="give a place counted from 0, or the whole list",
            )
        key = int(key)
    elif key not in node:
        node[key] = None
    if len(path) > 1:
        if not isinstance(node[key], dict | list):
            node[key] = {}
        put(node[key], path[1:], value, file, where)
    elif isinstance(value, Mapping):
        known = node[key]
        if not isinstance(known, dict) or ("kind" in known and _other_kind(known, value)):
            node[key] = {}
        for inner, own in value.items():
            put(node[key], str(inner).split("."), own, file, where)
    else:
        node[key] = copy.deepcopy(value)


def _other_kind(known: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    return bool(value.get("kind", known["kind"]) != known["kind"])
