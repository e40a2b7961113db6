"""Tables of a supply contract: each consumer's billing periods, and debts."""

from __future__ import annotations

from cosim.mechanisms.debt_rows import debts_table
from cosim.results.columns import PROSUMER, Table, flag, integer, interval, price, text, ueur, wh

SUBSCRIBED, LEFT, ENDED = "subscribed", "left", "ended"
"""Changes of a subscription: it begins; its customer ends it; the supplier does."""

TABLES = (
    Table(
        "supply",
        "one consumer's billing period by the supply contract, once it is finalised",
        (
            interval("delivery interval after which it was finalised, from 0"),
            integer("period", "-", "billing period, from 0"),
            PROSUMER,
            wh("metered_wh", "drawn from the grid, consumption positive; feed-in counts nothing"),
            wh("declared_wh", "declared by its meter; missing when it stayed silent", True),
            flag("estimated", "billed by the agreed estimate"),
            wh("billed_wh", "what was billed: declared, or estimated"),
            price("price_ueur_per_kwh", "price of the period"),
            ueur("bill_ueur", "the bill, positive"),
            ueur("paid_ueur", "of which the deposit paid; the rest is a debt"),
            ueur("topped_up_ueur", "paid in after the bill: repays the debt, then is deposit"),
            ueur("refund_ueur", "withdrawn after the last bill, positive"),
            ueur("deposit_ueur", "left as the deposit of the next period"),
            ueur("debt_ueur", "owed to the supplier after all this, positive"),
            ueur("fees_ueur", "transaction fees paid since the period before, positive"),
        ),
    ),
    Table(
        "supply_subscriptions",
        "one change of a consumer's subscription with the supply contract",
        (
            interval("delivery interval after which it changed, from 0; -1 for the set-up phase"),
            PROSUMER,
            text("action", "subscribed, left (by the customer) or ended (by the supplier)"),
            integer("next_period", "-", "first period that was not billed by then"),
            integer("end_period", "-", "period after the last; missing when it is rolling", True),
            ueur("deposit_ueur", "its deposit by then"),
        ),
    ),
    debts_table(
        "supply_debts",
        "a consumer whose debt from bills above its deposit changed",
        "owed to the supplier after the interval was settled",
    ),
)
