"""Deployment of the local market's contracts, which know each other from the first block on."""

from __future__ import annotations

from collections.abc import Mapping

from cosim.chain.chain import Chain
from cosim.chain.functions import Static
from cosim.mechanisms.local_market.bilateral.client import BilateralTrades, next_bilateral
from cosim.mechanisms.local_market.bilateral.graph import NO_ROOT, TradingGraph
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.settlement_client import MarketSettlement, next_settlement

NOBODY = bytes(20)


def deploy_market(
    chain: Chain,
    sender: bytes,
    *terms: object,
    dso: bytes = NOBODY,
    state: bytes = NOBODY,
    graph: TradingGraph | None = None,
    addresses: Mapping[str, bytes] | None = None,
    **by_name: Static,
) -> tuple[LocalMarket, MarketSettlement, *tuple[BilateralTrades, ...]]:
    """Deploy the market, right after it its settlement, and then its bilateral trades, if any.

    Parameters
    ----------
    chain : Chain
        Mined by two blocks, or three.
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
    market = LocalMarket.deploy(chain, sender, *terms, settlement=settlement, **by_name)
    settling = MarketSettlement.deploy(
        chain,
        sender,
        *terms,
        local_market=market.address,
        dso=dso,
        state=state,
        bilateral=NOBODY if graph is None else bilateral,
    )
    if graph is None:
        return market, settling
    tree = graph.tree(addresses or {})
    trades = BilateralTrades.deploy(
        chain,
        sender,
        graph.everybody,
        local_market=market.address,
        graph=NO_ROOT if tree is None else tree.root,
    )
    return market, settling, trades
