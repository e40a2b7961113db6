"""Claims of the fills of a committed clearing."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.chain.waiting import confirmed
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.sent_orders import SentOrders
from cosim.mechanisms.local_market.settlement_client import MarketSettlement


def claim_fills(
    market: LocalMarket,
    settlement: MarketSettlement,
    sent: SentOrders,
    interval: int,
    operator: bytes,
    accounts: Sequence[bytes],
    within_s: float,
) -> tuple[int, ...]:
    """Claim every fill of a committed clearing, and give the bond back.

    Parameters
    ----------
    market : LocalMarket
    settlement : MarketSettlement
    sent : SentOrders
        Of the interval.
    interval : int
    operator : bytes
        Who claims for everybody.
    accounts : sequence of bytes
        Of the prosumers, by position.
    within_s : float
        Time between the first claim and the last, so that blocks include them in this order. [s]

    Returns
    -------
    tuple of int
        Prosumers in the order of their claims; none where nothing was committed.

    Raises
    ------
    ContractRevert
        If the contract refused a claim.
    """
    if sent.off_chain is None:
        return ()
    chain = market.chain
    included = chain.included(sent.clearing)
    logged = market.events(included) if included is not None else ()
    if "ClearingCommitted" not in (name for name, _ in logged):
        return ()  # the book did not cross: the contract cleared it at once, without a root
    arrived, revealed = sent.arrivals(market, sent.statuses(market)[0])
    claimants = [
        (k, i)
        for _, k, i in sorted(
            (bool(sent.what.is_sell[i]), k, i) for k, i in enumerate(arrived) if revealed[k]
        )
    ]
    fills_wh = sent.off_chain.fills_wh
    tree = FillTree(fills_wh)
    stagger_s = within_s / (len(claimants) + 1)
    handles = [
        settlement.claim_fill(
            operator,
            interval,
            accounts[i],
            fills_wh[k],
            tree.proof(k),
            sent_at_s=chain.now_s + place * stagger_s,
        )
        for place, (k, i) in enumerate(claimants)
    ]
    for handle in handles:
        confirmed(settlement, handle)
    confirmed(market, market.release_bond(operator, interval))
    return tuple(i for _, i in claimants)
