"""A key given twice is refused by name and line, in scenario and in study files."""

from __future__ import annotations

import pytest

from cosim.errors import ScenarioError
from cosim.scenario import load_scenario, read_fields
from cosim.studies.study import load_study

HEAD = """name: twice
seed: 1
time: {start: 2016-06-17T12:00:00, intervals: 2}
grid: {network: 1-LV-rural1--1-sw, reference_sample: 1}
"""
SCALED_TWICE = """prosumers:
  scaling: {pv: 3}
  battery: {capacity_kwh: 10}
  scaling: {ev: 2}
"""


@pytest.mark.parametrize(
    ("text", "field", "lines"),
    [
        (SCALED_TWICE, "prosumers.scaling", (6, 8)),
        ("seed: 2\n", "seed", (2, 5)),
        ('"seed": 1\n', "seed", (2, 5)),
        ("market: {pricing: mcafee, pricing: midpoint}\n", "market.pricing", (5, 5)),
        (
            "simulators:\n- name: Weather\n  model: Sky\n  name: Wind\n",
            "simulators.0.name",
            (6, 8),
        ),
        ("a: &a {pv: 1}\nb: &b {ev: 1}\nc:\n  <<: *a\n  <<: *b\n", "c.<<", (8, 9)),
    ],
)
def test_a_scenario_that_gives_a_key_twice(tmp_path, text, field, lines):
    file = tmp_path / "scenario.yaml"
    file.write_text(HEAD + text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(file)
    assert caught.value.field == field
    assert caught.value.file == str(file)
    first, second = lines
    assert f"given twice, in line {first} and in line {second}" in caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (
            "study:\n  variants:\n    high: {market: {retail_eur_per_kwh: 0.5}}\n    high: {}\n",
            "study.variants.high",
        ),
        (
            "study:\n  axes:\n    market.pricing: [mcafee]\n    market.pricing: [midpoint]\n",
            "study.axes.market.pricing",
        ),
    ],
)
def test_a_study_that_gives_a_key_twice(tmp_path, text, field):
    file = tmp_path / "study.yaml"
    file.write_text(HEAD + text)
    with pytest.raises(ScenarioError, match="given twice, in line 7 and in line 8") as caught:
        load_study(file)
    assert caught.value.field == field


def test_equal_keys_of_different_mappings_and_aliases_are_fine(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text("a: &a {pv: 1, ev: 2}\nb: *a\nc: {<<: *a, pv: 3}\nd: [*a, {pv: 4}]\n")
    a = {"pv": 1, "ev": 2}
    assert read_fields(file) == {"a": a, "b": a, "c": {"pv": 3, "ev": 2}, "d": [a, {"pv": 4}]}


def test_a_file_that_holds_itself_is_read(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text("a: &a\n  b: *a\n")
    fields = read_fields(file)
    assert fields["a"]["b"] is fields["a"]


def test_one_and_the_word_one_are_two_keys(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text('1: a\n"1": b\n')
    assert read_fields(file) == {1: "a", "1": "b"}
