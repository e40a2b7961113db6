"""JSON of files from elsewhere: nesting without end is refused before it fills the stack."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

_JSON: TypeAdapter[Any] = TypeAdapter(Any)

Pairs = Callable[[list[tuple[str, Any]]], Any]


def parse_json(text: str, pairs: Pairs | None = None) -> Any:
    """Read JSON.

    Libraries raise Python's recursion limit, and then the interpreter would run out of stack before
    it says so: a parser with a limit of its own looks first.

    Parameters
    ----------
    text : str
    pairs : callable, optional
        As ``object_pairs_hook`` of :func:`json.loads`.

    Raises
    ------
    ValueError
        If it is no JSON, or nested too deeply.
    """
    try:
        _JSON.validate_json(text)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from None
    return json.loads(text, object_pairs_hook=pairs)
