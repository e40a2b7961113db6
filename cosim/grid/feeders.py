"""Outgoing feeders of transformers' busbars, and which connection points lie on each."""

from __future__ import annotations

from typing import Any

import pandapower.topology as top
import pandas as pd


def feeders_of(net: Any, connection_points: pd.DataFrame) -> list[int]:
    """Return the outgoing feeder of each connection point.

    A feeder is what lines and closed switches connect without passing a busbar: the lower side of
    a transformer, or an external grid. What lies on a busbar itself is on a feeder of its own with
    the rest of that busbar. Open switches and what is out of service separate.

    Parameters
    ----------
    net : pandapowerNet
    connection_points : pandas.DataFrame
        Column bus.

    Returns
    -------
    list of int
        The lowest bus of each feeder.
    """
    busbars = set(net.ext_grid.bus) | set(net.trafo.lv_bus)
    for side in ("mv_bus", "lv_bus"):
        busbars |= set(net.trafo3w[side])
    graph = top.create_nxgraph(
        net, include_trafos=False, include_trafo3ws=False, nogobuses=busbars, multi=False
    )
    feeder: dict[int, int] = {}
    for component in top.connected_components(graph):
        lowest = int(min(component))
        feeder |= {int(bus): lowest for bus in component}
    return [feeder.get(int(bus), int(bus)) for bus in connection_points["bus"]]
