"""Import of a grid folder from SimBench, or from a user's own pandapower network.

Both importers write to a temporary folder next to the destination and rename it when everything in
it has passed the checks of :mod:`cosim.grid.validation`, so that nothing half-written remains.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import GridDataError, UserError
from cosim.grid.catalogue import sha256
from cosim.grid.folder_writer import (
    free_folder,
    publish,
    with_connection_points,
    write_source,
    write_tables,
)
from cosim.grid.reading import read_network
from cosim.grid.validation import (
    ELEMENT_COLUMNS,
    check_elements,
    check_network,
    check_profiles,
    read_connection_points,
    read_elements,
    require,
)
from cosim.inputs.profiles import TIME, check_peaks, read_profiles
from cosim.plugins import DEVICES
from cosim.units import FloatArray

CONSTANT = "constant"  # profile of an element whose power does not vary


def import_simbench(code: str, dest: str | Path) -> Path:
    """Make a grid folder of a SimBench grid and its profiles of the year 2016.

    Every bus with a load, sgen or storage becomes one connection point, named as the bus. LV
    ``storage`` rows stand for PV with a battery, but their profiles never charge: they become a
    ``pv`` element with the PV profile and a ``storage`` element with the published capacity. The
    latter's profile is the published injection of both together, kept for comparison only.

    Parameters
    ----------
    code : str
        SimBench code, e.g. ``1-LV-rural1--1-sw``.
    dest : str or Path
        Grid folder to be made; must not exist.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UserError
        If the ``simbench`` extra is not installed, or there is no such grid.
    GridDataError
        If the destination exists, or the grid cannot be used.
    """
    try:
        import simbench
    except ImportError as error:
        raise UserError(
            "the package simbench is not installed", remedy="pip install cosim[simbench]"
        ) from error
    dest = free_folder(dest)
    try:
        source = simbench.get_simbench_net(code)
    except Exception as error:  # simbench raises ValueError, KeyError, AssertionError, ...
        raise UserError(
            f"SimBench has no grid {code!r}: {error}",
            remedy="a code such as 1-LV-rural1--1-sw; see simbench.collect_all_simbench_codes()",
        ) from error
    points, elements = _simbench_tables(source)
    profiles = _simbench_profiles(source.profiles, elements)
    net = with_connection_points(source, points)
    net.trafo["tap_changer_type"] = "Ratio"
    version = getattr(simbench, "__version__", "")

    def write(folder: Path) -> None:
        write_tables(folder, net, points, elements, profiles)
        write_source(folder, _simbench_source(code, version, points, elements))

    return publish(write, dest)


def import_pandapower(
    network: str | Path,
    connection_points: str | Path,
    dest: str | Path,
    elements: str | Path | None = None,
    profiles: str | Path | None = None,
) -> Path:
    """Make a grid folder of a user's own pandapower network.

    Parameters
    ----------
    network : str or Path
        pandapower JSON. Its loads, sgens and storages are replaced by the connection points.
    connection_points : str or Path
        CSV with columns name, bus.
    dest : str or Path
        Grid folder to be made; must not exist.
    elements : str or Path, optional
        CSV as in a grid folder. Default: the network's own loads (``load``), sgens (``pv``) and
        storages (``storage``), with the profile named in their column ``profile``, or constant.
    profiles : str or Path, optional
        Parquet or CSV with a column ``time`` and columns NAME_p and NAME_q. Default: only
        constant elements, for the quarter hours of the year 2016.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    GridDataError, ProfileError
        As by :func:`cosim.grid.catalogue.open_grid`, naming the file given.
    """
    network, dest = Path(network), free_folder(dest)
    source = read_network(network)
    points = read_connection_points(Path(connection_points))
    net = with_connection_points(source, points)
    check_network(net, points, network, Path(connection_points))
    table = (
        _own_elements(source, points, network)
        if elements is None
        else read_elements(Path(elements))
    )
    columns = _user_profiles(None if profiles is None else Path(profiles), table)
    check_elements(table, points, set(columns), Path(elements or network))
    labels = table.name.astype(str) + " at " + table.connection_point
    rated = [
        (label, f"{profile}_{part}", float(rating))
        for part, ratings in (("p", table.p_mw), ("q", table.q_mvar))
        for label, profile, rating in zip(labels, table.profile, ratings, strict=True)
    ]
    check_peaks(rated, columns, profiles or network)

    def write(folder: Path) -> None:
        write_tables(folder, net, points, table, columns)
        write_source(
            folder,
            [
                f"# {dest.name}: imported from a pandapower network",
                "",
                f"Imported by `cosim grids import` from `{network.name}` "
                f"(SHA-256 `{sha256(network)}`).",
                "State the licence and origin of the data here before you publish it.",
            ],
        )

    return publish(write, dest)


def _simbench_tables(net: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    buses = sorted({int(b) for t in ("load", "sgen", "storage") for b in net[t].bus})
    points = pd.DataFrame({"name": net.bus.name.loc[buses].astype(str).to_list(), "bus": buses})
    name_of_bus = dict(zip(points.bus, points.name, strict=True))
    rows = []
    for table in ("load", "sgen", "storage"):
        for row in net[table].itertuples():
            point, size = name_of_bus[int(row.bus)], row.scaling
            p_mw, q_mvar = float(row.p_mw * size), float(row.q_mvar * size)
            if table != "storage":
                kind = _simbench_kind(table, str(row.profile), str(row.name))
                rows.append((point, row.name, kind, row.profile, p_mw, q_mvar, 0.0))
            else:
                pv = str(row.profile).split("_")[1]
                capacity_mwh = float(row.max_e_mwh)
                kind = _simbench_kind("sgen", pv, str(row.name))
                rows.append((point, f"{row.name} PV", kind, pv, abs(p_mw), 0.0, 0.0))
                joint = (point, row.name, "storage", row.profile, abs(p_mw), 0.0, capacity_mwh)
                rows.append(joint)
    elements = pd.DataFrame(rows, columns=list(ELEMENT_COLUMNS))
    order = {name: i for i, name in enumerate(points.name)}
    rank = elements.connection_point.map(order)
    elements = elements.iloc[np.argsort(rank.to_numpy(), kind="stable")].reset_index(drop=True)
    return points, elements


def _simbench_kind(table: str, profile: str, name: str) -> str:
    """Return the kind of device by profile, the longest match of those of a table."""
    found = {
        kind: match.end()
        for kind, device in DEVICES.every().items()
        if device.network_table == table and (match := re.match(device.simbench_profile, profile))
    }
    if not found:
        raise GridDataError(
            f"{name} with profile {profile} is of no kind of device that is installed",
            field=f"{table}.profile",
            remedy="choose a grid whose generation is PV (SimBench's LV grids), or install a "
            "package with a device of that profile",
        )
    return max(found, key=lambda kind: found[kind])


def _simbench_profiles(tables: Any, elements: pd.DataFrame) -> dict[str, Any]:
    """Return columns of the profiles in use, on an even time index.

    SimBench labels its steps in local time with an hour missing in March and one repeated in
    October, while the steps themselves are even. The index here counts quarter hours from the
    first label, which is Central European Time (UTC+01:00) all year.
    """
    loads, renewables = tables["load"], tables["renewables"]
    first = pd.to_datetime(loads["time"].iloc[0], format="%d.%m.%Y %H:%M")
    time = first.to_datetime64() + np.arange(len(loads)) * np.timedelta64(15, "m")
    columns: dict[str, Any] = {"time": time.astype("datetime64[ms]")}

    def in_use(name: str) -> list[str]:
        own = [kind for kind, device in DEVICES.every().items() if device.network_table == name]
        return sorted(set(elements.profile[elements.kind.isin(own)]))

    for name, table in (("sgen", renewables), ("storage", tables["storage"])):
        for profile in in_use(name):
            columns[f"{profile}_p"] = table[profile].to_numpy(np.float64)
    for profile in in_use("load"):
        columns[f"{profile}_p"] = loads[f"{profile}_pload"].to_numpy(np.float64)
        columns[f"{profile}_q"] = loads[f"{profile}_qload"].to_numpy(np.float64)
    return columns


def _own_elements(net: Any, points: pd.DataFrame, file: Path) -> pd.DataFrame:
    name_of_bus = dict(zip(points.bus[::-1], points.name[::-1], strict=True))
    rows = []
    for table, kind in (("load", "load"), ("sgen", "pv"), ("storage", "storage")):
        for i, row in net[table][net[table].in_service.astype(bool)].iterrows():
            if int(row.bus) not in name_of_bus:
                raise GridDataError(
                    f"{table} {i} is at bus {int(row.bus)}, which has no connection point",
                    file=file,
                    field=f"{table}.bus",
                    remedy="add a connection point at that bus, or give a table of elements",
                )
            if row.p_mw < 0 and kind != "storage":
                raise GridDataError(
                    f"{table} {i} has negative p_mw",
                    file=file,
                    field=f"{table}.p_mw",
                    remedy="give a table of elements that says what it is",
                )
            profile = row.get("profile")
            constant = CONSTANT if kind != "storage" else ""
            rows.append(
                (
                    name_of_bus[int(row.bus)],
                    str(row["name"] or f"{table} {i}"),
                    kind,
                    profile if isinstance(profile, str) and profile else constant,
                    abs(float(row.p_mw * row.scaling)),
                    float(row.q_mvar * row.scaling),
                    float(np.nan_to_num(row.max_e_mwh)) if kind == "storage" else 0.0,
                )
            )
    return pd.DataFrame(rows, columns=list(ELEMENT_COLUMNS))


def _user_profiles(file: Path | None, elements: pd.DataFrame) -> dict[str, Any]:
    if file is None:
        steps = np.arange(366 * 96) * np.timedelta64(15, "m")
        columns: dict[str, Any] = {"time": (np.datetime64("2016-01-01", "ms") + steps)}
    else:
        columns = _read_profiles(file)
    if CONSTANT in set(elements.profile):
        ones: FloatArray = np.ones(len(columns["time"]))
        columns.setdefault(f"{CONSTANT}_p", ones)
        columns.setdefault(f"{CONSTANT}_q", ones)
    return columns


def _read_profiles(file: Path) -> dict[str, Any]:
    require(file)
    if file.suffix != ".parquet":
        return read_profiles(file)
    check_profiles(file)
    table = pq.read_table(file)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    stamp = pa.timestamp("ms", tz=None if table[TIME].type.tz is None else "UTC")
    columns[TIME] = table[TIME].combine_chunks().cast(stamp, safe=False)
    return columns


def _simbench_source(
    code: str, version: str, points: pd.DataFrame, elements: pd.DataFrame
) -> list[str]:
    counts = elements.kind.value_counts()
    return [
        f"# SimBench {code}",
        "",
        f"{len(points)} connection points; elements: "
        + ", ".join(f"{counts[kind]} {kind}" for kind in counts.sort_index().index)
        + ". Profiles of the year 2016 in steps of 15 minutes.",
        "",
        "## Licence and attribution",
        "",
        "Contains information from SimBench (https://simbench.net), which is made available under "
        "the Open Database License (ODbL) 1.0,",
        "http://opendatacommons.org/licenses/odbl/1.0/; rights in individual contents are licensed "
        "under the Database Contents License,",
        "http://opendatacommons.org/licenses/dbcl/1.0/. This folder is a derivative database and "
        "is made available under the ODbL 1.0.",
        "SimBench: University of Kassel, TU Dortmund, RWTH Aachen University, Fraunhofer IEE and "
        "individual contributors.",
        "",
        'S. Meinecke et al., "SimBench - A Benchmark Dataset of Electric Power Systems to Compare '
        "Innovative Solutions Based on Power Flow",
        'Analysis", Energies 13(12), 3290, 2020, https://doi.org/10.3390/en13123290.',
        "",
        "## How it was made",
        "",
        f"`cosim grids import simbench:{code}` with simbench {version} and pandapower "
        f"{pp.__version__}. What changed:",
        "",
        "- Loads, sgens and storages are no longer in `network.json`: each bus that had any is a "
        "connection point with one idle `sgen`; what was",
        "  connected is in `elements.csv`. Profiles, study cases, measurements and costs are left "
        "out; switches and coordinates are kept.",
        '- Transformers have `tap_changer_type = "Ratio"`: pandapower 3 ignores the published '
        "tap positions otherwise.",
        "- A published `storage` is PV with a battery whose profile never charges. It is split "
        "into a `pv` element with the PV profile and a",
        "  `storage` element with the published capacity; its profile, the published injection of "
        "PV and battery together, is kept for comparison only.",
        "- Profiles `HLS_*` and `APLS_*` (charging at home and at work) are `ev`; `Air_*` and "
        "`Soil_*` are `heat_pump`; other loads are `load`.",
        "- `profiles.parquet` holds the profiles in use. SimBench labels its even steps in local "
        "time (an hour missing in March, one repeated in",
        "  October); `time` here counts quarter hours in Central European Time (UTC+01:00) all "
        "year, so summer noon by the clock is 11:00.",
    ]
