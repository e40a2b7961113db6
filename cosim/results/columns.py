"""What a column and a table of a result folder are, and the usual kinds of column."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

FORMAT_VERSION = "1"
"""Changes when a column is renamed, removed, or changes its meaning."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        Ends in the unit, where there is one.
    type : pyarrow.DataType
        Type in the Parquet file.
    unit : str
        Unit in brackets' stead, ``"-"`` if there is none.
    description : str
        What it means, with its sign.
    optional : bool
        Whether values may be missing (null), and the column left out when rows are appended.
    """

    name: str
    type: Any
    unit: str
    description: str
    optional: bool = False


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
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    further: tuple[Column, ...] = ()

    def with_further(self, given: Container[str]) -> Table:
        """Return the table with those of its further columns that are given."""
        own = tuple(column for column in self.further if column.name in given)
        return replace(self, columns=self.columns + own, further=())

    @property
    def arrow(self) -> Any:
        """The pyarrow schema, with unit and description as metadata of each field."""
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


def interval(description: str = "delivery interval, from 0") -> Column:
    """Delivery interval."""
    return Column("interval", pa.int32(), "-", description)


PROSUMER = Column("prosumer", pa.string(), "-", "name of the connection point")


def wh(name: str, description: str, optional: bool = False) -> Column:
    """Energy. [Wh]"""
    return Column(name, pa.int64(), "Wh", description, optional)


def ueur(name: str, description: str) -> Column:
    """Money. [µEUR]"""
    return Column(name, pa.int64(), "µEUR", description)


def price(name: str, description: str, optional: bool = False) -> Column:
    """Price. [µEUR/kWh]"""
    return Column(name, pa.int64(), "µEUR/kWh", description, optional)


def number(name: str, unit: str, description: str, optional: bool = False) -> Column:
    """A number with a unit."""
    return Column(name, pa.float64(), unit, description, optional)


def integer(name: str, unit: str, description: str, optional: bool = False) -> Column:
    """A whole number with a unit."""
    return Column(name, pa.int64(), unit, description, optional)


def text(name: str, description: str, optional: bool = False) -> Column:
    """A text."""
    return Column(name, pa.string(), "-", description, optional)
