"""Gas of the published registry of meters and supply contract, and what ours does beyond them.

The registry and the supply contract of I. Kouveliotis-Lysikatos ("Securing the Decentralized
Coordination of Active Distribution Grids with Blockchain", conference slides) were published with
gas of Byzantium rules, solc 0.5.0, optimiser off. ``TODAY`` is what the author's public Solidity
(iasonask/blockchain-LES) costs under current rules, compiled by solc 0.5.0 with the optimiser on
and run in whole transactions on our engines, which agree; it bounds what ours may cost.
"""

from __future__ import annotations

from typing import NamedTuple


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


PUBLISHED: dict[tuple[str, str], Published] = {
    ("SmartMeters", "deploy"): Published(
        524_994, 284_350, 284_350, "customers, events, four named refusals"
    ),
    ("SmartMeters", "registerMeter"): Published(
        43_900,
        46_411,
        44_207,
        "the event (1 500), the customer as a second argument (370); at least 43 900 are the "
        "transaction, its calldata and a new storage slot",
    ),
    ("SmartMeters", "unregisterMeter"): Published(
        14_482,
        24_562,
        17_887,
        "the event (1 500); a transaction that clears a slot costs at least 21 600",
    ),
    ("Supplier", "deploy"): Published(
        1_408_078,
        863_335,
        863_335,
        "rolling periods, prices per period, estimates, debts, withdrawal by pull, a lock against "
        "reentrancy (14 700), five events (68 000); made up for by code written for size",
    ),
    ("Supplier", "subscribeUser"): Published(
        125_865,
        134_897,
        118_193,
        "tokens in place of coins, any number of periods; one packed slot",
    ),
    ("Supplier", "declarePeriod"): Published(
        52_656, 63_830, 44_226, "bills earlier periods that nobody paid; the event"
    ),
    ("Supplier", "paymentPeriod"): Published(
        37_281,
        44_712,
        29_912,
        "the event (2 700), estimates and debts; at least 32 000 are the transaction, its calldata "
        "and two changed slots",
    ),
    ("Supplier", "finalize"): Published(
        13_484,
        30_558,
        26_558,
        "the event (1 400); credits what was paid, where the published one destroys itself with "
        "the deposits of whoever has not paid",
    ),
}
