"""Settlement of one interval on the ledger and in the books, side by side."""

from __future__ import annotations

from cosim.ledger.outcomes import Settled
from cosim.ledger.session import MarketSession
from cosim.market.books import LedgerBalances, MarketBooks
from cosim.market.flexibility import FlexibilitySettlement
from cosim.market.orders import Settlement
from cosim.timing import StageTimer
from cosim.units import IntArray


def settle_interval(
    session: MarketSession,
    books: MarketBooks,
    interval: int,
    *,
    metered_wh: IntArray,
    delivered_wh: IntArray,
    timer: StageTimer,
) -> Settled:
    """Let the meters report, settle, and reconcile.

    Parameters
    ----------
    session, books : MarketSession, MarketBooks
    interval : int
        A delivered interval.
    metered_wh, delivered_wh : (n,) int64
        What the meters say, and what the solved grid took. [Wh]
    timer : StageTimer
        The books are a stage of their own.

    Raises
    ------
    ReconciliationError
        If anything does not balance to the integer.
    """
    settled = session.settle(interval, metered_wh)
    with timer.measure("books"):
        names = books.prosumers
        books.settle(
            interval,
            delivered_wh,
            settled.metered_wh,
            settled.estimated.tolist(),
            {
                name: Settlement(
                    int(settled.contracted_wh[i]),
                    int(settled.metered_wh[i]),
                    int(settled.traded_ueur[i]),
                    int(settled.supplier_ueur[i]),
                    bool(settled.estimated[i]),
                )
                for i, name in enumerate(names)
            },
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
        books.close(interval, ledger_balances(session))
    return settled


def ledger_balances(session: MarketSession) -> LedgerBalances:
    """Money on the ledger now, under the names of the books."""
    total, tokens, local_market, flexibility = session.deployment.balances()
    return LedgerBalances(total, tokens, local_market, flexibility)
