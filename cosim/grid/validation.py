"""Reading and checking the files of a grid folder: each fault named by file, field and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandapower.topology import unsupplied_buses

from cosim.errors import GridDataError
from cosim.grid.element_checks import check_elements_of, check_indices
from cosim.grid.element_tables import check_tables, some
from cosim.grid.layout import unplaced_buses
from cosim.grid.tap_control import check_tap_control
from cosim.inputs.csv_file import numbers, read_table
from cosim.inputs.profiles import check_profile_table
from cosim.plugins import DEVICES

NETWORK_FILE = "network.json"
POINTS_FILE = "connection_points.csv"
ELEMENTS_FILE = "elements.csv"
PROFILES_FILE = "profiles.parquet"
SOURCE_FILE = "SOURCE.md"

POINT_COLUMNS = ("name", "bus")
AREA = "area"
"""Optional column of connection points: the part of the network that each belongs to."""
ELEMENT_COLUMNS = (
    "connection_point",
    "name",
    "kind",
    "profile",
    "p_mw",
    "q_mvar",
    "capacity_mwh",
)


def read_connection_points(file: Path) -> pd.DataFrame:
    """Read and check the table of connection points: columns name, bus, and area if it has one.

    Where a connection point belongs to no area, or the table has none, ``area`` is empty.
    """
    table = _read_csv(file, POINT_COLUMNS)
    names = table["name"]
    if table.empty:
        raise GridDataError("lists no connection point", file=file, remedy="add at least one row")
    if (names == "").any():
        raise GridDataError(
            f"row {int(np.flatnonzero(names == '')[0]) + 2} has no name",
            file=file,
            field="name",
            remedy="name every connection point",
        )
    twice = sorted(names[names.duplicated()].unique())
    if twice:
        raise GridDataError(
            f"connection points named twice: {some(twice)}",
            file=file,
            field="name",
            remedy="give each connection point a name of its own",
        )
    bus = _numbers(table, "bus", file)
    if (bus != np.rint(bus)).any():
        raise GridDataError(
            "is no whole number everywhere",
            file=file,
            field="bus",
            remedy="give the index of the bus in the network's bus table",
        )
    area = table[AREA] if AREA in table else pd.Series("", index=table.index, dtype=object)
    return pd.DataFrame({"name": names, "bus": bus.astype(np.int64), AREA: area})


def read_elements(file: Path) -> pd.DataFrame:
    """Read the table of devices; see docs/grids.md.

    Raises
    ------
    GridDataError
        If a column is missing, a cell is no number where one is wanted, or two rows are the same:
        whether both are meant cannot be told.
    """
    needed = [column for column in ELEMENT_COLUMNS if column not in ("name", "capacity_mwh")]
    table = _read_csv(file, needed)
    if (again := table.duplicated().to_numpy()).any():
        second, lines = int(np.argmax(again)), table.attrs["lines"]
        first = int(np.argmax((table == table.iloc[second]).all(axis=1)))
        raise GridDataError(
            f"line {lines[second]} is the same as line {lines[first]}",
            file=file,
            remedy="drop one of them, or give both a name of their own (column name) if there are "
            "two such elements",
        )
    if "name" not in table:
        table["name"] = table["connection_point"] + " " + table["kind"]
    if "capacity_mwh" not in table:
        table["capacity_mwh"] = "0"
    for column in ("p_mw", "q_mvar", "capacity_mwh"):
        table[column] = _numbers(table, column, file)
    return table[list(ELEMENT_COLUMNS)]


def check_solvable(net: Any, file: Path, *, imported: bool = False) -> None:
    """Refuse a network that no power flow of a run solves as pandapower does.

    Parameters
    ----------
    net : pandapowerNet
    file : Path
        Named in errors.
    imported : bool
        Whether it is one to be imported, with injections of its own.
    """
    try:
        check_indices(net)
        check_tables(net, imported=imported)
        check_elements_of(net)
        check_tap_control(net)
    except GridDataError as error:
        raise GridDataError(
            error.problem, file=file, field=error.field, remedy=error.remedy
        ) from error
    for field in ("f_hz", "sn_mva"):
        value = net.get(field)
        if (
            not isinstance(value, (int, float))
            or isinstance(value, bool)
            or not 0 < value < float("inf")
        ):
            raise GridDataError(
                f"is {value!r}, not a positive number",
                file=file,
                field=field,
                remedy="write the network with pandapower.to_json",
            )


def check_network(
    net: Any, points: pd.DataFrame, file: Path, points_file: Path | None = None
) -> None:
    """Refuse a network that cannot be solved or drawn, or feed its connection points."""
    check_solvable(net, file)
    known = set(net.bus.index)
    unknown = points[~points.bus.isin(known)]
    if len(unknown):
        raise GridDataError(
            "buses of connection points are not in the network: "
            + some(f"{row.name_} at bus {row.bus}" for row in _rows(unknown)),
            file=points_file or file.parent / POINTS_FILE,
            field="bus",
            remedy=f"use an index of the bus table of {file.name}",
        )
    if bare := unplaced_buses(net):
        raise GridDataError(
            f"buses without coordinates: {some(bare)}",
            file=file,
            field="bus.geo",
            remedy="fill net.bus.geo with GeoJSON points, or import the network anew: cosim grids "
            "import lays out a network without",
        )
    isolated = points[points.bus.isin(dead_buses(net))]
    if len(isolated):
        raise GridDataError(
            "isolated connection points, out of service or without a path to an external grid: "
            + some(f"{row.name_} at bus {row.bus}" for row in _rows(isolated)),
            file=file,
            field="bus",
            remedy=f"drop them from {(points_file or file.parent / POINTS_FILE).name}: what is "
            "connected there draws nothing in pandapower.runpp, and an import leaves it out",
        )


def dead_buses(net: Any) -> set[int]:
    """Return buses out of service or without a path to an external grid."""
    out = net.bus.index[~net.bus.in_service.astype(bool)]
    return {int(bus) for bus in (*out, *unsupplied_buses(net))}


def check_sgens(net: Any, points: pd.DataFrame, file: Path) -> None:
    """Refuse a network whose sgens are not exactly its connection points, in order."""
    same = (
        list(net.sgen["name"]) == list(points["name"])
        and list(net.sgen["bus"]) == list(points["bus"])
        and bool(net.sgen["in_service"].all())
        and bool((net.sgen["scaling"] == 1.0).all())
    )
    if not same:
        raise GridDataError(
            f"the sgens are not the connection points of {POINTS_FILE}, by name, bus and order, "
            "in service and with scaling 1",
            file=file,
            field="sgen",
            remedy="make the folder with cosim grids import",
        )


def check_elements(
    elements: pd.DataFrame,
    points: pd.DataFrame,
    profile_columns: set[str],
    file: Path,
    points_file: str = POINTS_FILE,
    profiles_file: str = PROFILES_FILE,
) -> None:
    """Refuse elements of unknown connection points, kinds or profiles, or of negative rating.

    The two last parameters are names of the files that go with them, for errors.
    """
    strangers = sorted(set(elements.connection_point) - set(points.name))
    if strangers:
        raise GridDataError(
            f"elements of unknown connection points: {some(strangers)}",
            file=file,
            field="connection_point",
            remedy=f"use names of {points_file}",
        )
    unknown = sorted(set(elements.kind) - set(DEVICES.names))
    if unknown:
        raise GridDataError(
            f"unknown kinds: {some(unknown)}",
            file=file,
            field="kind",
            remedy=f"one of {', '.join(DEVICES.names)}, or install the package that brings it",
        )
    for column in ("p_mw", "capacity_mwh"):
        negative = elements[elements[column] < 0]
        if len(negative):
            raise GridDataError(
                "negative ratings: " + some(row.name_ for row in _rows(negative)),
                file=file,
                field=column,
                remedy="give magnitudes; the kind says whether it feeds in or consumes",
            )
    # a storage is modelled; its published profile, if any, is for comparison
    modelled = {name for name, device in DEVICES.every().items() if not device.has_profile}
    driven = elements[~elements.kind.isin(modelled) | (elements.profile != "")]
    if (bare := (driven.profile == "").to_numpy()).any():
        raise GridDataError(
            "elements without a profile: " + some(row.name_ for row in _rows(driven[bare])),
            file=file,
            field="profile",
            remedy=f"name one of {profiles_file}, without _p",
        )
    needed = {f"{profile}_p" for profile in driven.profile}
    needed |= {f"{profile}_q" for profile in driven.profile[driven.q_mvar != 0]}
    missing = sorted(needed - profile_columns)
    if missing:
        raise GridDataError(
            f"{profiles_file} lacks columns of these profiles: {some(missing)}",
            file=file,
            field="profile",
            remedy="a profile NAME needs a column NAME_p, and NAME_q where q_mvar is not 0",
        )


def check_profiles(file: Path) -> set[str]:
    """Refuse profiles without an even time index or with missing values; give their columns."""
    require(file)
    try:
        table = pq.read_table(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise GridDataError(
            f"cannot be read as Parquet: {error}", file=file, remedy="write it as Parquet"
        ) from error
    return check_profile_table(table, file)


def require(file: Path) -> None:
    if not file.is_file():
        raise GridDataError(
            "is missing from the grid folder",
            file=file,
            remedy="make the folder with cosim grids import; docs/grids.md says what it holds",
        )


def _read_csv(file: Path, columns: Any) -> pd.DataFrame:
    require(file)
    read = read_table(file, GridDataError, columns)
    table = pd.DataFrame(read.columns)
    table.attrs["lines"] = read.lines
    return table


def _numbers(table: pd.DataFrame, column: str, file: Path) -> pd.Series:
    lines = table.attrs["lines"]
    return pd.Series(numbers(table[column].tolist(), lines, column, file, GridDataError))


def _rows(table: pd.DataFrame) -> Any:
    return table.rename(columns={"name": "name_"}).itertuples()
