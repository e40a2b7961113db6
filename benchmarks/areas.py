"""Networks of any size: copies of a low-voltage grid along one medium-voltage feeder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd

from cosim.grid.catalogue import GridCase
from cosim.grid.folder_writer import publish, with_connection_points, write_source
from cosim.grid.validation import ELEMENTS_FILE, NETWORK_FILE, POINTS_FILE, PROFILES_FILE

_LINE_KM = 1.0
_APART_DEGREE = 0.02
_BUSES = {"line": ("from_bus", "to_bus"), "trafo": ("hv_bus", "lv_bus"), "switch": ("bus",)}


def joined_areas(case: GridCase, n_areas: int) -> tuple[Any, pd.DataFrame, pd.DataFrame]:
    """Join copies of a grid by a cable from the bus of one external grid to the next.

    Parameters
    ----------
    case : GridCase
        A grid below one external grid.
    n_areas : int
        Copies; names begin with ``A1``, ``A2`` and so on, which is also the area of each point.

    Returns
    -------
    net : pandapowerNet
        With one idle sgen per connection point.
    points, elements : DataFrame
        As of a grid folder.
    """
    source = case.net
    head, external = int(source.ext_grid.bus.iloc[0]), source.ext_grid
    n_buses = int(source.bus.index.max()) + 1
    net, parts = pp.pandapowerNet(source), [f"A{i + 1}" for i in range(n_areas)]
    for table in ("bus", *_BUSES):
        copies = [_copy(source, table, i, n_buses) for i in range(n_areas)]
        net[table] = pd.concat(copies)
    net.ext_grid = external.copy()
    for i in range(1, n_areas):
        pp.create_line(
            net,
            head + (i - 1) * n_buses,
            head + i * n_buses,
            length_km=_LINE_KM,
            std_type="NA2XS2Y 1x240 RM/25 12/20 kV",
            name=f"{parts[i - 1]} to {parts[i]}",
            max_loading_percent=100.0,
        )
    points = pd.concat(
        [
            case.connection_points.assign(
                name=part + " " + case.connection_points.name,
                bus=case.connection_points.bus + i * n_buses,
                area=part,
            )
            for i, part in enumerate(parts)
        ],
        ignore_index=True,
    )
    elements = pd.concat(
        [
            case.elements.assign(
                connection_point=part + " " + case.elements.connection_point,
                name=part + " " + case.elements.name,
            )
            for part in parts
        ],
        ignore_index=True,
    )
    return with_connection_points(net, points), points, elements


def write_areas(case: GridCase, n_areas: int, dest: Path) -> Path:
    """Write a grid folder of copies of a grid; see :func:`joined_areas`."""
    net, points, elements = joined_areas(case, n_areas)

    def write(folder: Path) -> None:
        pp.to_json(net, str(folder / NETWORK_FILE))
        points.to_csv(folder / POINTS_FILE, index=False, lineterminator="\n")
        elements.to_csv(folder / ELEMENTS_FILE, index=False, lineterminator="\n")
        shutil.copy(case.profiles_file, folder / PROFILES_FILE)
        made = f"Copies of {case.name}, whose SOURCE.md has its licence and origin."
        write_source(folder, [f"# {n_areas} areas of {case.name}", "", made])

    return publish(write, dest)


def _copy(source: Any, table: str, i: int, n_buses: int) -> pd.DataFrame:
    """Return the rows of a table for one copy, with indices and buses of its own."""
    rows = source[table].copy()
    moved = {kind: len(source[kind]) * i for kind in ("line", "trafo", "switch")}
    if table == "switch":
        kind = rows.et.map({"l": "line", "t": "trafo", "b": "bus"})
        rows["element"] += kind.map({**moved, "bus": n_buses * i}).to_numpy(np.int64)
    for column in _BUSES.get(table, ()):
        rows[column] += n_buses * i
    rows.index = rows.index + (n_buses * i if table == "bus" else moved[table])
    rows["name"] = f"A{i + 1} " + rows["name"].astype(str)
    if table == "bus":
        rows["geo"] = [_moved(geo, i) for geo in rows["geo"]]
    return rows


def _moved(geo: str, i: int) -> str:
    """Return a point further east, so that a plan shows the copies next to each other."""
    point = json.loads(geo)
    east, north = point["coordinates"][:2]
    return json.dumps({"type": "Point", "coordinates": [east + i * _APART_DEGREE, north]})
