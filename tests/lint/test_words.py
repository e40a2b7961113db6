"""Words of the field, openings of docstrings, sizes of files and classes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FORBIDDEN = re.compile(
    r"\b(books|twins?|services?|besides?|bystanders?|director(y|ies)|facts?|people|houses?|rooms?"
    r"|floors?)\b",
    re.IGNORECASE,
)
ALLOWED = {
    "order books": r"order books",
    "services that a TSO buys": r"ancillary services?",
    "elements switched on or off": r"\b(in|out of)[-\s]+service",
    "rounding down": r"\bfloor\(",
    "EIP-7623's least gas": (
        r"(calldata|gas) floor|calldata and its floor|floor : int"
        r"|(intrinsic, |return |< |, |above its |if )floor\b|\bfloor ="
    ),
    "the process's folder, as operating systems call it": r'working["\s]+directory',
    "a quotation": r"beside-the-market|beside-titanoboa",
}
"""What stays, by its meaning: expressions in which a word is not ours."""

OPENINGS = ("What", "Who", "Whether", "How", "Why", "Where", "When")
MOST_LINES, MOST_LINES_OF_A_CLASS = 400, 250

HISTORY = re.compile(r"docs/decisions/00(0\d|1[0-4])-")
MODULES = sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("cosim/**/*.py"))
EXAMPLES = sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("docs/**/*.py"))
TEXTS = [
    "CONTRIBUTING.md",
    "NOTICE",
    "README.md",
    "pyproject.toml",
    *sorted(
        name
        for name in (str(file.relative_to(ROOT)) for file in ROOT.glob("docs/**/*.md"))
        if not HISTORY.match(name)
    ),
]


def misused(text: str) -> list[str]:
    for phrase in ALLOWED.values():
        text = re.sub(phrase, lambda found: "\n" * found[0].count("\n"), text, flags=re.IGNORECASE)
    return [
        f"line {k}: {match[0]}"
        for k, line in enumerate(text.splitlines(), start=1)
        for match in FORBIDDEN.finditer(line)
    ]


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield every string that stands alone: docstrings, and those below attributes."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value


@pytest.mark.parametrize("name", [*MODULES, *EXAMPLES, *TEXTS])
def test_words_are_the_fields(name: str) -> None:
    assert misused((ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", [*MODULES, *EXAMPLES])
def test_a_docstring_names_the_thing_or_is_imperative(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    wrong = [
        f"line {each.lineno}: {each.value.splitlines()[0]}"
        for each in docstrings(tree)
        if each.value.split(maxsplit=1)[:1] and each.value.split(maxsplit=1)[0] in OPENINGS
    ]
    assert wrong == []


@pytest.mark.parametrize("name", MODULES)
def test_files_and_classes_are_short(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    classes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]
    sizes = {each.name: (each.end_lineno or each.lineno) - each.lineno + 1 for each in classes}
    assert {name: size for name, size in sizes.items() if size > MOST_LINES_OF_A_CLASS} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The order books of a run, ancillary services, `floor(x)`.", []),
        ("the market's books\nand its Twin", ["line 1: books", "line 2: Twin"]),
        ("a household, a bookseller", []),
        ("next to it, beside it", ["line 1: beside"]),
    ],
)
def test_the_lint_finds_words(text: str, found: list[str]) -> None:
    assert misused(text) == found
