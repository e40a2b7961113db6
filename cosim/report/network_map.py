"""The grid as a drawing: positions from its coordinates, and its state over time, packed.

Numbers travel as little-endian unsigned integers in base64: voltages in 1e-4 pu, loadings in 0.1 %,
65535 for a value that does not exist.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.errors import ResultFolderError
from cosim.report.series import StageSeries, element_name
from cosim.results.reader import Results
from cosim.units import FloatArray, IntArray

VM_STEPS_PER_PU = 10_000
LOADING_STEPS_PER_PERCENT = 10
NO_VALUE = 65_535

WIDTH = 1000.0
"""Most width of the drawing, in its own units."""

_HEIGHT_MAX = 800.0
_SIZE_MIN = (680.0, 420.0)
_MARGIN = 48.0
_APART = 80.0

MAP_VALUES_MAX = 2_000_000
"""Most values a stage may carry; longer runs show their most violated intervals on the map."""


def shown_intervals(before: StageSeries, after: StageSeries) -> IntArray:
    """Return intervals on the map: all, or those with most violations if there are too many.

    Parameters
    ----------
    before, after : StageSeries
        The two stages on the map.

    Returns
    -------
    (n,) int64
        Ascending.
    """
    n_intervals = len(before.bus.value)
    n_elements = max(1, sum(part.idx.size for part in (before.bus, before.line, before.trafo)))
    n_shown = min(n_intervals, max(1, MAP_VALUES_MAX // n_elements))
    n_violated = np.maximum(before.n_violated, after.n_violated)
    order = np.argsort(-n_violated, kind="stable")
    return np.sort(order[:n_shown])


def pack_stage(stage: StageSeries, intervals: IntArray) -> dict[str, str]:
    """Return a stage's state for the page: ``bus``, ``line``, ``trafo`` and their violations."""
    packed = {}
    for name, part, steps in (
        ("bus", stage.bus, VM_STEPS_PER_PU),
        ("line", stage.line, LOADING_STEPS_PER_PERCENT),
        ("trafo", stage.trafo, LOADING_STEPS_PER_PERCENT),
    ):
        packed[name] = _packed(part.value[intervals], steps)
        packed[f"{name}_violated"] = _base64(part.violated[intervals].astype("u1"))
    return packed


def _packed(values: FloatArray, steps: int) -> str:
    scaled = np.rint(values * steps)
    scaled = np.where(np.isnan(scaled), NO_VALUE, np.clip(scaled, 0, NO_VALUE - 1))
    return _base64(scaled.astype("<u2"))


def _base64(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def geometry(results: Results, stage: StageSeries) -> dict[str, Any]:
    """Place everything in the drawing.

    Parameters
    ----------
    results : Results
        Its network has GeoJSON points for the buses; lines may have their own courses.
    stage : StageSeries
        Fixes the order of the elements.

    Returns
    -------
    dict
        ``view``: left, top, width, height; ``bus``: idx, name, vn_kv, x, y; ``line`` and
        ``trafo``: idx, name, points; ``switches``: points.

    Raises
    ------
    ResultFolderError
        If a bus has no coordinates.
    """
    net = results.network
    coordinates = _coordinates(results, net)
    courses = {
        int(idx): _course(net.line.at[idx, "geo"]) if "geo" in net.line else None
        for idx in stage.line.idx
    }
    project = _projection(coordinates, courses, _feeding_only(net))
    position = {idx: project(np.array([point]))[0] for idx, point in coordinates.items()}
    _draw_transformers_apart(net, position)

    def at(idx: int) -> list[float]:
        return [round(float(value), 1) for value in position[idx]]

    def course(idx: int) -> list[list[float]]:
        ends = [at(int(net.line.at[idx, f"{end}_bus"])) for end in ("from", "to")]
        between = courses[idx]
        if between is None:
            return ends
        inner = [[round(float(v), 1) for v in point] for point in project(between[1:-1])]
        return [ends[0], *inner, ends[1]]

    courses_drawn = [course(int(idx)) for idx in stage.line.idx]
    everything = [*position.values(), *(np.array(point) for c in courses_drawn for point in c)]
    return {
        "view": _view(np.vstack(everything)),
        "bus": [
            {
                "idx": int(idx),
                "name": element_name(results, "bus", int(idx)),
                "vn_kv": float(net.bus.at[idx, "vn_kv"]),
                "x": at(int(idx))[0],
                "y": at(int(idx))[1],
            }
            for idx in stage.bus.idx
        ],
        "line": [
            {"idx": int(idx), "name": element_name(results, "line", int(idx)), "points": points}
            for idx, points in zip(stage.line.idx, courses_drawn, strict=True)
        ],
        "trafo": [
            {
                "idx": int(idx),
                "name": element_name(results, "trafo", int(idx)),
                "points": [
                    at(int(net.trafo.at[idx, "hv_bus"])),
                    at(int(net.trafo.at[idx, "lv_bus"])),
                ],
            }
            for idx in stage.trafo.idx
        ],
        "switches": _bus_switches(net, at),
    }


def _coordinates(results: Results, net: Any) -> dict[int, FloatArray]:
    found = {}
    for idx, geo in net.bus["geo"].items():
        try:
            point = json.loads(geo)["coordinates"][:2]
            found[int(idx)] = np.array([float(point[0]), float(point[1])])
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise ResultFolderError(
                f"has no coordinates: {geo!r}",
                file=results.folder / "network.json",
                field=f"bus {idx}, geo",
                remedy="give every bus a GeoJSON point",
            ) from error
    return found


def _course(geo: Any) -> FloatArray | None:
    """Return points of a line's own course; none when the network has none for it."""
    if not isinstance(geo, str) or not geo:
        return None
    points = np.array([point[:2] for point in json.loads(geo)["coordinates"]], dtype=np.float64)
    return points if len(points) > 2 else None


def _projection(
    coordinates: dict[int, FloatArray],
    courses: dict[int, FloatArray | None],
    left_out: set[int],
) -> Callable[[FloatArray], FloatArray]:
    """Return the equirectangular projection onto the drawing, north up.

    Buses that are drawn elsewhere than they lie are left out of what must fit.
    """
    buses = [point for idx, point in coordinates.items() if idx not in left_out]
    points = np.vstack([*buses, *(course for course in courses.values() if course is not None)])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    shrink = np.cos(np.radians(middle[1])) if abs(middle[1]) <= 90 else 1.0
    extent = np.ptp(points, axis=0) * np.array([shrink, 1.0])
    inner = np.array([WIDTH, _HEIGHT_MAX]) - 2 * _MARGIN
    ratios = [inner[i] / extent[i] for i in (0, 1) if extent[i] > 0]
    scale = float(min(ratios, default=1.0))

    def project(where: FloatArray) -> FloatArray:
        return np.asarray((where - middle) * np.array([shrink, -1.0]) * scale)

    return project


def _view(points: FloatArray) -> list[float]:
    """Return left, top, width and height of what is drawn, with a margin."""
    low, high = points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN
    size = np.maximum(high - low, _SIZE_MIN)
    corner = (low + high - size) / 2
    return [round(float(value), 1) for value in (*corner, *size)]


def _feeding_only(net: Any) -> set[int]:
    """Return HV buses of transformers that feed from nothing but external grids."""
    ends = [*net.line["from_bus"], *net.line["to_bus"], *net.trafo["lv_bus"]]
    return {int(bus) for bus in net.trafo["hv_bus"]} - {int(bus) for bus in ends}


def _draw_transformers_apart(net: Any, position: dict[int, FloatArray]) -> None:
    """Give every transformer the length of its symbol.

    The feeding bus of a grid is drawn next to the bus that it feeds, on the side where fewest lines
    leave, wherever it may lie; so is an HV bus that lies on its LV bus.
    """
    feeding = _feeding_only(net)
    used: dict[int, list[float]] = {}
    for hv_bus, lv_bus in zip(net.trafo["hv_bus"], net.trafo["lv_bus"], strict=True):
        hv, lv = int(hv_bus), int(lv_bus)
        if hv not in feeding and np.hypot(*(position[hv] - position[lv])) >= _APART:
            continue
        others = _neighbours(net, lv)
        angles = [
            float(np.arctan2(*(position[n] - position[lv])[::-1]))
            for n in others
            if np.hypot(*(position[n] - position[lv])) > 1.0
        ] + used.setdefault(lv, [])
        angle = _widest_gap(angles)
        used[lv].append(angle)
        position[hv] = position[lv] + _APART * np.array([np.cos(angle), np.sin(angle)])


def _neighbours(net: Any, bus: int) -> list[int]:
    out = net.line.loc[net.line["from_bus"] == bus, "to_bus"]
    into = net.line.loc[net.line["to_bus"] == bus, "from_bus"]
    return [int(other) for other in (*out, *into)]


def _widest_gap(angles: list[float]) -> float:
    """Return the middle of the widest gap between directions; upwards if there are none. [rad]"""
    if not angles:
        return -np.pi / 2
    ordered = np.sort(np.mod(angles, 2 * np.pi))
    gaps = np.diff(np.append(ordered, ordered[0] + 2 * np.pi))
    widest = int(np.argmax(gaps))
    return float(ordered[widest] + gaps[widest] / 2)


def _bus_switches(net: Any, at: Any) -> list[list[list[float]]]:
    rows = net.switch[(net.switch["et"] == "b") & net.switch["closed"]]
    return [
        [at(int(one)), at(int(other))]
        for one, other in zip(rows["bus"], rows["element"], strict=True)
    ]


def worst_interval(before: StageSeries) -> int:
    """Return the interval with most violated elements, among equals the most loaded one."""
    loading = np.fmax(before.line.reduced("max"), before.trafo.reduced("max"))
    loading = np.where(np.isnan(loading), -1.0, loading)
    return int(np.lexsort((loading, before.n_violated))[-1])
