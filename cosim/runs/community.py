"""Contracts of a scenario beside the two markets, deployed in the order of their ranks."""

from __future__ import annotations

from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.play import Service
from cosim.scenario import Scenario


def count_services(scenario: Scenario) -> int:
    """Number of contracts beside the local market that a scenario asks for."""
    return len(scenario.mechanisms())


def deploy_services(scenario: Scenario, deployment: Deployment) -> tuple[Service, ...]:
    """Deploy what a scenario asks for, in the order in which it acts in an interval.

    Raises
    ------
    ContractRevert
        If a contract refuses a step of the set-up.
    EngineError
        If the set-up does not finish before the first order window.
    """
    return tuple(each.deploy(deployment, scenario) for each in scenario.mechanisms())
