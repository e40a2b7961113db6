"""Table of certificates: each prosumer's delivery hours."""

from __future__ import annotations

from cosim.results.columns import PROSUMER, Table, integer, interval, price, ueur, wh

TABLES = (
    Table(
        "certificates",
        "one prosumer's certificates of one delivery hour, once the hour or the run is over",
        (
            interval("last delivery interval of the hour, from 0"),
            integer("hour", "-", "clock hour of delivery, Unix time / 3600, as on the ledger"),
            PROSUMER,
            wh("issued_wh", "PV generation that its meter recorded, before own consumption"),
            wh("consumed_wh", "load, EV and heat pumps that its meter recorded, gross"),
            wh("offered_wh", "certificates that it offered"),
            wh("sold_wh", "of which sold; the rest went back"),
            wh("bought_wh", "certificates bought"),
            wh("retired_wh", "certificates retired for its consumption of the hour"),
            wh("held_wh", "left over: issued + bought - sold - retired"),
            price("limit_ueur_per_kwh", "most that it pays; missing if it buys none", True),
            ueur("earned_ueur", "received for what was sold, positive"),
            ueur("paid_ueur", "paid for what was bought, positive"),
            ueur("fees_ueur", "transaction fees paid for all this, positive"),
        ),
    ),
)
