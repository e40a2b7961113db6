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
class Shown:
    """A value in a figure: a panel by runs; over axes the line, or the dashed line, of each run.

    Parameters
    ----------
    title : str
    value : callable
    limit : str
        Name of a limit of the grid in a scenario, drawn into its panel.
    place : float
        Panels stand in the order of their places.
    """

    title: str
    value: Value
    limit: str = ""
    place: float = 0.0


@dataclass(frozen=True)
class Figure:
    """A figure of a study.

    Subjects may add values to a figure of another: those of a key are one figure, and the words of
    the first count.

    Parameters
    ----------
    key, title, caption, unit : str
    digits : int
    values : tuple of Shown
        Over axes the first is a line, and the second a dashed one.
    over : str
        Where it is drawn: over ``axes``, by ``runs``, or ``both``.
    kind : str
        By runs: ``bars`` stand on zero, ``dots`` need not.
    same_scale : bool
        By runs: whether all panels have one vertical scale.
    """

    key: str
    title: str
    caption: str
    unit: str
    digits: int
    values: tuple[Shown, ...]
    over: Literal["axes", "runs", "both"] = "both"
    kind: Literal["bars", "dots"] = "bars"
    same_scale: bool = True


@dataclass(frozen=True)
class Comparison:
    """Columns and figures that one subject adds to a study."""

    columns: Sequence[Column] = ()
    figures: Sequence[Figure] = ()


MONEY = Figure(
    "money",
    "Money",
    "Payments between groups over the run, which are parts of the money by role below: what all "
    "prosumers paid, less what they received; what they paid to the supplier; what the DSO paid "
    "for flexibility, less penalties. Every panel has its own scale.",
    "EUR",
    2,
    (
        Shown("All prosumers, cost", indicator("cost_eur"), place=4),
        Shown("To the supplier", indicator("supplier_received_eur"), place=6),
    ),
    over="runs",
    same_scale=False,
)
"""Costs of every run, to which subjects add values of their own."""
