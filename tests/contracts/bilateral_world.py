"""A local market that pairs of a trading graph clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from market_world import (
    RETAIL,
    RICH,
    SILENT_ESTIMATE_WH,
    SUPPLIER,
    Contract,
    Market,
    MarketWorld,
    address,
)

from cosim.evm.contracts import compile_contract
from cosim.mechanisms.local_market.bilateral.client import next_bilateral, pair_words
from cosim.mechanisms.local_market.bilateral.graph import NO_ROOT, EdgeTerms, TradingGraph
from cosim.mechanisms.local_market.bilateral.matching import Pair
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule
from cosim.mechanisms.local_market.terms import MarketTerms

FEED_IN = 80_000


class BilateralWorld(MarketWorld):
    """Token, meters, and a local market with its bilateral trades.

    Parameters
    ----------
    engine : str
    graph : TradingGraph
    members : tuple of str
        With money in the market.
    **overrides
        Parameters of the market.
    """

    def __init__(
        self,
        engine: str,
        graph: TradingGraph,
        members: tuple[str, ...] = ("ann", "bob", "cem"),
        **overrides: Any,
    ) -> None:
        self.graph = graph
        names = {*members, *(name for edge in graph.edges or () for name in edge)}
        self.tree = graph.tree({name: address(name) for name in names})
        super().__init__(engine, form=ClearingForm.BILATERAL.number, **overrides)
        for account in members:
            self.join(account)
        self.fund(SUPPLIER, self.market, RICH)

    def deploy_market(self, **overrides: Any) -> Market:
        """A market of the form bilateral, and what belongs to it."""
        bilateral = next_bilateral(self.engine, address("deployer"))
        market = super().deploy_market(**({"bilateral": bilateral} | overrides))
        self.trades = Contract(
            self.engine,
            compile_contract("BilateralTrades"),
            market.address,
            NO_ROOT if self.tree is None else self.tree.root,
            *self.graph.everybody,
        )
        market.logging = (*market.logging, self.trades)
        self.trades.logging = market.logging
        return market

    @property
    def terms(self) -> MarketTerms:
        """The same terms for the model."""
        return MarketTerms(
            RETAIL,
            FEED_IN,
            SILENT_ESTIMATE_WH,
            PricingRule.MIDPOINT,
            ClearingForm.BILATERAL,
            graph=self.graph,
        )

    def prove(self, seller: str, buyer: str, terms: EdgeTerms | None = None) -> Any:
        """Prove an edge, by another name for its terms if they are given."""
        assert self.tree is not None
        assert self.graph.edges is not None
        known = self.graph.edges[seller, buyer]
        proof = self.tree.proof(address(seller), address(buyer))
        return self.trades.send(
            "anyone", "proveEdge", address(seller), address(buyer), *(terms or known), list(proof)
        )

    def propose(self, *words: int, interval: int = 0, sender: str = "anyone") -> Any:
        """Propose pairs by their words."""
        return self.trades.send(sender, "proposeMatching", interval, list(words))

    def propose_pairs(self, pairs: tuple[Pair, ...], interval: int = 0) -> Any:
        """Propose pairs of the model, after the edges that they need."""
        if self.tree is not None:
            for pair in pairs:
                edge = address(pair.seller), address(pair.buyer)
                if not self.trades.get("edgeOf", *edge)[0]:
                    self.prove(pair.seller, pair.buyer)
        return self.propose(*pair_words(pairs), interval=interval)

    def traded(self, account: str, interval: int = 0) -> Any:
        """What an account trades."""
        return self.trades.get("tradedOf", interval, address(account))


def listed(edges: Mapping[tuple[str, str], tuple[int, int]]) -> TradingGraph:
    """A graph of edges with fee and penalty."""
    return TradingGraph({pair: EdgeTerms(*terms) for pair, terms in edges.items()})
