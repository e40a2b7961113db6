"""Which contracts of a scenario run beside the local market, and who is no member of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cosim.errors import ScenarioError
from cosim.ledger.deployment import Deployment
from cosim.market.community_storage import StorageTerms
from cosim.prosumers.community_battery import SharedBattery
from cosim.prosumers.settings import child_seed
from cosim.prosumers.strategies import assign_strategies
from cosim.scenario import Scenario
from cosim.scenario.certificates import CertificateSettings
from cosim.scenario.community_storage import CommunityStorageSettings
from cosim.scenario.name_registry import NameRegistrySettings
from cosim.scenario.supply_contract import SupplyContractSettings
from cosim.services.base import Service
from cosim.services.certificates import CertificatesService, CertificateTerms
from cosim.services.names import NamesService, NameTerms
from cosim.services.storage import StorageService
from cosim.services.storage_setup import StorageSetup
from cosim.services.supply import SupplyService
from cosim.services.supply_setup import Consumer, SupplySetup
from cosim.units import (
    SECONDS_PER_HOUR,
    ueur_from_eur,
    ueur_per_kwh_from_eur_per_mwh,
    wh_from_kwh,
)

_BUYERS_SEED, _PARTICIPANTS_SEED = 16, 17
"""Keys among the children of the scenario's seed; the population's are 0 to 3."""


def count_services(scenario: Scenario) -> int:
    """How many contracts beside the local market a scenario asks for."""
    sections = (
        scenario.certificates,
        scenario.community_storage,
        scenario.name_registry,
        scenario.supply_contract,
    )
    return sum(section is not None for section in sections)


def members(scenario: Scenario, names: Sequence[str]) -> tuple[bool, ...]:
    """Which prosumers join the local market.

    Parameters
    ----------
    scenario : Scenario
    names : sequence of str
        Prosumers, in connection-point order.
    """
    moves = scenario.name_registry.moves if scenario.name_registry is not None else ()
    consumers = scenario.supply_contract.consumers if scenario.supply_contract is not None else ()
    outside: set[str] = set()
    for field, people in (("name_registry.moves", moves), ("supply_contract.consumers", consumers)):
        named = {person.name for person in people}
        for name in sorted(named.difference(names)):
            raise ScenarioError(
                f"'{name}' is no connection point",
                field=field,
                remedy="use names from the network's connection_points.csv",
            )
        outside |= named
    outside |= _no_participants(scenario, [name for name in names if name not in outside])
    return tuple(name not in outside for name in names)


def _no_participants(scenario: Scenario, eligible: Sequence[str]) -> set[str]:
    """Who is left out where a scenario wants fewer participants; fewer are always among more.

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
    battery = scenario.community_storage
    first = [name for name in eligible if battery is not None and name == battery.name]
    others = [name for name in eligible if name not in first]
    seed = child_seed(np.random.SeedSequence(scenario.seed), _PARTICIPANTS_SEED)
    drawn = np.random.default_rng(seed).permutation(len(others)).tolist()
    taking_part = {*first, *(others[i] for i in drawn[: wanted - len(first)])}
    return set(eligible) - taking_part


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
    if scenario.name_registry is not None:  # first, for the others may look accounts up by name
        names = name_terms(scenario, scenario.name_registry, deployment)
        services.append(NamesService.deploy(deployment, scenario.clock(), names))
    if scenario.community_storage is not None:  # its meter must report while meters may
        setup = storage_setup(scenario, scenario.community_storage, deployment)
        services.append(StorageService.deploy(deployment, scenario.clock(), setup))
    if scenario.certificates is not None:
        terms = certificate_terms(scenario, scenario.certificates, deployment.members)
        services.append(CertificatesService.deploy(deployment, scenario.clock(), terms))
    if scenario.supply_contract is not None:  # last, for after the run it mines on
        supply = supply_setup(scenario, scenario.supply_contract, deployment)
        services.append(SupplyService.deploy(deployment, scenario.clock(), supply))
    return tuple(services)


def supply_setup(
    scenario: Scenario, settings: SupplyContractSettings, deployment: Deployment
) -> SupplySetup:
    """Terms of the supply contract, and who buys by it."""
    names = [account.name for account in deployment.prosumers]
    return SupplySetup(
        billing_intervals=settings.billing_intervals,
        prices_ueur_per_kwh=tuple(map(ueur_from_eur, settings.prices_eur_per_kwh)),
        price_cap_ueur_per_kwh=ueur_from_eur(settings.price_cap_eur_per_kwh),
        silent_estimate_wh=wh_from_kwh(settings.silent_estimate_kwh),
        least_deposit_ueur=ueur_from_eur(settings.least_deposit_eur),
        consumers=tuple(
            Consumer(
                point=names.index(consumer.name),
                deposit_ueur=ueur_from_eur(consumer.deposit_eur),
                n_periods=consumer.periods,
                silent_periods=consumer.silent_periods,
                tops_up=consumer.tops_up,
                leaves_in=consumer.leaves_in,
            )
            for consumer in settings.consumers
        ),
        eur_per_eth=scenario.ledger.eur_per_eth,
    )


def name_terms(
    scenario: Scenario, settings: NameRegistrySettings, deployment: Deployment
) -> NameTerms:
    """What names cost, and who moves when."""
    names = [account.name for account in deployment.prosumers]
    return NameTerms(
        registration_fee_ueur=ueur_from_eur(settings.registration_fee_eur),
        update_fee_ueur=ueur_from_eur(settings.update_fee_eur),
        account_ueur=ueur_from_eur(settings.account_eur),
        moves={names.index(move.name): move.interval for move in settings.moves},
        seed=scenario.seed,
        eur_per_eth=scenario.ledger.eur_per_eth,
    )


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


def shared_battery(scenario: Scenario, names: Sequence[str]) -> SharedBattery | None:
    """The battery that members share, None without one.

    Parameters
    ----------
    scenario : Scenario
    names : sequence of str
        Connection points, the battery's among them.

    Raises
    ------
    ScenarioError
        If a member is no connection point.
    """
    settings = scenario.community_storage
    if settings is None:
        return None
    terms = _storage_terms(scenario, settings)
    shares = np.array(_shares(scenario, settings, names), dtype=np.int64)
    return SharedBattery(
        point=list(names).index(settings.name),
        capacity_wh=terms.capacity_wh,
        power_wh=terms.power_wh,
        charge_permille=terms.charge_permille,
        discharge_permille=terms.discharge_permille,
        standby_wh=_interval_wh(settings.standby_kw, scenario),
        capacity_of_wh=terms.capacity_wh * shares // terms.total_shares,
        power_of_wh=terms.power_wh * shares // terms.total_shares,
        is_used=settings.nominations != "none",
    )


def storage_setup(
    scenario: Scenario, settings: CommunityStorageSettings, deployment: Deployment
) -> StorageSetup:
    """How the battery is shared, and the money that begins with it."""
    names = [account.name for account in deployment.prosumers]
    return StorageSetup(
        terms=_storage_terms(scenario, settings),
        point=names.index(settings.name),
        shares=_shares(scenario, settings, names),
        standby_wh=_interval_wh(settings.standby_kw, scenario),
        deposit_ueur=ueur_from_eur(settings.account_eur),
        owner_deposit_ueur=ueur_from_eur(settings.owner_eur),
        eur_per_eth=scenario.ledger.eur_per_eth,
    )


def _storage_terms(scenario: Scenario, settings: CommunityStorageSettings) -> StorageTerms:
    return StorageTerms(
        owner=settings.name,
        total_shares=settings.shares,
        share_price_ueur=ueur_from_eur(settings.share_price_eur),
        capacity_wh=wh_from_kwh(settings.capacity_kwh),
        power_wh=_interval_wh(settings.p_max_kw, scenario),
        charge_permille=settings.charge_permille,
        discharge_permille=settings.discharge_permille,
        loss_limit_wh=wh_from_kwh(settings.loss_limit_kwh),
        retail_price_ueur_per_kwh=ueur_from_eur(scenario.market.retail_eur_per_kwh),
        feed_in_price_ueur_per_kwh=ueur_from_eur(scenario.market.feed_in_eur_per_kwh),
    )


def _shares(
    scenario: Scenario, settings: CommunityStorageSettings, names: Sequence[str]
) -> tuple[int, ...]:
    """Shares by connection point; the battery's own has none.

    Raises
    ------
    ScenarioError
        If a member is no connection point, not in the local market, or the battery's own, or there
        are too few shares.
    """
    joined = dict(zip(names, members(scenario, names), strict=True))
    if not joined.pop(settings.name):
        raise ScenarioError(
            f"'{settings.name}' is not in the local market",
            field="community_storage.name",
            remedy="its meter must report to the local market; name no battery elsewhere",
        )
    people = [name for name, joins in joined.items() if joins]
    if settings.members is None:
        each = settings.shares // max(len(people), 1)
        if each == 0:
            raise ScenarioError(
                f"{settings.shares} shares are not enough for {len(people)} members",
                field="community_storage.shares",
                remedy=f"raise it to at least {len(people)}, or name the members",
            )
        return tuple(each if name in people else 0 for name in names)
    for name in settings.members:
        if name not in people:
            raise ScenarioError(
                f"'{name}' is no connection point of a member of the local market",
                field="community_storage.members",
                remedy="use names from the network's connection_points.csv that trade there",
            )
    return tuple(settings.members.get(name, 0) for name in names)


def _interval_wh(p_kw: float, scenario: Scenario) -> int:
    """Energy of a power in one interval. [Wh]"""
    return wh_from_kwh(p_kw * scenario.time.step_s / SECONDS_PER_HOUR)
