"""Fields in which two scenarios differ, by dotted path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

NAMED = 6
"""Fields that are named before the rest is counted."""


def differing_fields(one: str, other: str) -> list[str]:
    """Return the fields whose values differ between two scenarios.

    Parameters
    ----------
    one, other : str
        YAML, every default written out.

    Returns
    -------
    list of str
        Dotted paths in the order of the first, then of the second; of lists, whole.
    """
    values = [dict(_flat(yaml.safe_load(text) or {})) for text in (one, other)]
    paths = dict.fromkeys([*values[0], *values[1]])
    missing = object()
    return [p for p in paths if values[0].get(p, missing) != values[1].get(p, missing)]


def named_fields(fields: list[str]) -> str:
    """Return dotted paths as one text, the first few by name and the rest by number."""
    more = f" and {len(fields) - NAMED} more" if len(fields) > NAMED else ""
    return ", ".join(fields[:NAMED]) + more


def _flat(section: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
