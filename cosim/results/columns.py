"""Column and table of a result folder, and the usual kinds of column."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any, Literal

FORMAT_VERSION = "2"
"""Changes when a column is renamed, removed, or changes its meaning."""


Kind = Literal["int8", "int32", "int64", "float64", "string", "strings", "bool", "binary", "wei"]
"""Type of a column in the file; ``strings`` is a list of texts, ``wei`` an integer of 38 digits."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        Ends in the unit, where there is one.
    kind : str
        Type in the Parquet file.
    unit : str
        Unit in brackets' stead, ``"-"`` if there is none.
    description : str
        What it means, with its sign.
    optional : bool
        Values may be missing (null), and the column left out when rows are appended.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    optional: bool = False

    @property
    def type(self) -> Any:
        """The pyarrow data type."""
        import pyarrow as pa  # takes 0.3 s, which who only reads a scenario need not spend

        if self.kind == "wei":
            return pa.decimal128(38, 0)
        return pa.list_(pa.string()) if self.kind == "strings" else pa.type_for_alias(self.kind)

    @property
    def is_optional_integer(self) -> bool:
        """True if it holds whole numbers of which some may be missing."""
        return self.optional and self.kind in ("int8", "int32", "int64")


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Parameters
    ----------
    name : str
    row : str
        Meaning of a row.
    columns : tuple of Column
        In their order.
    further : tuple of Column
        Columns that come after them in results of runs that give them.
    is_open : bool
        Whether packages may declare further columns.
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    further: tuple[Column, ...] = ()
    is_open: bool = False

    def with_further(self, given: Container[str]) -> Table:
        """Return the table with those of its further columns that are given."""
        own = tuple(column for column in self.further if column.name in given)
        return replace(self, columns=self.columns + own, further=())

    @property
    def arrow(self) -> Any:
        """The pyarrow schema, with unit and description as metadata of each field."""
        import pyarrow as pa

        fields = [
            pa.field(
                column.name,
                column.type,
                nullable=column.optional,
                metadata={"unit": column.unit, "description": column.description},
            )
            for column in self.columns
        ]
        return pa.schema(fields, metadata={"cosim_format": FORMAT_VERSION, "row": self.row})


PROSUMER = Column("prosumer", "string", "-", "name of the connection point")
AREA = Column("area", "string", "-", "area of its local market, where there are several")


def index(name: str, description: str) -> Column:
    """Return a column of small whole numbers, such as an element's index. [-]"""
    return Column(name, "int32", "-", description)


def interval(description: str = "delivery interval, from 0") -> Column:
    """Return the column of the delivery interval. [-]"""
    return index("interval", description)


def flag(name: str, description: str) -> Column:
    """Return a column of truth values. [-]"""
    return Column(name, "bool", "-", description)


def wh(name: str, description: str, optional: bool = False) -> Column:
    """Return a column of energies. [Wh]"""
    return Column(name, "int64", "Wh", description, optional)


def ueur(name: str, description: str) -> Column:
    """Return a column of money. [µEUR]"""
    return Column(name, "int64", "µEUR", description)


def price(name: str, description: str, optional: bool = False) -> Column:
    """Return a column of prices. [µEUR/kWh]"""
    return Column(name, "int64", "µEUR/kWh", description, optional)


def number(name: str, unit: str, description: str, optional: bool = False) -> Column:
    """Return a column of numbers with a unit."""
    return Column(name, "float64", unit, description, optional)


def integer(name: str, unit: str, description: str, optional: bool = False) -> Column:
    """Return a column of whole numbers with a unit."""
    return Column(name, "int64", unit, description, optional)


def text(name: str, description: str, optional: bool = False) -> Column:
    """Return a column of texts. [-]"""
    return Column(name, "string", "-", description, optional)
