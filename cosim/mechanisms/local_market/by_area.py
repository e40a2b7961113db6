"""Energy and prices of several local markets, area by area."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cosim.mechanisms.local_market.areas import SUPPLIED
from cosim.report.stretches import first_of, rows_of_all
from cosim.results.columns import AREA
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, eur_from_ueur

_AREA = AREA.name


def area_sums(results: Results) -> dict[str, Any]:
    """Return energy traded and mean price by area, as indicators; null of one local market."""
    traded_kwh: dict[str, float] | None = None
    prices: dict[str, float | None] | None = None
    if _AREA in first_of(results).frame("settlement"):
        rows = rows_of_all(results, _sums)
        rows = rows[rows[_AREA] != SUPPLIED].astype({_AREA: str})
        sums = rows.groupby(_AREA)[["energy_wh", "worth"]].sum().sort_index()
        traded_kwh, prices = {}, {}
        pairs = zip(sums["energy_wh"].tolist(), sums["worth"].tolist(), strict=True)
        for area, (energy_wh, worth) in zip(sums.index, pairs, strict=True):
            traded_kwh[str(area)] = energy_wh / WH_PER_KWH
            prices[str(area)] = eur_from_ueur(worth / energy_wh) if energy_wh else None
    return {"traded_by_area_kwh": traded_kwh, "mean_price_by_area_eur_per_kwh": prices}


def _sums(part: Results) -> pd.DataFrame:
    """Energy traded, and energy times price, by area; zeros where nothing is. [Wh, µEUR/1000]"""
    trades = part.frame("trades", (_AREA, "energy_wh", "price_ueur_per_kwh"))
    worth = trades["energy_wh"] * trades["price_ueur_per_kwh"]
    rows = trades[[_AREA, "energy_wh"]].assign(worth=worth).astype({_AREA: str})
    members = part.frame("settlement", (_AREA,)).drop_duplicates().astype({_AREA: str})
    both = pd.concat([rows, members.assign(energy_wh=0, worth=0)])
    return both.groupby(_AREA, as_index=False).sum()
