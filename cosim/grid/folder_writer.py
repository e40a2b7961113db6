"""Writing a grid folder, whole or not at all."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandapower as pp
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandapower.toolbox import clear_result_tables

from cosim.errors import GridDataError, UserError
from cosim.grid.catalogue import open_grid
from cosim.grid.element_tables import INJECTIONS
from cosim.grid.own_elements import shunts_of_wards
from cosim.grid.validation import (
    AREA,
    ELEMENTS_FILE,
    NETWORK_FILE,
    POINTS_FILE,
    PROFILES_FILE,
    SOURCE_FILE,
)
from cosim.inputs.kept import sha256


def with_connection_points(net: Any, points: pd.DataFrame) -> Any:
    """Replace whatever injects power by one idle ``sgen`` per connection point.

    Shunts, also those of wards, impedances, taps and switches stay.

    Parameters
    ----------
    net : pandapowerNet
        Not changed.
    points : DataFrame
        Columns name, bus.

    Returns
    -------
    pandapowerNet
        With sgens 0, 1, ... in the order of the table, p = q = 0.
    """
    net = shunts_of_wards(copy.deepcopy(net))
    for table in INJECTIONS:
        if table in net:
            net[table] = net[table].iloc[0:0]
    for table in ("loadcases", "measurement", "poly_cost", "pwl_cost", "group", "controller"):
        if table in net:
            net[table] = net[table].iloc[0:0]
    net["profiles"] = {}
    net["user_pf_options"] = {}
    # one order of columns, whatever order the source added its own in
    blank = pp.create_empty_network()
    for table, standard in blank.items():
        if not isinstance(standard, pd.DataFrame) or table.startswith(("_", "res_")):
            continue
        if table == "sgen" or not len(net[table]):
            net[table] = standard
        else:
            own = [column for column in standard if column in net[table]]
            more = sorted(set(net[table]) - set(standard))
            net[table] = net[table][own + more]
    there = points[points.bus.isin(net.bus.index)]
    if len(there):
        pp.create_sgens(
            net,
            there.bus.astype(int).to_list(),
            p_mw=0.0,
            q_mvar=0.0,
            name=there.name.to_list(),
            type="connection point",
        )
        net.sgen = net.sgen[list(blank.sgen)]  # it adds columns of its own
    clear_result_tables(net)
    return net


def free_folder(dest: str | Path) -> Path:
    """Return the path, unless something is there already (``GridDataError``)."""
    path = Path(dest)
    if path.exists():
        raise GridDataError(
            "exists already", file=path, remedy="choose another folder, or remove this one"
        )
    return path


def publish(write: Callable[[Path], None], dest: Path) -> Path:
    """Write a folder under another name, check it as a run would, then give it its name."""
    dest.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{dest.name}-", dir=dest.parent))
    try:
        write(work)
        try:
            open_grid(work)
        except UserError as error:  # of a folder that will be gone
            file = None if error.file is None else dest / Path(error.file).name
            raise type(error)(
                error.problem, file=file, field=error.field, remedy=error.remedy
            ) from error
        work.chmod(0o755)
        work.rename(dest)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return dest


def write_tables(
    folder: Path, net: Any, points: pd.DataFrame, elements: pd.DataFrame, columns: dict[str, Any]
) -> None:
    """Write network, connection points, elements and profiles into their files."""
    pp.to_json(net, str(folder / NETWORK_FILE))
    if AREA in points and not points[AREA].any():
        points = points.drop(columns=AREA)
    points.to_csv(folder / POINTS_FILE, index=False, lineterminator="\n")
    elements.to_csv(folder / ELEMENTS_FILE, index=False, lineterminator="\n")
    pq.write_table(
        pa.table(columns),
        folder / PROFILES_FILE,
        compression="zstd",
        compression_level=19,
        version="2.6",
    )


def write_source(folder: Path, lines: list[str]) -> None:
    """Write ``SOURCE.md``: the lines given, then the digest of each file."""
    files = (NETWORK_FILE, POINTS_FILE, ELEMENTS_FILE, PROFILES_FILE)
    digests = [f"| `{file}` | `{sha256(folder / file)}` |" for file in files]
    text = [*lines, "", "## Files", "", "| file | SHA-256 |", "|---|---|", *digests]
    (folder / SOURCE_FILE).write_text("\n".join(text) + "\n", encoding="utf-8")
