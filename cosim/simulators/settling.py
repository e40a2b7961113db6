"""Settlement of one interval on the ledger and in the books, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosim.mechanisms.flexibility_market.model import FlexibilitySettlement
from cosim.mechanisms.local_market.books import LedgerBalances, MarketBooks
from cosim.mechanisms.local_market.orders import Settlement
from cosim.mechanisms.local_market.outcomes import Settled
from cosim.mechanisms.local_market.session import MarketSession
from cosim.mechanisms.play import Columns, Service
from cosim.timing import StageTimer
from cosim.units import IntArray


def settle_interval(
    session: MarketSession,
    books: MarketBooks,
    services: Sequence[Service],
    interval: int,
    *,
    delivery: Mapping[str, Any],
    delivered_wh: IntArray,
    timer: StageTimer,
) -> tuple[Settled, dict[str, Columns]]:
    """Let the meters report, settle, and reconcile.

    Parameters
    ----------
    session, books : MarketSession, MarketBooks
    services : sequence of Service
        Contracts beside the market, settled after it.
    interval : int
        A delivered interval.
    delivery : mapping
        Its delivery message: what the meters say.
    delivered_wh : (n,) int64
        What the solved grid took. [Wh]
    timer : StageTimer
        The books and the services are stages of their own.

    Returns
    -------
    Settled
        In the two markets.
    dict of str to dict
        Rows of the services' tables.

    Raises
    ------
    ReconciliationError
        If anything does not balance to the integer.
    """
    reported_wh = delivery["metered_wh"]
    for service in services:
        reported_wh = service.reported_wh(interval, reported_wh)
        delivered_wh = service.reported_wh(interval, delivered_wh)
    settled = session.settle(interval, books.meters.reported_wh(interval, reported_wh))
    with timer.measure("books"):
        _book(books, interval, settled, delivered_wh)
    tables: dict[str, Columns] = {}
    with timer.measure("services"):
        for service in services:
            tables |= service.settle(interval, delivery)
            for transfer in service.token_transfers():
                books.transfer(*transfer)
    with timer.measure("books"):
        books.close(interval, ledger_balances(session))
    return settled, tables


def _book(books: MarketBooks, interval: int, settled: Settled, delivered_wh: IntArray) -> None:
    """Settle the interval once more on the models."""
    names = books.prosumers
    books.settle(
        interval,
        delivered_wh,
        settled.metered_wh,
        settled.estimated.tolist(),
        {
            names[i]: Settlement(
                int(settled.contracted_wh[i]),
                int(settled.metered_wh[i]),
                int(settled.traded_ueur[i]),
                int(settled.supplier_ueur[i]),
                bool(settled.estimated[i]),
            )
            for i in books.members.nonzero()[0]
        },
        [names[i] for i in settled.claimed],
    )
    for request in settled.requests:
        books.settle_request(
            interval,
            request.number,
            {
                names[i]: FlexibilitySettlement(
                    request.delivered_wh[o], request.paid_ueur[o], request.penalty_ueur[o]
                )
                for o, i in enumerate(request.prosumers)
            },
        )


def ledger_balances(session: MarketSession) -> LedgerBalances:
    """Money on the ledger now, under the names of the books."""
    total, tokens, local_market, flexibility = session.deployment.balances()
    return LedgerBalances(total, tokens, local_market, flexibility)
