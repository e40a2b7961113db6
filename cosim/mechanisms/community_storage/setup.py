"""Set-up of a run's shared battery: its terms, and the members' shares and money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from cosim.clock import DeliveryClock
from cosim.errors import ScenarioError
from cosim.evm.engine import ZERO_ADDRESS
from cosim.mechanisms.community_storage.client import CommunityStorage
from cosim.mechanisms.community_storage.settings import CommunityStorageSettings
from cosim.mechanisms.community_storage.terms import StorageTerms
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.funding import issue, mined
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.local_market.tariffs import tariffs_of
from cosim.mechanisms.membership import members
from cosim.messages.agreements import SharedBattery
from cosim.scenario import Scenario
from cosim.units import SECONDS_PER_HOUR, ueur_from_eur, wh_from_kwh


@dataclass(frozen=True)
class StorageSetup:
    """Terms of a run's shared battery, and its members.

    Parameters
    ----------
    terms : StorageTerms
    point : int
        Position of the battery's connection point.
    shares : tuple of int
        By connection point.
    standby_wh : int
        Consumption of the battery itself in every interval. [Wh]
    deposit_ueur, owner_deposit_ueur : int
        Of each member on top of its shares, and of the battery's owner. [µEUR]
    eur_per_eth : float
        Price of the native coin, for the fees. [EUR]
    """

    terms: StorageTerms
    point: int
    shares: tuple[int, ...]
    standby_wh: int
    deposit_ueur: int
    owner_deposit_ueur: int
    eur_per_eth: float = 0.0

    @property
    def members(self) -> list[int]:
        """Positions of those who have shares."""
        return [i for i, shares in enumerate(self.shares) if shares]

    def needed_ueur(self, i: int) -> int:
        """Price of a member's shares, and its deposit. [µEUR]"""
        return self.shares[i] * self.terms.share_price_ueur + self.deposit_ueur


def deploy_storage(
    deployment: Deployment, clock: DeliveryClock, setup: StorageSetup
) -> CommunityStorage:
    """Deploy the contract and let members buy their shares, before the first order window.

    Raises
    ------
    ContractRevert
        If the contract refuses a step of the set-up.
    EngineError
        If the set-up does not finish in time.
    """
    owner = deployment.prosumers[setup.point].address
    settlement = deployment.client(MarketSettlement)
    client = CommunityStorage.deploy(
        deployment.chain,
        deployment.operator.address,
        setup.terms,
        clock,
        token=deployment.token.address,
        local_market=deployment.client(LocalMarket).address,
        meters=deployment.meter_registry.address,
        owner=owner,
        meter=deployment.meters[setup.point].address,
        prices=ZERO_ADDRESS if setup.terms.tariffs is None else settlement.address,
    )
    accounts = {i: deployment.prosumers[i].address for i in setup.members}
    money = {account: setup.needed_ueur(i) for i, account in accounts.items()}
    money[owner] = setup.owner_deposit_ueur
    opens_s = clock.window_opens_s(0)
    issued = [issue(deployment, client, {account: money[account]}) for account in money]
    mined(client, chain(*issued), opens_s)
    mined(client, [client.deposit(*deposit) for deposit in money.items()], opens_s)
    bought = [client.buy_shares(account, setup.shares[i]) for i, account in accounts.items()]
    mined(client, bought, opens_s)
    return client


def shared_battery(
    scenario: Scenario, settings: CommunityStorageSettings, names: Sequence[str]
) -> SharedBattery:
    """Return what bidders and devices know of the battery that members share.

    Parameters
    ----------
    scenario : Scenario
    settings : CommunityStorageSettings
    names : sequence of str
        Connection points, the battery's among them.

    Raises
    ------
    ScenarioError
        If a member is no connection point.
    """
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
    """Return what a scenario's section becomes."""
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
    tariffs = tariffs_of(scenario)
    prices = tariffs.base
    return StorageTerms(
        owner=settings.name,
        total_shares=settings.shares,
        share_price_ueur=ueur_from_eur(settings.share_price_eur),
        capacity_wh=wh_from_kwh(settings.capacity_kwh),
        power_wh=_interval_wh(settings.p_max_kw, scenario),
        charge_permille=settings.charge_permille,
        discharge_permille=settings.discharge_permille,
        loss_limit_wh=wh_from_kwh(settings.loss_limit_kwh),
        retail_price_ueur_per_kwh=prices.retail_price_ueur_per_kwh,
        feed_in_price_ueur_per_kwh=prices.feed_in_price_ueur_per_kwh,
        tariffs=tariffs if tariffs.varies else None,
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
    eligible = [name for name, joins in joined.items() if joins]
    if settings.members is None:
        each = settings.shares // max(len(eligible), 1)
        if each == 0:
            raise ScenarioError(
                f"{settings.shares} shares are not enough for {len(eligible)} members",
                field="community_storage.shares",
                remedy=f"raise it to at least {len(eligible)}, or name the members",
            )
        return tuple(each if name in eligible else 0 for name in names)
    for name in settings.members:
        if name not in eligible:
            raise ScenarioError(
                f"'{name}' is no connection point of a member of the local market",
                field="community_storage.members",
                remedy="use names from the network's connection_points.csv that trade there",
            )
    return tuple(settings.members.get(name, 0) for name in names)


def _interval_wh(p_kw: float, scenario: Scenario) -> int:
    """Energy of a power in one interval. [Wh]"""
    return wh_from_kwh(p_kw * scenario.time.step_s / SECONDS_PER_HOUR)
