"""Tables of the local market: orders, trades and debts."""

from __future__ import annotations

from cosim.results.columns import (
    AREA,
    PROSUMER,
    Table,
    integer,
    interval,
    number,
    price,
    text,
    ueur,
    wh,
)

TABLES = (
    Table(
        "orders",
        "an order that a prosumer sent to the local market",
        (
            interval(),
            PROSUMER,
            text("side", "buy or sell"),
            wh("energy_wh", "energy asked or offered, positive"),
            price("price_ueur_per_kwh", "limit price"),
            number("sent_at_s", "s", "Unix time at which it left the prosumer"),
            integer("block", "-", "block that includes it; missing if none does", optional=True),
            text("status", "cleared, partial, unmatched, late, rejected or unrevealed"),
            wh("filled_wh", "energy cleared"),
            price("clearing_price_ueur_per_kwh", "price it was filled at", optional=True),
            text("reason", "revert text of an order that was late, rejected or not revealed", True),
        ),
        further=(AREA,),
    ),
    Table(
        "trades",
        "energy that one prosumer sold to another",
        (
            interval(),
            text("buyer", "name of the buying connection point"),
            text("seller", "name of the selling connection point"),
            wh("energy_wh", "energy traded"),
            price("price_ueur_per_kwh", "price that the buyer pays"),
            ueur("amount_ueur", "what the buyer pays for it"),
            price("sell_price_ueur_per_kwh", "price that the seller earns"),
            ueur("earned_ueur", "what the seller earns for it; the supplier keeps the rest"),
        ),
        further=(AREA,),
    ),
    Table(
        "bilateral_trades",
        "a pair of a trading graph that trades (docs/bilateral.md); none under other clearings",
        (
            interval(),
            text("seller", "name of the selling connection point"),
            text("buyer", "name of the buying connection point"),
            wh("energy_wh", "energy traded"),
            price("price_ueur_per_kwh", "price of the pair, which the seller earns"),
            price("fee_ueur_per_kwh", "fee of the edge, which the buyer pays on top"),
            price("penalty_ueur_per_kwh", "preference of the buyer against the edge; not paid"),
            price("gain_ueur_per_kwh", "limit of the bid less limit of the ask, fee and penalty"),
        ),
    ),
    Table(
        "debts",
        "one account whose debt or claim changed up to the end of an interval's settlement",
        (
            interval("delivery interval that was settled, from 0"),
            text("account", "name of the connection point, or of the role"),
            ueur("debt_ueur", "what the account owes the supplier and could not pay"),
            ueur("claim_ueur", "what the supplier owes the account and could not pay"),
        ),
        further=(AREA,),
    ),
)
