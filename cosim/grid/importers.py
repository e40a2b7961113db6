"""Import of a grid folder from SimBench, or from a user's own pandapower network.

Both importers write to a temporary folder next to the destination and rename it when everything in
it has passed the checks of :mod:`cosim.grid.validation`, so that nothing half-written remains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import GridDataError, UserError
from cosim.grid.areas import low_voltage_areas
from cosim.grid.comparison import check_against_file
from cosim.grid.element_tables import in_service
from cosim.grid.folder_writer import (
    free_folder,
    publish,
    with_connection_points,
    write_source,
    write_tables,
)
from cosim.grid.layout import lay_out, unplaced_buses
from cosim.grid.own_elements import (
    CONSTANT,
    extreme_injections,
    own_elements,
    rated_injection,
)
from cosim.grid.reading import read_with_options
from cosim.grid.validation import (
    AREA,
    ELEMENT_COLUMNS,
    check_elements,
    check_network,
    check_profiles,
    check_solvable,
    dead_buses,
    read_connection_points,
    read_elements,
    require,
)
from cosim.inputs.kept import sha256
from cosim.inputs.profiles import TIME, check_peaks, magnitude, read_profiles
from cosim.plugins import DEVICES
from cosim.units import FloatArray


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
    source.trafo["tap_changer_type"] = "Ratio"
    named = Path(f"simbench:{code}")
    check_solvable(source, named, imported=True)
    points, elements = _simbench_tables(source)
    profiles = _simbench_profiles(source.profiles, elements)
    net = with_connection_points(source, points)
    rated = rated_injection(elements, points)
    extremes = extreme_injections(elements, points, profiles)
    check_against_file(source, {}, net, *rated, named, elements_file=named, extremes=extremes)
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
        CSV as in a grid folder. Default: the network's own injections
        (:func:`cosim.grid.own_elements.own_elements`), with the profile named in their column
        ``profile``, or constant.
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
        As by :func:`cosim.grid.catalogue.open_grid`, naming the file given; or if the file holds
        what a run does not solve as ``pandapower.runpp`` does.
    """
    network, dest = Path(network), free_folder(dest)
    source, options = read_with_options(network)
    check_solvable(source, network, imported=True)
    points = read_connection_points(Path(connection_points))
    net = with_connection_points(source, points)
    if bare := unplaced_buses(net):
        lay_out(net)
    check_network(net, points, network, Path(connection_points))
    table = (
        own_elements(source, points, dead_buses(source), network, options)
        if elements is None
        else read_elements(Path(elements))
    )
    columns = _user_profiles(None if profiles is None else Path(profiles), table)
    check_elements(
        table,
        points,
        set(columns),
        Path(elements or network),
        Path(connection_points).name,
        Path(profiles or network).name,
    )
    labels = table.name.astype(str) + " at " + table.connection_point
    peaks = [
        (label, f"{profile}_{part}", float(rating))
        for part, ratings in (("p", table.p_mw), ("q", table.q_mvar))
        for label, profile, rating in zip(labels, table.profile, ratings, strict=True)
    ]
    check_peaks(peaks, columns, profiles or network)
    check_magnitudes(table, columns, profiles or network)
    rated = rated_injection(table, points)
    check_against_file(
        source,
        options,
        net,
        *rated,
        network,
        elements_file=None if elements is None else Path(elements),
        extremes=extreme_injections(table, points, columns),
    )

    def write(folder: Path) -> None:
        write_tables(folder, net, points, table, columns)
        write_source(
            folder,
            [
                f"# {dest.name}: imported from a pandapower network",
                "",
                f"Imported by `cosim grids import` from `{network.name}` "
                f"(SHA-256 `{sha256(network)}`).",
                *(["Coordinates are made up: a tree from the external grid."] if bare else []),
                "State the licence and origin of the data here before you publish it.",
            ],
        )

    return publish(write, dest)


def check_magnitudes(
    elements: pd.DataFrame, columns: Mapping[str, FloatArray], file: str | Path
) -> None:
    """Refuse profiles of active power that are negative, of the elements that follow them."""
    driven = [kind for kind, device in DEVICES.every().items() if device.has_profile]
    for profile in dict.fromkeys(elements.profile[elements.kind.isin(driven)]):
        magnitude(columns[f"{profile}_p"], f"{profile}_p", file)


def _simbench_tables(net: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    buses = sorted({int(b) for t in ("load", "sgen", "storage") for b in net[t].bus})
    points = pd.DataFrame({"name": net.bus.name.loc[buses].astype(str).to_list(), "bus": buses})
    points[AREA] = low_voltage_areas(net, points)
    name_of_bus = dict(zip(points.bus, points.name, strict=True))
    rows = []
    for table in ("load", "sgen", "storage"):
        for row in net[table][in_service(net[table])].itertuples():
            if row.scaling == 0.0:
                continue
            point, size = name_of_bus[int(row.bus)], row.scaling
            p_mw, q_mvar = float(row.p_mw * size), float(row.q_mvar * size)
            profile = str(row.profile)
            if table != "storage":
                kind = simbench_kind(table, profile, str(row.name))
                named = own_name(profile, table)
                rows.append((point, row.name, kind, named, p_mw, q_mvar, 0.0))
            else:
                pv = profile.split("_")[1] if profile.startswith(_JOINT) else profile
                capacity_mwh = float(row.max_e_mwh)
                kind = simbench_kind("sgen", pv, str(row.name))
                own = own_name(pv, "sgen")
                rows.append((point, f"{row.name} PV", kind, own, abs(p_mw), 0.0, 0.0))
                named = own_name(profile, table)
                joint = (point, row.name, "storage", named, abs(p_mw), 0.0, capacity_mwh)
                rows.append(joint)
    elements = pd.DataFrame(rows, columns=list(ELEMENT_COLUMNS))
    order = {name: i for i, name in enumerate(points.name)}
    rank = elements.connection_point.map(order)
    elements = elements.iloc[np.argsort(rank.to_numpy(), kind="stable")].reset_index(drop=True)
    return points, elements


_JOINT, _RENEWABLE = "Storage_", "RES_"


def own_name(profile: str, table: str) -> str:
    """Return a name of its own for a profile of a grid below, which SimBench names alike.

    What a medium-voltage grid has of a low-voltage one, as load, generation and storage, has three
    profiles of one name, such as ``lv_rural1``.
    """
    if table == "load" or not re.match("[lmh]v_", profile):
        return profile
    return (_JOINT if table == "storage" else _RENEWABLE) + profile


def simbench_kind(table: str, profile: str, name: str) -> str:
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
            remedy="choose another grid, or install a package with a device of that profile",
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
            column = profile if profile in table else profile.split("_", 1)[1]
            columns[f"{profile}_p"] = table[column].to_numpy(np.float64)
    for profile in in_use("load"):
        columns[f"{profile}_p"] = loads[f"{profile}_pload"].to_numpy(np.float64)
        columns[f"{profile}_q"] = loads[f"{profile}_qload"].to_numpy(np.float64)
    return columns


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
        return dict(read_profiles(file))
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
    further = [
        "- Profiles `WP*`, `Hydro*` and `BM*` are `wind`, `hydro` and `biomass`; what is left of a "
        "low-voltage grid (`lv_*`) is `pv`, of a higher one (`mv_*`, `hv_*`) `generator`.",
        "  Their profiles are named `RES_*` and `Storage_*` here, for loads have some of the same "
        "name.",
    ]
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
        *(further if set(elements.kind) & {"wind", "hydro", "biomass", "generator"} else []),
        "- Profiles `HLS_*` and `APLS_*` (charging at home and at work) are `ev`; `Air_*` and "
        "`Soil_*` are `heat_pump`; other loads are `load`.",
        "- `profiles.parquet` holds the profiles in use. SimBench labels its even steps in local "
        "time (an hour missing in March, one repeated in",
        "  October); `time` here counts quarter hours in Central European Time (UTC+01:00) all "
        "year, so summer noon by the clock is 11:00.",
    ]
