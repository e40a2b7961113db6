"""Which contracts of a scenario run beside the local market, and who is no member of it."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.ledger.deployment import Deployment
from cosim.scenario import Scenario
from cosim.services.base import Service


def count_services(scenario: Scenario) -> int:
    """How many contracts beside the local market a scenario asks for."""
    return 0


def members(scenario: Scenario, names: Sequence[str]) -> tuple[bool, ...]:
    """Which prosumers join the local market.

    Parameters
    ----------
    scenario : Scenario
    names : sequence of str
        Prosumers, in connection-point order.
    """
    return tuple(True for _ in names)


def deploy_services(scenario: Scenario, deployment: Deployment) -> tuple[Service, ...]:
    """Deploy what a scenario asks for, in the order in which it acts in an interval.

    Raises
    ------
    ContractRevert
        If a contract refuses a step of the set-up.
    EngineError
        If the set-up does not finish before the first order window.
    """
    return ()
