"""Tables of a shared battery: its members' accounts, and debts."""

from __future__ import annotations

from cosim.mechanisms.debt_rows import debts_table
from cosim.results.columns import PROSUMER, Table, flag, integer, interval, text, ueur, wh

TABLES = (
    Table(
        "storage",
        "one member's account of the shared battery in one interval, and the battery itself",
        (
            interval(),
            PROSUMER,
            integer("shares", "-", "shares that it has; the battery's account: unsold ones"),
            wh("nominated_wh", "sent to the ledger, charging positive; the battery: all taken"),
            flag("accepted", "whether the ledger took it; true without one"),
            text("reason", "revert text of a nomination that was not taken", optional=True),
            wh(
                "allocated_wh",
                "added to the meter's reading for the local market; over all rows it adds up to 0",
            ),
            wh("account_wh", "stored after the interval; the battery: sum of the accounts"),
            wh(
                "loss_wh",
                "what the battery drew beyond the nominations, on its own row; missing when its "
                "meter reported too late",
                optional=True,
            ),
            ueur("billed_ueur", "billed for losses and settled now, positive"),
            ueur("credited_ueur", "received because less was drawn than nominated"),
            ueur("debt_ueur", "billed and not yet paid, after the interval"),
            ueur("fees_ueur", "transaction fees paid for all this, positive"),
        ),
    ),
    debts_table(
        "storage_debts",
        "a member, or the battery for its owner, whose debt from losses or credits changed",
        "after the interval was settled, owed to the owner for losses; on the battery's row by "
        "the owner to the members, for what was drawn less than nominated",
    ),
)
