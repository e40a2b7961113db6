"""Parts of a report: each subject's charts, tiles, tables, key data and definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosim.report.chart_style import Chart


@dataclass(frozen=True)
class Tile:
    """One indicator: a value, or the steps from before to delivered, and a note."""

    title: str
    note: str
    value: str = ""
    steps: tuple[tuple[str, str], ...] = ()
    tone: str = ""


@dataclass(frozen=True)
class TextTable:
    """A table as text; the first column holds words, the others numbers."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class TableFigure:
    """Tables with a heading and notes, in the report and after a run in the terminal.

    Parameters
    ----------
    key, title : str
        Identifier in the page, and heading.
    notes : sequence of str
    tables : sequence of TextTable
    wide : bool
        Whether it takes the whole width of the page.
    """

    key: str
    title: str
    notes: Sequence[str]
    tables: Sequence[TextTable]
    wide: bool = False


@dataclass(frozen=True)
class ReportPart:
    """Key data, tiles, figures and definitions that one subject adds to a report.

    Parameters
    ----------
    key, title : str
        Of its group of figures.
    key_data : sequence of (str, str)
        What was run, for the head of the report: term and value.
    tiles : sequence of Tile
    figures : sequence of Chart or TableFigure
    definitions : sequence of (str, str)
        Term and explanation.
    """

    key: str
    title: str
    key_data: Sequence[tuple[str, str]] = ()
    tiles: Sequence[Tile] = ()
    figures: Sequence[Chart | TableFigure] = ()
    definitions: Sequence[tuple[str, str]] = ()
