"""Comparison of runs: columns and figures that each subject adds to a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Indicators = Mapping[str, float | None]
"""Of one run by dotted path, as :func:`cosim.results.manifest.flatten` gives them."""

Value = Callable[[Indicators], float | None]


def indicator(path: str) -> Value:
    """Return the indicator at a path; None in a run without it."""
    return lambda indicators: indicators.get(path)


@dataclass(frozen=True)
class Column:
    """A column of the table of runs.

    Parameters
    ----------
    place : float
        Columns stand in the order of their places.
    heading, unit : str
        Words, and unit where there is one.
    short : str
        Both in lines that fit a terminal.
    digits : int
    value : callable
    """

    place: float
    heading: str
    unit: str
    short: str
    digits: int
    value: Value


@dataclass(frozen=True)
class Measure:
    """A figure over the axes of a study: lines of a value, and perhaps dashed ones of another."""

    key: str
    title: str
    caption: str
    unit: str
    digits: int
    value: Value
    dashed: Value | None = None
    dashes: str = ""
    from_zero: bool = True


@dataclass(frozen=True)
class Bar:
    """A panel of a figure by runs.

    Parameters
    ----------
    title : str
    value : callable
    limit : str
        Name of a limit of the grid in a scenario, drawn into it.
    place : float
        Panels stand in the order of their places.
    """

    title: str
    value: Value
    limit: str = ""
    place: float = 0.0


@dataclass(frozen=True)
class Bars:
    """A figure by runs. Subjects may add panels to one of another: those of a key are one figure.

    Parameters
    ----------
    key, title, caption, unit, digits
        As of a :class:`Measure`; those of the first subject count.
    panels : tuple of Bar
    kind : str
        ``bars`` stand on zero, ``dots`` need not.
    same_scale : bool
        Whether all panels have one vertical scale.
    """

    key: str
    title: str
    caption: str
    unit: str
    digits: int
    panels: tuple[Bar, ...]
    kind: Literal["bars", "dots"] = "bars"
    same_scale: bool = False


@dataclass(frozen=True)
class Comparison:
    """Columns and figures that one subject adds to a study."""

    columns: Sequence[Column] = ()
    measures: Sequence[Measure] = ()
    bars: Sequence[Bars] = ()


MONEY_BARS = Bars(
    "money",
    "Money",
    "What each group paid over the run, less what it received; the supplier: what it received. "
    "Every panel has its own scale.",
    "EUR",
    2,
    panels=(
        Bar("All prosumers, cost", indicator("cost_eur"), place=4),
        Bar("Supplier, received", indicator("supplier_received_eur"), place=6),
    ),
)
"""Costs of every run, to which subjects add panels of their own."""
