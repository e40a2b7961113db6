"""Every refusal has its own text, a test and a line on its contract page; so has every function."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.evm.contracts import compile_contract

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/contracts"
SOURCES = {
    path.name: path.read_text(encoding="utf-8") for path in (ROOT / "contracts").rglob("*.vy")
}
CONTRACTS = sorted(name[: -len(".vy")] for name in SOURCES if name[0].isupper())
"""Those that are deployed; a file in snake_case is a module of such."""


def words(contract: str) -> str:
    """``SmartMeters`` in small words, as its texts begin: ``smart meters``."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", contract).lower()


PREFIXES = {words(name): name for name in CONTRACTS}
TEXT = re.compile(rf'"((?:{"|".join(PREFIXES)}): ([^"]+))"')
CAUSE = re.compile(r'refusals\._require\([^"]*"([^"]+)"')  # of the local market, whose name it adds
REFUSALS = sorted(
    {match for source in SOURCES.values() for match in TEXT.findall(source)}
    | {
        (f"local market: {cause}", cause)
        for source in SOURCES.values()
        for cause in CAUSE.findall(source)
    }
)


def page(contract: str) -> str:
    return (PAGES / f"{words(contract).replace(' ', '-')}.md").read_text(encoding="utf-8")


def test_there_are_refusals() -> None:
    assert len(REFUSALS) > 40
    assert {"EuroToken", "SmartMeters", "LocalMarket", "FlexibilityMarket"} <= set(CONTRACTS)


@pytest.mark.parametrize(("text", "reason"), REFUSALS)
def test_refusal_is_tested_and_documented(text: str, reason: str) -> None:
    prefix = text.split(":")[0]
    tests = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "tests/contracts" / prefix.replace(" ", "_")).glob("*.py")
    )
    assert f'{reason}"' in tests
    assert f"`{reason}`" in page(PREFIXES[prefix])


def test_every_assertion_says_why() -> None:
    for name, source in SOURCES.items():
        statements = re.findall(r"^\s+assert (?:\(.*?\n\s+\)|.*?)(, \".*\")?$", source, re.M | re.S)
        assert all(statements), name
        texts = re.findall(r"^\s+(?:assert .*, |raise |\), )\"(.*)\"$", source, re.M)
        strangers = [text for text in texts if text.split(":")[0] not in PREFIXES]
        assert not strangers, name


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_function_and_event_is_documented(name: str) -> None:
    text = page(name)
    for entry in compile_contract(name).abi:
        if entry["type"] in ("function", "event"):
            assert re.search(rf"\b{entry['name']}\b", text), entry["name"]


@pytest.mark.parametrize("name", CONTRACTS)
def test_overview_names_every_contract(name: str) -> None:
    overview = (PAGES / "README.md").read_text(encoding="utf-8")
    assert f"[{name}]({words(name).replace(' ', '-')}.md)" in overview
