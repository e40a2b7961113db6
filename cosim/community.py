"""Which contracts of a scenario run beside the local market, and who is no member of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cosim.ledger.deployment import Deployment
from cosim.prosumers.settings import child_seed
from cosim.prosumers.strategies import assign_strategies
from cosim.scenario import Scenario
from cosim.scenario.certificates import CertificateSettings
from cosim.services.base import Service
from cosim.services.certificates import CertificatesService, CertificateTerms
from cosim.units import ueur_from_eur, ueur_per_kwh_from_eur_per_mwh

_BUYERS_SEED = 16
"""Key among the children of the scenario's seed; the population's are 0 to 3."""


def count_services(scenario: Scenario) -> int:
    """How many contracts beside the local market a scenario asks for."""
    return sum(section is not None for section in (scenario.certificates,))


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
    services: list[Service] = []
    if scenario.certificates is not None:
        terms = certificate_terms(scenario, scenario.certificates, deployment.members)
        services.append(CertificatesService.deploy(deployment, scenario.clock(), terms))
    return tuple(services)


def certificate_terms(
    scenario: Scenario, settings: CertificateSettings, joined: Sequence[bool]
) -> CertificateTerms:
    """What certificates cost, and who buys them: shares of all prosumers, in random order.

    Parameters
    ----------
    scenario : Scenario
    settings : CertificateSettings
    joined : sequence of bool
        Members of the local market; the others have no certificates.
    """
    shares = [buyers.share for buyers in settings.buyers]
    limits = [ueur_per_kwh_from_eur_per_mwh(buyers.limit_eur_per_mwh) for buyers in settings.buyers]
    seed = child_seed(np.random.SeedSequence(scenario.seed), _BUYERS_SEED)
    group_of = assign_strategies(
        len(joined), [*shares, max(0.0, 1.0 - sum(shares))], np.random.default_rng(seed)
    )
    return CertificateTerms(
        price_ueur_per_kwh=ueur_per_kwh_from_eur_per_mwh(settings.price_eur_per_mwh),
        limits_ueur_per_kwh=tuple(
            limits[group] if joins and group < len(limits) else None
            for group, joins in zip(group_of.tolist(), joined, strict=True)
        ),
        deposit_ueur=ueur_from_eur(settings.account_eur),
        eur_per_eth=scenario.ledger.eur_per_eth,
    )
