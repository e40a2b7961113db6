"""The DSO's model of the network in report and terminal, for the two houses."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from cosim.grid.unmetered import drawn_metering
from cosim.report.dso_model import model_definitions, model_text, unmetered_names
from cosim.report.report import render
from cosim.report.summary import print_setting
from cosim.results.reader import Results

NAMES = ["solar house", "house </script><b>2"]
Write = Callable[..., Path]


def modelled(write: Write, model: dict[str, Any], attack: dict[str, Any] | None = None) -> Results:
    """The result of the two houses, with a section grid.dso_model."""
    folder = write()
    file = folder / "scenario.yaml"
    scenario = yaml.safe_load(file.read_text(encoding="utf-8"))
    scenario["grid"]["dso_model"] = model
    if attack:
        scenario["attack"] = attack
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    return Results(folder)


def told(results: Results) -> list[str]:
    out = StringIO()
    print_setting(results, Console(file=out, width=60))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ({}, None),
        ({"unmetered_share": 0.2}, None),  # of two points that is none
        ({"impedance_factor": 1.2}, "impedances × 1.2"),
        ({"tap_offset": -1}, "taps without a controller −1 position off"),
        (
            {"impedance_factor": 0.8, "tap_offset": 2, "unmetered_share": 0.5},
            "impedances × 0.8, taps without a controller +2 positions off, "
            "1 of 2 connection points unmetered",
        ),
    ],
)
def test_where_the_model_differs(
    another_result: Write, model: dict[str, Any], text: str | None
) -> None:
    assert model_text(modelled(another_result, model)) == text


def test_report_and_terminal_say_what_is_believed_and_who_is_not_metered(
    another_result: Write,
) -> None:
    attack = {"kind": "silent_meter", "meters": NAMES[:1]}
    results = modelled(another_result, {"unmetered_share": 0.5}, attack)
    metering = drawn_metering(NAMES, 0.5, 7)
    assert metering is not None
    (unseen,) = metering.unmetered.nonzero()[0].tolist()
    name = NAMES[unseen]
    assert unmetered_names(results) == [name]
    ((term, definition),) = model_definitions(results)
    assert definition.endswith(f"the mean of the other connection points: {name}.")
    page = render(results)
    assert (
        f"<dt>{term.replace(chr(39), '&#39;')}</dt><dd>1 of 2 connection points unmetered" in page
    )
    assert page.count("what the DSO believes") == 1
    believed, attacked = told(results)
    assert believed.startswith("DSO's model: 1 of 2 connection points unmetered (before and after")
    assert attacked.startswith("attack: silent meter by solar house; intervals 0 to 3")


def test_without_one_nothing_is_said(results: Results) -> None:
    assert told(results) == []
    assert model_definitions(results) == []
    assert "the DSO believes" not in render(results)
