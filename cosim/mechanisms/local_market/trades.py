"""Pairs of buyers and sellers: a deterministic pairing of the fills of a clearing.

The contracts settle every account against the market; a pairing is for readers of tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cosim.mechanisms.local_market.bilateral.matching import Matching
from cosim.mechanisms.local_market.clearing import Book, Clearing, merit_order
from cosim.mechanisms.local_market.orders import Order
from cosim.units import amount_due_ueur, amount_earned_ueur


@dataclass(frozen=True, slots=True)
class Trade:
    """Energy that one account bought of another.

    Parameters
    ----------
    buyer, seller : str
        The accounts.
    energy_wh : int
        Traded energy, above 0. [Wh]
    price_ueur_per_kwh : int
        What the buyer pays. [µEUR/kWh]
    amount_ueur : int
        The part of the buyer's payment. [µEUR]
    sell_price_ueur_per_kwh : int
        What the seller receives; the same under the rules with one price. [µEUR/kWh]
    earned_ueur : int
        The part of the seller's proceeds. [µEUR]
    """

    buyer: str
    seller: str
    energy_wh: int
    price_ueur_per_kwh: int
    amount_ueur: int
    sell_price_ueur_per_kwh: int
    earned_ueur: int


def pair_trades(book: Book, clearing: Clearing) -> tuple[Trade, ...]:
    """Pair filled bids with filled asks, both in merit order; bilateral trades are pairs already.

    Parameters
    ----------
    book : sequence of Order or None
        As cleared, in the order of arrival.
    clearing : Clearing
        Of this book.

    Returns
    -------
    tuple of Trade
        The energies of an account's trades add up to its fill, a buyer's amounts to exactly what it
        pays, and a seller's earnings to exactly what it receives, because each is the difference
        of its cumulated payment, rounded as the contract rounds it.
    """
    if isinstance(clearing, Matching):
        return _matched(clearing)
    bids = _filled(book, clearing, is_sell=False)
    asks = _filled(book, clearing, is_sell=True)
    trades = []
    for bid, ask, energy_wh, bought_wh, sold_wh in _pairs(bids, asks):
        buy_price, sell_price = clearing.price_of(bid), clearing.price_of(ask)
        amount = amount_due_ueur(bought_wh + energy_wh, buy_price)
        earned = amount_earned_ueur(sold_wh + energy_wh, sell_price)
        trades.append(
            Trade(
                bid.account,
                ask.account,
                energy_wh,
                buy_price,
                amount - amount_due_ueur(bought_wh, buy_price),
                sell_price,
                earned - amount_earned_ueur(sold_wh, sell_price),
            )
        )
    return tuple(trades)


def _matched(matching: Matching) -> tuple[Trade, ...]:
    """Pairs as they are; a buyer's amounts are the differences of its cumulated payment."""
    spent: dict[str, int] = {}
    trades = []
    for pair in matching.pairs:
        before = spent.get(pair.buyer, 0)
        after = before + pair.energy_wh * pair.buy_price_ueur_per_kwh
        spent[pair.buyer] = after
        trades.append(
            Trade(
                pair.buyer,
                pair.seller,
                pair.energy_wh,
                pair.buy_price_ueur_per_kwh,
                amount_due_ueur(1, after) - amount_due_ueur(1, before),
                pair.price_ueur_per_kwh,
                pair.earned_ueur,
            )
        )
    return tuple(trades)


def _filled(book: Book, clearing: Clearing, is_sell: bool) -> list[tuple[Order, int]]:
    """Orders of one side that trade, with their fills, in merit order."""
    side = [(book[k], clearing.fills_wh[k]) for k in merit_order(book, is_sell)]
    return [(order, filled_wh) for order, filled_wh in side if order is not None and filled_wh]


def _pairs(
    bids: list[tuple[Order, int]], asks: list[tuple[Order, int]]
) -> Iterator[tuple[Order, Order, int, int, int]]:
    """Bid, ask, energy they exchange, and what the bid bought and the ask sold before. [Wh]"""
    at_bid = at_ask = bought_wh = sold_wh = 0
    while at_bid < len(bids) and at_ask < len(asks):
        (bid, bid_wh), (ask, ask_wh) = bids[at_bid], asks[at_ask]
        energy_wh = min(bid_wh - bought_wh, ask_wh - sold_wh)
        yield bid, ask, energy_wh, bought_wh, sold_wh
        bought_wh += energy_wh
        sold_wh += energy_wh
        if bought_wh == bid_wh:
            at_bid, bought_wh = at_bid + 1, 0
        if sold_wh == ask_wh:
            at_ask, sold_wh = at_ask + 1, 0
