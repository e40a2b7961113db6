"""Table of the flexibility market: offers to the DSO's requests."""

from __future__ import annotations

from cosim.results.columns import PROSUMER, Table, integer, interval, price, text, ueur, wh

TABLES = (
    Table(
        "flexibility",
        "one prosumer's offer to one request of the DSO",
        (
            interval(),
            integer("request", "-", "number of the request on the ledger, from 1"),
            PROSUMER,
            text("direction", "up: net injection raised, down: lowered"),
            wh("offered_wh", "energy offered"),
            wh("awarded_wh", "energy awarded"),
            wh("delivered_wh", "awarded energy that was delivered against the baseline"),
            price("price_ueur_per_kwh", "price asked"),
            ueur("paid_ueur", "paid by the DSO to the prosumer"),
            ueur("penalty_ueur", "paid by the prosumer to the DSO for what was not delivered"),
            wh("baseline_wh", "net injection that delivery is measured against", optional=True),
        ),
    ),
)
