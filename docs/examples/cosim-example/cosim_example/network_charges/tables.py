"""Table ``network_charges``."""

from __future__ import annotations

from cosim.results.columns import PROSUMER, Table, interval, price, ueur, wh

NETWORK_CHARGES = Table(
    "network_charges",
    "what one member was charged for the grid in one interval",
    (
        interval(),
        PROSUMER,
        wh("drawn_wh", "energy drawn from the grid, positive"),
        price("charge_ueur_per_kwh", "charge announced for the interval"),
        ueur("charged_ueur", "charged for it, positive"),
        ueur("paid_ueur", "paid now, older debts among it"),
        ueur("debt_ueur", "still owed to the DSO after it"),
    ),
)
