"""Check that the supply contract bills what its model does, of what meters counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cosim.errors import ReconciliationError
from cosim.mechanisms.reconciliation import check_equal
from cosim.mechanisms.supply_contract.model import Bill


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
