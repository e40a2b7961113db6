"""Trees of plain values, as JSON holds them, compared place by place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

TOLERANCE = 1e-9
"""Floats of power flows and of devices may differ by so much, or by so much of the value.

The engine iterates until voltages move by less than 1e-11 pu or so, and another processor's BLAS
sums in another order: some 1e-14 pu were seen. A number that follows from these is rounded to whole
Wh or µEUR or stays a float of this table, so nothing but such noise passes."""


def same_number(left: Any, right: Any) -> bool:
    """Return True if two values are equal, or both are NaN."""
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    return bool(left == right)


def unpacked(value: Any) -> Any:
    """Return JSON with the JSON that is text in it, as in networks, as what it says."""
    if isinstance(value, Mapping):
        return {key: unpacked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [unpacked(inner) for inner in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return unpacked(json.loads(value))
        except ValueError:
            return value
    return value


def size(tree: Any) -> int:
    """Return how many values a tree has."""
    if isinstance(tree, Mapping):
        return sum(size(inner) for inner in tree.values())
    return sum(size(inner) for inner in tree) if isinstance(tree, list) else 1


def differing(left: Any, right: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where two trees of plain values differ; floats by more than the tolerance."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in sorted({*left, *right}):
            where = f"{place}.{key}" if place else str(key)
            if key not in left or key not in right:
                said, true = ("an entry" if key in each else "no entry" for each in (left, right))
                yield where, said, true
            else:
                yield from differing(left[key], right[key], where)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for i, (a, b) in enumerate(zip(left, right, strict=True)):
            yield from differing(a, b, f"{place}[{i}]")
    elif type(left) is float and type(right) is float:
        if not abs(left - right) <= TOLERANCE * max(1.0, abs(right)) and not same_number(
            left, right
        ):
            yield place, left, right
    elif type(left) is not type(right) or left != right:
        yield place, left, right
