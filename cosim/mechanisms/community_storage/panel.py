"""A shared battery in a report."""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd

from cosim.mechanisms.community_storage.indicators import (
    StorageIndicators,
    storage_costs,
    storage_indicators,
)
from cosim.mechanisms.community_storage.settings import CommunityStorageSettings
from cosim.plugins.reported import Reported
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
from cosim.report.dues import debt_tile, debts_left
from cosim.report.panel import ReportPart, Tile
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH

DEFINITION = (
    "Shared battery",
    "Charged and discharged: what members nominated and the ledger took. Loss: what the battery "
    "drew beyond that. Without it: self-consumption of all other connection points, with "
    "generation, consumption and flexibility as they were with the battery.",
)


MEMBERS = "members of the shared battery"
"""Creditor of its owner, who owes all shares alike."""


class StorageReported(Reported[CommunityStorageSettings]):
    """Shared battery of a run."""

    indicators_type: ClassVar = StorageIndicators

    def indicators(self, results: Results) -> StorageIndicators:
        """Return energy, losses and bills."""
        return storage_indicators(results, self.settings.name)

    def costs(self, results: Results) -> pd.DataFrame:
        """Return bills, fees and allocated energy."""
        return storage_costs(results, self.settings.name)

    def efficiencies(self) -> dict[str, tuple[float, float]]:
        """Return those of the shared battery."""
        own = self.settings
        return {own.name: (own.charge_permille / 1_000, own.discharge_permille / 1_000)}

    def report(self, results: Results) -> ReportPart:
        """Return its tile, chart and definition."""
        i = self.indicators(results)
        tile = Tile(
            "Discharged from the shared battery",
            f"{number(i.storage_charged_kwh, 'kWh')} charged, "
            f"{number(i.storage_loss_kwh, 'kWh', 2)} lost and "
            f"{number(i.storage_billed_eur, 'EUR', 2)} billed for it; without the battery "
            f"self-consumption {percent(i.self_consumption_without_storage)}, "
            f"self-sufficiency {percent(i.self_sufficiency_without_storage)}",
            number(i.storage_discharged_kwh, "kWh"),
        )
        chart = storage_chart(results, self.settings.name)
        tiles = (tile, *debt_tile("Debts for the shared battery", i.storage_debts_eur))
        return ReportPart("storage", "Shared battery", (), tiles, (chart,), (DEFINITION,))

    def dues(self, results: Results) -> pd.DataFrame:
        """Return what members owe the battery's owner, or it owes them together."""
        rows = debts_left(results, "storage_debts", self.settings.name)
        is_owner = rows["debtor"] == self.settings.name
        return rows.assign(creditor=rows["creditor"].mask(is_owner, MEMBERS))


def storage_chart(results: Results, battery: str) -> Chart:
    """Draw what members charged and discharged, what is stored, and what was lost."""
    rows = results.frame("storage")
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
