"""Who paid what to whom, and what it would have been without a market.

The baseline settles the same metered energy with the supplier alone: consumption at the retail
price, rounded up, feed-in at the feed-in price, rounded down, interval by interval. It says what
the market moved, not how people would have behaved without it. Energy that a shared battery
allocated counts where it was metered; its losses are bills of its members, and what shares cost is
no cost of the run.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from cosim.mechanisms.community_storage.indicators import physical_wh, storage_ueur
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, IntArray, ueur_from_eur

ROLES = ("prosumers", "supplier", "dso", "fees")


def baseline_ueur(
    metered_wh: npt.ArrayLike, retail_ueur_per_kwh: int, feed_in_ueur_per_kwh: int
) -> IntArray:
    """What the supplier alone would charge for metered energy. [µEUR]

    Parameters
    ----------
    metered_wh : (n,) int64
        Net injection of each interval. [Wh]
    retail_ueur_per_kwh, feed_in_ueur_per_kwh : int
        Prices of consumption and of feed-in. [µEUR/kWh]

    Returns
    -------
    (n,) int64
        Cost, positive when the prosumer pays: consumption rounds up, feed-in down. [µEUR]
    """
    energy_wh = np.asarray(metered_wh, dtype=np.int64)
    paid = -(np.minimum(energy_wh, 0) * retail_ueur_per_kwh // WH_PER_KWH)
    earned = np.maximum(energy_wh, 0) * feed_in_ueur_per_kwh // WH_PER_KWH
    return np.asarray(paid - earned, dtype=np.int64)


def costs_by_prosumer(results: Results) -> pd.DataFrame:
    """Cost of each prosumer over the run, and its baseline.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``prosumer``, with ``traded_ueur``, ``supplier_ueur``, ``flexibility_ueur``
        and ``storage_ueur`` (received positive), ``fees_ueur`` (paid positive), ``cost_ueur`` and
        ``baseline_cost_ueur`` (paid positive). [µEUR]
    """
    rows = results.frame("settlement")
    market = results.scenario_fields["market"]
    rows = rows.assign(
        cost_ueur=rows.fees_ueur - rows.traded_ueur - rows.supplier_ueur - rows.flexibility_ueur,
        baseline_cost_ueur=baseline_ueur(
            physical_wh(results),
            ueur_from_eur(market["retail_eur_per_kwh"]),
            ueur_from_eur(market["feed_in_eur_per_kwh"]),
        ),
    )
    columns = [
        "traded_ueur",
        "supplier_ueur",
        "flexibility_ueur",
        "fees_ueur",
        "cost_ueur",
        "baseline_cost_ueur",
    ]
    costs = rows.groupby("prosumer", observed=True)[columns].sum()
    received = storage_ueur(results).reindex(costs.index).fillna(0).astype("int64")
    return costs.assign(storage_ueur=received, cost_ueur=costs.cost_ueur - received)


def money_by_role(results: Results) -> pd.DataFrame:
    """What each role received in each interval; a row adds up to zero.

    Returns
    -------
    pandas.DataFrame
        Indexed by interval, one column per role of :data:`ROLES`, received positive: the prosumers
        as a group, the supplier (its bills and the rounding left over by the market), the DSO, and
        the producers of blocks, who receive the prosumers' fees. [µEUR]
    """
    rows = results.frame("settlement")
    sums = (
        rows.groupby("interval")[["traded_ueur", "supplier_ueur", "flexibility_ueur", "fees_ueur"]]
        .sum()
        .reindex(range(results.n_intervals), fill_value=0)
    )
    beside = results.frame("storage").groupby("interval")["fees_ueur"].sum()
    sums["fees_ueur"] += beside.reindex(sums.index, fill_value=0)
    supplier = -(sums.traded_ueur + sums.supplier_ueur)
    dso = -sums.flexibility_ueur
    return pd.DataFrame(
        {
            "prosumers": -(supplier + dso + sums.fees_ueur),
            "supplier": supplier,
            "dso": dso,
            "fees": sums.fees_ueur,
        }
    )
