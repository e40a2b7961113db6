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
}
