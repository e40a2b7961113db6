"""Whom an attack names: checked with the population, before there is a ledger."""

from __future__ import annotations

import numpy as np

from cosim.devices.population import Population
from cosim.errors import ScenarioError
from cosim.mechanisms.membership import members
from cosim.scenario import Scenario
from cosim.scenario.attack import IncDec, named
from cosim.units import BoolArray


def check_named(scenario: Scenario, population: Population) -> None:
    """Require that everybody whom a scenario's attack names is there, trades, and can act.

    Raises
    ------
    ScenarioError
        If a name is no connection point or not in the local market, or is to plan an injection that
        nothing behind the connection point could be raised to.
    """
    settings = scenario.attack
    if settings is None:
        return
    joined = dict(zip(population.names, members(scenario, population.names), strict=True))
    movable = dict(zip(population.names, can_raise(population).tolist(), strict=True))
    able = [name for name in population.names if joined[name] and movable[name]]
    for field, group in named(settings).items():
        for name in group:
            if name not in joined:
                raise ScenarioError(
                    f"'{name}' is no connection point",
                    field=f"attack.{field}",
                    remedy="use names from the network's connection_points.csv",
                )
            if not joined[name]:
                raise ScenarioError(
                    f"'{name}' is not in the local market",
                    field=f"attack.{field}",
                    remedy="name somebody who trades there",
                )
            if isinstance(settings, IncDec) and not movable[name]:
                raise ScenarioError(
                    f"'{name}' has neither a storage nor consumption that can wait: there is no "
                    "injection that it could plan and be paid for not making",
                    field=f"attack.{field}",
                    remedy=_able_text(able),
                )


def can_raise(population: Population) -> BoolArray:
    """Return, (n,), who could raise the injection in some interval: by a storage, or by waiting."""
    able: BoolArray = np.zeros(population.n, dtype=np.bool_)
    for storage in population.storages:
        able |= (storage.capacity_mwh > storage.soc_min_mwh) & (storage.p_max_mw > 0.0)
    deferral = population.deferral
    waits = (deferral.share_of_power > 0.0) & (deferral.energy_max_mwh > 0.0)
    return able | (waits & (deferral.p_mw > 0.0).any(axis=0))


def _able_text(able: list[str]) -> str:
    """Return whom to name instead."""
    if not able:
        return "nobody has one: raise prosumers.battery.share_of_pv_owners, or name a battery"
    return f"name only who has: {', '.join(able[:8])}{' and others' if len(able) > 8 else ''}"
