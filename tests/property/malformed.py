"""Files changed at random: values of another kind or size, what is left out, bytes, encodings."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from profiles import asked_for

LONG = "x" * 5_000
odd = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, "", " ", "nan", "-", "~", "1e999", "../..", "\x07", "\x00", "é"),
            *(0, -1, 2**63, 2**256, -(10**30), 1e308, 1e-320, LONG),
            *(float("nan"), float("inf"), -float("inf")),
            *("2016-02-30T00:00:00", "9999-12-31T23:59:59", "0001-01-01T00:00:00"),
            *("2016-05-24T00:00:00+00:00", [], {}, [[]], [{}], {"": 1}, {"a": 1}, [1, 2, 3]),
        ]
    ),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=8,
    ),
)
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-16", "utf-32", "utf-8-sig", "utf-7", "latin-1")
edits = st.lists(
    st.tuples(st.integers(0, 2**24), st.integers(0, 20), st.binary(max_size=6)), max_size=4
)
"""Places in a file, how many bytes are taken out there, and what is put in."""


def fuzzed(usual: int, cost: int = 1) -> settings:
    """Settings of a property: so many examples, the same each time, or what is asked for.

    ``COSIM_FUZZ_EXAMPLES`` sets how many; of one that is ``cost`` times as slow, that part.
    """
    return settings(
        max_examples=max(1, asked_for("COSIM_FUZZ_EXAMPLES", usual * cost) // cost),
        deadline=None,
        derandomize="COSIM_FUZZ_EXAMPLES" not in os.environ,
        print_blob=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),  # shrinking takes longer than reading
        suppress_health_check=list(HealthCheck),
    )


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a file, from the root on."""
    items = data.items() if isinstance(data, dict) else enumerate(data or ())
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def change(draw: Any, data: Any, names: list[str], odds: Any = odd) -> None:
    """Change one place: another value, left out, added to, or nested deeply."""
    *before, last = draw(st.sampled_from(list(places(data)) or [("name",)]))
    section = data
    for key in before:
        section = section[key]
    match draw(st.sampled_from(["change", "change", "drop", "add", "nest"])):
        case "change":
            section[last] = copy.deepcopy(draw(odds))  # the next change may be in it
        case "drop":
            del section[last]
        case "add" if isinstance(section, dict):
            section[draw(st.sampled_from(names))] = copy.deepcopy(draw(odds))
        case _:
            deep: Any = 1
            for _ in range(draw(st.sampled_from([1, 30, 200]))):
                deep = [deep]
            section[last] = deep


def edited(raw: bytes, changes: list[tuple[int, int, bytes]], encoding: str = "utf-8") -> bytes:
    """Bytes with some replaced, in another encoding."""
    text = bytearray(raw)
    for at, length, put in changes:
        start = at % len(text) if text else 0
        text[start : start + length] = put
    if encoding == "utf-8":
        return bytes(text)
    return bytes(text).decode("utf-8", "replace").encode(encoding, "replace")


def unpacked(data: Any) -> Any:
    """JSON whose texts that hold JSON are what they hold, marked as such."""
    if isinstance(data, dict):
        return {key: unpacked(value) for key, value in data.items()}
    if isinstance(data, list):
        return [unpacked(value) for value in data]
    if isinstance(data, str) and data[:1] in ("{", "["):
        try:
            return {PACKED: unpacked(json.loads(data))}
        except ValueError:
            return data
    return data


def packed(data: Any) -> Any:
    """What :func:`unpacked` was made of."""
    if isinstance(data, dict):
        if PACKED in data:
            return json.dumps(packed(data[PACKED]))
        return {key: packed(value) for key, value in data.items()}
    return [packed(value) for value in data] if isinstance(data, list) else data


PACKED = "JSON in a text"
