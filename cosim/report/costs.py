"""Payments between the roles of a run, and what each prosumer paid.

A gain is a difference between two runs (docs/studies.md, counterfactuals): nothing here says what
would have been paid without the market. What shares of a battery cost is left out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from cosim.report.stretches import added_by_name, by_interval_of_all
from cosim.report.subjects import subjects
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, IntArray

ROLES = ("prosumers", "supplier", "dso", "fees", "state")

LOCAL_CHARGE, NETWORK, TAXES = "local_charge_ueur", "network_ueur", "taxes_ueur"
"""Columns of ``settlement`` where the retail price has parts. [µEUR]"""

RELATIONS = ("traded_ueur", "supplier_ueur", "flexibility_ueur", "fees_ueur")
"""Columns of ``settlement`` by other party; fees are paid, positive. [µEUR]"""


def supplier_bill_ueur(
    metered_wh: npt.ArrayLike,
    retail_ueur_per_kwh: npt.ArrayLike,
    feed_in_ueur_per_kwh: npt.ArrayLike,
) -> IntArray:
    """Return what the supplier alone would charge for metered energy. [µEUR]

    Parameters
    ----------
    metered_wh : (n,) int64
        Net injection of each interval. [Wh]
    retail_ueur_per_kwh, feed_in_ueur_per_kwh : int or (n,) int64
        Prices of consumption and of feed-in. [µEUR/kWh]

    Returns
    -------
    (n,) int64
        Cost, positive when the prosumer pays: consumption rounds up, feed-in down. [µEUR]
    """
    energy_wh = np.asarray(metered_wh, dtype=np.int64)
    retail, feed_in = (
        np.asarray(price, dtype=np.int64) for price in (retail_ueur_per_kwh, feed_in_ueur_per_kwh)
    )
    paid = -(np.minimum(energy_wh, 0) * retail // WH_PER_KWH)
    earned = np.maximum(energy_wh, 0) * feed_in // WH_PER_KWH
    return np.asarray(paid - earned, dtype=np.int64)


def with_charges(settled: pd.DataFrame) -> pd.DataFrame:
    """Return rows of ``settlement`` with columns of charges, 0 in runs that have none.

    What was charged on local trades is taken off ``supplier_ueur``: the supplier collects it.
    """
    if LOCAL_CHARGE not in settled:
        return settled.assign(**{LOCAL_CHARGE: 0, NETWORK: 0, TAXES: 0})
    return settled.assign(supplier_ueur=settled["supplier_ueur"] - settled[LOCAL_CHARGE])


def other_costs(results: Results) -> pd.DataFrame:
    """Return what every subject moved beyond the table ``settlement``.

    Returns
    -------
    pandas.DataFrame
        As :meth:`cosim.plugins.reported.Reported.costs` says, of all subjects together.
    """
    if results.run is not results:
        every = other_costs(results.run)
        last = results.first + results.n_intervals
        own = every[(every["interval"] >= results.first) & (every["interval"] < last)]
        return own.assign(interval=own["interval"] - results.first)
    return results.kept("other costs", lambda: _other_costs(results))


def _other_costs(results: Results) -> pd.DataFrame:
    none = pd.DataFrame(
        {"interval": [], "prosumer": [], "received_ueur": [], "fees_ueur": [], "allocated_wh": []}
    )
    parts = [part for each in subjects(results) if (part := each.costs(results)) is not None]
    rows = pd.concat(parts) if parts else none
    return rows.astype(
        dict.fromkeys(("interval", "received_ueur", "fees_ueur", "allocated_wh"), "int64")
    )


def physical_wh(results: Results) -> pd.Series:
    """Return net injection that each row of ``settlement`` measured, before allocation. [Wh]"""
    settled = results.frame("settlement")
    keys = ["interval", "prosumer"]
    if not other_costs(results)["allocated_wh"].any():
        return pd.Series(settled["metered_wh"].to_numpy(dtype=np.int64), name="metered_wh")
    allocated = other_costs(results).astype({"prosumer": str}).groupby(keys)["allocated_wh"].sum()
    rows = pd.MultiIndex.from_frame(settled[keys].astype({"prosumer": str}))
    moved = allocated.reindex(rows).fillna(0).to_numpy(dtype=np.int64)
    return pd.Series(settled["metered_wh"] - moved)


def costs_by_prosumer(results: Results) -> pd.DataFrame:
    """Return the cost of each prosumer over the run.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``prosumer``, with ``traded_ueur``, ``supplier_ueur``, ``flexibility_ueur``
        and ``other_ueur`` (received positive, the last less its fees), ``fees_ueur`` and
        ``cost_ueur`` (paid positive). [µEUR]
    """
    return results.kept("costs by prosumer", lambda: _costs_by_prosumer(results))


def cost_sums(part: Results) -> pd.DataFrame:
    """Return sums of a stretch's payments by prosumer, and of its cost. [µEUR]"""
    rows = with_charges(part.frame("settlement"))
    rows = rows.assign(
        cost_ueur=rows.fees_ueur - rows.traded_ueur - rows.supplier_ueur - rows.flexibility_ueur
    )
    return rows.groupby("prosumer", observed=True)[[*RELATIONS, "cost_ueur"]].sum()


def _costs_by_prosumer(results: Results) -> pd.DataFrame:
    costs: pd.DataFrame = added_by_name(results, cost_sums)
    others = other_costs(results).astype({"prosumer": str}).set_index("prosumer")
    received = (others["received_ueur"] - others["fees_ueur"]).groupby(level=0).sum()
    received = received.reindex(costs.index).fillna(0).astype("int64")
    return costs.assign(other_ueur=received, cost_ueur=costs.cost_ueur - received)


def money_by_role(results: Results) -> pd.DataFrame:
    """Return what each role received in each interval; a row adds up to zero.

    Returns
    -------
    pandas.DataFrame
        Indexed by interval, one column per role of :data:`ROLES`, received positive: the prosumers
        as a group, the supplier (its bills and the rounding left over by the market, less what it
        owes DSO and state), the DSO, the producers of blocks, who receive the prosumers' fees, and
        the state. [µEUR]
    """
    return results.kept("money by role", lambda: _money_by_role(results))


def payments_by_interval(part: Results) -> pd.DataFrame:
    """Return sums of a stretch's payments by interval, charges among them. [µEUR]"""
    columns = [*RELATIONS, NETWORK, TAXES]
    by_interval = with_charges(part.frame("settlement")).groupby("interval")[columns].sum()
    return by_interval.reindex(range(part.n_intervals), fill_value=0)


def _money_by_role(results: Results) -> pd.DataFrame:
    intervals, sums = range(results.n_intervals), by_interval_of_all(results, payments_by_interval)
    others = other_costs(results).groupby("interval")["fees_ueur"].sum()
    fees = sums.fees_ueur + others.reindex(intervals, fill_value=0)
    network, state = sums[NETWORK], sums[TAXES]
    supplier = -(sums.traded_ueur + sums.supplier_ueur) - network - state
    dso = network - sums.flexibility_ueur
    prosumers = -(supplier + dso + fees + state)
    received = (prosumers, supplier, dso, fees, state)
    return pd.DataFrame(dict(zip(ROLES, received, strict=True)))
