"""From the section ``attack`` of a scenario to what acts in its place in each room of the house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cosim.errors import ScenarioError
from cosim.ledger.attacks.base import LedgerAttack
from cosim.ledger.attacks.silence import SilentMeters
from cosim.ledger.deployment import Deployment
from cosim.market.metering import FalseMeters, Meters
from cosim.prosumers.deviations import (
    AgreedSales,
    Deviation,
    SmallerPurchases,
    UndeliveredFlexibility,
)
from cosim.scenario import Scenario
from cosim.scenario.attack import (
    AttackSettings,
    Collusion,
    FlexibilityDefault,
    MeterUnderReport,
    SilentMeter,
    named,
)
from cosim.units import BoolArray, ueur_from_eur


@dataclass(frozen=True)
class Attack:
    """Who acts otherwise than they should: prosumers, meters, or somebody on the ledger."""

    deviation: Deviation
    meters: Meters
    ledger: LedgerAttack


def prepare_attack(scenario: Scenario, deployment: Deployment) -> Attack:
    """What the scenario's attack does, and nothing where there is none or it is not active.

    Raises
    ------
    ScenarioError
        If it names who is no connection point, or not in the local market.
    """
    settings = scenario.attack
    if settings is None:
        return Attack(Deviation(), Meters(), LedgerAttack())
    names = [account.name for account in deployment.prosumers]
    _require_members(settings, names, deployment.members)
    when = settings.intervals(scenario.time.intervals)
    chosen = {name for group in named(settings).values() for name in group}
    who: BoolArray = np.array([name in chosen for name in names])
    positions = frozenset(np.flatnonzero(who).tolist())
    match settings:
        case MeterUnderReport(factor=factor, feed_in_factor=feed_in_factor):
            meters = FalseMeters(who, when, factor, feed_in_factor)
            return Attack(SmallerPurchases(who, when, factor), meters, LedgerAttack())
        case SilentMeter():
            return Attack(Deviation(), Meters(), SilentMeters(positions, when))
        case FlexibilityDefault(share=share, price_factor=price_factor):
            default = UndeliveredFlexibility(who, when, share, price_factor)
            return Attack(default, Meters(), LedgerAttack())
        case Collusion(price_eur_per_kwh=price, withheld_share=withheld):
            agreed = None if price is None else ueur_from_eur(price)
            return Attack(AgreedSales(who, when, agreed, withheld), Meters(), LedgerAttack())
    raise NotImplementedError(settings.kind)


def _require_members(
    settings: AttackSettings, names: Sequence[str], members: Sequence[bool]
) -> None:
    joined = dict(zip(names, members, strict=True))
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
