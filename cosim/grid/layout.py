"""Coordinates for a network without: a tree from its external grids, depth by depth.

Buses are placed on the tree of shortest paths in number of branches, the external grids at the
top: each end takes the next place to the right, every other bus stands above the middle of what
hangs on it (as in Wetherell and Shannon, IEEE Trans. Softw. Eng. 5 (1979) 514-520,
doi:10.1109/TSE.1979.234212, without the search for narrower drawings). Nothing is drawn at random.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import numpy as np

from cosim.grid.element_tables import in_service

_STEP = 0.001  # degrees, about a hundred metres
_BRANCHES = (
    ("line", "from_bus", "to_bus"),
    ("trafo", "hv_bus", "lv_bus"),
    ("impedance", "from_bus", "to_bus"),
)


def is_placed(text: Any) -> bool:
    """Return True for a GeoJSON point with finite coordinates."""
    try:
        coordinates = np.asarray(json.loads(text)["coordinates"], dtype=float)
    except (TypeError, ValueError, KeyError):
        return False
    return coordinates.shape in ((2,), (3,)) and bool(np.isfinite(coordinates).all())


def unplaced_buses(net: Any) -> list[int]:
    """Return the buses without coordinates, in the order of their table."""
    if "geo" not in net.bus:
        return [int(bus) for bus in net.bus.index]
    return [int(bus) for bus, text in net.bus["geo"].items() if not is_placed(text)]


def lay_out(net: Any) -> None:
    """Give every bus of a network coordinates, and its lines none but their ends'."""
    neighbours = _neighbours(net)
    feeding = net.ext_grid.bus[in_service(net.ext_grid)]
    roots = dict.fromkeys([*(int(bus) for bus in feeding), *(int(bus) for bus in net.bus.index)])
    place: dict[int, tuple[float, float]] = {}
    right = 0.0
    for root in roots:
        if root not in place:
            right = _place_tree(root, neighbours, place, right)
    net.bus["geo"] = [
        json.dumps({"coordinates": [round(x, 9), round(y, 9)], "type": "Point"})
        for x, y in (place[int(bus)] for bus in net.bus.index)
    ]
    if "geo" in net.line:
        net.line["geo"] = None


def _neighbours(net: Any) -> dict[int, list[int]]:
    found: dict[int, set[int]] = {int(bus): set() for bus in net.bus.index}
    for table, first, second in _BRANCHES:
        frame = net[table][in_service(net[table])]
        for a, b in zip(frame[first], frame[second], strict=True):
            found[int(a)].add(int(b))
            found[int(b)].add(int(a))
    joints = net.switch[net.switch.et == "b"]
    for a, b in zip(joints.bus, joints.element, strict=True):
        found[int(a)].add(int(b))
        found[int(b)].add(int(a))
    return {bus: sorted(others) for bus, others in found.items()}


def _place_tree(
    root: int,
    neighbours: dict[int, list[int]],
    place: dict[int, tuple[float, float]],
    right: float,
) -> float:
    """Place what hangs on a bus to the right of what is there; return the next free place."""
    depth, order = {root: 0}, [root]
    children: dict[int, list[int]] = {root: []}
    waiting = deque([root])
    while waiting:
        bus = waiting.popleft()
        for other in neighbours[bus]:
            if other not in depth:
                depth[other], children[other] = depth[bus] + 1, []
                children[bus].append(other)
                order.append(other)
                waiting.append(other)
    across: dict[int, float] = {}
    for bus in _ends_first(root, children):
        if children[bus]:
            across[bus] = float(np.mean([across[child] for child in children[bus]]))
        else:
            across[bus] = right
            right += 1.0
    for bus in order:
        place[bus] = (across[bus] * _STEP, -depth[bus] * _STEP)
    return right


def _ends_first(root: int, children: dict[int, list[int]]) -> list[int]:
    """Return the buses of a tree, each after what hangs on it, without recursion."""
    order, stack = [], [root]
    while stack:
        bus = stack.pop()
        order.append(bus)
        stack.extend(children[bus])
    return order[::-1]
