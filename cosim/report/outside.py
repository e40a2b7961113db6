"""Connection points outside the local market: who supplies them, and what they are billed.

A household outside the market buys by a contract of its own, if a mechanism has one
(:meth:`cosim.plugins.reported.Reported.supplied`): what the contract billed it, it owes. All other
energy outside is default supply, at the supplier's prices of the interval and off chain: of who
never had a contract on the ledger, of a household that moves, and of who draws on after its
contract has ended. So is it in the field, where a household with no contract is not cut off but
supplied by a supplier of last resort (Directive (EU) 2019/944, Art. 27; in Germany EnWG § 38,
Ersatzversorgung). What is drawn under a contract in a period that the run's end cuts off is billed
after it: it is shown as not billed, and no money is counted for it.

Network charges and taxes are owed on what meters read, whoever bills it and when.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cosim.report.costs import physical_wh, supplier_bill_ueur
from cosim.report.stretches import added, by_interval_of_all, first_of, of_each, rows_of_all
from cosim.report.subjects import subjects
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, IntArray, ueur_from_eur

LOCAL, RESIDUAL, CONTRACT, DEFAULT, UNBILLED = (
    "local_trades",
    "market_supplier",
    "supply_contract",
    "default_supply",
    "not_billed",
)
SUPPLIES: dict[str, str] = {
    LOCAL: "local trades",
    RESIDUAL: "supplier, in the local market",
    CONTRACT: "supply contract",
    DEFAULT: "default supply",
    UNBILLED: "not billed by the end",
}
"""Titles of what energy drawn from the grid is billed by, in their order."""


def prices_ueur_per_kwh(results: Results) -> pd.DataFrame:
    """Return the supplier's prices by interval, as every account was settled. [µEUR/kWh]

    Returns
    -------
    pandas.DataFrame
        Indexed by interval, with ``retail``, ``feed_in``, ``network`` and ``taxes``.
    """
    intervals = range(results.n_intervals)
    if "retail_price_ueur_per_kwh" not in first_of(results).frame("settlement"):
        market = results.scenario_fields["market"]
        fixed = {
            "retail": ueur_from_eur(market["retail_eur_per_kwh"]),
            "feed_in": ueur_from_eur(market["feed_in_eur_per_kwh"]),
            "network": 0,
            "taxes": 0,
        }
        return pd.DataFrame(fixed, index=pd.Index(intervals, name="interval"))
    columns = {
        "retail_price_ueur_per_kwh": "retail",
        "feed_in_price_ueur_per_kwh": "feed_in",
        "network_ueur_per_kwh": "network",
        "taxes_ueur_per_kwh": "taxes",
    }

    def first_rows(part: Results) -> pd.DataFrame:
        by_interval = part.frame("settlement").groupby("interval")[list(columns)].first()
        return by_interval.reindex(range(part.n_intervals))

    first = by_interval_of_all(results, first_rows).reindex(intervals)
    return first.ffill().bfill().astype("int64").rename(columns=columns)


def bills_outside(results: Results) -> pd.DataFrame:
    """Return reading and bill of every connection point outside the market, interval by interval.

    Returns
    -------
    pandas.DataFrame
        ``interval``, ``prosumer``, ``metered_wh`` (injection positive), ``supplied_by``, one of
        :data:`SUPPLIES`, ``supply`` (the supplier's bill, positive when the household pays),
        ``network`` and ``taxes`` in it. The bill of a contract's period is in its last interval.
        [-, -, Wh, -, µEUR, µEUR, µEUR]
    """
    return results.kept("bills outside", lambda: _bills_outside(results))


def members_of(results: Results) -> set[str]:
    """Return the connection points that were settled in the run."""

    def names_of(part: Results) -> set[str]:
        return set(part.frame("settlement", ("prosumer",))["prosumer"].astype(str).unique())

    run = results.run
    return run.kept("members", lambda: set().union(*of_each(run, names_of)))


def readings_outside(part: Results) -> pd.DataFrame:
    """Return readings of a stretch outside the market by interval and prosumer. [Wh]"""
    rows = part.frame("prosumers", ("interval", "prosumer", "metered_wh"))
    rows = rows[~rows["prosumer"].isin(members_of(part))]
    return rows.assign(prosumer=rows["prosumer"].astype(str))


def _bills_outside(results: Results) -> pd.DataFrame:
    outside = rows_of_all(results, readings_outside).reset_index(drop=True)
    outside = outside.astype({"interval": "int64", "metered_wh": "int64"})
    readings_wh = outside["metered_wh"].to_numpy()
    prices = prices_ueur_per_kwh(results).reindex(outside["interval"])
    drawn_wh = np.maximum(-readings_wh, 0)
    retail, feed_in = prices["retail"].to_numpy(), prices["feed_in"].to_numpy()
    billed, bill_ueur = _by_contract(results, outside)
    supplied_by = np.select([billed == 1, billed == 0], [CONTRACT, UNBILLED], DEFAULT)
    default_ueur = supplier_bill_ueur(readings_wh, retail, feed_in)
    return outside.assign(
        supplied_by=supplied_by,
        supply=np.where(billed < 0, default_ueur, bill_ueur),
        **{
            payment: drawn_wh * prices[payment].to_numpy() // WH_PER_KWH
            for payment in ("network", "taxes")
        },
    )


def _by_contract(results: Results, outside: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """Return 1 for readings that a contract billed, 0 if it did not yet, -1 without; and bills."""
    billed = np.full(len(outside), -1, dtype=np.int64)
    bill_ueur = np.zeros(len(outside), dtype=np.int64)
    run, keys = results.run, ["interval", "prosumer"]
    parts = [part for each in subjects(run) if (part := each.supplied(run)) is not None]
    if parts:
        contracts = pd.concat(parts)
        contracts = contracts.assign(interval=contracts["interval"] - results.first).set_index(keys)
        own = contracts.reindex(pd.MultiIndex.from_frame(outside[keys]))
        known = own["billed"].notna().to_numpy()
        billed[known] = own["billed"].to_numpy()[known].astype(np.int64)
        bill_ueur[known] = own["bill_ueur"].to_numpy()[known].astype(np.int64)
    return billed, bill_ueur


def drawn_inside(part: Results) -> IntArray:
    """Return what members drew in a stretch: bought locally, and all of it. [Wh]"""
    settled = part.frame("settlement")
    drawn_wh = -physical_wh(part).clip(upper=0)
    bought_wh = -settled[["contracted_wh", "metered_wh"]].max(axis=1).clip(upper=0)
    local_wh = np.minimum(bought_wh.to_numpy(), drawn_wh.to_numpy()).sum()
    return np.array([local_wh, drawn_wh.sum()], dtype=np.int64)


def drawn_kwh_by_supply(results: Results) -> Mapping[str, float]:
    """Return the energy that connection points drew from the grid, by what it is billed by. [kWh]

    Of members, what they bought locally and drew; the rest is the supplier's in the market, energy
    out of a shared battery among it. Sums are those of the meters' readings.
    """
    local_wh, drawn_inside_wh = added(results, drawn_inside).tolist()
    outside = bills_outside(results)
    drawn_outside_wh = -outside["metered_wh"].clip(upper=0)
    by_supply = drawn_outside_wh.groupby(outside["supplied_by"]).sum()
    found = {LOCAL: local_wh, RESIDUAL: drawn_inside_wh - local_wh}
    found |= {name: int(by_supply.get(name, 0)) for name in (CONTRACT, DEFAULT, UNBILLED)}
    return {name: wh / WH_PER_KWH for name, wh in found.items()}
