"""A supply contract in a report: its bills, and its gas as published and in the run."""

from __future__ import annotations

from cosim.mechanisms.supply_contract.indicators import supply_indicators
from cosim.report.panel import ReportPart, Tile
from cosim.report.text import number, percent
from cosim.results.reader import Results


def supply_part(results: Results) -> ReportPart:
    """Return the supply contract's part of a report; its tables of gas come from the mechanism."""
    i = supply_indicators(results)
    tile = Tile(
        "Billed by supply contract",
        f"{number(i.supply_billed_kwh, 'kWh')}, {percent(i.supply_estimated_share)} of it "
        f"estimated for silent meters; {number(i.supply_above_deposit_eur, 'EUR', 2)} were "
        "above deposits and became debt",
        number(i.supply_bill_eur, "EUR", 2),
    )
    return ReportPart(key="supply", title="Supply contract", tiles=(tile,))
