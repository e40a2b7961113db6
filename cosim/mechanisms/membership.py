"""Members of the local market, and prosumers that are kept out of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cosim.errors import ScenarioError
from cosim.mechanisms.community_storage.settings import CommunityStorageSettings
from cosim.scenario import Scenario
from cosim.seeds import child_seed

_PARTICIPANTS_SEED = 17
"""Key among the children of the scenario's seed."""


def members(scenario: Scenario, names: Sequence[str]) -> tuple[bool, ...]:
    """Tell of each prosumer if it joins the local market.

    Parameters
    ----------
    scenario : Scenario
    names : sequence of str
        Prosumers, in connection-point order.
    """
    outside: set[str] = set()
    for mechanism in scenario.mechanisms():
        named = set(mechanism.outsiders(scenario))
        for name in sorted(named.difference(names)):
            fields = mechanism.settings.model_dump(mode="json")
            near = difflib.get_close_matches(name, names, n=1)
            raise ScenarioError(
                f"'{name}' is no connection point",
                field=next(_places(fields, name, mechanism.section), mechanism.section),
                remedy=(f"did you mean '{near[0]}'? " if near else "")
                + "use names from the network's connection_points.csv",
            )
        outside |= named
    outside |= _no_participants(scenario, [name for name in names if name not in outside])
    return tuple(name not in outside for name in names)


def _places(fields: Any, name: str, path: str) -> Iterator[str]:
    """Yield the dotted path of every field, within a section, that has a name as its value."""
    if isinstance(fields, dict | list):
        pairs = fields.items() if isinstance(fields, dict) else enumerate(fields)
        for key, inner in pairs:
            yield from _places(inner, name, f"{path}.{key}")
    elif fields == name:
        yield path


def _no_participants(scenario: Scenario, eligible: Sequence[str]) -> set[str]:
    """Draw those left out where a scenario wants fewer participants; fewer are among more.

    A shared battery always takes part: it has to report to the market.
    """
    wanted = scenario.prosumers.participants
    if wanted is None:
        return set()
    if wanted > len(eligible):
        raise ScenarioError(
            f"{wanted} connection points cannot take part: there are {len(eligible)}",
            field="prosumers.participants",
            remedy=f"set it to {len(eligible)} at most",
        )
    battery = scenario.section(CommunityStorageSettings)
    first = [name for name in eligible if battery is not None and name == battery.name]
    others = [name for name in eligible if name not in first]
    seed = child_seed(np.random.SeedSequence(scenario.seed), _PARTICIPANTS_SEED)
    drawn = np.random.default_rng(seed).permutation(len(others)).tolist()
    taking_part = {*first, *(others[i] for i in drawn[: wanted - len(first)])}
    return set(eligible) - taking_part
