"""Files, modules and tests that the pages name exist, and so do the ends of their links."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from cosim.plugins import MECHANISMS

ROOT = Path(__file__).parents[2]
HISTORY = re.compile(r"docs/decisions/00(0\d|1[0-4])-")
PAGES = [
    "CONTRIBUTING.md",
    "README.md",
    *sorted(
        name
        for name in (str(file.relative_to(ROOT)) for file in ROOT.glob("docs/**/*.md"))
        if not HISTORY.match(name)
    ),
]
GROUPS = {
    f"cosim.{name}"
    for name in (
        "mechanisms",
        "devices",
        "instruments",
        "strategies",
        "forecasts",
        "power_flow",
        "evm_engines",
    )
}
"""Groups of entry points, which look like modules."""

PATH = re.compile(r"`((?:cosim|contracts|tests|scenarios|docs|benchmarks)/[^`\s<>…]*)`")
DOTTED = re.compile(r"`(cosim(?:\.\w+)+)")
IMPORTED = re.compile(r"^ *(?:from (cosim[\w.]*) import ([\w, ]+)|import (cosim[\w.]*))", re.M)
TEST = re.compile(r"`(?:[\w/]*/)?(test_\w+)(\.py)?`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def exists(dotted: str) -> bool:
    """Return whether a module, or an attribute of one, has this name."""
    parts = dotted.split(".")
    found: Any = importlib.import_module(parts[0])
    for k, part in enumerate(parts[1:], start=2):
        if hasattr(found, part):
            found = getattr(found, part)
            continue
        try:
            found = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            return False
    return True


@pytest.fixture(scope="module")
def tests() -> set[str]:
    files = sorted(ROOT.glob("tests/**/*.py"))
    texts = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return {file.stem for file in files} | set(re.findall(r"def (test_\w+)", texts))


@pytest.mark.parametrize("name", PAGES)
def test_named_things_exist(name: str, tests: set[str]) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    missing = [path for path in PATH.findall(page) if not list(ROOT.glob(path.rstrip("/")))]
    missing += [one for one in DOTTED.findall(page) if one not in GROUPS and not exists(one)]
    for module, names, alone in IMPORTED.findall(page):
        wanted = [f"{module}.{one.strip()}" for one in names.split(",")] if module else [alone]
        missing += [one for one in wanted if not exists(one)]
    missing += [one for one, _ in TEST.findall(page) if one not in tests]
    missing += [
        link
        for link in LINK.findall(page)
        if "://" not in link and not ((ROOT / name).parent / link).exists()
    ]
    assert missing == []


def test_the_walk_through_the_files_names_each_once() -> None:
    page = (ROOT / "docs" / "where-things-are.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)[\w./-]+\.\w+)`", page)
    assert len(named) > 30
    assert sorted(set(named)) == sorted(named)
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_a_missing_thing_is_found() -> None:
    assert MECHANISMS.group in GROUPS
    assert exists("cosim.errors.UserError")
    assert not exists("cosim.errors.NoSuchError")
    assert not exists("cosim.no_such_module")
