"""Clearing of the double auction at one price: twin of ``contracts/order_book.vy``.

The contract walks down a sorted book; here the same result comes from the cumulated curves, so that
one checks the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from cosim.market.orders import Order
from cosim.units import amount_due_ueur, amount_earned_ueur


@dataclass(frozen=True, slots=True)
class Clearing:
    """Result of clearing one interval.

    Parameters
    ----------
    price_ueur_per_kwh : int
        Midpoint of the last crossing pair, rounded down; 0 without a crossing. [µEUR/kWh]
    volume_wh : int
        Traded energy. [Wh]
    fills_wh : tuple of int
        Filled energy of each order, in the order of arrival. [Wh]
    dust_ueur : int
        What buyers pay beyond what sellers receive, by rounding; the supplier's. [µEUR]
    """

    price_ueur_per_kwh: int
    volume_wh: int
    fills_wh: tuple[int, ...]
    dust_ueur: int


def merit_order(orders: Sequence[Order], is_sell: bool) -> list[int]:
    """Positions of one side's orders, best price first, then first come first served."""
    side = [k for k, order in enumerate(orders) if order.is_sell == is_sell]
    sign = 1 if is_sell else -1
    return sorted(side, key=lambda k: sign * orders[k].price_ueur_per_kwh)


def clear(orders: Sequence[Order]) -> Clearing:
    """Clear orders at the largest volume at which bids cross asks.

    Orders better than their side's marginal price are filled whole. At the marginal price an order
    gets its share of what is left, rounded down; the Wh left over go one each to the orders that
    arrived first.

    Parameters
    ----------
    orders : sequence of Order
        In the order of arrival.

    Returns
    -------
    Clearing
        With price and volume 0 if nothing crosses.
    """
    fills = [0] * len(orders)
    bids, asks = merit_order(orders, is_sell=False), merit_order(orders, is_sell=True)
    volume_wh = _crossing_volume(orders, bids, asks)
    if volume_wh == 0:
        return Clearing(0, 0, tuple(fills), 0)
    marginal_bid = _fill_side(orders, bids, volume_wh, fills)
    marginal_ask = _fill_side(orders, asks, volume_wh, fills)
    price = (marginal_bid + marginal_ask) // 2
    paid = sum(amount_due_ueur(fills[k], price) for k in bids)
    earned = sum(amount_earned_ueur(fills[k], price) for k in asks)
    return Clearing(price, volume_wh, tuple(fills), paid - earned)


def welfare_ueur(orders: Sequence[Order], fills_wh: Sequence[int]) -> float:
    """Value to the buyers less cost to the sellers of what was filled. [µEUR]"""
    return sum(
        (-1 if order.is_sell else 1) * fill * order.price_ueur_per_kwh / 1_000
        for order, fill in zip(orders, fills_wh, strict=True)
    )


def _crossing_volume(orders: Sequence[Order], bids: list[int], asks: list[int]) -> int:
    """Largest min(demand, supply) over all prices: demand falls and supply rises with price."""
    best, supply, next_ask = 0, 0, 0
    demands = list(accumulate(orders[k].energy_wh for k in bids))
    for bid, demand in zip(reversed(bids), reversed(demands), strict=True):
        # ``demand`` is wanted at this bid's price or above
        while (
            next_ask < len(asks)
            and orders[asks[next_ask]].price_ueur_per_kwh <= orders[bid].price_ueur_per_kwh
        ):
            supply += orders[asks[next_ask]].energy_wh
            next_ask += 1
        best = max(best, min(demand, supply))
    return best


def _fill_side(orders: Sequence[Order], side: list[int], volume_wh: int, fills: list[int]) -> int:
    """Fill one side of the book in merit order, in place; return its marginal price."""
    cumulated = accumulate(orders[k].energy_wh for k in side)
    last = next(k for k, energy in zip(side, cumulated, strict=True) if energy >= volume_wh)
    price = orders[last].price_ueur_per_kwh
    marginal = [k for k in side if orders[k].price_ueur_per_kwh == price]
    for k in side[: side.index(marginal[0])]:
        fills[k] = orders[k].energy_wh
        volume_wh -= orders[k].energy_wh
    offered_wh = sum(orders[k].energy_wh for k in marginal)
    for k in marginal:
        fills[k] = orders[k].energy_wh * volume_wh // offered_wh
    for k in marginal[: volume_wh - sum(fills[k] for k in marginal)]:
        fills[k] += 1
    return price
