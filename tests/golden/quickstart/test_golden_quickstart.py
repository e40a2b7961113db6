"""The quickstart's figures: a run that gives others has changed results, which must be meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def indicators(quickstart_result):
    return json.loads((quickstart_result / "manifest.json").read_text())["indicators"]


def test_counts(indicators):
    assert {key: indicators[key] for key in EXPECTED["exact"]} == EXPECTED["exact"]


def test_only_the_transformer_is_overloaded_and_only_before_flexibility(indicators):
    minutes = {
        stage: kinds["trafo"]["minutes"] for stage, kinds in indicators["violations"].items()
    }
    assert minutes == EXPECTED["violation_minutes_of_the_transformer"]
    for kinds in indicators["violations"].values():
        assert kinds["any"]["minutes"] == kinds["trafo"]["minutes"]


@pytest.mark.parametrize("key", EXPECTED["within_tolerance"])
def test_figures(indicators, key):
    expected = EXPECTED["within_tolerance"][key]
    assert indicators[key] == pytest.approx(expected, rel=EXPECTED["relative_tolerance"], abs=1e-9)
