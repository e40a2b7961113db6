"""Comparisons of indicators that a study expects to hold.

::

    expectation = sum, ("<" | "<=" | "==" | ">=" | ">"), sum
    sum        = term, {("+" | "-"), term}
    term       = [number, "*"], reference | number
    reference  = run, ".", indicator

An indicator is a dotted path into the ``indicators`` of the run's manifest. With several seeds, the
name of a run without its seed stands for the mean over its seeds. There is nothing else in the
language: no names but those, no calls, no brackets.
"""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cosim.studies.estimates import Estimate, estimate

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<sign><=|>=|==|<|>|\*|\+(?=[\s\d])|-(?=[\s\d]))"
    r"|(?P<name>[A-Za-z0-9_][^\s<>=*]*))"
)


@dataclass(frozen=True)
class Reference:
    """An indicator of a run."""

    run: str
    indicator: str

    def __str__(self) -> str:
        return f"{self.run}.{self.indicator}"


@dataclass(frozen=True)
class Term:
    """A factor times an indicator, or a number alone."""

    factor: float
    reference: Reference | None = None


@dataclass(frozen=True)
class Expectation:
    """A comparison of two sums of terms.

    Parameters
    ----------
    text : str
        As it was written.
    left, right : tuple of Term
    comparison : str
        A key of :data:`COMPARISONS`.
    """

    text: str
    left: tuple[Term, ...]
    comparison: str
    right: tuple[Term, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """Indicators that are compared."""
        return tuple(
            term.reference for term in (*self.left, *self.right) if term.reference is not None
        )


@dataclass(frozen=True)
class Outcome:
    """Outcome of an expectation.

    Parameters
    ----------
    text : str
        The expectation.
    met : bool
        False also where an indicator has no value.
    left, right : float or None
        The values of both sides; None where an indicator has none.
    comparison : str
    problem : str
        Why there is nothing to compare, if so.
    difference : Estimate or None
        Left less right over seeds, taken seed by seed; None where no side is a mean.
    """

    text: str
    met: bool
    left: float | None
    comparison: str
    right: float | None
    problem: str = ""
    difference: Estimate | None = None


def parse_expectation(text: str, runs: Sequence[str]) -> Expectation:
    """Read a comparison.

    Parameters
    ----------
    text : str
        In the language of the module's docstring.
    runs : sequence of str
        Names of the runs that there are.

    Raises
    ------
    ValueError
        If it is not in the language, or a run is unknown; names the nearest.
    """
    tokens = _tokens(text)
    signs = [k for k, (kind, word) in enumerate(tokens) if kind == "sign" and word in COMPARISONS]
    if len(signs) != 1:
        raise ValueError(f"one of {' '.join(COMPARISONS)} must stand in it exactly once")
    middle = signs[0]
    return Expectation(
        text=text,
        left=_sum(tokens[:middle], runs),
        comparison=tokens[middle][1],
        right=_sum(tokens[middle + 1 :], runs),
    )


def check_expectation(
    expectation: Expectation,
    indicators: Mapping[str, Mapping[str, float | None]],
    seeds: Sequence[Mapping[str, Mapping[str, float | None]]] = (),
) -> Outcome:
    """Compare the indicators of finished runs.

    Parameters
    ----------
    expectation : Expectation
    indicators : mapping
        By run: its indicators by dotted path. Means where a name stands for several seeds.
    seeds : sequence of mapping
        For each seed, the indicators by names that stand for several.

    Returns
    -------
    Outcome
        Not met, and with the reason, where a run has no such indicator or it has no value.
    """
    try:
        left, right = (_value(side, indicators) for side in (expectation.left, expectation.right))
    except ValueError as error:
        return Outcome(
            expectation.text, False, None, expectation.comparison, None, problem=str(error)
        )
    met = COMPARISONS[expectation.comparison](left, right)
    difference = None
    if any(reference.run in seeds[0] for reference in expectation.references if seeds):
        changes = []
        for own in seeds:
            known = {**indicators, **own}
            changes.append(_value(expectation.left, known) - _value(expectation.right, known))
        difference = estimate(changes)
    return Outcome(
        expectation.text, met, left, expectation.comparison, right, difference=difference
    )


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"cannot be read from {text[position:].strip()!r} on")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        position = match.end()
    return found


def _sum(tokens: Sequence[tuple[str, str]], runs: Sequence[str]) -> tuple[Term, ...]:
    terms: list[Term] = []
    rest = list(tokens)
    sign = 1.0
    if rest and rest[0] == ("sign", "-"):
        sign = -1.0
        rest.pop(0)
    while True:
        term, rest = _term(rest, sign, runs)
        terms.append(term)
        if not rest:
            return tuple(terms)
        if rest[0] not in (("sign", "+"), ("sign", "-")):
            raise ValueError(f"expected + or - before {rest[0][1]!r}")
        sign = 1.0 if rest.pop(0)[1] == "+" else -1.0


def _term(
    tokens: list[tuple[str, str]], sign: float, runs: Sequence[str]
) -> tuple[Term, list[tuple[str, str]]]:
    match tokens:
        case [("number", number), ("sign", "*"), ("name", name), *rest]:
            return Term(sign * float(number), _reference(name, runs)), rest
        case [("number", number), *rest]:
            return Term(sign * float(number)), rest
        case [("name", name), *rest]:
            return Term(sign, _reference(name, runs)), rest
        case [(_, word), *_]:
            raise ValueError(f"expected a number or <run>.<indicator>, not {word!r}")
        case _:
            raise ValueError("a side of the comparison is empty")


def _reference(name: str, runs: Sequence[str]) -> Reference:
    # a run's name may hold a dot, e.g. in a value on an axis: the longest that fits counts
    for run in sorted(runs, key=len, reverse=True):
        if name.startswith(f"{run}."):
            return Reference(run, name[len(run) + 1 :])
    run, dot, _ = name.partition(".")
    if not dot:
        raise ValueError(f"{name!r} is no number and no <run>.<indicator>")
    raise ValueError(f"unknown run {run!r}: {nearest(run, runs)}")


def _value(terms: Sequence[Term], indicators: Mapping[str, Mapping[str, float | None]]) -> float:
    values: list[float] = []
    for term in terms:
        if term.reference is None:
            values.append(term.factor)
            continue
        if term.reference.run not in indicators:
            raise ValueError(f"run {term.reference.run!r} could not be made")
        own = indicators[term.reference.run]
        if term.reference.indicator not in own:
            raise ValueError(
                f"run {term.reference.run!r} has no indicator {term.reference.indicator!r}: "
                f"{nearest(term.reference.indicator, list(own))}"
            )
        value = own[term.reference.indicator]
        if value is None:
            raise ValueError(f"{term.reference} has no value")
        values.append(term.factor * value)
    return math.fsum(values)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint: the nearest known name, or a few of the known ones if none is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}"
