"""What a clearing achieved, and the most that any could: measures to compare pricing rules by."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.mechanisms.local_market.clearing import Book, clear, merit_order
from cosim.mechanisms.local_market.orders import Order


def welfare_ueur(book: Book, fills_wh: Sequence[int]) -> float:
    """Value to the buyers less cost to the sellers of what was filled, by their prices. [µEUR]"""
    return sum(
        (-1 if order.is_sell else 1) * fill * order.price_ueur_per_kwh / 1_000
        for order, fill in zip(book, fills_wh, strict=True)
        if order is not None
    )


def largest_welfare_ueur(book: Book) -> float:
    """Largest welfare that a clearing of the book can have, at the crossing volume. [µEUR]"""
    return welfare_ueur(book, clear(book).fills_wh)


def largest_volume_wh(book: Book) -> int:
    """Most energy that could change hands if every pair agreed on a price of its own.

    Above the crossing volume when cheap asks are given to low bids, and dear asks to high ones:
    more energy, and less welfare.

    Parameters
    ----------
    book : sequence of Order or None
        In the order of arrival.

    Returns
    -------
    int
        Traded energy. [Wh]
    """
    # an ask that suits a bid suits every better one: serving the lowest bids first wastes nothing
    asks = [_order(book, k) for k in merit_order(book, is_sell=True)]
    volume_wh = offered_wh = 0
    for k in reversed(merit_order(book, is_sell=False)):
        bid = _order(book, k)
        while asks and asks[0].price_ueur_per_kwh <= bid.price_ueur_per_kwh:
            offered_wh += asks.pop(0).energy_wh
        served_wh = min(bid.energy_wh, offered_wh)
        volume_wh += served_wh
        offered_wh -= served_wh
    return volume_wh


def _order(book: Book, index: int) -> Order:
    order = book[index]
    if order is None:
        raise ValueError(f"no order at arrival index {index}")
    return order
