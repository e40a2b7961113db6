"""Offers that prosumers make to a request of the DSO, and the bonds that these lock."""

from __future__ import annotations

import numpy as np

from cosim.mechanisms.play import Schedules
from cosim.messages import BidsMessage
from cosim.units import IntArray, amount_due_ueur


def offered(
    direction: int, bids: BidsMessage, schedules: Schedules, price_cap_ueur_per_kwh: int
) -> tuple[IntArray, IntArray]:
    """Return energy and price of every prosumer's offer: what it has left, at its own price.

    Parameters
    ----------
    direction : int
        +1 raises net injection, -1 lowers it.
    bids : BidsMessage
        With the flexibility of members.
    schedules : Schedules
        As they stand.
    price_cap_ueur_per_kwh : int
        Nobody offers above it.

    Returns
    -------
    tuple of (n,) int64
        Energy, 0 where there is no offer, and price. [Wh, µEUR/kWh]
    """
    activated_wh = schedules.activated_wh
    if direction > 0:
        price = bids.flex_up_price_ueur_per_kwh
        energy = bids.flex_up_wh - activated_wh - schedules.unserved_purchases_wh
    else:
        price = np.where(
            schedules.contracted_wh > 0,
            bids.flex_down_price_if_sold_ueur_per_kwh,
            bids.flex_down_price_ueur_per_kwh,
        )
        energy = bids.flex_down_wh + activated_wh - schedules.unserved_sales_wh
    other_way = direction * activated_wh < 0
    refused = other_way | (schedules.curtailed_wh != 0) | (price > price_cap_ueur_per_kwh)
    return np.where(refused, 0, np.maximum(energy, 0)), price


def bonds_ueur(offered_wh: IntArray, penalty_ueur_per_kwh: int) -> dict[int, int]:
    """Return what each offer locks, by position of the prosumer. [µEUR]"""
    return {
        i: amount_due_ueur(int(offered_wh[i]), penalty_ueur_per_kwh)
        for i in np.flatnonzero(offered_wh).tolist()
    }
