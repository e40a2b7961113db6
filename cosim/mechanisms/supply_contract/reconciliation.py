"""Checks that a run's supply contract, its model and the meters agree to the integer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Any

from cosim.errors import ReconciliationError
from cosim.mechanisms.reconciliation import check_equal
from cosim.mechanisms.supply_contract.client import SupplierAccounts
from cosim.mechanisms.supply_contract.model import Bill, Subscription, SupplyContractModel


def check_subscriptions(
    interval: int,
    subscriptions: Sequence[tuple[str, Subscription, Subscription]],
    accounts: SupplierAccounts,
    model: SupplyContractModel,
) -> None:
    """Require that contract and model agree on every subscription and on the supplier's accounts.

    Parameters
    ----------
    interval : int
        Delivery interval, for the error.
    subscriptions : sequence of tuple
        Consumer, its subscription on the ledger and in the model.
    accounts : SupplierAccounts
        On the ledger.
    model : SupplyContractModel

    Raises
    ------
    ReconciliationError
        Names the consumers whose subscriptions differ, or the contract.
    """
    check_equal(
        interval,
        {name: state for name, state, _ in subscriptions},
        {name: own for name, _, own in subscriptions},
        "subscription on the ledger",
        "subscription of the model",
    )
    check_equal(
        interval,
        {"Supplier": astuple(accounts)},
        {"Supplier": (model.proceeds_ueur, model.takings_ueur, model.open_period)},
        "accounts of the supply contract",
        "accounts of its model",
    )


def check_bill(
    interval: int,
    events: Iterable[tuple[str, dict[str, Any]]],
    bill: Bill,
    metered_wh: int,
    estimate_wh: int,
) -> None:
    """Require that the ledger billed what the model did, of what the meter counted.

    Parameters
    ----------
    interval : int
        Delivery interval, for the error.
    events : iterable of tuple
        Name and arguments of what the contract logged.
    bill : Bill
        Of the model.
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
            interval, [bill.customer], f"the contract billed {logged} [Wh, µEUR], its model {bill}"
        )
    check_equal(
        interval,
        {bill.customer: bill.energy_wh},
        {bill.customer: estimate_wh if bill.estimated else metered_wh},
        "billed energy [Wh]",
        "energy that the meter counted, or the estimate [Wh]",
    )
