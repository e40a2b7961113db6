"""From the section ``attack`` of a scenario to what acts in a run, in bids, meters and chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cosim.attacks.baseline_gaming import IncDec as RaisedPlans
from cosim.attacks.baseline_gaming import PhantomBaseline as PhantomInjection
from cosim.attacks.censorship import Censors
from cosim.attacks.deviations import (
    AgreedSales,
    Deviation,
    SmallerPurchases,
    UndeliveredFlexibility,
)
from cosim.attacks.false_meters import FalseMeters
from cosim.attacks.front_running import FrontRunning as LastOrder
from cosim.attacks.reorganisation import Takeover
from cosim.attacks.silence import SilentMeters, SilentSender
from cosim.attacks.spam import Spam as BlockFiller
from cosim.chain.consensus import Consensus
from cosim.evm.accounts import account
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.flexibility_market.settings import RANGED_KINDS
from cosim.mechanisms.local_market.interference import LedgerAttack
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.metering.readings import Meters
from cosim.scenario import Scenario
from cosim.scenario.attack import (
    Censorship,
    Collusion,
    FailingSender,
    FlexibilityDefault,
    FrontRunning,
    IncDec,
    MeterUnderReport,
    PhantomBaseline,
    Reorganisation,
    SilentMeter,
    Spam,
    named,
)
from cosim.scenario.ledger import FINAL_AT_ONCE
from cosim.units import WEI_PER_ETH, BoolArray, ueur_from_eur, wei_from_gwei, wh_from_kwh

ROLE = "attacker"
"""Account of an attacker who is nobody on the grid."""


@dataclass(frozen=True)
class Attack:
    """Actions other than they should be: of prosumers, of meters, or on the ledger."""

    deviation: Deviation
    meters: Meters
    ledger: LedgerAttack


def prepare_attack(scenario: Scenario, deployment: Deployment) -> Attack:
    """Return the scenario's attack, and an empty one where there is none or it is not active.

    Whom it names was checked with the population, by :func:`cosim.attacks.attackers.check_named`.
    """
    settings = scenario.attack
    if settings is None:
        return Attack(Deviation(), Meters(), LedgerAttack())
    names = [account.name for account in deployment.prosumers]
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
        case FailingSender(sender=sender):
            return Attack(Deviation(), Meters(), SilentSender(sender, when))
        case FlexibilityDefault(share=share, price_factor=price_factor):
            default = UndeliveredFlexibility(who, when, share, price_factor)
            return Attack(default, Meters(), LedgerAttack())
        case Collusion(price_eur_per_kwh=price, withheld_share=withheld):
            agreed = None if price is None else ueur_from_eur(price)
            return Attack(AgreedSales(who, when, agreed, withheld), Meters(), LedgerAttack())
        case PhantomBaseline(energy_kwh=energy_kwh, price_eur_per_kwh=price):
            most_wh = None
            if scenario.dso.baseline.kind in RANGED_KINDS:
                most_wh = np.array([high for _, high in deployment.ranges_wh], dtype=np.int64)
            phantom = PhantomInjection(
                who, when, wh_from_kwh(energy_kwh), ueur_from_eur(price), most_wh
            )
            return Attack(phantom, Meters(), LedgerAttack())
        case IncDec(share=share, price_eur_per_kwh=price, sells=sells):
            raised = RaisedPlans(who, when, share, ueur_from_eur(price), sells)
            return Attack(raised, Meters(), LedgerAttack())
        case Spam() | FrontRunning() | Reorganisation() | Censorship():
            ledger = _on_the_ledger(scenario, deployment, settings, when, sorted(positions))
            return Attack(Deviation(), Meters(), ledger)


def _on_the_ledger(
    scenario: Scenario,
    deployment: Deployment,
    settings: Spam | FrontRunning | Reorganisation | Censorship,
    when: range,
    positions: Sequence[int],
) -> LedgerAttack:
    """Return an attack on what the chain includes."""
    chain, clock = deployment.chain, scenario.clock()
    accounts = frozenset(deployment.prosumers[i].address for i in positions)
    match settings:
        case Spam(budget_eur=budget_eur):
            eur_per_eth, budget_wei = scenario.ledger.eur_per_eth, None
            if budget_eur is not None and eur_per_eth:
                budget_wei = round(budget_eur / eur_per_eth * WEI_PER_ETH)
            return BlockFiller(
                chain,
                clock,
                account(scenario.seed, ROLE),
                when,
                settings.blocks,
                settings.until == "delivery",
                wei_from_gwei(settings.tip_gwei),
                settings.gas_share,
                budget_wei,
            )
        case FrontRunning(tip_gwei=tip_gwei):
            return LastOrder(
                deployment,
                clock,
                positions[0],
                when,
                MarketTerms.of(scenario),
                wei_from_gwei(tip_gwei),
            )
        case Reorganisation(depth_blocks=depth_blocks):
            every = frozenset(one.address for one in deployment.prosumers)
            return Takeover(chain, clock, accounts or every, when, depth_blocks)
        case Censorship(validators_share=share, meters=meters):
            if meters:
                accounts |= {deployment.meters[i].address for i in positions}
            consensus = Consensus(scenario.ledger.consensus, validators=scenario.ledger.validators)
            censors = Censors(chain, consensus, scenario.seed, accounts, when, share)
            chain.refuse = censors.refuses if when else None
            return censors


def attacked_blocks(scenario: Scenario) -> int:
    """Return the most blocks that the attack may replace; 0 where what is in a block is final."""
    settings, ledger = scenario.attack, scenario.ledger
    if not isinstance(settings, Reorganisation) or not settings.active:
        return 0
    if ledger.consensus in FINAL_AT_ONCE:
        return 0
    # where blocks come at random, many may fit between the opening of the window and delivery
    since_opening = 2 * scenario.market.order_lead_s // ledger.block_time_s
    return settings.depth_blocks or since_opening
