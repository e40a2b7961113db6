"""Who traded with whom: a deterministic pairing of the fills of a clearing at one price.

The contracts settle every account against the market; a pairing is for people and tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosim.market.clearing import Clearing, merit_order
from cosim.market.orders import Order
from cosim.units import amount_due_ueur


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
        Clearing price. [µEUR/kWh]
    amount_ueur : int
        The part of the buyer's payment. [µEUR]
    """

    buyer: str
    seller: str
    energy_wh: int
    price_ueur_per_kwh: int
    amount_ueur: int


def pair_trades(orders: Sequence[Order], clearing: Clearing) -> tuple[Trade, ...]:
    """Pair filled bids with filled asks, both in merit order.

    Parameters
    ----------
    orders : sequence of Order
        As cleared, in the order of arrival.
    clearing : Clearing
        Of these orders.

    Returns
    -------
    tuple of Trade
        The energies of an account's trades add up to its fill; a buyer's amounts add up to exactly
        what it pays, because each is the difference of its cumulated payment, rounded up.
    """
    price = clearing.price_ueur_per_kwh
    left = list(clearing.fills_wh)
    asks = iter([k for k in merit_order(orders, is_sell=True) if left[k]])
    ask = next(asks, None)
    trades = []
    for bid in merit_order(orders, is_sell=False):
        bought_wh = 0
        while left[bid] and ask is not None:
            energy_wh = min(left[bid], left[ask])
            amount = amount_due_ueur(bought_wh + energy_wh, price)
            amount -= amount_due_ueur(bought_wh, price)
            trades.append(Trade(orders[bid].account, orders[ask].account, energy_wh, price, amount))
            bought_wh += energy_wh
            left[bid] -= energy_wh
            left[ask] -= energy_wh
            if not left[ask]:
                ask = next(asks, None)
    return tuple(trades)
