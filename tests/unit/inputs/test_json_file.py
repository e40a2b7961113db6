"""JSON of files from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosim.errors import ResultFolderError
from cosim.inputs.json_file import parse_json
from cosim.results.manifest import read_manifest


def test_an_object_is_read() -> None:
    assert parse_json('{"a": [1, {"b": null}], "c": {"a": 2}}') == {
        "a": [1, {"b": None}],
        "c": {"a": 2},
    }


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"b": {"a": 1, "c": 0, "a": 1}}]'])
def test_a_key_that_stands_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="key 'a' stands twice"):
        parse_json(text)


def test_a_manifest_says_everything_once(tmp_path: Path) -> None:
    """Readers disagree on which of two hashes counts."""
    (tmp_path / "manifest.json").write_text('{"complete": true, "sha256": {}, "sha256": {}}')
    with pytest.raises(ResultFolderError, match="key 'sha256' stands twice"):
        read_manifest(tmp_path)
