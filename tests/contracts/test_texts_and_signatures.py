"""Every refusal has its own text, a test and a line in the documentation; so has every function."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.ledger.contracts import compile_contract

ROOT = Path(__file__).parents[2]
CONTRACTS = ("EuroToken", "SmartMeters", "LocalMarket", "FlexibilityMarket")
TEXT = re.compile(r'"((?:euro token|smart meters|local market|flexibility market): ([^"]+))"')
SOURCES = {
    path.name: path.read_text(encoding="utf-8") for path in (ROOT / "contracts").glob("*.vy")
}
REFUSALS = sorted({match for source in SOURCES.values() for match in TEXT.findall(source)})


def documentation() -> str:
    return (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")


def test_there_are_refusals() -> None:
    assert len(REFUSALS) > 40


@pytest.mark.parametrize(("text", "reason"), REFUSALS)
def test_refusal_is_tested_and_documented(text: str, reason: str) -> None:
    folder = text.split(":")[0].replace(" ", "_")
    tests = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "tests/contracts" / folder).glob("*.py")
    )
    assert f'{reason}"' in tests
    assert f"`{reason}`" in documentation()


def test_every_assertion_says_why() -> None:
    for name, source in SOURCES.items():
        statements = re.findall(r"^\s+assert (?:\(.*?\n\s+\)|.*?)(, \".*\")?$", source, re.M | re.S)
        assert all(statements), name


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_function_and_event_is_documented(name: str) -> None:
    for entry in compile_contract(name).abi:
        if entry["type"] in ("function", "event"):
            assert re.search(rf"\b{entry['name']}\b", documentation()), entry["name"]
