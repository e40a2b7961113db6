"""Proof that a matching gains most, by prices of energy that another solver finds.

By the duality of linear programmes no matching of an interval gains more than ``sum u q`` over
sellers and buyers, whatever the values ``u >= 0`` of their energy with ``u_seller + u_buyer >= w``
on every edge; the best matching reaches it (Shapley, Shubik 1971, doi:10.1007/BF01753437, for whom
such values are the core of the market). They are integers at a corner of the dual, for the matrix
of a bipartite graph is totally unimodular. So the values of HiGHS are rounded and made feasible,
and what they sum up to is an exact bound, however inexact the solver.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from cosim.mechanisms.local_market.bilateral.graph import TradingGraph
from cosim.mechanisms.local_market.clearing import Book
from cosim.units import IntArray


def most_gain_mueur(book: Book, graph: TradingGraph) -> int:
    """Return a sum that no matching of an interval can gain more than. [µEUR/1000]

    Parameters
    ----------
    book : sequence of Order or None
    graph : TradingGraph
    """
    asks = [order for order in book if order is not None and order.is_sell]
    bids = [order for order in book if order is not None and not order.is_sell]
    edges = [
        (i, j, bid.price_ueur_per_kwh - ask.price_ueur_per_kwh - terms.total_ueur_per_kwh)
        for i, ask in enumerate(asks)
        for j, bid in enumerate(bids)
        if (terms := graph.terms_of(ask.account, bid.account)) is not None
    ]
    edges = [edge for edge in edges if edge[2] > 0]
    if not edges:
        return 0
    seller, buyer, gains = np.array(edges, dtype=np.int64).T
    energy = np.array([order.energy_wh for order in (*asks, *bids)], dtype=np.int64)
    values = _values(seller, buyer + len(asks), gains, energy)
    return sum(int(value) * int(wh) for value, wh in zip(values, energy, strict=True))


def _values(seller: IntArray, buyer: IntArray, gains: IntArray, energy: IntArray) -> IntArray:
    """Return whole values of everybody's energy that cover every edge."""
    columns = np.arange(len(gains))
    rows = csr_array(
        (np.ones(2 * len(gains)), (np.concatenate([seller, buyer]), np.tile(columns, 2))),
        shape=(len(energy), len(gains)),
    )
    found = linprog(-gains, A_ub=rows, b_ub=energy, method="highs-ds")
    duals = np.asarray(found.ineqlin.marginals, dtype=np.float64)
    values: IntArray = np.maximum(np.rint(-duals), 0).astype(np.int64)
    for own, other in ((buyer, seller), (seller, buyer)):
        # as little as covers the edges, given the other side
        needed = np.zeros_like(values)
        np.maximum.at(needed, own, gains - values[other])
        is_own = np.isin(np.arange(len(values)), own)
        values = np.where(is_own, needed, values)
    return values
