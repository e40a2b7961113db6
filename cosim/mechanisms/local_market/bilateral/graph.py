"""Graph of who may buy of whom, as a market holds it, and the tree whose root stands on chain.

A trading graph restricts a peer-to-peer market to pairs, and prices on its edges differentiate the
product by its origin: E. Sorin, L. Bobo, P. Pinson: Consensus-Based Approach to Peer-to-Peer
Electricity Markets With Product Differentiation. IEEE Transactions on Power Systems 34 (2019)
994-1004, doi:10.1109/TPWRS.2018.2872880. There an agent's criterion with a price of its own enters
its cost of a trade with a partner; here the *penalty* of an edge does, and it is never negative: a
bid is what the favourite's energy is worth. A *fee* that is paid per pair is the exogenous network
charge of T. Baroche, P. Pinson, R. Le Goff Latimier, H. Ben Ahmed: Exogenous Cost Allocation in
Peer-to-Peer Electricity Markets. IEEE Transactions on Power Systems 34 (2019) 2553-2564,
doi:10.1109/TPWRS.2019.2896654 (with one fee for all a unique fee, with a fee per edge one by
electrical distance or zone).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from cosim.evm.abi import pack
from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.bilateral.settings import BilateralSettings
from cosim.units import ueur_from_eur

NO_ROOT = bytes(32)


class EdgeTerms(NamedTuple):
    """Costs of a pair's trade beyond its price. [µEUR/kWh]

    Parameters
    ----------
    fee_ueur_per_kwh : int
        Paid by the buyer on top of the price.
    penalty_ueur_per_kwh : int
        What the buyer would rather not pay for this seller's energy; nobody is paid it.
    """

    fee_ueur_per_kwh: int = 0
    penalty_ueur_per_kwh: int = 0

    @property
    def total_ueur_per_kwh(self) -> int:
        """Excess of a bid over an ask from which on the pair trades. [µEUR/kWh]"""
        return self.fee_ueur_per_kwh + self.penalty_ueur_per_kwh


FREE = EdgeTerms()
"""Neither fee nor penalty."""


@dataclass(frozen=True)
class TradingGraph:
    """Pairs that may trade.

    Parameters
    ----------
    edges : mapping of (str, str) to EdgeTerms, or None
        By seller and buyer; None: everybody may trade with everybody.
    everybody : EdgeTerms
        Of every pair where there are no edges.
    """

    edges: Mapping[tuple[str, str], EdgeTerms] | None
    everybody: EdgeTerms = FREE

    @classmethod
    def of(cls, settings: BilateralSettings) -> TradingGraph:
        """Return the graph of a section whose edges are written out, as a run writes them.

        Raises
        ------
        ValueError
            If it is a rule that needs the grid, or a file.
        """
        default = EdgeTerms(
            ueur_from_eur(settings.fee_eur_per_kwh), ueur_from_eur(settings.penalty_eur_per_kwh)
        )
        if settings.graph == "complete":
            return cls(None, default)
        if settings.graph != "listed" or settings.file is not None:
            raise ValueError(f"the edges of graph {settings.graph!r} are not written out")
        edges: dict[tuple[str, str], EdgeTerms] = {}
        for edge in settings.edges:
            fee, penalty = edge.fee_eur_per_kwh, edge.penalty_eur_per_kwh
            terms = EdgeTerms(
                default.fee_ueur_per_kwh if fee is None else ueur_from_eur(fee),
                default.penalty_ueur_per_kwh if penalty is None else ueur_from_eur(penalty),
            )
            edges[edge.seller, edge.buyer] = terms
            if not settings.directed:
                edges[edge.buyer, edge.seller] = terms
        return cls(edges)

    def terms_of(self, seller: str, buyer: str) -> EdgeTerms | None:
        """Return the terms of a pair; None if it may not trade."""
        if self.edges is None:
            return self.everybody
        return self.edges.get((seller, buyer))

    def tree(self, addresses: Mapping[str, bytes]) -> EdgeTree | None:
        """Return the tree of its edges; None if everybody may trade with everybody.

        Parameters
        ----------
        addresses : mapping of str to bytes
            Accounts by connection point.
        """
        if self.edges is None:
            return None
        return EdgeTree(
            (addresses[seller], addresses[buyer], terms)
            for (seller, buyer), terms in self.edges.items()
        )


def leaf(seller: bytes, buyer: bytes, terms: EdgeTerms) -> bytes:
    """Return the leaf of an edge between two accounts, 32 bytes."""
    return keccak(pack(seller, buyer, *terms))


def parent(one: bytes, other: bytes) -> bytes:
    """Return the node above two, of which the smaller comes first; so proofs need no index."""
    return keccak(min(one, other) + max(one, other))


class EdgeTree:
    """Merkle tree of a graph's edges, in the order of their leaves.

    A level's last node without a neighbour goes up as it is.

    Parameters
    ----------
    edges : iterable of (bytes, bytes, EdgeTerms)
        Seller, buyer, terms; at least one.
    """

    def __init__(self, edges: Iterable[tuple[bytes, bytes, EdgeTerms]]) -> None:
        self._leaves = {(seller, buyer): leaf(seller, buyer, t) for seller, buyer, t in edges}
        self._levels = [sorted(self._leaves.values())]
        while len(level := self._levels[-1]) > 1:
            above = [parent(*level[k : k + 2]) for k in range(0, len(level) - 1, 2)]
            self._levels.append(above + level[len(above) * 2 :])

    @cached_property
    def _place(self) -> dict[bytes, int]:
        return {node: k for k, node in enumerate(self._levels[0])}

    @property
    def root(self) -> bytes:
        """Root, 32 bytes."""
        return self._levels[-1][0]

    def proof(self, seller: bytes, buyer: bytes) -> Sequence[bytes]:
        """Return the neighbours on the way from an edge's leaf to the root, bottom up.

        Raises
        ------
        KeyError
            If there is no such edge.
        """
        place, found = self._place[self._leaves[seller, buyer]], []
        for level in self._levels[:-1]:
            if (neighbour := place ^ 1) < len(level):
                found.append(level[neighbour])
            place //= 2
        return found
