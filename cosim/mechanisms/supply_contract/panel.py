"""A supply contract in a report: its bills, and its gas as published and in the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from cosim.mechanisms.supply_contract.billing import contract_bills
from cosim.mechanisms.supply_contract.gas_comparison import gas_figure
from cosim.mechanisms.supply_contract.indicators import SupplyIndicators, supply_indicators
from cosim.mechanisms.supply_contract.settings import SupplyContractSettings
from cosim.mechanisms.supply_contract.statement import statement_figure
from cosim.plugins.reported import Reported
from cosim.report.dues import SUPPLIER, debt_tile, debts_left
from cosim.report.panel import ReportPart, TableFigure, Tile
from cosim.report.text import number, percent
from cosim.results.reader import Results

if TYPE_CHECKING:
    import pandas as pd


class SupplyReported(Reported[SupplyContractSettings]):
    """Supply contract of a run."""

    indicators_type: ClassVar = SupplyIndicators

    def indicators(self, results: Results) -> SupplyIndicators:
        """Return energy and money of the bills."""
        return supply_indicators(results)

    def report(self, results: Results) -> ReportPart:
        """Return its tile."""
        i = self.indicators(results)
        tile = Tile(
            "Billed by supply contract",
            f"{number(i.supply_billed_kwh, 'kWh')}, {percent(i.supply_estimated_share)} of it "
            f"estimated for silent meters; {number(i.supply_above_deposit_eur, 'EUR', 2)} were "
            "above deposits and became debt",
            number(i.supply_bill_eur, "EUR", 2),
        )
        tiles = (tile, *debt_tile("Debts of the supply contract", i.supply_debts_eur))
        return ReportPart("supply", "Supply contract", tiles=tiles)

    def supplied(self, results: Results) -> pd.DataFrame:
        """Return the intervals in which consumers had the contract, and its bills."""
        return contract_bills(results, self.settings.billing_intervals)

    def dues(self, results: Results) -> pd.DataFrame:
        """Return what consumers owe the supplier."""
        return debts_left(results, "supply_debts", SUPPLIER)

    def text_tables(self, results: Results) -> Sequence[TableFigure]:
        """Return customers; gas as published and in the run, from the first bill on."""
        figures = []
        if not results.frame("supply_subscriptions").empty:
            figures.append(statement_figure(results, self.settings.billing_intervals))
        if not results.frame("supply").empty:
            figures.append(gas_figure(results))
        return figures
