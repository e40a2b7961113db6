"""Low-voltage areas of a network with several voltage levels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandapower.topology as top
import pandas as pd

from cosim.grid.validation import AREA

LOW_VOLTAGE_KV = 1.0


def low_voltage_areas(net: Any, points: pd.DataFrame) -> list[str]:
    """Return the low-voltage area of each connection point.

    An area is what lines and closed switches connect below 1 kV, without transformers; open
    switches and what is out of service separate. It has the name that most of its buses have as
    ``subnet``, and ``area BUS``, of its lowest bus, where they have none or another area is named
    so already.

    Parameters
    ----------
    net : pandapowerNet
    points : DataFrame
        Column bus.

    Returns
    -------
    list of str
        "" above low voltage, and everywhere in a network of one area and nothing else.
    """
    low = {int(bus) for bus in net.bus.index[net.bus.vn_kv < LOW_VOLTAGE_KV]}
    wanted = {int(bus) for bus in points["bus"]} & low
    name_of: dict[int, str] = {}
    named: set[str] = set()
    for part in sorted(part for part in _connected(net) if wanted.intersection(part)):
        name = _name(net, part)
        if not name or name in named:
            name = f"area {part[0]}"
        named.add(name)
        name_of |= dict.fromkeys(part, name)
    areas = [name_of.get(int(bus), "") for bus in points["bus"]]
    return [""] * len(areas) if len(set(areas)) == 1 else areas


def areas_of(points: pd.DataFrame) -> tuple[str, ...]:
    """Return the area of each connection point, empty where it is in none.

    Parameters
    ----------
    points : DataFrame
        Connection points, with or without the column area.
    """
    return tuple(points[AREA].astype(str)) if AREA in points else ("",) * len(points)


def area_of_bus(net: Any, points: pd.DataFrame, bus: int) -> str:
    """Return the area of a bus: that of the first connection point that is connected with it.

    Parameters
    ----------
    net : pandapowerNet
    points : DataFrame
        Columns bus and area.
    bus : int
        Index of a bus.

    Returns
    -------
    str
        "" where no connection point with an area is connected without a transformer.
    """
    own = points[points[AREA] != ""] if AREA in points else points.iloc[:0]
    if own.empty:
        return ""
    part = next((part for part in _connected(net) if bus in part), [bus])
    return str(next(iter(own[AREA][own.bus.isin(part)]), ""))


def _connected(net: Any) -> list[list[int]]:
    """Return the buses that lines and closed switches connect, in order, part by part."""
    graph = top.create_nxgraph(net, include_trafos=False, include_trafo3ws=False, multi=False)
    return [sorted(map(int, part)) for part in top.connected_components(graph)]


def _name(net: Any, buses: list[int]) -> str:
    """Return the name that most of these buses have, the first of equally many; "" for none."""
    if "subnet" not in net.bus:
        return ""
    names = [name for name in net.bus.subnet.loc[buses] if isinstance(name, str) and name]
    return Counter(names).most_common(1)[0][0] if names else ""
