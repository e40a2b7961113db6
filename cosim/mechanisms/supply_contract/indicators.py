"""Energy and money of a supply contract's bills in a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cosim.report.dues import debts_left_ueur
from cosim.report.indicator import IndicatorSet, Meaning, Rows, ratio
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, eur_from_ueur


@dataclass(frozen=True)
class SupplyIndicators(IndicatorSet):
    """Indicators of a supply contract."""

    supply_billed_kwh: Annotated[float, Meaning("kWh", "of all bills")]
    supply_bill_eur: Annotated[float, Meaning("EUR", "of all bills")]
    supply_above_deposit_eur: Annotated[
        float, Meaning("EUR", "of the bills, what deposits could not pay and became debt")
    ]
    supply_debts_eur: Annotated[
        float, Meaning("EUR", "of that, owed to the supplier at the end of the run")
    ]
    supply_estimated_share: Annotated[
        float | None, Meaning("-", "of the billed energy, for meters that stayed silent")
    ]

    def rows(self) -> Rows:
        """Return what the terminal's summary shows of them."""
        return [
            (
                "Billed by supply contract",
                f"{number(self.supply_billed_kwh, 'kWh')}, "
                f"{number(self.supply_bill_eur, 'EUR', 2)}",
            ),
            ("… above deposits, became debt", number(self.supply_above_deposit_eur, "EUR", 2)),
            ("… of that owed at the end", number(self.supply_debts_eur, "EUR", 2)),
            ("… estimated for silent meters", percent(self.supply_estimated_share)),
        ]

    def warnings(self) -> Sequence[str]:
        """Return a sentence on debts that are left."""
        if not self.supply_debts_eur:
            return ()
        owed = number(self.supply_debts_eur, "EUR", 2)
        return (f"debts from bills of the supply contract are left at the end of the run: {owed}",)


def supply_indicators(results: Results) -> SupplyIndicators:
    """Return the indicators of the supply contract of a run."""
    rows = results.frame("supply", ("interval", "estimated", "billed_wh", "bill_ueur", "paid_ueur"))
    billed_wh, bill_ueur = int(rows["billed_wh"].sum()), int(rows["bill_ueur"].sum())
    return SupplyIndicators(
        supply_billed_kwh=billed_wh / WH_PER_KWH,
        supply_bill_eur=eur_from_ueur(bill_ueur),
        supply_above_deposit_eur=eur_from_ueur(bill_ueur - int(rows["paid_ueur"].sum())),
        supply_debts_eur=eur_from_ueur(debts_left_ueur(results, "supply_debts")),
        supply_estimated_share=ratio(
            int(rows.loc[rows["estimated"], "billed_wh"].sum()), billed_wh
        ),
    )
