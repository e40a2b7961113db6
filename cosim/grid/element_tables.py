"""Every element table of pandapower, and the way in which it is taken: one declaration.

A table is part of the network, a constant part of it, injections that become devices at connection
points, without a part in a balanced power flow, or refused. A table that is not declared here is
refused as soon as it has rows: a later pandapower may solve what is unknown here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from cosim.errors import GridDataError
from cosim.units import BoolArray

Taken = Literal["network", "constant", "device", "ignored", "refused"]


@dataclass(frozen=True)
class ElementTable:
    """One table of a pandapower network.

    Attributes
    ----------
    name : str
    taken : str
        ``network``: solved by both engines, and checked against limits or part of the topology;
        ``constant``: solved by both engines as it is, in no limit; ``device``: injections, replaced
        by devices at connection points when a network is imported; ``ignored``: of no effect on a
        balanced power flow; ``refused``: while an element of it is in service.
    remedy : str
        Of a refusal.
    """

    name: str
    taken: Taken
    remedy: str = ""


_VOLTAGE = (
    "replace each by an sgen (a device at a connection point), one that holds the voltage of the "
    "feeding bus by an ext_grid, or put it out of service"
)
_DC = "cut the network at its converters, with an sgen or load for each, or put it out of service"
_FACTS = "replace it by a shunt or impedance of its operating point, or put it out of service"

ELEMENT_TABLES: dict[str, ElementTable] = {
    table.name: table
    for table in (
        *(ElementTable(name, "network") for name in ("bus", "line", "trafo", "switch", "ext_grid")),
        # what the import makes of the tap controllers of a file (cosim.grid.tap_control)
        ElementTable("tap_control", "network"),
        *(ElementTable(name, "constant") for name in ("shunt", "impedance")),
        # looked up by the elements above
        ElementTable("trafo_characteristic_table", "constant"),
        ElementTable("shunt_characteristic_table", "constant"),
        ElementTable("characteristic", "constant"),
        *(
            ElementTable(name, "device", "make the folder with cosim grids import")
            for name in ("load", "sgen", "storage", "motor", "asymmetric_load", "asymmetric_sgen")
        ),
        ElementTable("ward", "device", "make the folder with cosim grids import"),
        ElementTable("gen", "refused", _VOLTAGE),
        ElementTable("xward", "refused", _VOLTAGE),
        ElementTable(
            "trafo3w",
            "refused",
            "replace it by two-winding transformers (trafo) at a bus between them, or put it "
            "out of service",
        ),
        ElementTable("dcline", "refused", _DC),
        *(ElementTable(name, "refused", _FACTS) for name in ("svc", "ssc", "tcsc")),
        *(
            ElementTable(name, "refused", _DC)
            for name in (
                *("vsc", "vsc_stacked", "vsc_bipolar"),
                *("bus_dc", "line_dc", "source_dc", "load_dc"),
            )
        ),
        # refused by name where a file is read, since nothing of it is built
        ElementTable("controller", "ignored"),
        *(
            ElementTable(name, "ignored")
            for name in (
                *("measurement", "pwl_cost", "poly_cost", "group", "output_writer"),
                *("protection", "loadcases", "substation", "bus_geodata", "line_geodata"),
                *("q_capability_curve_table", "q_capability_characteristic"),
            )
        ),
    )
}
"""By name; the tables of an empty network of pandapower 3.5, and those that are made later."""

INJECTIONS = tuple(name for name, table in ELEMENT_TABLES.items() if table.taken == "device")


def in_service(frame: pd.DataFrame) -> BoolArray:
    """Return the rows of a table that are in service: all of a table without such a column."""
    if "in_service" not in frame:
        return np.ones(len(frame), dtype=np.bool_)
    return frame["in_service"].fillna(True).to_numpy().astype(np.bool_)


def some(names: Any, limit: int = 5) -> str:
    """Return the first few of many names or indices."""
    all_names = [str(name) for name in names]
    more = f" and {len(all_names) - limit} more" if len(all_names) > limit else ""
    return ", ".join(all_names[:limit]) + more


def check_tables(net: Any, *, imported: bool = False) -> None:
    """Refuse elements that no power flow of a run covers.

    Parameters
    ----------
    net : pandapowerNet
    imported : bool
        Whether the network is one to be imported, which may hold injections; otherwise its only
        injections are the sgens of its connection points.

    Raises
    ------
    GridDataError
        Naming table and index.
    """
    for name in sorted(net.keys()):
        frame = net[name]
        if not isinstance(frame, pd.DataFrame) or name.startswith(("_", "res_")) or frame.empty:
            continue
        table = ELEMENT_TABLES.get(name)
        if table is None:
            raise GridDataError(
                f"the network holds {len(frame)} rows (index {some(frame.index)}) in {name}, "
                "which is no element table that cosim knows",
                field=name,
                remedy="remove the table if no power flow needs it (del net[...]), or write the "
                "network with a pandapower that cosim knows",
            )
        live = in_service(frame)
        stands_for_points = imported or name == "sgen"
        refused = table.taken == "refused" or (table.taken == "device" and not stands_for_points)
        if refused and live.any():
            raise GridDataError(
                f"the network holds {int(live.sum())} in-service elements in {name} (index "
                f"{some(frame.index[live])}), which the power flow of a run does not cover",
                field=name,
                remedy=table.remedy,
            )
    feeding = net.ext_grid
    if not len(feeding) or not bool(in_service(feeding).any()):
        raise GridDataError(
            "the network has no external grid in service",
            field="ext_grid",
            remedy="add an ext_grid at the feeding bus",
        )
