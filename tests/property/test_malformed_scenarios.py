"""Whatever a scenario file holds, it is read or refused by file, field and remedy.

Shipped scenarios and studies are changed at random: a value by one of another kind or size, a field
left out or added, deep nesting, bytes and encodings. ``COSIM_FUZZ_EXAMPLES`` sets how many.
"""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given
from malformed import ENCODINGS, change, edited, edits, fuzzed

from cosim.errors import UserError
from cosim.scenario import Scenario, load_scenario
from cosim.studies.study import load_study

FILES = sorted((Path(__file__).parents[2] / "scenarios").glob("**/*.yaml"))
FUZZED = fuzzed(150)
FIELDS = sorted(
    {
        name
        for section in Scenario.model_json_schema()["$defs"].values()
        for name in section.get("properties", {})
    }
)


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
        change(data.draw, fields, FIELDS)
    file = tmp_path_factory.getbasetemp() / "changed.yaml"
    text = yaml.safe_dump(fields, allow_unicode=True)
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    read(file, is_study=is_study)


@FUZZED
@given(source=st.sampled_from(FILES), changes=edits, encoding=st.sampled_from(ENCODINGS))
def test_changed_bytes(
    source: Path,
    changes: list[tuple[int, int, bytes]],
    encoding: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.yaml"
    file.write_bytes(edited(source.read_bytes(), changes, encoding))
    read(file, is_study=b"\nstudy:" in source.read_bytes())
