"""Network charges in a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pandas as pd
import plotly.graph_objects as go

from cosim.plugins.reported import Reported
from cosim.report.chart_style import AMBER, Chart, TimeAxis, styled
from cosim.report.indicator import IndicatorSet, Meaning, Rows
from cosim.report.panel import ReportPart, Tile
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.units import UEUR_PER_EUR, eur_from_ueur
from cosim_example.network_charges.settings import NetworkChargeSettings


@dataclass(frozen=True)
class NetworkChargeIndicators(IndicatorSet):
    """Indicators of network charges."""

    network_charges_eur: Annotated[float, Meaning("EUR", "charged for energy drawn from the grid")]
    network_charges_owed_eur: Annotated[float, Meaning("EUR", "of which still owed at the end")]

    def rows(self) -> Rows:
        """Return what the terminal's summary shows of them."""
        return [
            (
                "Network charges (still owed)",
                f"{number(self.network_charges_eur, '', 2)} "
                f"({number(self.network_charges_owed_eur, '', 2)})\u00a0EUR",
            )
        ]


class NetworkChargesReported(Reported[NetworkChargeSettings]):
    """Network charges of a run."""

    indicators_type: ClassVar = NetworkChargeIndicators

    def indicators(self, results: Results) -> NetworkChargeIndicators:
        """Return the sums."""
        rows = results.frame("network_charges", ("charged_ueur", "paid_ueur"))
        charged, paid = int(rows["charged_ueur"].sum()), int(rows["paid_ueur"].sum())
        return NetworkChargeIndicators(eur_from_ueur(charged), eur_from_ueur(charged - paid))

    def costs(self, results: Results) -> pd.DataFrame:
        """Return what members were charged: it counts when it arises, paid or not."""
        rows = results.frame("network_charges", ("interval", "prosumer", "charged_ueur"))
        rows = rows.assign(received_ueur=-rows["charged_ueur"], fees_ueur=0, allocated_wh=0)
        return rows.drop(columns="charged_ueur")

    def report(self, results: Results) -> ReportPart:
        """Return its tile and chart."""
        i = self.indicators(results)
        note = f"{number(i.network_charges_owed_eur, 'EUR', 2)} of it still owed"
        tile = Tile("Network charges", note, number(i.network_charges_eur, "EUR", 2))
        return ReportPart(
            "network_charges", "Network charges", tiles=(tile,), figures=(_chart(results),)
        )


def _chart(results: Results) -> Chart:
    rows = results.frame("network_charges", ("interval", "charged_ueur"))
    sums = rows.groupby("interval")["charged_ueur"].sum()
    eur = sums.reindex(range(results.n_intervals), fill_value=0) / UEUR_PER_EUR
    figure = go.Figure()
    figure.add_trace(TimeAxis(results).bars(eur.to_numpy(), "charged [EUR]", AMBER))
    return Chart(
        "network_charges",
        "Network charges",
        "Charged to all members for what their meters show as drawn from the grid.",
        styled(figure, ["per interval [EUR]"]),
        wide=True,
    )
