"""Small wrong changes to Vyper source: one token, or one statement, at a time.

Comments, strings, declarations of types and events are left alone. What a change is about decides
how a survivor is judged: a *check* (assertions, conditions, guards), *arithmetic*, or *effect* (a
statement left out).
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

OPERATORS = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "+": ("-",),
    "-": ("+",),
    "*": ("+",),
    "//": ("*",),
    "%": ("*",),
    "<<": (">>",),
    ">>": ("<<",),
    "&": ("|",),
    "|": ("&",),
    "^": ("|",),
    "+=": ("-=",),
    "-=": ("+=",),
    "and": ("or",),
    "or": ("and",),
    "not": ("",),
    "min": ("max",),
    "max": ("min",),
    "True": ("False",),
    "False": ("True",),
    "unsafe_add": ("unsafe_sub",),
    "unsafe_sub": ("unsafe_add",),
    "unsafe_mul": ("unsafe_add",),
    "unsafe_div": ("unsafe_mul",),
    "break": ("continue",),
}
COMPARISONS = {"<", "<=", ">", ">=", "==", "!=", "and", "or", "not"}
GUARDS = ("_require(", "_refuse(", "_only_", "_check(")


@dataclass(frozen=True)
class Mutation:
    """One change.

    Parameters
    ----------
    kind : {"check", "arithmetic", "effect"}
        What it is about.
    line : int
        Line of the source, from 1.
    before, after : str
        What was there, and what replaces it.
    source : str
        The whole changed source.
    """

    kind: str
    line: int
    before: str
    after: str
    source: str


def mutations(source: str) -> list[Mutation]:
    """All changes of a source, in order of position."""
    lines = source.splitlines(keepends=True)
    found = []
    for tokens in _statements(source):
        found += _of_statement(lines, tokens)
    return found


def _statements(source: str) -> Iterator[list[tokenize.TokenInfo]]:
    """Logical lines of function bodies, and decorators, as tokens."""
    skipped = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT)
    inside = False
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in skipped:
            continue
        if token.type != tokenize.NEWLINE:
            statement.append(token)
            continue
        first = statement[0]
        if first.start[1] == 0:
            inside = first.string == "def"
            if [token.string for token in statement] == ["@", "nonreentrant"]:
                yield statement
        elif inside and first.type != tokenize.STRING:
            yield statement
        statement = []


def _of_statement(lines: list[str], tokens: list[tokenize.TokenInfo]) -> Iterator[Mutation]:
    text = " ".join(token.string for token in tokens)
    first = tokens[0].string
    compact = text.replace(" ", "")
    is_check = first in ("assert", "if", "elif", "@") or any(guard in compact for guard in GUARDS)
    whole = (tokens[0].start, tokens[-1].end)
    if first == "@":
        yield _mutation("check", lines, whole, "")
        return
    assigns = any(token.string in ("=", "+=", "-=", "|=") for token in tokens)
    called = not assigns and tokens[-1].string == ")" and _calls(first)
    if first in ("assert", "log") or (first == "self" and assigns) or called:
        yield _mutation("check" if is_check else "effect", lines, whole, "pass")
    if first in ("if", "elif") and tokens[-1].string == ":":
        condition = (tokens[1].start, tokens[-1].start)
        yield _mutation("check", lines, condition, f"not ({_slice(lines, *condition)})")
    if first in ("for", "log"):
        return
    declared = tokens[1].string == ":" if len(tokens) > 1 else False
    for index, token in enumerate(tokens):
        if declared and "=" in [t.string for t in tokens] and index < _assignment(tokens):
            continue
        span = (token.start, token.end)
        kind = "check" if is_check or token.string in COMPARISONS else "arithmetic"
        if token.type in (tokenize.OP, tokenize.NAME):
            for other in OPERATORS.get(token.string, ()):
                yield _mutation(kind, lines, span, other)
        elif token.type == tokenize.NUMBER and not token.string.startswith("0x"):
            value = int(token.string)
            for changed in {value + 1, max(value - 1, 0)} - {value}:
                yield _mutation(kind, lines, span, str(changed))


def _calls(first: str) -> bool:
    return first not in ("return", "if", "elif", "else", "for", "raise", "assert", "pass")


def _assignment(tokens: list[tokenize.TokenInfo]) -> int:
    return next(index for index, token in enumerate(tokens) if token.string == "=")


def _slice(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    middle = lines[start[0] : end[0] - 1]
    return lines[start[0] - 1][start[1] :] + "".join(middle) + lines[end[0] - 1][: end[1]]


def _mutation(
    kind: str, lines: list[str], span: tuple[tuple[int, int], tuple[int, int]], after: str
) -> Mutation:
    (row, column), (end_row, end_column) = span
    head = "".join(lines[: row - 1]) + lines[row - 1][:column]
    tail = lines[end_row - 1][end_column:] + "".join(lines[end_row:])
    return Mutation(kind, row, " ".join(_slice(lines, *span).split()), after, head + after + tail)
