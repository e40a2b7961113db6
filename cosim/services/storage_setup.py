"""How a run's battery is shared, and its contract set up with everybody's shares and money."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.clock import DeliveryClock
from cosim.ledger.clients.community_storage import CommunityStorage
from cosim.ledger.deployment import Deployment, mine_all
from cosim.market.community_storage import StorageTerms


@dataclass(frozen=True)
class StorageSetup:
    """How a run's battery is shared.

    Parameters
    ----------
    terms : StorageTerms
    point : int
        Position of the battery's connection point.
    shares : tuple of int
        By connection point.
    standby_wh : int
        What the battery consumes in every interval. [Wh]
    deposit_ueur, owner_deposit_ueur : int
        Of each member besides its shares, and of the battery's owner. [µEUR]
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


def needed_ueur(setup: StorageSetup, i: int) -> int:
    """What a member needs for its shares and its deposit. [µEUR]"""
    return setup.shares[i] * setup.terms.share_price_ueur + setup.deposit_ueur


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
    chain, token, terms = deployment.chain, deployment.token, setup.terms
    owner = deployment.prosumers[setup.point].address
    client = CommunityStorage.deploy(
        chain,
        deployment.operator.address,
        token=token.address,
        local_market=deployment.local_market.address,
        meters=deployment.meter_registry.address,
        owner=owner,
        meter=deployment.meters[setup.point].address,
        total_shares=terms.total_shares,
        share_price_ueur=terms.share_price_ueur,
        capacity_wh=terms.capacity_wh,
        power_wh=terms.power_wh,
        charge_permille=terms.charge_permille,
        discharge_permille=terms.discharge_permille,
        loss_limit_wh=terms.loss_limit_wh,
        retail_price_ueur_per_kwh=terms.retail_price_ueur_per_kwh,
        feed_in_price_ueur_per_kwh=terms.feed_in_price_ueur_per_kwh,
        order_lead_s=clock.order_lead_s,
        gate_closure_s=clock.gate_closure_s,
    )
    money = {
        deployment.prosumers[i].address: needed_ueur(setup, i)
        for i, shares in enumerate(setup.shares)
        if shares
    }
    money[owner] = setup.owner_deposit_ueur
    issuer, opens_s = deployment.issuer.address, clock.window_opens_s(0)
    handles = []
    for account, amount in money.items():
        handles.append(token.mint(issuer, account, amount))
        handles.append(token.approve(account, client.address, amount))
    mine_all(chain, opens_s)
    handles += [client.deposit(account, amount) for account, amount in money.items()]
    mine_all(chain, opens_s)
    for i, shares in enumerate(setup.shares):
        if shares:
            handles.append(client.buy_shares(deployment.prosumers[i].address, shares))
    mine_all(chain, opens_s)
    client.check_all(handles)
    deployment.beside.append(client)
    return client
