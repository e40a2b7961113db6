"""Deployment of the local market's contracts, which know each other from the first block on."""

from __future__ import annotations

from collections.abc import Mapping

from cosim.chain.chain import Chain
from cosim.chain.functions import Static
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.bilateral.client import BilateralTrades, next_bilateral
from cosim.mechanisms.local_market.bilateral.graph import NO_ROOT, TradingGraph
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.joined import JoinedMarkets
from cosim.mechanisms.local_market.markets import AreaPlay, LocalMarketsPlay
from cosim.mechanisms.local_market.play import LocalMarketPlay
from cosim.mechanisms.local_market.settlement_client import MarketSettlement, next_settlement
from cosim.mechanisms.local_market.submission.client import Submissions, next_submissions
from cosim.mechanisms.local_market.terms import MarketTerms

NOBODY = bytes(20)


def market_play(
    deployment: Deployment, terms: MarketTerms, clock: DeliveryClock, instance: str = ""
) -> LocalMarketPlay:
    """Deploy a market for the members of a deployment; return its part of a run."""
    by_role = terms.sends_readings.batched and not terms.sends_readings.signed
    head_end = deployment.metering_operator.address if by_role else NOBODY
    contracts = deploy_market(
        deployment.chain,
        deployment.operator.address,
        terms,
        clock,
        instance=instance,
        token=deployment.token.address,
        meters=deployment.meter_registry.address,
        supplier=deployment.supplier.address,
        first_delivery_s=clock.start_s,
        dso=deployment.dso.address if terms.has_charges else NOBODY,
        state=deployment.state.address if terms.has_charges else NOBODY,
        graph=terms.graph,
        addresses={account.name: account.address for account in deployment.prosumers},
        head_end=head_end if terms.batched else None,
    )
    deployment.clients.extend(contracts)
    return LocalMarketPlay(deployment, clock, terms)


def markets_play(
    deployment: Deployment, terms: MarketTerms, clock: DeliveryClock
) -> LocalMarketsPlay:
    """Deploy a market for every area of a deployment; return their part of a run."""
    parts = []
    for area in deployment.areas:
        own = deployment.part(area.points)
        parts.append(AreaPlay(area, market_play(own, terms, clock, area.name)))
        deployment.clients.extend(own.clients)
    joined = JoinedMarkets.deploy(
        deployment.chain,
        deployment.operator.address,
        markets=[part.play.address for part in parts],
    )
    deployment.clients.append(joined)
    return LocalMarketsPlay(deployment, parts, joined)


def deploy_market(
    chain: Chain,
    sender: bytes,
    *terms: object,
    dso: bytes = NOBODY,
    state: bytes = NOBODY,
    graph: TradingGraph | None = None,
    addresses: Mapping[str, bytes] | None = None,
    head_end: bytes | None = None,
    instance: str = "",
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
    instance : str
        Tells the market from others.
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
        chain,
        sender,
        *terms,
        instance=instance,
        settlement=settlement,
        submissions=submissions,
        **by_name,
    )
    settling = MarketSettlement.deploy(
        chain,
        sender,
        *terms,
        instance=instance,
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
            Submissions.deploy(
                chain, sender, instance=instance, local_market=market.address, head_end=head_end
            )
        )
    return market, settling, *others
