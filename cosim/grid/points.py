"""Changes of a network by a scenario: connection points, slack voltage, the DSO's model of it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd

from cosim.errors import GridDataError
from cosim.grid.areas import area_of_bus
from cosim.grid.catalogue import GridCase
from cosim.grid.element_tables import in_service
from cosim.grid.tap_control import TapControls
from cosim.grid.validation import AREA
from cosim.units import FloatArray


def low_voltage_busbar(net: Any) -> int:
    """Return the bus behind the first transformer in service, on its low-voltage side.

    Raises
    ------
    GridDataError
        If there is none.
    """
    trafos = net.trafo[net.trafo["in_service"]]
    if trafos.empty:
        raise GridDataError(
            "the network has no transformer, so no low-voltage busbar",
            field="community_storage.bus",
            remedy="name a bus of the network",
        )
    return int(trafos["lv_bus"].iloc[0])


def with_connection_point(case: GridCase, name: str, bus: str | None = None) -> GridCase:
    """Return a grid with one more connection point, the last in order.

    Parameters
    ----------
    case : GridCase
        Not changed.
    name : str
        Of the connection point.
    bus : str, optional
        Name of the bus; default: the low-voltage busbar of the first transformer.

    Returns
    -------
    GridCase
        Files and digests are still those of the folder.

    Raises
    ------
    GridDataError
        If the name is taken, or there is not exactly one such bus.
    """
    if name in set(case.connection_points["name"]):
        raise GridDataError(
            f"the network has a connection point '{name}' already",
            field="community_storage.name",
            remedy="choose another name",
        )
    net = copy.deepcopy(case.net)
    if bus is None:
        bus_idx = low_voltage_busbar(net)
    else:
        found = net.bus.index[net.bus["name"] == bus].tolist()
        if len(found) != 1:
            raise GridDataError(
                f"the network has {len(found)} buses named '{bus}'",
                field="community_storage.bus",
                remedy=f"one of {', '.join(sorted(map(str, net.bus['name'])))}",
            )
        bus_idx = int(found[0])
    pp.create_sgen(net, bus_idx, p_mw=0.0, q_mvar=0.0, name=name, type="connection point")
    row = pd.DataFrame(
        {
            "name": [name],
            "bus": [bus_idx],
            AREA: [area_of_bus(net, case.connection_points, bus_idx)],
        }
    )
    points = pd.concat([case.connection_points, row], ignore_index=True)
    points["bus"] = points["bus"].astype(case.connection_points["bus"].dtype)
    return replace(case, net=net, connection_points=points)


def with_slack_voltage(case: GridCase, vm_pu: float | FloatArray) -> GridCase:
    """Return a grid whose external grids in service hold another voltage.

    Parameters
    ----------
    case : GridCase
        Not changed.
    vm_pu : float or (T,) float
        For all intervals, or for each one. [pu]
    """
    net = copy.deepcopy(case.net)
    series = None if isinstance(vm_pu, float) else vm_pu
    first = float(np.atleast_1d(vm_pu)[0])
    net.ext_grid.loc[in_service(net.ext_grid), "vm_pu"] = first
    return replace(case, net=net, slack_vm_pu=series)


def as_dso_knows(net: Any, impedance_factor: float, tap_offset: int) -> Any:
    """Return the network as the DSO models it.

    Parameters
    ----------
    net : pandapowerNet
        Not changed.
    impedance_factor : float
        On resistances and reactances of lines, and short-circuit voltages of transformers. [-]
    tap_offset : int
        Added to the positions of taps that no controller moves.

    Raises
    ------
    GridDataError
        If there is an offset and no such tap.
    """
    net = copy.deepcopy(net)
    for table, columns in (
        ("line", ["r_ohm_per_km", "x_ohm_per_km"]),
        ("trafo", ["vk_percent", "vkr_percent"]),
    ):
        net[table][columns] *= impedance_factor
    if tap_offset:
        trafo = net.trafo
        known = trafo["tap_changer_type"].isin(("Ratio", "Symmetrical", "Ideal", "Tabular"))
        own = known & in_service(trafo) & ~trafo.index.isin(TapControls.of(net).trafo_idx)
        if not own.any():
            raise GridDataError(
                "no transformer has a tap changer without a controller",
                field="grid.dso_model.tap_offset",
                remedy="leave it out",
            )
        position = trafo["tap_pos"].fillna(trafo["tap_neutral"])
        net.trafo["tap_pos"] = position.where(~own, position + tap_offset)
    return net
