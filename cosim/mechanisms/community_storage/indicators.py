"""Energy, losses and bills of a shared battery, and self-consumption without it.

Self-consumption without the battery is that of the same run with the battery's connection point
left out: ``min(L, max(P - B, 0))`` of the other connection points, with their own batteries. It
takes generation, consumption and flexibility as they were with the battery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from cosim.report.dues import debts_left_ueur
from cosim.report.energy import community_power
from cosim.report.indicator import IndicatorSet, Meaning, Rows
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, eur_from_ueur


@dataclass(frozen=True)
class StorageIndicators(IndicatorSet):
    """Indicators of a shared battery."""

    storage_charged_kwh: Annotated[float, Meaning("kWh", "by members")]
    storage_discharged_kwh: Annotated[float, Meaning("kWh", "by members")]
    storage_loss_kwh: Annotated[float, Meaning("kWh", "drawn beyond that")]
    storage_billed_eur: Annotated[float, Meaning("EUR", "bills for losses, less credits")]
    storage_debts_eur: Annotated[
        float, Meaning("EUR", "owed at the end of the run by members and the battery's owner")
    ]
    self_consumption_without_storage: Annotated[
        float | None, Meaning("-", "of all other connection points")
    ]
    self_sufficiency_without_storage: Annotated[
        float | None, Meaning("-", "of all other connection points")
    ]

    def rows(self) -> Rows:
        """Return what the terminal's summary shows of them."""
        return [
            (
                "Shared battery charged / discharged / lost",
                f"{number(self.storage_charged_kwh)} / {number(self.storage_discharged_kwh)} / "
                f"{number(self.storage_loss_kwh, 'kWh', 2)}",
            ),
            ("… losses billed", number(self.storage_billed_eur, "EUR", 2)),
            ("Self-consumption without it", percent(self.self_consumption_without_storage)),
            ("Self-sufficiency without it", percent(self.self_sufficiency_without_storage)),
            *(
                [("Debts for losses and credits", number(self.storage_debts_eur, "EUR", 2))]
                if self.storage_debts_eur
                else []
            ),
        ]

    def warnings(self) -> Sequence[str]:
        """Return a sentence on debts that are left."""
        if not self.storage_debts_eur:
            return ()
        owed = number(self.storage_debts_eur, "EUR", 2)
        return (f"debts for the shared battery are left at the end of the run: {owed}",)


def storage_indicators(results: Results, battery: str) -> StorageIndicators:
    """Return the indicators of the battery at a connection point."""
    rows = results.frame("storage")
    nominated_wh = rows.loc[(rows["prosumer"] != battery) & rows["accepted"], "nominated_wh"]
    others = community_power(results, without=[battery])
    return StorageIndicators(
        storage_charged_kwh=float(nominated_wh.clip(lower=0).sum()) / WH_PER_KWH,
        storage_discharged_kwh=float(-nominated_wh.clip(upper=0).sum()) / WH_PER_KWH,
        storage_loss_kwh=float(rows["loss_wh"].sum()) / WH_PER_KWH,
        storage_billed_eur=eur_from_ueur(
            int(rows["billed_ueur"].sum()) - int(rows["credited_ueur"].sum())
        ),
        storage_debts_eur=eur_from_ueur(debts_left_ueur(results, "storage_debts")),
        self_consumption_without_storage=others.self_consumption,
        self_sufficiency_without_storage=others.self_sufficiency,
    )


def storage_costs(results: Results, battery: str) -> pd.DataFrame:
    """Return bills, fees and allocated energy of members and of the battery at its point.

    Members' bills are the battery owner's receipts: what was received adds up to zero. A debt is
    not paid yet, but it is owed: costs count when they arise.

    Returns
    -------
    pandas.DataFrame
        As :meth:`cosim.plugins.reported.Reported.costs` says.
    """
    rows = results.frame("storage")
    received = rows["credited_ueur"] - rows["billed_ueur"]
    members = received.groupby(rows["interval"]).transform("sum")
    received = received.where(rows["prosumer"] != battery, received - members)
    kept = rows[["interval", "prosumer", "fees_ueur", "allocated_wh"]]
    return kept.assign(received_ueur=received)
