"""Gas of the published registry of meters and supply contract, and what ours does beyond them."""

from __future__ import annotations

from typing import NamedTuple

from cosim.gas.bench import DEPLOY
from cosim.mechanisms.supply_contract import published_gas


class Published(NamedTuple):
    """Figures of a published method.

    Parameters
    ----------
    then : int
        As published. [gas]
    today : int
        The same Solidity under current rules, in whole transactions, optimiser on. [gas]
    warm : int
        The same measured within one open transaction, where storage stays warm: less than any
        transaction costs, except for deployments, where it is the same. [gas]
    beyond : str
        What ours does in addition, and what that costs.
    """

    then: int
    today: int
    warm: int
    beyond: str


_BEYOND: dict[tuple[str, str], tuple[int, str]] = {
    ("SmartMeters", "registerMeter"): (
        44_207,
        "the event (1 500), the customer as a second argument (370); at least 43 900 are the "
        "transaction, its calldata and a new storage slot",
    ),
    ("SmartMeters", "unregisterMeter"): (
        17_887,
        "the event (1 500); a transaction that clears a slot costs at least 21 600",
    ),
    ("Supplier", "subscribeUser"): (
        118_193,
        "tokens in place of coins, any number of periods; one packed slot",
    ),
    ("Supplier", "declarePeriod"): (
        44_226,
        "bills earlier periods that nobody paid; the event",
    ),
    ("Supplier", "paymentPeriod"): (
        29_912,
        "the event (2 700), estimates and debts; at least 32 000 are the transaction, its calldata "
        "and two changed slots",
    ),
    ("Supplier", "finalize"): (
        26_558,
        "the event (1 400); credits what was paid, where the published one destroys itself with "
        "the deposits of whoever has not paid",
    ),
}
_BEYOND_DEPLOYED = {
    "SmartMeters": "customers, events, four named refusals",
    "Supplier": "rolling periods, prices per period, estimates, debts, withdrawal by pull, a lock "
    "against reentrancy (14 700), five events (71 000); made up for by code written for size",
}

PUBLISHED = {
    (row.contract, row.method): Published(row.gas, row.gas_now, *_BEYOND[row.contract, row.method])
    for row in published_gas.METHODS
} | {
    (row.contract, DEPLOY): Published(
        row.gas, row.gas_now, row.gas_now, _BEYOND_DEPLOYED[row.contract]
    )
    for row in published_gas.DEPLOYMENTS
}
"""By contract and method; sources are in :mod:`cosim.mechanisms.supply_contract.published_gas`."""
