"""Rows of ``bilateral_trades``."""

from __future__ import annotations

from cosim.mechanisms.local_market.bilateral.matching import Matching, Pair
from cosim.mechanisms.local_market.clearing import Clearing
from cosim.messages import Columns

_NAMES = (
    "seller",
    "buyer",
    "energy_wh",
    "price_ueur_per_kwh",
    "fee_ueur_per_kwh",
    "penalty_ueur_per_kwh",
    "gain_ueur_per_kwh",
)


def pair_row(pair: Pair) -> dict[str, str | int]:
    """Return a pair as the table has it."""
    amounts = (pair.price_ueur_per_kwh, *pair.terms, pair.gain_ueur_per_kwh)
    values = (pair.seller, pair.buyer, pair.energy_wh, *amounts)
    return dict(zip(_NAMES, values, strict=True))


def pairs_columns(interval: int, clearing: Clearing | None) -> dict[str, Columns]:
    """Return the rows of an interval by their table; none where pairs did not clear it."""
    if not isinstance(clearing, Matching):
        return {}
    rows = [pair_row(pair) for pair in clearing.pairs]
    columns = {name: [row[name] for row in rows] for name in _NAMES}
    return {"bilateral_trades": {"interval": interval, **columns}}
