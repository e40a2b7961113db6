"""The table of what stands at the connection points, checked row by row.

A row of ``elements.csv`` is ``connection_point, kind, profile, p_mw, q_mvar`` with a registered
kind of device; ``p_mw`` and ``q_mvar`` are ratings that the relative profiles ``<profile>_p`` and
``<profile>_q`` multiply. A row of a kind without profile, such as ``storage``, has a rating and, in
a column ``capacity_mwh``, an energy content.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cosim.devices.catalogue import registered
from cosim.errors import GridDataError

COLUMNS = ("connection_point", "kind", "profile", "p_mw", "q_mvar")


@dataclass(frozen=True, slots=True)
class Element:
    """One device at a connection point.

    Parameters
    ----------
    connection_point : str
        Where it is.
    kind : str
        A registered one.
    profile : str
        Name of its profile; "" for a kind without.
    p_mw, q_mvar : float
        Ratings that the relative profiles multiply. [MW, Mvar]
    capacity_mwh : float
        Energy content of a storage. [MWh]
    """

    connection_point: str
    kind: str
    profile: str
    p_mw: float
    q_mvar: float
    capacity_mwh: float = 0.0

    @property
    def p_column(self) -> str:
        """Its column of active power in the profiles file."""
        return f"{self.profile}_p"

    @property
    def q_column(self) -> str:
        """Its column of reactive power in the profiles file."""
        return f"{self.profile}_q"


def read_elements(
    table: pd.DataFrame,
    connection_point_names: Collection[str],
    elements_file: str | Path = "elements.csv",
) -> tuple[Element, ...]:
    """Turn an element table into elements.

    Parameters
    ----------
    table : DataFrame
        As described in the module; more columns are ignored.
    connection_point_names : collection of str
        The network's connection points.
    elements_file : str or Path
        Named in errors.

    Returns
    -------
    tuple of Element
        In the order of the table.

    Raises
    ------
    GridDataError
        Naming line and field, if a column is missing, a connection point or kind is unknown, a
        profile is missing, or a rating is not finite or, for active power, negative.
    """

    def refuse(problem: str, field: str, remedy: str) -> GridDataError:
        return GridDataError(problem, file=elements_file, field=field, remedy=remedy)

    for column in COLUMNS:
        if column not in table.columns:
            raise refuse("column is missing", column, "add it")
    known = set(connection_point_names)
    has_profile = {device.kind: device.has_profile for device in registered()}
    cells = [table[column].tolist() for column in COLUMNS]
    cells.append(table["capacity_mwh"].tolist() if "capacity_mwh" in table else [0.0] * len(table))
    elements = []
    for line, row in enumerate(zip(*cells, strict=True), start=2):
        point, kind, profile, p_mw, q_mvar, capacity_mwh = row
        if point not in known:
            raise refuse(
                f"line {line}: '{point}' is no connection point",
                "connection_point",
                "use a name from connection_points.csv",
            )
        if kind not in has_profile:
            raise refuse(
                f"line {line}: unknown kind '{kind}'",
                "kind",
                f"one of {', '.join(has_profile)}, or install the package that brings it",
            )
        # an empty cell of a CSV file is NaN in pandas
        profile = profile if isinstance(profile, str) else ""
        if has_profile[kind]:
            if not profile:
                raise refuse(
                    f"line {line}: a {kind} without a profile",
                    "profile",
                    "name a profile of profiles.parquet, without _p",
                )
            if not np.isfinite(p_mw) or p_mw < 0:
                raise refuse(
                    f"line {line}: p_mw is {p_mw}", "p_mw", "give the rated magnitude in MW"
                )
            if not np.isfinite(q_mvar):
                raise refuse(f"line {line}: q_mvar is {q_mvar}", "q_mvar", "give Mvar, or 0")
        elements.append(
            Element(point, kind, profile, float(p_mw), float(q_mvar), float(capacity_mwh))
        )
    return tuple(elements)


def profile_columns(elements: Collection[Element]) -> tuple[str, ...]:
    """Return columns of the profiles file that elements need, in the order of first use."""
    with_profile = {device.kind for device in registered() if device.has_profile}
    used: list[str] = []
    for element in elements:
        if element.kind in with_profile:
            used.append(element.p_column)
            if element.q_mvar:
                used.append(element.q_column)
    return tuple(dict.fromkeys(used))
