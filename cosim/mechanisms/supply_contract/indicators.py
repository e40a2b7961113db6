"""What consumers bought by a supply contract in a run."""

from __future__ import annotations

from typing import Any

from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, eur_from_ueur

SUPPLY_INDICATORS = (
    "supply_billed_kwh",
    "supply_bill_eur",
    "supply_above_deposit_eur",
    "supply_estimated_share",
)


def supply_indicators(results: Results) -> dict[str, Any]:
    """Energy and money of all bills, what deposits could not pay, and how much was estimated.

    Returns
    -------
    dict of str to float or None
        None without a supply contract, and the share without energy to divide by.
        [kWh, EUR, EUR, -]
    """
    columns = ("interval", "estimated", "billed_wh", "bill_ueur", "paid_ueur")
    rows = results.frame("supply", columns)
    if rows.empty:
        return dict.fromkeys(SUPPLY_INDICATORS)
    billed_wh = int(rows["billed_wh"].sum())
    bill_ueur, paid_ueur = int(rows["bill_ueur"].sum()), int(rows["paid_ueur"].sum())
    estimated_wh = int(rows.loc[rows["estimated"], "billed_wh"].sum())
    return {
        "supply_billed_kwh": billed_wh / WH_PER_KWH,
        "supply_bill_eur": eur_from_ueur(bill_ueur),
        "supply_above_deposit_eur": eur_from_ueur(bill_ueur - paid_ueur),
        "supply_estimated_share": estimated_wh / billed_wh if billed_wh else None,
    }
