"""Orders of a delivery interval that pairs of a trading graph settle among themselves.

The market operator computes the matching that gains most and proposes it; anybody else may propose
a better one. An edge of the graph is proven on the ledger before a pair first trades over it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cosim.chain.waiting import confirmed
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.bilateral.client import BilateralTrades, pair_words
from cosim.mechanisms.local_market.bilateral.graph import EdgeTree
from cosim.mechanisms.local_market.bilateral.matching import Matching, mean_prices
from cosim.mechanisms.local_market.outcomes import OrderBook
from cosim.mechanisms.local_market.sent_orders import SentOrders
from cosim.mechanisms.local_market.submission.batching import Batching
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.local_market.trading import Trading


class BilateralTrading(Trading):
    """Orders of a run on the ledger, matched by pairs.

    Parameters
    ----------
    deployment : Deployment
    clock : DeliveryClock
    terms : MarketTerms
        With a trading graph.
    batching : Batching, optional
        Of orders that an aggregator sends.
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        terms: MarketTerms,
        batching: Batching | None = None,
    ) -> None:
        super().__init__(deployment, clock, terms, batching)
        self._trades = deployment.client(BilateralTrades)
        self._tree: EdgeTree | None = None
        if terms.graph is not None:
            self._tree = terms.graph.tree(dict(zip(self.names, self.accounts, strict=True)))
        self._proven: set[tuple[bytes, bytes]] = set()

    def read(self, interval: int) -> OrderBook:
        """Read the orders of an interval that was matched, as the chain holds them now."""
        book, sent = super().read(interval), self._sent[interval]
        filled_wh, worth = (np.zeros(self.n, dtype=np.int64) for _ in range(2))
        pairs: dict[tuple[str, str], tuple[int, int, int]] = {}
        included = self.chain.included(sent.clearing)
        for name, said in self._trades.events(included) if included is not None else ():
            if name != "PairMatched":
                continue
            seller, buyer = (self._index[said[side]] for side in ("seller", "buyer"))
            energy, price = said["energy_wh"], said["price_ueur_per_kwh"]
            fee = said["fee_ueur_per_kwh"]
            filled_wh[[seller, buyer]] += energy
            worth[seller] += energy * price
            worth[buyer] += energy * (price + fee)
            pairs[self.names[seller], self.names[buyer]] = (energy, price, fee)
        status, ordered_wh = book.status, sent.what.energy_wh
        status[(filled_wh > 0) & (filled_wh < ordered_wh)] = "partial"
        status[(filled_wh > 0) & (filled_wh == ordered_wh)] = "cleared"
        volume_wh, buy_price, sell_price = mean_prices(list(pairs.values()))
        return replace(
            book,
            filled_wh=filled_wh,
            contracted_wh=np.where(sent.what.is_sell, filled_wh, -filled_wh),
            buy_price_ueur_per_kwh=buy_price,
            sell_price_ueur_per_kwh=sell_price,
            volume_wh=volume_wh,
            own_price_ueur_per_kwh=worth // np.maximum(filled_wh, 1),
            pairs=pairs,
        )

    def restore(self, interval: int) -> OrderBook:
        """Read the orders of an interval again; one without pairs has nothing to be restored."""
        if self._sent[interval].clearing < 0:
            return self.read(interval)
        return super().restore(interval)

    def _await_clearing(self, sent: SentOrders) -> None:
        """Do nothing: edges and matching were waited for when they were sent."""

    def _send_clearing(self, interval: int, sent: SentOrders) -> None:
        """Propose the best matching, after the edges that it uses for the first time."""
        arrived, revealed = sent.arrivals(self.market, sent.statuses(self.market)[0])
        book = [
            self.order(interval, i) if known else None
            for i, known in zip(arrived, revealed, strict=True)
        ]
        matching = sent.off_chain = self.terms.clear(book, interval)
        if not isinstance(matching, Matching) or not matching.pairs:
            return
        proofs = self._prove(interval, matching)
        sent.clearing = self._trades.propose_matching(
            self.operator, interval, pair_words(matching.pairs)
        )
        for handle in (*proofs, sent.clearing):
            confirmed(self._trades, handle)

    def _prove(self, interval: int, matching: Matching) -> list[int]:
        """Send the proofs of edges that no pair has used yet; return the handles."""
        handles: list[int] = []
        if self._tree is None:
            return handles
        addresses = dict(zip(self.names, self.accounts, strict=True))
        for pair in matching.pairs:
            edge = addresses[pair.seller], addresses[pair.buyer]
            if edge not in self._proven:
                self._proven.add(edge)
                proof = self._tree.proof(*edge)
                handles.append(
                    self._trades.prove_edge(
                        self.operator, *edge, *pair.terms, list(proof), interval=interval
                    )
                )
        return handles
