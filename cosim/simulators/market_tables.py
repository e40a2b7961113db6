"""Rows of the market's and the ledger's tables, from what a session knows."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from cosim.chain.records import LedgerRecords
from cosim.mechanisms.local_market.outcomes import OrderBook, Request, Settled
from cosim.mechanisms.local_market.pricing import PricingRule
from cosim.mechanisms.local_market.trades import Trade
from cosim.units import BoolArray, fee_ueur

Columns = dict[str, Any]
Names = np.ndarray[Any, Any]


def orders_columns(
    interval: int, names: Names, bids: dict[str, Any], orders: OrderBook, rule: PricingRule
) -> Columns:
    """Rows of ``orders``: every order that was sent, whatever became of it."""
    sent = np.flatnonzero(bids["order_wh"])
    prices = np.where(
        bids["is_sell"], orders.sell_price_ueur_per_kwh, orders.buy_price_ueur_per_kwh
    )
    if rule is PricingRule.PAY_AS_BID:
        prices = bids["order_price_ueur_per_kwh"]
    return {
        "interval": interval,
        "prosumer": names[sent],
        "side": np.where(bids["is_sell"], "sell", "buy")[sent],
        "energy_wh": bids["order_wh"][sent],
        "price_ueur_per_kwh": bids["order_price_ueur_per_kwh"][sent],
        "sent_at_s": orders.sent_at_s[sent],
        "block": [int(block) if block >= 0 else None for block in orders.block[sent]],
        "status": orders.status[sent],
        "filled_wh": orders.filled_wh[sent],
        "clearing_price_ueur_per_kwh": [
            int(prices[i]) if orders.filled_wh[i] else None for i in sent
        ],
        "reason": orders.reason[sent],
    }


def trades_columns(interval: int, trades: Sequence[Trade]) -> Columns:
    """Rows of ``trades``."""
    return {
        "interval": interval,
        "buyer": [trade.buyer for trade in trades],
        "seller": [trade.seller for trade in trades],
        "energy_wh": [trade.energy_wh for trade in trades],
        "price_ueur_per_kwh": [trade.price_ueur_per_kwh for trade in trades],
        "amount_ueur": [trade.amount_ueur for trade in trades],
        "sell_price_ueur_per_kwh": [trade.sell_price_ueur_per_kwh for trade in trades],
        "earned_ueur": [trade.earned_ueur for trade in trades],
    }


def settlement_columns(
    interval: int, names: Names, members: BoolArray, settled: Settled, eur_per_eth: float
) -> Columns:
    """Rows of ``settlement``: one account per member of the local market."""
    rows = {
        "prosumer": names,
        "contracted_wh": settled.contracted_wh,
        "metered_wh": settled.metered_wh,
        "imbalance_wh": settled.metered_wh - settled.contracted_wh,
        "traded_ueur": settled.traded_ueur,
        "supplier_ueur": settled.supplier_ueur,
        "flexibility_ueur": settled.flexibility_ueur,
        "fees_ueur": np.array([fee_ueur(fee, eur_per_eth) for fee in settled.fees_wei], np.int64),
        "estimated": settled.estimated,
    }
    return {"interval": interval} | {key: column[members] for key, column in rows.items()}


def flexibility_columns(interval: int, names: Names, requests: Sequence[Request]) -> Columns:
    """Rows of ``flexibility``: every offer to every request."""
    offers = [(request, o) for request in requests for o in range(len(request.prosumers))]
    return {
        "interval": interval,
        "request": [request.number for request, _ in offers],
        "prosumer": [names[request.prosumers[o]] for request, o in offers],
        "direction": ["up" if request.direction > 0 else "down" for request, _ in offers],
        "offered_wh": [request.offered_wh[o] for request, o in offers],
        "awarded_wh": [request.awarded_wh[o] for request, o in offers],
        "delivered_wh": [request.delivered_wh[o] for request, o in offers],
        "price_ueur_per_kwh": [request.prices_ueur_per_kwh[o] for request, o in offers],
        "paid_ueur": [request.paid_ueur[o] for request, o in offers],
        "penalty_ueur": [request.penalty_ueur[o] for request, o in offers],
        "baseline_wh": [request.baselines_wh[o] for request, o in offers],
    }


def ledger_tables(records: LedgerRecords) -> dict[str, Columns]:
    """Rows of ``transactions``, ``blocks``, ``events`` and ``reorganisations``."""
    transactions = dict(records.transactions)
    transactions["value_wei"] = [Decimal(wei) for wei in transactions["value_wei"]]
    for unrecorded in ("fee_wei", "label"):
        transactions.pop(unrecorded, None)
    return {
        "transactions": transactions,
        "blocks": dict(records.blocks),
        "events": dict(records.events),
        "reorganisations": dict(records.reorganisations),
    }
