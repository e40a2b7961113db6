"""What a shared battery did: energy, losses, bills, and self-consumption with and without it.

Self-consumption without the battery is that of the same run with the battery's connection point
left out: ``min(L, max(P - B, 0))`` of the other connection points, with their own batteries. It
takes generation, consumption and flexibility as they were with the battery.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cosim.report.chart_style import (
    AFTER,
    AMBER,
    GREEN,
    Chart,
    TimeAxis,
    styled,
    two_rows,
    zero_line,
)
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, eur_from_ueur

NAMES = (
    "storage_charged_kwh",
    "storage_discharged_kwh",
    "storage_loss_kwh",
    "storage_billed_eur",
    "self_consumption_without_storage",
    "self_sufficiency_without_storage",
)


def storage_indicators(results: Results) -> dict[str, Any]:
    """Indicators of the shared battery by name; all None without one.

    Returns
    -------
    dict of str to float or None
        Charged and discharged by members, and lost beyond that [kWh]; bills less credits [EUR];
        self-consumption and self-sufficiency of the other connection points. [-]
    """
    rows = results.frame("storage")
    if rows.empty:
        return dict.fromkeys(NAMES)
    battery = battery_of(results)
    members = rows[(rows["prosumer"] != battery) & rows["accepted"]]
    people = results.frame("prosumers")
    sums = (
        people[people["prosumer"] != battery]
        .groupby("interval")[["pv_p_mw", "load_p_mw", "ev_p_mw", "heat_pump_p_mw", "battery_p_mw"]]
        .sum()
    )
    consumption = sums["load_p_mw"] + sums["ev_p_mw"] + sums["heat_pump_p_mw"]
    available = (sums["pv_p_mw"] - sums["battery_p_mw"]).clip(lower=0.0)
    own = float(np.minimum(consumption, available).sum())
    billed = int(rows["billed_ueur"].sum()) - int(rows["credited_ueur"].sum())
    values = (
        float(members["nominated_wh"].clip(lower=0).sum()) / WH_PER_KWH,
        float(-members["nominated_wh"].clip(upper=0).sum()) / WH_PER_KWH,
        float(rows["loss_wh"].sum()) / WH_PER_KWH,
        eur_from_ueur(billed),
        _ratio(own, float(sums["pv_p_mw"].sum())),
        _ratio(own, float(consumption.sum())),
    )
    return dict(zip(NAMES, values, strict=True))


def battery_of(results: Results) -> str:
    """Connection point of the shared battery."""
    return str(results.scenario_fields["community_storage"]["name"])


def storage_ueur(results: Results) -> pd.Series:
    """What each prosumer received in the storage, less what it paid, fees among it. [µEUR]

    Members' bills are the battery owner's receipts: the sum is minus the fees.

    Returns
    -------
    pandas.Series
        By prosumer; empty without a shared battery.
    """
    rows = results.frame("storage")
    if rows.empty:
        return pd.Series(dtype="int64")
    # a debt is not paid yet, but it is owed: costs count when they arise
    prosumer = rows["prosumer"].astype(str)
    own = (rows["credited_ueur"] - rows["billed_ueur"]).groupby(prosumer).sum()
    battery = battery_of(results)
    own[battery] = own.get(battery, 0) - int(own.sum())
    return (own - rows["fees_ueur"].groupby(prosumer).sum()).astype("int64")


def physical_wh(results: Results) -> pd.Series:
    """Net injection that each row of ``settlement`` measured, before allocation. [Wh]"""
    settled = results.frame("settlement")
    rows = results.frame("storage")
    if rows.empty:
        return settled["metered_wh"]
    allocated = rows.set_index(["interval", "prosumer"])["allocated_wh"]
    keys = pd.MultiIndex.from_frame(settled[["interval", "prosumer"]])
    moved = allocated.reindex(keys).fillna(0).to_numpy(dtype=np.int64)
    return pd.Series(settled["metered_wh"] - moved)


def storage_chart(results: Results) -> Chart:
    """What members charged and discharged, what is stored, and what was lost."""
    rows = results.frame("storage")
    battery = battery_of(results)
    taken = rows[(rows["prosumer"] != battery) & rows["accepted"]]
    own = rows[rows["prosumer"] == battery].set_index("interval")
    index = range(results.n_intervals)

    def kwh(energy_wh: pd.Series) -> Any:
        return (energy_wh.reindex(index).fillna(0) / WH_PER_KWH).round(4).to_numpy()

    axis = TimeAxis(results)
    figure = two_rows([0.6, 0.4])
    by_interval = taken["nominated_wh"].groupby(taken["interval"])
    charged = by_interval.apply(lambda wh: wh.clip(lower=0).sum())
    discharged = by_interval.apply(lambda wh: wh.clip(upper=0).sum())
    figure.add_trace(axis.bars(kwh(charged), "charged by members [kWh]", AMBER), row=1, col=1)
    figure.add_trace(axis.bars(kwh(discharged), "discharged [kWh]", GREEN), row=1, col=1)
    figure.add_trace(
        axis.line(kwh(own["account_wh"]), "in the accounts [kWh]", AFTER), row=2, col=1
    )
    zero_line(figure)
    figure.update_layout(barmode="relative")
    return Chart(
        "storage",
        "Shared battery",
        "What members charge and discharge in an interval, over all of them, and what their "
        "accounts hold at its end. The battery's own state of charge is the same to 2 Wh, or the "
        "run would have stopped.",
        styled(figure, ["per interval [kWh]", "stored [kWh]"], 420),
        wide=True,
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
