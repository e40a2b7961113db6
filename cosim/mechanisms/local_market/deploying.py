"""Deployment of the local market's contracts, which know each other from the first block on."""

from __future__ import annotations

from collections.abc import Mapping

from cosim.chain.chain import Chain
from cosim.chain.functions import Static
from cosim.mechanisms.local_market.bilateral.client import BilateralTrades, next_bilateral
from cosim.mechanisms.local_market.bilateral.graph import NO_ROOT, TradingGraph
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.settlement_client import MarketSettlement, next_settlement
from cosim.mechanisms.local_market.submission.client import Submissions, next_submissions

NOBODY = bytes(20)


def deploy_market(
    chain: Chain,
    sender: bytes,
    *terms: object,
    dso: bytes = NOBODY,
    state: bytes = NOBODY,
    graph: TradingGraph | None = None,
    addresses: Mapping[str, bytes] | None = None,
    head_end: bytes | None = None,
    **by_name: Static,
) -> tuple[LocalMarket, MarketSettlement, *tuple[BilateralTrades | Submissions, ...]]:
    """Deploy the market, right after it its settlement, then bilateral trades and submissions.

    Parameters
    ----------
    chain : Chain
        Mined by two blocks, or up to four.
    sender : bytes
        Deploying account, without a transaction in the mempool.
    *terms
        Hold arguments of the two constructors as attributes under their names.
    dso, state : bytes
        Who network charges and taxes are passed on to; nobody where there are none.
    graph : TradingGraph, optional
        Of bilateral trades.
    addresses : mapping of str to bytes, optional
        Accounts in the graph by their names.
    head_end : bytes, optional
        Who reports for every meter where batches may come, or nobody; default: no batches.
    **by_name
        Other arguments of the market's constructor.

    Raises
    ------
    TypeError
        If an argument is missing or unknown.
    ContractRevert
        If a constructor refuses.
    """
    settlement, bilateral = (
        find(chain.engine, sender) for find in (next_settlement, next_bilateral)
    )
    submissions = NOBODY
    if head_end is not None:
        submissions = next_submissions(chain.engine, sender, 0 if graph is None else 1)
    market = LocalMarket.deploy(
        chain, sender, *terms, settlement=settlement, submissions=submissions, **by_name
    )
    settling = MarketSettlement.deploy(
        chain,
        sender,
        *terms,
        local_market=market.address,
        dso=dso,
        state=state,
        bilateral=NOBODY if graph is None else bilateral,
    )
    others: list[BilateralTrades | Submissions] = []
    if graph is not None:
        tree = graph.tree(addresses or {})
        others.append(
            BilateralTrades.deploy(
                chain,
                sender,
                graph.everybody,
                local_market=market.address,
                graph=NO_ROOT if tree is None else tree.root,
            )
        )
    if head_end is not None:
        others.append(
            Submissions.deploy(chain, sender, local_market=market.address, head_end=head_end)
        )
    return market, settling, *others
