"""Scalars that the versions of YAML read differently are refused by line; the rest is one thing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cosim.errors import ResultFolderError, ScenarioError
from cosim.inputs.yaml_file import read_yaml, to_yaml


def value_of(folder: Path, scalar: str) -> object:
    file = folder / "fields.yaml"
    file.write_text(f"first: 1\nsection:\n  deep: [{{field: {scalar}}}]\n")
    return read_yaml(file)["section"]["deep"][0]["field"]


@pytest.mark.parametrize(
    ("scalar", "words"),
    [
        ("010", "leading zero"),
        ("-007", "leading zero"),
        ("0o10", "leading zero"),
        ("08", "leading zero"),
        ("0x10", "hexadecimal"),
        ("0b11", "binary"),
        ("1:30", "sexagesimal"),
        ("12:00:00", "sexagesimal"),
        ("1:30.5", "sexagesimal"),
        ("1_0", "a text in YAML 1.2"),
        ("1_000.5", "a text in YAML 1.2"),
        ("yes", "is true in YAML 1.1"),
        ("No", "is false in YAML 1.1"),
        ("ON", "is true in YAML 1.1"),
        ("off", "is false in YAML 1.1"),
    ],
)
def test_what_two_readers_read_differently_is_refused_by_line_and_field(tmp_path, scalar, words):
    with pytest.raises(ScenarioError, match=words) as caught:
        value_of(tmp_path, scalar)
    assert caught.value.problem.startswith(f"line 3: {scalar} ")
    assert caught.value.field == "section.deep.0.field"
    assert f"'{scalar}' in quotes" in caught.value.remedy
    assert value_of(tmp_path, f"'{scalar}'") == scalar
    assert value_of(tmp_path, f"!!str {scalar}") == scalar


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("1e-6", 1e-6),
        ("1.5e3", 1500.0),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("0", 0),
        ("-12", -12),
        ("3_000_000", 3_000_000),
        ("true", True),
        ("~", None),
        ("2016-05-24", "2016-05-24"),
        ("2016-05-24T12:00:00+01:00", "2016-05-24T12:00:00+01:00"),
        ("00:30", "00:30"),
        ("1.2.3_4", "1.2.3_4"),
        ("127.0.0.1:8545", "127.0.0.1:8545"),
    ],
)
def test_what_nobody_misreads_is_read(tmp_path, scalar, value):
    read = value_of(tmp_path, scalar)
    assert (read, type(read)) == (value, type(value))


def test_a_key_is_read_as_strictly_as_a_value(tmp_path):
    file = tmp_path / "fields.yaml"
    file.write_text("section:\n  on: 1\n")
    with pytest.raises(ScenarioError, match=r"line 2: on is true") as caught:
        read_yaml(file)
    assert caught.value.field == "section.on"


def test_what_is_written_is_read_back_by_us_and_by_others(tmp_path):
    words = ["1e6", "1e-6", "010", "0o7", "08", "1_000", "yes", "2016-05-24", "1:30", ".5", "x", ""]
    data = {"words": words, "numbers": [1e-6, 1e22, 1.5, -3, 0], "others": [True, None]}
    file = tmp_path / "written.yaml"
    file.write_text(to_yaml(data))
    assert read_yaml(file) == data
    assert yaml.safe_load(to_yaml(data)) == data


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("latin-1", "line 2 holds the byte 0xdc, 'Ü' in Latin-1"),
        ("utf-16", "is UTF-16 text"),
        ("utf-16-be", "is UTF-16 text without a byte-order mark"),
        ("utf-32", "is UTF-32 text"),
    ],
)
def test_other_encodings_are_named(tmp_path, encoding, words):
    file = tmp_path / "fields.yaml"
    file.write_bytes("name: x\ndescription: Überspannung\n".encode(encoding))
    with pytest.raises(ResultFolderError, match=words) as caught:
        read_yaml(file, ResultFolderError)
    assert "UTF-8" in caught.value.remedy
    file.write_bytes("description: Überspannung\n".encode("utf-8-sig"))
    assert read_yaml(file) == {"description": "Überspannung"}


def test_a_missing_and_an_empty_file(tmp_path):
    with pytest.raises(ScenarioError, match="cannot be read: No such file") as caught:
        read_yaml(tmp_path / "none.yaml", remedy="look elsewhere")
    assert caught.value.remedy == "look elsewhere"
    (tmp_path / "empty.yaml").write_text("")
    assert read_yaml(tmp_path / "empty.yaml") is None


@pytest.mark.parametrize(
    ("scalar", "tag"),
    [
        ("!!int 3", "!!int"),
        ("!!float 3", "!!float"),
        ("!!binary aGk=", "!!binary"),
        ("!!python/object:os.system x", "!!python/object:os.system"),
        ("!own 3", "!own"),
        ("! 3", "!"),
        ("!!set {a}", "!!set"),
        ("!!str {a: 1}", "!!str"),
    ],
)
def test_tags_are_refused(tmp_path, scalar, tag):
    with pytest.raises(ScenarioError) as caught:
        value_of(tmp_path, scalar)
    assert caught.value.problem == f"line 3 has the tag {tag}"
    assert caught.value.field == "section.deep.0.field"


def test_a_tag_of_a_key_is_refused(tmp_path):
    file = tmp_path / "fields.yaml"
    file.write_text("section:\n  !!int on: 1\n")
    with pytest.raises(ScenarioError, match=r"line 2 has the tag !!int"):
        read_yaml(file)


@pytest.mark.parametrize(
    ("escape", "words"),
    [
        ("\\ud800", "the lone surrogate U\\+D800"),
        ("\\0", "the control character U\\+0000"),
        ("\\x1b[31m", "the control character U\\+001B"),
        ("\\r", "the control character U\\+000D"),
        ("\\x85", "the control character U\\+0085"),
        ("\\u2028", "the line separator U\\+2028"),
    ],
)
def test_texts_that_no_page_shows(tmp_path, escape, words):
    with pytest.raises(ScenarioError, match=f"line 3 holds {words}") as caught:
        value_of(tmp_path, f'"a{escape}b"')
    assert caught.value.field == "section.deep.0.field"
    file = tmp_path / "fields.yaml"
    file.write_text(f'section:\n  "a{escape}": 1\n')
    with pytest.raises(ScenarioError, match=f"line 2 holds {words}") as caught:
        read_yaml(file)
    assert caught.value.field == "section"
    assert value_of(tmp_path, '"a\\nb\\tc é 𝄞"') == "a\nb\tc é 𝄞"
