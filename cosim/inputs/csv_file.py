"""CSV as cosim reads it: commas, decimal points, UTF-8, one header line; all else is named.

Spreadsheets write other separators, decimal commas and encodings, and libraries that guess them
guess wrong in silence. So nothing is guessed: what a file has instead is said, with its line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cosim.errors import UserError
from cosim.inputs.text import decoded, unprintable

REMEDY = "commas between columns, decimal points, UTF-8, one header line"

_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_SEPARATORS = {";": "';'", "\t": "a tab", "|": "'|'"}
_FAULTS = (
    (re.compile(r"\s*"), "is empty"),
    (re.compile(r"(?i)[-+]?(?:nan|n/?a|null|none|#n/a|-)"), "is missing ({0!r})"),
    (re.compile(r"(?i)[-+]?inf(?:inity)?"), "is infinite ({0!r})"),
    (re.compile(r"#[A-Z/0!?]+"), "is an error of a spreadsheet ({0!r})"),
    (re.compile(r"[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?"), "has a decimal comma ({0!r})"),
    (re.compile(r"[-+]?[0-9]{1,3}(?:[., '][0-9]{3})+[.,]?[0-9]*"), "has thousands set off ({0!r})"),
    (re.compile(r"[-+]?[0-9.,]+ *[A-Za-z%µ]+"), "has a unit in the cell ({0!r})"),
)
"""Cells that are no number, and what they are; the first that fits counts."""


@dataclass(frozen=True)
class TextTable:
    """Cells of a CSV file as text.

    Parameters
    ----------
    file : Path
    error : type of UserError
        Raised for what is wrong with it.
    columns : dict of str to list of str
        Cells without the blanks around them.
    lines : list of int
        Line of the file of each row, counted from 1.
    """

    file: Path
    error: type[UserError]
    columns: dict[str, list[str]]
    lines: list[int]

    def numbers(self, column: str) -> npt.NDArray[np.float64]:
        """Return a column of finite numbers; refuse any other cell by its line."""
        return numbers(self.columns[column], self.lines, column, self.file, self.error)


def numbers(
    cells: Sequence[str], lines: Sequence[int], column: str, file: Path, error: type[UserError]
) -> npt.NDArray[np.float64]:
    """Return cells as finite numbers.

    Parameters
    ----------
    cells : sequence of str
    lines : sequence of int
        Where they are in the file.
    column : str
    file : Path
    error : type of UserError
        Raised for the first cell that is no finite number; says what it is, and its line.

    Returns
    -------
    (n,) float
    """
    for cell, line in zip(cells, lines, strict=True):
        if not _NUMBER.fullmatch(cell):
            said = next((said for form, said in _FAULTS if form.fullmatch(cell)), None)
            problem = (said or "holds {0!r}, not a number").format(cell)
            raise error(
                f"line {line} {problem}",
                file=file,
                field=column,
                remedy="give a finite number with a decimal point in every row",
            )
    values = np.array(cells, dtype=np.float64)
    if not np.isfinite(values).all():
        at = int(np.argmin(np.isfinite(values)))
        raise error(
            f"line {lines[at]} is infinite ({cells[at]!r})",
            file=file,
            field=column,
            remedy="give a finite number with a decimal point in every row",
        )
    return values


def read_table(file: Path, error: type[UserError], needed: Sequence[str]) -> TextTable:
    """Read a CSV file.

    Parameters
    ----------
    file : Path
    error : type of UserError
        What is raised.
    needed : sequence of str
        Columns that must be there.

    Returns
    -------
    TextTable
        With every named column; an index column without a name is left out.

    Raises
    ------
    UserError
        If it is empty, not UTF-8, has another separator, no header, a column twice or missing, a
        row with more or fewer cells than the header, or an open quote.
    """
    text = decoded(file.read_bytes(), file, error)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    begin = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                lines.append(begin)
            begin = reader.line_num + 1
    except csv.Error as trouble:
        raise error(
            f"cannot be read as CSV from line {begin} on: {trouble}",
            file=file,
            remedy="close every quote, and quote cells that hold commas",
        ) from trouble
    if not rows:
        raise error("is empty", file=file, remedy=f"{REMEDY}: {', '.join(needed)}")
    header = _header(rows[0], needed, text, file, error)
    for row, line in zip(rows[1:], lines[1:], strict=True):
        if len(row) != len(header):
            comma = len(row) > len(header) and any(cell.isdigit() for cell in row[1:])
            raise error(
                f"line {line} has {len(row)} cells, the header {len(header)}"
                + ("; a decimal comma without quotes makes two of one" if comma else ""),
                file=file,
                remedy=REMEDY,
            )
    for row, line in zip(rows, lines, strict=True):
        for name, cell in zip(header, row, strict=True):
            if problem := unprintable(cell):
                raise error(
                    f"line {line} holds {problem} ({cell!r})",
                    file=file,
                    field=name if name.isprintable() else None,
                    remedy="write names in printable characters",
                )
    columns = {name: [row[place] for row in rows[1:]] for place, name in enumerate(header) if name}
    return TextTable(file, error, columns, lines[1:])


def _header(
    names: list[str], needed: Sequence[str], text: str, file: Path, error: type[UserError]
) -> list[str]:
    """Return the names of columns, or refuse them."""
    missing = [name for name in needed if name not in names]
    if missing:
        first = text.lstrip().splitlines()[0]
        for separator, called in _SEPARATORS.items():
            own = [cell.strip().strip('"') for cell in first.split(separator)]
            if len(own) > len(names) or (len(own) > 1 and set(needed) <= set(own)):
                raise error(
                    f"the separator is {called}, not a comma: line 1 is {first!r}",
                    file=file,
                    remedy=f"write {REMEDY}; in pandas: read_csv(file, sep={separator!r}, "
                    "decimal=',') where numbers have decimal commas, then to_csv",
                )
        if any(_NUMBER.fullmatch(name) or re.match(r"\d{1,4}[-./]\d", name) for name in names):
            raise error(
                f"line 1 holds data ({first!r}): the header is missing",
                file=file,
                remedy=f"begin with a line that names the columns: {', '.join(needed)}",
            )
        raise error(
            f"has no column {missing[0]!r}; it has {', '.join(names)}",
            file=file,
            field=missing[0],
            remedy=f"columns needed: {', '.join(needed)}",
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise error(
            f"has the column {twice[0]!r} {names.count(twice[0])} times",
            file=file,
            field=twice[0],
            remedy="keep one of them",
        )
    return names
