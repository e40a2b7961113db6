"""Areas with a local market each: which connection points are members of which."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosim.errors import ScenarioError
from cosim.mechanisms.local_market.settings import MarketSettings
from cosim.scenario import Scenario
from cosim.units import IntArray

FIELD = "market.areas"
SUPPLIED = "supplier"
"""Instance of those who are in no area with a market: they settle with the supplier."""
_LEAST_MEMBERS = 2


@dataclass(frozen=True)
class MarketArea:
    """Local market of an area.

    Parameters
    ----------
    name : str
        Of the area, and of the instances of the contracts.
    points : tuple of int
        Positions of its members.
    trades : bool
        Whether they may order; the others settle all their energy with the supplier.
    """

    name: str
    points: tuple[int, ...]
    trades: bool = True


def market_areas(
    scenario: Scenario, names: Sequence[str], areas: Sequence[str], members: Sequence[bool]
) -> tuple[MarketArea, ...]:
    """Return the local markets of a scenario; none where one is for all.

    Those whose area has no market are the last, without trades.

    Parameters
    ----------
    scenario : Scenario
    names, areas : sequence of str
        Connection points, and the area of each in the grid, empty where it is in none.
    members : sequence of bool
        Who takes part.

    Raises
    ------
    ScenarioError
        If the grid has no areas, an area or connection point is unknown, or a market has fewer than
        two members.
    """
    settings: MarketSettings = scenario.market
    if settings.areas is None:
        return ()
    if isinstance(settings.areas, dict):
        areas = _listed(scenario, settings.areas, names)
    known = sorted({area for area in areas if area})
    if not known:
        raise ScenarioError(
            "the grid does not say which area its connection points are in",
            file=scenario.file,
            field=FIELD,
            remedy="give connection_points.csv a column area (docs/grids.md), or leave the field "
            "out for one market of all",
        )
    listed = isinstance(settings.areas, str | dict)
    wanted = known if listed else list(settings.areas)
    if unknown := [name for name in wanted if name not in known]:
        raise ScenarioError(
            f"no connection point is in an area '{unknown[0]}'",
            file=scenario.file,
            field=FIELD,
            remedy=f"one of {', '.join(known)}",
        )
    if SUPPLIED in wanted:
        raise ScenarioError(
            f"no market can have the name '{SUPPLIED}', which is that of those without one",
            file=scenario.file,
            field=FIELD,
            remedy="give the area another name in connection_points.csv",
        )
    points: dict[str, list[int]] = {name: [] for name in (*wanted, SUPPLIED)}
    for i, (area, joins) in enumerate(zip(areas, members, strict=True)):
        if joins:
            points[area if area in points else SUPPLIED].append(i)
    for name in wanted:
        if len(points[name]) < _LEAST_MEMBERS:
            raise ScenarioError(
                f"{len(points[name])} of area '{name}' takes part, and a market needs "
                f"{_LEAST_MEMBERS} members",
                file=scenario.file,
                field=FIELD,
                remedy="name the areas that have more, or raise prosumers.participants",
            )
    found = [MarketArea(name, tuple(points[name])) for name in wanted]
    if points[SUPPLIED]:
        found.append(MarketArea(SUPPLIED, tuple(points[SUPPLIED]), trades=False))
    return tuple(found)


def _listed(
    scenario: Scenario, markets: Mapping[str, Sequence[str]], names: Sequence[str]
) -> list[str]:
    """Return the market of each connection point, where a scenario lists them."""
    area_of = {point: market for market, points in markets.items() for point in points}
    if unknown := [point for point in area_of if point not in set(names)]:
        near = difflib.get_close_matches(unknown[0], names, n=1)
        raise ScenarioError(
            f"'{unknown[0]}' is no connection point",
            file=scenario.file,
            field=f"{FIELD}.{area_of[unknown[0]]}",
            remedy=(f"did you mean '{near[0]}'? " if near else "")
            + "use names from the network's connection_points.csv",
        )
    return [area_of.get(name, "") for name in names]


def area_names(areas: Sequence[MarketArea], n: int) -> npt.NDArray[np.object_] | None:
    """Return the area of everybody's market, (n,), "" of who takes no part; None without areas."""
    if not areas:
        return None
    found = np.full(n, "", dtype=object)
    for area in areas:
        found[list(area.points)] = area.name
    return found


def market_of(areas: Sequence[MarketArea], n: int) -> IntArray | None:
    """Return the market that each connection point is in, from 0, (n,); None without areas.

    Who takes no part counts with those that settle with the supplier.
    """
    if not areas:
        return None
    found = np.full(n, -1, dtype=np.int64)
    for place, area in enumerate(areas):
        found[list(area.points)] = place
    if (found < 0).any():
        found[found < 0] = next((k for k, area in enumerate(areas) if not area.trades), len(areas))
    return found
