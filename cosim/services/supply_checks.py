"""Whether a run's supply contract, its twin and the meters agree to the integer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Any

from cosim.errors import ReconciliationError
from cosim.ledger.clients.supplier import SubscriptionState, SupplierAccounts
from cosim.market.reconciliation import check_equal
from cosim.market.supply_contract import Bill, Subscription, SupplyContractTwin


def check_books(
    interval: int,
    people: Sequence[tuple[str, SubscriptionState, Subscription]],
    accounts: SupplierAccounts,
    twin: SupplyContractTwin,
) -> None:
    """Require that contract and twin agree on every subscription and on the supplier's books.

    Parameters
    ----------
    interval : int
        Delivery interval, for the error.
    people : sequence of tuple
        Consumer, its subscription on the ledger and in the twin.
    accounts : SupplierAccounts
        On the ledger.
    twin : SupplyContractTwin

    Raises
    ------
    ReconciliationError
        Names the consumers whose subscriptions differ, or the contract.
    """
    check_equal(
        interval,
        {name: astuple(state) for name, state, _ in people},
        {name: astuple(own) for name, _, own in people},
        "subscription on the ledger",
        "subscription of the twin",
    )
    check_equal(
        interval,
        {"Supplier": astuple(accounts)},
        {"Supplier": (twin.proceeds_ueur, twin.takings_ueur, twin.open_period)},
        "books of the supply contract",
        "books of its twin",
    )


def check_bill(
    interval: int,
    events: Iterable[tuple[str, dict[str, Any]]],
    bill: Bill,
    metered_wh: int,
    estimate_wh: int,
) -> None:
    """Require that the ledger billed what the twin did, of what the meter counted.

    Parameters
    ----------
    interval : int
        Delivery interval, for the error.
    events : iterable of tuple
        Name and arguments of what the contract logged.
    bill : Bill
        Of the twin.
    metered_wh, estimate_wh : int
        What the consumer drew, and what is agreed for a silent meter. [Wh]

    Raises
    ------
    ReconciliationError
        Names the consumer.
    """
    logged = [
        (e["energy_wh"], e["bill_ueur"], e["paid_ueur"])
        for name, e in events
        if name == "PeriodPaid" and e["period"] == bill.period
    ]
    if logged != [(bill.energy_wh, bill.bill_ueur, bill.paid_ueur)]:
        raise ReconciliationError(
            interval, [bill.customer], f"the contract billed {logged} [Wh, µEUR], its twin {bill}"
        )
    check_equal(
        interval,
        {bill.customer: bill.energy_wh},
        {bill.customer: estimate_wh if bill.estimated else metered_wh},
        "billed energy [Wh]",
        "energy that the meter counted, or the estimate [Wh]",
    )
