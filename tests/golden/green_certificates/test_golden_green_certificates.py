"""A day with certificates: its figures, and the page that shows them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cosim.runs.experiment import run_scenario
from cosim.scenario import load_scenario

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
EXPECTED = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def indicators(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = ROOT / "scenarios" / "green_certificates.yaml"
    folder = tmp_path_factory.mktemp("golden") / "green_certificates"
    return run_scenario(load_scenario(file), file, folder, report=False).indicators.as_dict()


def test_figures(indicators: dict[str, Any]) -> None:
    expected = EXPECTED["within_tolerance"]
    found = {name: indicators[name] for name in expected}
    assert found == pytest.approx(expected, rel=EXPECTED["relative_tolerance"])


def test_transactions(indicators: dict[str, Any]) -> None:
    by_method = indicators["gas_by_method"]
    counted = {name: by_method[name]["transactions"] for name in EXPECTED["transactions"]}
    assert counted == EXPECTED["transactions"]
    assert sum(by_method[name]["reverted"] for name in EXPECTED["transactions"]) == 0


def test_the_page_shows_the_figures() -> None:
    text = (ROOT / "docs" / "contracts" / "green-certificates.md").read_text(encoding="utf-8")
    shown = dict(
        re.findall(r"^\| [^|]+ \| `(\w+)` \| ([\d ]+(?:\.\d+)?)(?: %| kWh| EUR) \|$", text, re.M)
    )
    names = list(EXPECTED["within_tolerance"])[:7]
    assert list(shown) == names
    for name in names:
        value = EXPECTED["within_tolerance"][name]
        scale, digits = (100, 1) if name.endswith(("matching", "limit")) else (1, 1)
        digits = 2 if name.endswith("eur") else digits
        assert float(shown[name].replace(" ", "")) == round(scale * value, digits), name
