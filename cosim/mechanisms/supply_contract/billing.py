"""Intervals of a run in which a supply contract holds, and its bills, from a result's tables."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from cosim.mechanisms.supply_contract.tables import ENDED, LEFT, SUBSCRIBED
from cosim.results.reader import Results


@dataclass(frozen=True)
class Subscribed:
    """A consumer's subscription as a run left it.

    Parameters
    ----------
    prosumer : str
    first_period : int
        Its first period.
    end_period : int or None
        The one after its last; None while it is rolling.
    ended_by : str or None
        :data:`LEFT` or :data:`ENDED`; None if nobody ended it before it would have ended.
    deposit_ueur : int
        Its first deposit. [µEUR]
    """

    prosumer: str
    first_period: int
    end_period: int | None
    ended_by: str | None
    deposit_ueur: int

    def intervals(self, billing_intervals: int, n_intervals: int) -> range:
        """Return the intervals of a run in which it holds."""
        end = n_intervals
        if self.end_period is not None:
            end = min(self.end_period * billing_intervals, n_intervals)
        return range(min(self.first_period * billing_intervals, end), end)


def subscriptions(results: Results) -> list[Subscribed]:
    """Return every subscription of a run, in the order in which they began."""
    found: dict[str, list[Subscribed]] = {}
    rows: list[dict[Hashable, Any]] = results.frame("supply_subscriptions").to_dict("records")
    for row in rows:
        name, action = str(row["prosumer"]), str(row["action"])
        end = None if pd.isna(row["end_period"]) else int(row["end_period"])
        own = found.setdefault(name, [])
        if action == SUBSCRIBED:
            first, deposit = int(row["next_period"]), int(row["deposit_ueur"])
            own.append(Subscribed(name, first, end, None, deposit))
        elif action in (LEFT, ENDED):
            own[-1] = replace(own[-1], end_period=end, ended_by=action)
    return [each for own in found.values() for each in own]


def contract_bills(results: Results, billing_intervals: int) -> pd.DataFrame:
    """Return intervals with a contract, and bills at the ends of their periods.

    Returns
    -------
    pandas.DataFrame
        As :meth:`cosim.plugins.reported.Reported.supplied` says.
    """
    rows = results.frame("supply", ("period", "prosumer", "bill_ueur"))
    bills = {
        (str(name), int(period)): int(bill)
        for name, period, bill in zip(
            rows["prosumer"], rows["period"], rows["bill_ueur"], strict=True
        )
    }
    found = []
    for each in subscriptions(results):
        for interval in each.intervals(billing_intervals, results.n_intervals):
            period, position = divmod(interval, billing_intervals)
            bill = bills.get((each.prosumer, period))
            is_last = position + 1 == billing_intervals
            owed = bill if bill is not None and is_last else 0
            found.append((interval, each.prosumer, bill is not None, owed))
    frame = pd.DataFrame(found, columns=["interval", "prosumer", "billed", "bill_ueur"])
    return frame.astype({"interval": "int64", "billed": "bool", "bill_ueur": "int64"})
