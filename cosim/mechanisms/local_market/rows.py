"""Rows of ``orders`` and ``trades``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from cosim.mechanisms.local_market.outcomes import OrderBook, Orders
from cosim.mechanisms.local_market.pricing import PricingRule
from cosim.mechanisms.local_market.trades import Trade
from cosim.messages import Columns

Names = np.ndarray[Any, Any]


def orders_columns(
    interval: int, names: Names, sent: Orders, orders: OrderBook, rule: PricingRule
) -> Columns:
    """Return the rows of ``orders``: every order that was sent, whatever became of it."""
    rows = np.flatnonzero(sent.energy_wh)
    prices = np.where(sent.is_sell, orders.sell_price_ueur_per_kwh, orders.buy_price_ueur_per_kwh)
    if rule is PricingRule.PAY_AS_BID:
        prices = sent.price_ueur_per_kwh
    if orders.own_price_ueur_per_kwh is not None:
        prices = orders.own_price_ueur_per_kwh
    return {
        "interval": interval,
        "prosumer": names[rows],
        "side": np.where(sent.is_sell, "sell", "buy")[rows],
        "energy_wh": sent.energy_wh[rows],
        "price_ueur_per_kwh": sent.price_ueur_per_kwh[rows],
        "sent_at_s": orders.sent_at_s[rows],
        "block": [int(block) if block >= 0 else None for block in orders.block[rows]],
        "status": orders.status[rows],
        "filled_wh": orders.filled_wh[rows],
        "clearing_price_ueur_per_kwh": [
            int(prices[i]) if orders.filled_wh[i] else None for i in rows
        ],
        "reason": orders.reason[rows],
    }


def trades_columns(interval: int, trades: Sequence[Trade]) -> Columns:
    """Return the rows of ``trades``, which are a trade's fields."""
    names = [field.name for field in fields(Trade)]
    return {"interval": interval} | {
        name: [getattr(trade, name) for trade in trades] for name in names
    }
