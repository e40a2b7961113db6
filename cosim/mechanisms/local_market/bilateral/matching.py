"""Matching of an interval's orders that gains most: which pairs trade, to the integer.

On a bipartite graph of asks and bids with energy ``q`` and weights ``w = bid - ask - fee -
penalty``, the energies ``x`` of the edges maximise ``sum w x`` with ``sum over buyers x <= q`` of
each seller and ``sum over sellers x <= q`` of each buyer: a transport problem, the assignment game
with more than one unit of L. S. Shapley, M. Shubik: The Assignment Game I: The Core. International
Journal of Game Theory 1 (1971) 111-130, doi:10.1007/BF01753437. For bilateral energy trades with
preferences of buyers over sellers it is the model of A. A. Raja, S. Grammatico: Bilateral
Peer-to-Peer Energy Trading via Coalitional Games (2023), arXiv:2301.12271. T. Morstyn,
A. Teytelboym, M. D. McCulloch: Bilateral Contract Networks for Peer-to-Peer Energy Trading. IEEE
Transactions on Smart Grid 10 (2019) 2026-2035, doi:10.1109/TSG.2017.2786668, let agents come to
such contracts step by step; here they are matched at once, and what is left out are contracts up
and down a chain of resellers.

Solved by successive best paths with integers (R. K. Ahuja, T. L. Magnanti, J. B. Orlin: Network
Flows, 1993, section 9.7), so that every flow on the way is the best of its energy, and the last is
the one of most energy among those that gain most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from cosim.mechanisms.local_market.bilateral.graph import EdgeTerms, TradingGraph
from cosim.mechanisms.local_market.clearing import Book, Clearing
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import midpoint_ueur_per_kwh
from cosim.units import WH_PER_KWH, BoolArray, IntArray, amount_earned_ueur

_NONE = np.iinfo(np.int64).min // 4
"""Gain of a place that no path leads to."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Energy that a seller delivers to a buyer by contract.

    Parameters
    ----------
    ask, bid : int
        Arrival indexes of the orders.
    seller, buyer : str
    energy_wh : int
        Above 0. [Wh]
    price_ueur_per_kwh : int
        What the seller earns. [µEUR/kWh]
    terms : EdgeTerms
        The buyer pays the fee on top.
    gain_ueur_per_kwh : int
        Limit of the bid less limit of the ask, fee and penalty. [µEUR/kWh]
    """

    ask: int
    bid: int
    seller: str
    buyer: str
    energy_wh: int
    price_ueur_per_kwh: int
    terms: EdgeTerms
    gain_ueur_per_kwh: int

    @property
    def buy_price_ueur_per_kwh(self) -> int:
        """Price with the fee, which the buyer pays. [µEUR/kWh]"""
        return self.price_ueur_per_kwh + self.terms.fee_ueur_per_kwh

    @property
    def earned_ueur(self) -> int:
        """Earnings of the seller. [µEUR]"""
        return amount_earned_ueur(self.energy_wh, self.price_ueur_per_kwh)


@dataclass(frozen=True, slots=True)
class Account:
    """Energy and money that one account trades in an interval.

    Parameters
    ----------
    filled_wh : int
        [Wh]
    proceeds_ueur : int
        Earned, or minus what is paid: of all its pairs together, rounded up. [µEUR]
    kept_ueur : int
        What of a buyer's payment no seller earns; the supplier's. [µEUR]
    mean_price_ueur_per_kwh : int
        Of its pairs, weighted by energy, rounded down. [µEUR/kWh]
    """

    filled_wh: int = 0
    proceeds_ueur: int = 0
    kept_ueur: int = 0
    mean_price_ueur_per_kwh: int = 0


@dataclass(frozen=True)
class Matching(Clearing):
    """Clearing by pairs, each at a price of its own.

    Both prices are the means over all pairs, weighted by energy and rounded down.

    Parameters
    ----------
    pairs : tuple of Pair
        By ask, then by bid.
    """

    pairs: tuple[Pair, ...] = ()

    @property
    def gain_mueur(self) -> int:
        """Gain of all pairs together. [µEUR/1000]"""
        return sum(pair.energy_wh * pair.gain_ueur_per_kwh for pair in self.pairs)

    @cached_property
    def accounts(self) -> Mapping[str, Account]:
        """Energy and money of the accounts that trade, by name."""
        return accounts_of(self.pairs)

    def account(self, name: str) -> Account:
        """Return what an account trades."""
        return self.accounts.get(name, Account())

    def price_of(self, order: Order) -> int:
        """Mean price of an order's pairs, rounded down. [µEUR/kWh]"""
        return self.account(order.account).mean_price_ueur_per_kwh


def accounts_of(pairs: Sequence[Pair]) -> dict[str, Account]:
    """Return what each account trades, as the contract adds it up."""
    found = {}
    for is_sell in (True, False):
        own: dict[str, list[Pair]] = {}
        for pair in pairs:
            own.setdefault(pair.seller if is_sell else pair.buyer, []).append(pair)
        for name, traded in own.items():
            filled_wh = sum(pair.energy_wh for pair in traded)
            earned_ueur = sum(pair.earned_ueur for pair in traded)
            prices = [p.price_ueur_per_kwh if is_sell else p.buy_price_ueur_per_kwh for p in traded]
            worth = sum(p.energy_wh * price for p, price in zip(traded, prices, strict=True))
            paid_ueur = -(-worth // WH_PER_KWH)
            found[name] = Account(
                filled_wh,
                earned_ueur if is_sell else -paid_ueur,
                0 if is_sell else paid_ueur - earned_ueur,
                worth // filled_wh,
            )
    return found


def match(book: Book, graph: TradingGraph) -> Matching:
    """Match the orders of an interval.

    Ties: of matchings that gain the same the one of more energy; then the one that the best paths
    lead to, among equal paths one over fewer pairs, then one to the bids and asks that arrived
    first. Pairs that a circle of equal gain can do without are left out, so that there are fewer
    than orders.

    Parameters
    ----------
    book : sequence of Order or None
        In the order of arrival; None is a sealed order that was never revealed.
    graph : TradingGraph

    Returns
    -------
    Matching
        Each pair at the midpoint of its limits, the buyer's without fee and penalty, rounded down.
    """
    asks = [(k, order) for k, order in enumerate(book) if order is not None and order.is_sell]
    bids = [(k, order) for k, order in enumerate(book) if order is not None and not order.is_sell]
    gains = np.full((len(asks), len(bids)), -1, dtype=np.int64)
    terms: dict[tuple[int, int], EdgeTerms] = {}
    for i, (_, ask) in enumerate(asks):
        for j, (_, bid) in enumerate(bids):
            edge = graph.terms_of(ask.account, bid.account)
            if edge is not None:
                terms[i, j] = edge
                spread = bid.price_ueur_per_kwh - ask.price_ueur_per_kwh
                gains[i, j] = spread - edge.total_ueur_per_kwh
    energies = ([order.energy_wh for _, order in side] for side in (asks, bids))
    flow_wh = best_flow(gains, *(np.array(side, dtype=np.int64) for side in energies))
    pairs = []
    for i, j in zip(*(places.tolist() for places in np.nonzero(flow_wh)), strict=True):
        (ask_at, ask), (bid_at, bid), edge = asks[i], bids[j], terms[i, j]
        most = bid.price_ueur_per_kwh - edge.total_ueur_per_kwh
        pairs.append(
            Pair(
                ask_at,
                bid_at,
                ask.account,
                bid.account,
                int(flow_wh[i, j]),
                midpoint_ueur_per_kwh(ask.price_ueur_per_kwh, most),
                edge,
                most - ask.price_ueur_per_kwh,
            )
        )
    return matching_of(len(book), pairs)


def matching_of(n_orders: int, pairs: Sequence[Pair]) -> Matching:
    """Return the clearing that pairs of orders amount to."""
    fills = np.zeros(n_orders, dtype=np.int64)
    for pair in pairs:
        fills[[pair.ask, pair.bid]] += pair.energy_wh
    accounts = accounts_of(pairs).values()
    volume_wh, buy_price, sell_price = mean_prices(
        [(p.energy_wh, p.price_ueur_per_kwh, p.terms.fee_ueur_per_kwh) for p in pairs]
    )
    return Matching(
        buy_price,
        sell_price,
        volume_wh,
        tuple(fills.tolist()),
        sum(account.kept_ueur for account in accounts),
        pairs=tuple(pairs),
    )


def mean_prices(pairs: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    """Return energy, and mean prices of buyers and sellers, of pairs' energy, price and fee."""
    volume_wh = sum(energy for energy, _, _ in pairs)
    if not volume_wh:
        return 0, 0, 0
    earned = sum(energy * price for energy, price, _ in pairs)
    fees = sum(energy * fee for energy, _, fee in pairs)
    return volume_wh, (earned + fees) // volume_wh, earned // volume_wh


def best_flow(gains: IntArray, supply_wh: IntArray, demand_wh: IntArray) -> IntArray:
    """Return the energies of the matching that gains most, and of these of most energy.

    Parameters
    ----------
    gains : (n, m) int64
        Gain of each seller with each buyer, negative where they do not trade. [µEUR/kWh]
    supply_wh, demand_wh : (n,), (m,) int64
        Most that each can trade. [Wh]

    Returns
    -------
    (n, m) int64
        Without a circle of pairs, so at most n + m - 1 are above 0. [Wh]
    """
    flow = np.zeros_like(gains)
    if not flow.size:
        return flow
    left, wanted = supply_wh.copy(), demand_wh.copy()
    forward = np.where(gains >= 0, gains, _NONE)
    while (path := _best_path(forward, flow, left > 0, wanted > 0)) is not None:
        start, end = path[0][0], path[-1][1]
        back = [(path[k + 1][0], path[k][1]) for k in range(len(path) - 1)]
        energy = min(int(left[start]), int(wanted[end]), *(int(flow[edge]) for edge in back))
        for edge in path:
            flow[edge] += energy
        for edge in back:
            flow[edge] -= energy
        left[start] -= energy
        wanted[end] -= energy
    return _without_circles(flow)


def _best_path(
    forward: IntArray, flow: IntArray, has_left: BoolArray, wants: BoolArray
) -> list[tuple[int, int]] | None:
    """Return the pairs that a path of most gain adds to; between two of them it takes one back.

    None if no path gains at least nothing. Sellers and buyers are reached in rounds, each by the
    first of those that give it most, so that a path is the one over fewest pairs.
    """
    seller_gain = np.where(has_left, 0, _NONE)
    buyer_gain = np.full(forward.shape[1], _NONE)
    seller_of = np.full(forward.shape[1], -1)
    buyer_of = np.full(forward.shape[0], -1)
    backward = np.where(flow > 0, -forward, _NONE)
    columns, rows = np.arange(forward.shape[1]), np.arange(forward.shape[0])
    while True:
        reached = np.where(forward > _NONE, seller_gain[:, None] + forward, _NONE)
        best = reached.argmax(axis=0)
        better = reached[best, columns] > np.maximum(buyer_gain, _NONE // 2)
        if not better.any():
            break
        buyer_gain[better] = reached[best, columns][better]
        seller_of[better] = best[better]
        reached = np.where(backward > _NONE, buyer_gain[None, :] + backward, _NONE)
        best = reached.argmax(axis=1)
        better = reached[rows, best] > np.maximum(seller_gain, _NONE // 2)
        seller_gain[better] = reached[rows, best][better]
        buyer_of[better] = best[better]
    ends = np.where(wants, buyer_gain, _NONE)
    end = int(ends.argmax())
    if ends[end] < 0:
        return None
    path: list[tuple[int, int]] = []
    while True:
        start = int(seller_of[end])
        path.insert(0, (start, end))
        if buyer_of[start] < 0:
            return path
        end = int(buyer_of[start])


def _without_circles(flow: IntArray) -> IntArray:
    """Return a flow of the same energies of all, and the same gain, whose pairs form no circle.

    Around a circle of pairs in a best flow every shift gains nothing, or it could be bettered.
    """
    flow = flow.copy()
    n = flow.shape[0]
    tree: dict[int, set[int]] = {}
    for i, j in zip(*(places.tolist() for places in np.nonzero(flow)), strict=True):
        way = _way(tree, i, n + j)
        if way is None:
            tree.setdefault(i, set()).add(n + j)
            tree.setdefault(n + j, set()).add(i)
            continue
        nodes = list(pairwise(way))
        steps = [(min(a, b), max(a, b) - n) for a, b in nodes]
        falls, rises = steps[0::2], [(i, j), *steps[1::2]]
        energy = min(int(flow[edge]) for edge in falls)
        for edge in falls:
            flow[edge] -= energy
        for edge in rises:
            flow[edge] += energy
        tree.setdefault(i, set()).add(n + j)
        tree.setdefault(n + j, set()).add(i)
        for a, b in nodes[0::2]:
            if flow[min(a, b), max(a, b) - n] == 0:
                tree[a].discard(b)
                tree[b].discard(a)
    return flow


def _way(tree: Mapping[int, set[int]], start: int, end: int) -> list[int] | None:
    """Return the nodes on the way between two in a forest; None if there is none."""
    before = {start: start}
    front = [start]
    while front and end not in before:
        reached = []
        for each in front:
            for node in sorted(tree.get(each, set()) - before.keys()):
                before[node] = each
                reached.append(node)
        front = reached
    if end not in before:
        return None
    way = [end]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]
