"""JSON of files from elsewhere: endless nesting and keys that stand twice are refused."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from pydantic import TypeAdapter, ValidationError

_JSON: TypeAdapter[Any] = TypeAdapter(Any)


class DuplicateKeyError(ValueError):
    """An object that has a key twice: readers differ in which of the two they take."""


def parse_json(text: str) -> Any:
    """Read JSON.

    Libraries raise Python's recursion limit, and then the interpreter would run out of stack before
    it says so: a parser with a limit of its own looks first.

    Parameters
    ----------
    text : str

    Raises
    ------
    DuplicateKeyError
        If an object has a key twice.
    ValueError
        If it is no JSON, or nested too deeply.
    """
    try:
        _JSON.validate_json(text)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from None
    return json.loads(text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys differ."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise DuplicateKeyError(f"key {twice!r} stands twice in one object")
    return found
