"""Terms and consumers of a run's supply contract, and its phases in whole intervals."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.clock import DeliveryClock
from cosim.errors import UserError
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.funding import mined
from cosim.mechanisms.supply_contract.client import Supplier
from cosim.mechanisms.supply_contract.model import SupplyContractModel
from cosim.mechanisms.supply_contract.settings import SupplyContractSettings
from cosim.mechanisms.supply_contract.terms import SupplyTerms
from cosim.scenario import Scenario
from cosim.units import ueur_from_eur, wh_from_kwh


@dataclass(frozen=True)
class Consumer:
    """A connection point that subscribes.

    Parameters
    ----------
    point : int
        Its position.
    deposit_ueur : int
        Deposited at the start; and what the deposit is topped up to. [µEUR]
    n_periods : int
        For how many periods; 0 is rolling.
    silent_periods : tuple of int
        Periods in which its meter does not declare.
    tops_up : bool
        It repays a debt, and fills its deposit up again.
    leaves_in : int or None
        Period during which it ends the subscription.
    """

    point: int
    deposit_ueur: int
    n_periods: int = 0
    silent_periods: tuple[int, ...] = ()
    tops_up: bool = False
    leaves_in: int | None = None


@dataclass(frozen=True)
class SupplySetup:
    """Terms and consumers of a run's supply contract.

    Parameters
    ----------
    billing_intervals : int
        Delivery intervals of a billing period, at least 4.
    prices_ueur_per_kwh : tuple of int
        Of period 0, 1, …; the last one holds for the periods after. [µEUR/kWh]
    price_cap_ueur_per_kwh : int
        [µEUR/kWh]
    silent_estimate_wh : int
        Billed for a period without declaration. [Wh]
    least_deposit_ueur, credit_limit_ueur : int
        [µEUR]
    consumers : tuple of Consumer
    eur_per_eth : float
        Price of the native coin, for the fees. [EUR]
    """

    billing_intervals: int
    prices_ueur_per_kwh: tuple[int, ...]
    price_cap_ueur_per_kwh: int
    silent_estimate_wh: int
    least_deposit_ueur: int
    credit_limit_ueur: int
    consumers: tuple[Consumer, ...]
    eur_per_eth: float = 0.0


def supply_terms(block: int, now_s: int, clock: DeliveryClock, setup: SupplySetup) -> SupplyTerms:
    """Terms whose phases are whole intervals; subscription opens when the contract is deployed.

    Raises
    ------
    UserError
        If intervals, or the time up to the first, are no whole number of blocks.
    """
    block_s = clock.block_time_s
    if clock.step_s % block_s or (clock.start_s - now_s) % block_s:
        raise UserError(
            f"intervals of {clock.step_s} s must be whole numbers of blocks of {block_s} s, and so "
            "must the order window before the first: phases of supply are counted in blocks",
            field="ledger.block_time_s",
            remedy="choose a block time that divides time.step_s and market.order_lead_s",
        )
    first_block = block + (clock.start_s - now_s) // block_s
    interval_blocks = clock.step_s // block_s
    return SupplyTerms(
        first_block=first_block,
        period_blocks=setup.billing_intervals * interval_blocks,
        subscription_blocks=first_block - (block + 1),
        declaration_blocks=interval_blocks,
        payment_blocks=interval_blocks,
        price_ueur_per_kwh=setup.prices_ueur_per_kwh[0],
        price_cap_ueur_per_kwh=setup.price_cap_ueur_per_kwh,
        silent_estimate_wh=setup.silent_estimate_wh,
        least_deposit_ueur=setup.least_deposit_ueur,
        credit_limit_ueur=setup.credit_limit_ueur,
    )


def subscribed(
    deployment: Deployment, clock: DeliveryClock, setup: SupplySetup
) -> tuple[Supplier, SupplyContractModel]:
    """Deploy the contract, let the consumers subscribe, and bring the model into the same state.

    Raises
    ------
    UserError
        If a phase of the contract would not be a whole number of blocks.
    ContractRevert
        If the contract refuses a step.
    EngineError
        If all this does not finish before the first order window.
    """
    chain, token = deployment.chain, deployment.token
    terms = supply_terms(chain.block, chain.now_s, clock, setup)
    client = Supplier.deploy(
        chain,
        deployment.supplier.address,
        terms,
        token=token.address,
        meters=deployment.meter_registry.address,
    )
    model = SupplyContractModel(terms)
    opens_s = clock.window_opens_s(0)
    approvals = [
        token.approve(deployment.prosumers[c.point].address, client.address)
        for c in setup.consumers
    ]
    mined(client, approvals, opens_s)
    sent = [
        client.subscribe_user(
            deployment.prosumers[c.point].address,
            deployment.meters[c.point].address,
            c.n_periods,
            c.deposit_ueur,
        )
        for c in setup.consumers
    ]
    for c, included in zip(setup.consumers, mined(client, sent, opens_s), strict=True):
        account, meter = deployment.prosumers[c.point], deployment.meters[c.point]
        model.bind(meter.name, account.name)
        model.subscribe(included.block, account.name, meter.name, c.n_periods, c.deposit_ueur)
    return client, model


def supply_setup(
    scenario: Scenario, settings: SupplyContractSettings, deployment: Deployment
) -> SupplySetup:
    """Return what a scenario's section becomes."""
    names = [account.name for account in deployment.prosumers]
    return SupplySetup(
        billing_intervals=settings.billing_intervals,
        prices_ueur_per_kwh=tuple(map(ueur_from_eur, settings.prices_eur_per_kwh)),
        price_cap_ueur_per_kwh=ueur_from_eur(settings.price_cap_eur_per_kwh),
        silent_estimate_wh=wh_from_kwh(settings.silent_estimate_kwh),
        least_deposit_ueur=ueur_from_eur(settings.least_deposit_eur),
        credit_limit_ueur=ueur_from_eur(settings.credit_limit_eur),
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
