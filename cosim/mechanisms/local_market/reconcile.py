"""Orders, clearing and claims of an interval once more in the model, compared with the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cosim.mechanisms.local_market.bilateral.matching import Matching
from cosim.mechanisms.local_market.clearing import Clearing
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.outcomes import OrderBook
from cosim.mechanisms.local_market.pricing import ClearingForm
from cosim.mechanisms.local_market.trades import Trade, pair_trades
from cosim.mechanisms.reconciliation import check_equal, check_trades


def clear_again(
    model: LocalMarketModel,
    operator: str,
    interval: int,
    arrived: Sequence[Order],
    orders: OrderBook,
) -> tuple[Trade, ...]:
    """Clear the orders that the contract took, and compare with the ledger's clearing.

    Parameters
    ----------
    model : LocalMarketModel
    operator : str
        Account that commits to a clearing.
    interval : int
    arrived : sequence of Order
        Orders that the contract took, in the order of the chain.
    orders : OrderBook
        What the ledger made of them.

    Returns
    -------
    tuple of Trade
        Who traded with whom.

    Raises
    ------
    ReconciliationError
        If contract and model differ.
    """
    _take(model, interval, arrived, orders)
    clearing = _clear(model, operator, interval, orders)
    figures = ("buy_price_ueur_per_kwh", "sell_price_ueur_per_kwh", "volume_wh")
    check_equal(
        interval,
        {figure: getattr(orders, figure) for figure in figures},
        {figure: getattr(clearing, figure) for figure in figures},
        "clearing of the contract",
        "clearing of the model",
    )
    accounts = [order.account for order in arrived]
    check_equal(
        interval,
        {order.account: int(orders.filled_wh[i]) for order, i in _placed(arrived, orders)},
        dict(zip(accounts, clearing.fills_wh, strict=True)),
        "fill of the contract [Wh]",
        "fill of the model [Wh]",
    )
    if isinstance(clearing, Matching):
        _check_pairs(interval, clearing, orders)
    contracted = [
        filled if order.is_sell else -filled
        for order, filled in zip(arrived, clearing.fills_wh, strict=True)
    ]
    check_trades(interval, accounts, np.array(contracted, int), orders.volume_wh)
    return pair_trades(model.book(interval), clearing)


def _check_pairs(interval: int, matching: Matching, orders: OrderBook) -> None:
    check_equal(
        interval,
        {" to ".join(names): str(terms) for names, terms in orders.pairs.items()},
        {
            f"{pair.seller} to {pair.buyer}": str(
                (pair.energy_wh, pair.price_ueur_per_kwh, pair.terms.fee_ueur_per_kwh)
            )
            for pair in matching.pairs
        },
        "pair of the contract (energy, price, fee)",
        "pair of the model",
    )


def _placed(arrived: Sequence[Order], orders: OrderBook) -> zip[tuple[Order, int]]:
    """Orders with the position of their prosumer."""
    return zip(arrived, orders.arrived, strict=True)


def _take(
    model: LocalMarketModel, interval: int, arrived: Sequence[Order], orders: OrderBook
) -> None:
    """Accept orders as the ledger did: open ones, or all commitments before any revelation."""
    if not orders.commitments:
        for order in arrived:
            model.place_order(interval, order)
        return
    for order, commitment in zip(arrived, orders.commitments, strict=True):
        model.commit_order(interval, order.account, commitment)
    revealed = zip(arrived, orders.commitments, orders.revealed, strict=True)
    for order, commitment, is_revealed in revealed:
        if is_revealed:
            model.reveal_order(interval, order, commitment)


def _clear(model: LocalMarketModel, operator: str, interval: int, orders: OrderBook) -> Clearing:
    """Clear the book, or commit to its clearing as the market operator did."""
    if model.form is ClearingForm.BILATERAL:
        return model.match(interval)
    if model.form is not ClearingForm.COMMITTED:
        return model.clear(interval)
    clearing = model.clear_book(interval)
    model.commit_clearing(
        interval,
        operator,
        FillTree(clearing.fills_wh).root,
        orders.buy_price_ueur_per_kwh,
        orders.sell_price_ueur_per_kwh,
        orders.volume_wh,
    )
    return clearing


def claim_again(model: LocalMarketModel, interval: int, claimed: Sequence[str]) -> None:
    """Claim committed fills in the order in which the ledger was claimed from."""
    if not claimed:
        return
    tree, fills_wh = model.fill_tree(interval), model.clear_book(interval).fills_wh
    for account in claimed:
        k = model.arrival_index(interval, account)
        model.claim_fill(interval, account, fills_wh[k], tree.proof(k))
    model.release_bond(interval)
