"""Messages at the boundary, and the page that describes them."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from cosim.messages.conversion import received, to_json
from cosim.messages.declaration import MESSAGES
from cosim.messages.page import with_tables
from cosim.scenario.simulators import ForeignSimulator

PAGE = (Path(__file__).parents[2] / "docs" / "simulators.md").read_text(encoding="utf-8")


def decision(**changes):
    return {
        "interval": 3,
        "accepted": False,
        "request_down_wh": 0,
        "request_up_wh": 70,
        "awarded_wh": [],
        "curtailed_wh": [0, -5],
    } | changes


def test_page_has_the_tables_of_the_declarations():
    # mend it with: python -m cosim.messages.page docs/simulators.md
    assert with_tables(PAGE) == PAGE
    for name, kind in MESSAGES.items():
        _, _, section = PAGE.partition(f"#### `{name}`\n")
        fields = re.findall(r"^\| `(\w+)` \|", section.partition("\n#### ")[0], flags=re.MULTILINE)
        assert fields == [each.name for each in dataclasses.fields(kind)]


def test_entries_on_the_page_are_valid():
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    entries = [entry for block in blocks for entry in yaml.safe_load(block)["simulators"]]
    names = [ForeignSimulator.model_validate(entry).name for entry in entries]
    assert names == ["household", "display", "my_dso"]


def test_lists_become_read_only_arrays_of_their_type():
    message = received("decision", json.loads(json.dumps(decision())), 2)
    assert message.curtailed_wh.dtype == np.int64
    assert message.awarded_wh.dtype == np.int64
    assert message.awarded_wh.shape == (0,)
    assert message.request_up_wh == 70
    with pytest.raises(ValueError, match="read-only"):
        message.curtailed_wh[0] = 1


def test_array_of_the_sender_stays_its_own():
    own = np.array([1, 2])
    message = received("decision", decision(curtailed_wh=own), 2)
    own[0] = 9
    assert message.curtailed_wh.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (None, "decision is None, not a dictionary"),
        ({"interval": 1}, "decision lacks accepted, awarded_wh, curtailed_wh, request_down_wh"),
        (decision(curtailed_wh=[0, 0, 0]), r"curtailed_wh has shape \(3,\), not \(2,\)"),
        (decision(curtailed_wh=[0, 0.5]), "curtailed_wh holds fractions"),
        (decision(curtailed_wh=[0, float("nan")]), "curtailed_wh"),
        (decision(curtailed_wh=["a", "b"]), "curtailed_wh is no array of numbers"),
        (decision(curtailed_wh=[[0, 0]]), r"curtailed_wh has shape \(1, 2\)"),
    ],
)
def test_wrong_messages_are_refused_by_key(message, words):
    with pytest.raises(ValueError, match=words):
        received("decision", message, 2)


def test_nested_messages_are_converted_both_ways():
    schedule = dict.fromkeys(("contracted_wh", "nominated_wh", "activated_wh"), np.array([1, 2]))
    schedule |= {"interval": 0, "curtailed_wh": np.array([0, 0])}
    session = {"tables": {"orders": {"block": [3, None]}}, "settled": None, "schedule": schedule}
    sent = json.loads(json.dumps(to_json(session)))
    assert sent["schedule"]["nominated_wh"] == [1, 2]
    back = received("session", sent, 2)
    assert back.schedule.nominated_wh.dtype == np.int64
    assert back.tables == {"orders": {"block": [3, None]}}
    last = received("session", {"tables": {}, "settled": 3}, 2)
    assert last.schedule is None


def test_checks_carry_text_numbers_and_truth_values():
    stage = {
        "stage": "scheduled",
        "round": 0,
        "element": ["bus", "trafo"],
        "element_idx": [4, 0],
        "quantity": ["vm_pu", "loading_percent"],
        "value": [1.01, 120],
        "limit": [1.1, 100],
        "violated": [False, True],
        "drivers": [["LV1.101 Bus 8"]],
    }
    (back,) = received("checks", {"stages": [stage]}, 2).stages
    assert [
        getattr(back, key).dtype.kind for key in ("element", "element_idx", "value", "violated")
    ] == [
        "O",
        "i",
        "f",
        "b",
    ]
    assert to_json(back) == stage | {"value": [1.01, 120.0], "limit": [1.1, 100.0]}
