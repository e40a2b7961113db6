"""Grid folders: a list of those there are, and one read and checked.

A grid folder holds ``network.json`` (pandapower, one ``sgen`` per connection point),
``connection_points.csv``, ``elements.csv``, ``profiles.parquet`` and ``SOURCE.md``; docs/grids.md
describes columns and units.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cosim.errors import GridDataError
from cosim.grid.reading import read_network
from cosim.grid.validation import (
    AREA,
    ELEMENTS_FILE,
    NETWORK_FILE,
    POINTS_FILE,
    PROFILES_FILE,
    SOURCE_FILE,
    check_elements,
    check_network,
    check_profiles,
    check_sgens,
    read_connection_points,
    read_elements,
    require,
)
from cosim.inputs.kept import kept_grid, note_columns, note_grid, sha256
from cosim.resources import folder as resource_folder
from cosim.units import FloatArray

_SIMBENCH_CODE = r"1-[A-Z]+-[a-z]+\d*-[\w.]*-[012]-(?:no_)?sw"


@dataclass(frozen=True)
class GridInfo:
    """One line of the catalogue.

    Attributes
    ----------
    name : str
    folder : Path
    summary : str
        First heading of ``SOURCE.md``.
    n_connection_points, n_elements, n_areas : int
    profiles_start, profiles_end : str
        First and last time of the profiles, ISO 8601.
    n_steps : int
        Number of profile steps.
    """

    name: str
    folder: Path
    summary: str
    n_connection_points: int
    n_elements: int
    n_areas: int
    profiles_start: str
    profiles_end: str
    n_steps: int


@dataclass(frozen=True)
class GridCase:
    """A network, who is connected where, and their profiles.

    Attributes
    ----------
    name : str
        Name of the folder.
    folder : Path
    net : pandapowerNet
        One ``sgen`` per connection point, in the order of ``connection_points``, p = q = 0.
    connection_points : DataFrame
        Columns name, bus, area ("" for none).
    elements : DataFrame
        Columns connection_point, name, kind, profile ("" for none), p_mw, q_mvar, capacity_mwh.
    profiles_file : Path
    digests : mapping
        SHA-256 of each file by its name.
    slack_vm_pu : (T,) float, optional
        Voltage that all external grids in service hold by interval of a run; the network has that
        of the first. Default: what the network has, always. [pu]
    """

    name: str
    folder: Path
    net: Any
    connection_points: pd.DataFrame
    elements: pd.DataFrame
    profiles_file: Path
    digests: Mapping[str, str]
    slack_vm_pu: FloatArray | None = None


def list_grids(base: Path | None = None) -> list[GridInfo]:
    """List grids that come with cosim, or those in another folder of grid folders.

    Parameters
    ----------
    base : Path, optional
        Folder that holds grid folders; default: the ``grids`` folder of this installation.

    Returns
    -------
    list of GridInfo
        In the order of their names.
    """
    base = resource_folder("grids") if base is None else base
    return [_info(path.parent) for path in sorted(base.glob(f"*/{NETWORK_FILE}"))]


def open_grid(name_or_path: str | Path, scenario_folder: Path | None = None) -> GridCase:
    """Read and validate one grid folder.

    Parameters
    ----------
    name_or_path : str or Path
        A name in the catalogue, or the path of a grid folder.
    scenario_folder : Path, optional
        Folder of the scenario file that names the grid. A path is looked up from there first, a
        name also in its folder ``grids``; then from the working directory and its folder
        ``grids``, and then among the grids that come with cosim.

    Raises
    ------
    GridDataError
        If there is no such grid (says where it was looked up), a file is missing or unreadable,
        the network has no coordinates, a connection point is isolated or named twice, a bus,
        connection point, kind or profile is unknown, or a number is missing; names file, field and
        remedy.
    ProfileError
        If the profiles have gaps.
    """
    named = str(name_or_path)
    folder = grid_folder(named, scenario_folder)
    note_grid(named, folder)
    net = read_network(folder / NETWORK_FILE)
    points = read_connection_points(folder / POINTS_FILE)
    check_network(net, points, folder / NETWORK_FILE)
    check_sgens(net, points, folder / NETWORK_FILE)
    profiles = folder / PROFILES_FILE
    columns = check_profiles(profiles)
    elements = read_elements(folder / ELEMENTS_FILE)
    check_elements(elements, points, columns, folder / ELEMENTS_FILE)
    named_profiles = {str(name) for name in elements["profile"]}
    note_columns(profiles, (name for name in columns if name[:-2] in named_profiles))
    return GridCase(
        name=folder.name,
        folder=folder,
        net=net,
        connection_points=points,
        elements=elements,
        profiles_file=profiles,
        digests=MappingProxyType(
            {
                file: sha256(folder / file)
                for file in (NETWORK_FILE, POINTS_FILE, ELEMENTS_FILE, PROFILES_FILE)
            }
        ),
    )


def grid_folder(named: str, scenario_folder: Path | None = None) -> Path:
    """Return the folder of a grid, looked up as :func:`open_grid` does, without reading it.

    Raises
    ------
    GridDataError
        If there is no such folder; says where it was looked up.
    """
    return kept_grid(named, scenario_folder) or _find(Path(named), scenario_folder)


def _find(path: Path, scenario_folder: Path | None) -> Path:
    """Find the folder of a grid: near the scenario, in the working directory, or a shipped one."""
    places = [path]
    if not path.is_absolute():
        if scenario_folder is not None:
            places = [scenario_folder / path, scenario_folder / "grids" / path, path]
        places.append("grids" / path)
        if len(path.parts) == 1:
            places.append(resource_folder("grids") / path)
    for place in places:
        if (place / NETWORK_FILE).exists():
            return place.resolve()
    for place in places:
        if place.is_dir():
            return place.resolve()
    looked = dict.fromkeys(str(place.absolute()) for place in places)
    known = [info.name for info in list_grids()]
    raise GridDataError(
        f"no grid {str(path)!r}; looked for the folders {', '.join(looked)}",
        field="grid.network",
        remedy=(
            f"make it, with cosim grids import simbench:{path}, or "
            if re.fullmatch(_SIMBENCH_CODE, str(path))
            else ""
        )
        + f"name one that comes with cosim ({', '.join(known)}), or give the path of a grid "
        "folder, from the scenario file's folder or absolute",
    )


def _info(folder: Path) -> GridInfo:
    for file in (POINTS_FILE, ELEMENTS_FILE, PROFILES_FILE):
        require(folder / file)
    time = pq.read_table(folder / PROFILES_FILE, columns=["time"])["time"].to_numpy()
    source = folder / SOURCE_FILE
    headings = source.read_text(encoding="utf-8").splitlines() if source.is_file() else []
    points = read_connection_points(folder / POINTS_FILE)
    return GridInfo(
        name=folder.name,
        folder=folder,
        summary=next((line[2:].strip() for line in headings if line.startswith("# ")), ""),
        n_connection_points=len(points),
        n_elements=len(read_elements(folder / ELEMENTS_FILE)),
        n_areas=len(set(points[AREA]) - {""}),
        profiles_start=str(np.datetime_as_string(time[0], unit="m")),
        profiles_end=str(np.datetime_as_string(time[-1], unit="m")),
        n_steps=len(time),
    )
