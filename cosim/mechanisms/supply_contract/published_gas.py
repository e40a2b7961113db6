"""Gas of the published registry of meters and supply contract, as published.

Source: I. Kouveliotis-Lysikatos, "Securing the Decentralized Coordination of Active Distribution
Grids with Blockchain" (conference slides). The author's Solidity is public
(github.com/iasonask/blockchain-LES: ``smartMeters``, ``retailer``); under Byzantium rules and solc
0.5.0 without optimiser it reproduces all eight figures to the gas unit. The published amounts are
at 3 gwei and 102.75 EUR per coin, cut off after two decimals, but for one: see
:func:`contradictions`.
"""

from __future__ import annotations

from typing import NamedTuple

GAS_PRICE_GWEI = 3
EUR_PER_ETH = 102.75
BLOCK_GAS_LIMIT = 6_721_975

GWEI_PER_ETH = 10**9
CENTS_PER_EUR = 100


class PublishedMethod(NamedTuple):
    """A row of the published table of methods, under our contract's name.

    Parameters
    ----------
    contract, method : str
    gas : int
        On average over the calls.
    calls : int
    eur_cents : int
        As printed. [EUR/100]
    gas_now : int
        Of the author's Solidity under current rules, in a whole transaction, by solc 0.5.0 with
        optimiser; measured with our engines, which agree.
    gas_warm : int
        The same measured within one open transaction, where storage stays warm.
    beyond : str
        What ours does in addition, and what that costs.
    """

    contract: str
    method: str
    gas: int
    calls: int
    eur_cents: int
    gas_now: int
    gas_warm: int
    beyond: str


class PublishedDeployment(NamedTuple):
    """A row of the published table of deployments, under our contract's name.

    Parameters
    ----------
    contract : str
    gas : int
    percent_of_limit : float
        Of the block gas limit, as printed. [%]
    eur_cents : int
        As printed. [EUR/100]
    gas_now : int
        Of the author's Solidity under current rules, as for a method.
    beyond : str
        What ours does in addition.
    """

    contract: str
    gas: int
    percent_of_limit: float
    eur_cents: int
    gas_now: int
    beyond: str


METHODS = (
    PublishedMethod(
        "SmartMeters",
        "registerMeter",
        43_900,
        4,
        1,
        46_411,
        44207,
        "the event (1 500), the customer as a second argument (370); at least 43 900 are the "
        "transaction, its calldata and a new storage slot",
    ),
    PublishedMethod(
        "SmartMeters",
        "unregisterMeter",
        14_482,
        4,
        0,
        24_562,
        17887,
        "the event (1 500); a transaction that clears a slot costs at least 21 600",
    ),
    PublishedMethod(
        "Supplier",
        "declarePeriod",
        52_656,
        4,
        1,
        63_830,
        44226,
        "bills earlier periods that nobody paid; the event",
    ),
    PublishedMethod(
        "Supplier",
        "finalize",
        13_484,
        1,
        0,
        30_558,
        26558,
        "the event (1 400); credits what was paid, where the published one destroys itself "
        "with the deposits of whoever has not paid",
    ),
    PublishedMethod(
        "Supplier",
        "paymentPeriod",
        37_281,
        4,
        1,
        44_712,
        29912,
        "the event (2 700), estimates and debts; at least 32 000 are the transaction, its "
        "calldata and two changed slots",
    ),
    PublishedMethod(
        "Supplier",
        "subscribeUser",
        125_865,
        4,
        3,
        134_897,
        118193,
        "tokens in place of coins, any number of periods; one packed slot",
    ),
)
DEPLOYMENTS = (
    PublishedDeployment(
        "SmartMeters",
        524_994,
        7.8,
        16,
        284_350,
        "customers, events, four named refusals",
    ),
    PublishedDeployment(
        "Supplier",
        1_408_078,
        20.9,
        29,
        863_335,
        "rolling periods, prices per period, estimates, debts, withdrawal by pull, a lock "
        "against reentrancy (14 700), five events (71 000); made up for by code written for "
        "size",
    ),
)


def gas_eur(gas: float, gas_price_gwei: float, eur_per_eth: float) -> float:
    """Cost of gas. [EUR]

    Parameters
    ----------
    gas : float
    gas_price_gwei : float
        [gwei/gas]
    eur_per_eth : float
        Price of the coin. [EUR]
    """
    return gas * gas_price_gwei / GWEI_PER_ETH * eur_per_eth


def contradictions() -> list[str]:
    """Return published amounts that are not the cost of the published gas at the published price.

    Returns
    -------
    list of str
        A sentence for every amount that is neither cut off nor rounded from ``gas_eur``.
    """
    rows: list[tuple[str, int, int]] = [
        (f"{row.contract}.{row.method}", row.gas, row.eur_cents) for row in METHODS
    ]
    rows += [(f"deployment of {row.contract}", row.gas, row.eur_cents) for row in DEPLOYMENTS]
    found = []
    for what, gas, cents in rows:
        eur = gas_eur(gas, GAS_PRICE_GWEI, EUR_PER_ETH)
        if cents in (int(eur * CENTS_PER_EUR), round(eur * CENTS_PER_EUR)):
            continue
        implied_gwei = cents / CENTS_PER_EUR / gas_eur(gas, 1, EUR_PER_ETH)
        found.append(
            f"The published table contradicts itself: {cents / CENTS_PER_EUR:.2f} EUR for the "
            f"{what} implies {implied_gwei:.1f} gwei; at the stated {GAS_PRICE_GWEI} gwei and "
            f"{EUR_PER_ETH:g} EUR per coin it is {eur:.3f} EUR. Every other amount is at "
            f"{GAS_PRICE_GWEI} gwei, cut off after two decimals."
        )
    return found
