"""Whatever a scenario file holds, it is read or refused by file, field and remedy.

Shipped scenarios and studies are changed at random: a value by one of another kind or size, a field
left out or added, deep nesting, bytes and encodings. ``COSIM_FUZZ_EXAMPLES`` sets how many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from profiles import asked_for

from cosim.errors import UserError
from cosim.scenario import Scenario, load_scenario
from cosim.studies.study import load_study

FILES = sorted((Path(__file__).parents[2] / "scenarios").glob("**/*.yaml"))
EXAMPLES = asked_for("COSIM_FUZZ_EXAMPLES", 150)
FUZZED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="COSIM_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
FIELDS = sorted(
    {
        name
        for section in Scenario.model_json_schema()["$defs"].values()
        for name in section.get("properties", {})
    }
)
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


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a file, from the root on."""
    items = data.items() if isinstance(data, dict) else enumerate(data or ())
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def read(file: Path, *, is_study: bool) -> None:
    """Read what may be malformed; a refusal is short and says what to do."""
    refusal: UserError | None = None
    try:
        (load_study if is_study else load_scenario)(file)
    except UserError as error:
        refusal = error
    if refusal is not None:
        assert refusal.file == str(file)
        assert refusal.field or refusal.remedy
        assert all(len(word) < 300 for word in str(refusal).split())


@FUZZED
@given(data=st.data())
def test_changed_fields(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = data.draw(st.sampled_from(FILES))
    fields = yaml.safe_load(source.read_text())
    is_study = "study" in fields
    for _ in range(data.draw(st.integers(1, 3))):
        *before, last = data.draw(st.sampled_from(list(places(fields)) or [("name",)]))
        section: Any = fields
        for key in before:
            section = section[key]
        match data.draw(st.sampled_from(["change", "change", "drop", "add", "nest"])):
            case "change":
                section[last] = data.draw(odd)
            case "drop":
                del section[last]
            case "add" if isinstance(section, dict):
                section[data.draw(st.sampled_from(FIELDS))] = data.draw(odd)
            case _:
                deep: Any = 1
                for _ in range(data.draw(st.sampled_from([1, 30, 200]))):
                    deep = [deep]
                section[last] = deep
    file = tmp_path_factory.getbasetemp() / "changed.yaml"
    text = yaml.safe_dump(fields, allow_unicode=True)
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    read(file, is_study=is_study)


@FUZZED
@given(
    source=st.sampled_from(FILES),
    edits=st.lists(
        st.tuples(st.integers(0, 2**16), st.integers(0, 20), st.binary(max_size=6)), max_size=4
    ),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "utf-32", "utf-8-sig", "utf-7"]),
)
def test_changed_bytes(
    source: Path,
    edits: list[tuple[int, int, bytes]],
    encoding: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    text = bytearray(source.read_bytes())
    for at, length, put in edits:
        start = at % len(text) if text else 0
        text[start : start + length] = put
    raw = bytes(text)
    if encoding != "utf-8":
        raw = raw.decode("utf-8", "replace").encode(encoding)
    file = tmp_path_factory.getbasetemp() / "bytes.yaml"
    file.write_bytes(raw)
    read(file, is_study=b"\nstudy:" in source.read_bytes())
