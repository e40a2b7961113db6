"""Surplus of the local market's trades, reached and possible.

The surplus of an interval is the buyers' value of what they bought less the sellers' cost of what
they sold, both by the limit prices of their orders: ``sum over bids (p_i q_i) - sum over asks
(p_i q_i)`` with limit prices ``p`` and filled energies ``q``. Payments do not enter, they share it
out. It is largest at the crossing of demand and supply in merit order; the difference to that is
what late, rejected and unrevealed orders, and pricing rules that trade less, have cost.

Limit prices lie between the supplier's prices, whose margin is a transfer: the surplus says how
trades share out that margin, not how much better off everybody together is, which is the welfare of
:mod:`cosim.report.resource_cost`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cosim.results.columns import AREA
from cosim.units import WH_PER_KWH, IntArray, eur_from_ueur


def trade_surplus(orders: pd.DataFrame) -> tuple[int, int]:
    """Return the surplus of all trades, and the largest that the orders sent allowed. [µEUR/1000]

    Parameters
    ----------
    orders : pandas.DataFrame
        Rows of the table ``orders``. The largest is what could be traded, had every order been in
        the book of its interval and market.
    """
    is_sell = (orders["side"] == "sell").to_numpy()
    price = orders["price_ueur_per_kwh"].to_numpy(dtype=np.int64)
    filled_wh = orders["filled_wh"].to_numpy(dtype=np.int64)
    energy_wh = orders["energy_wh"].to_numpy()
    reached = int(np.where(is_sell, -filled_wh * price, filled_wh * price).sum())
    keys = ["interval", *(name for name in (AREA.name,) if name in orders)]
    possible = sum(
        largest_surplus(is_sell[rows], energy_wh[rows], price[rows])
        for rows in orders.groupby(keys, observed=True).indices.values()
    )
    return reached, possible


def largest_surplus(is_sell: object, energy_wh: object, price_ueur_per_kwh: object) -> int:
    """Return the largest surplus of one interval's orders: the area between demand and supply.

    Parameters
    ----------
    is_sell : (n,) bool
        An ask, or else a bid.
    energy_wh : (n,) int64
        Energy of each order. [Wh]
    price_ueur_per_kwh : (n,) int64
        Limit price of each order. [µEUR/kWh]

    Returns
    -------
    int
        Of the trades up to the crossing of both sides in merit order. [µEUR/1000]
    """
    sells = np.asarray(is_sell, dtype=bool)
    energies = np.asarray(energy_wh, dtype=np.int64)
    prices = np.asarray(price_ueur_per_kwh, dtype=np.int64)
    bid_prices, bid_ends = _side(prices[~sells], energies[~sells], descending=True)
    ask_prices, ask_ends = _side(prices[sells], energies[sells], descending=False)
    if not len(bid_ends) or not len(ask_ends):
        return 0
    ends = np.union1d(bid_ends, ask_ends)
    ends = ends[ends <= min(bid_ends[-1], ask_ends[-1])]
    gain = bid_prices[np.searchsorted(bid_ends, ends)] - ask_prices[np.searchsorted(ask_ends, ends)]
    return int((np.diff(ends, prepend=0) * np.maximum(gain, 0)).sum())


def _side(prices: IntArray, energies: IntArray, descending: bool) -> tuple[IntArray, IntArray]:
    """Return prices of one side in merit order, and the energies at which each order ends."""
    order = np.argsort(-prices if descending else prices, kind="stable")
    return prices[order], np.cumsum(energies[order])


def surplus_eur(wh_times_price: int) -> float:
    """Return a surplus in money. [EUR]"""
    return float(eur_from_ueur(wh_times_price / WH_PER_KWH))
