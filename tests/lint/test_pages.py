"""Pages of the documentation name all that they are about; every refusal has a test as well.

Each test collects what is missing, so that one run names all of it.
"""

from __future__ import annotations

import re
from pathlib import Path

from cosim.evm.contracts import compile_contract
from cosim.results.schemas import tables_of
from cosim.scenario.page import markdown

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCES = {
    path.name: path.read_text(encoding="utf-8") for path in (ROOT / "contracts").rglob("*.vy")
}
CONTRACTS = sorted(name.removesuffix(".vy") for name in SOURCES if name[0].isupper())
"""Contracts that are deployed; a file in snake_case is a module of such."""


def words(contract: str) -> str:
    """Return ``SmartMeters`` in small words, as its texts begin: ``smart meters``."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", contract).lower()


PREFIXES = {words(name): name for name in CONTRACTS if name != "MarketSettlement"}
"""First words of refusals; a market and its settlement refuse in the same words."""
TEXT = re.compile(rf'"({"|".join(PREFIXES)}): ([^"]+)"')
CAUSE = re.compile(r'refusals\._require\([^"]*"([^"]+)"')  # of the local market, whose name it adds
REFUSALS = sorted(
    {match for source in SOURCES.values() for match in TEXT.findall(source)}
    | {("local market", cause) for source in SOURCES.values() for cause in CAUSE.findall(source)}
)


def file_of(contract: str) -> str:
    """Return the name of a contract's page."""
    return f"{words(contract).replace(' ', '-')}.md"


PAGES = {
    name: (DOCS / "contracts" / file_of(name)).read_text(encoding="utf-8") for name in CONTRACTS
}


def test_every_refusal_is_tested_and_documented() -> None:
    assert len(REFUSALS) > 150
    assert {"EuroToken", "SmartMeters", "LocalMarket", "FlexibilityMarket"} <= set(CONTRACTS)
    assert {prefix for prefix, _ in REFUSALS} == set(PREFIXES)
    pages = PAGES | {"LocalMarket": PAGES["LocalMarket"] + PAGES["MarketSettlement"]}
    tests = {
        prefix: "".join(
            path.read_text(encoding="utf-8")
            for path in (ROOT / "tests" / "contracts" / prefix.replace(" ", "_")).glob("*.py")
        )
        for prefix in PREFIXES
    }
    untested = [each for each in REFUSALS if f'{each[1]}"' not in tests[each[0]]]
    unwritten = [each for each in REFUSALS if f"`{each[1]}`" not in pages[PREFIXES[each[0]]]]
    assert (untested, unwritten) == ([], [])


def test_every_assertion_of_a_contract_says_why() -> None:
    silent, strangers = [], []
    for name, source in SOURCES.items():
        statements = re.findall(r"^\s+assert (?:\(.*?\n\s+\)|.*?)(, \".*\")?$", source, re.M | re.S)
        silent += [name] * (not all(statements))
        texts = re.findall(r"^\s+(?:assert .*, |raise |\), )\"(.*)\"$", source, re.M)
        strangers += [(name, text) for text in texts if text.split(":")[0] not in PREFIXES]
    assert (silent, strangers) == ([], [])


def test_every_contract_function_and_event_is_documented() -> None:
    overview = (DOCS / "contracts" / "README.md").read_text(encoding="utf-8")
    missing = [name for name in CONTRACTS if f"[{name}]({file_of(name)})" not in overview]
    missing += [
        f"{name}.{entry['name']}"
        for name in CONTRACTS
        for entry in compile_contract(name).abi
        if entry["type"] in ("function", "event")
        and not re.search(rf"\b{entry['name']}\b", PAGES[name])
    ]
    assert missing == []


def test_every_column_is_on_the_page_of_results_with_its_unit() -> None:
    page = (DOCS / "results.md").read_text(encoding="utf-8")
    parts = re.split(r"^### `(\w+)`\n", page, flags=re.M)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    row = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.M)
    written = {
        name: [
            (column, unit, meaning, kind.endswith("may be missing"))
            for column, kind, unit, meaning in row.findall(sections.get(name, ""))
        ]
        for name in tables_of()
    }
    assert written == {
        name: [
            (c.name, c.unit, c.description, c.optional)
            for c in (*table.columns, *(() if table.is_open else table.further))
        ]
        for name, table in tables_of().items()
    }


def test_the_page_of_scenarios_is_that_of_the_models() -> None:
    # mend it with: cosim schema --markdown > docs/scenarios.md
    page = (DOCS / "scenarios.md").read_text(encoding="utf-8")
    assert page == markdown(shipped_only=True)
