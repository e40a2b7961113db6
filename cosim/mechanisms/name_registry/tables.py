"""Table of the name registry: changes of names."""

from __future__ import annotations

from cosim.results.columns import PROSUMER, Table, interval, text, ueur

TABLES = (
    Table(
        "names",
        "one change of a name in the name registry; the last one of a name says whose it is",
        (
            interval("delivery interval after which it changed, from 0; -1 for the set-up phase"),
            PROSUMER,
            text("name", "that connection point's name in the registry"),
            text("action", "committed, registered, offered, accepted or updated"),
            text(
                "owner",
                "address of its owner from then on; of a commitment, who made it",
            ),
            text("account", "address that it stands for from then on, or shall stand for"),
            ueur(
                "registry_fee_ueur",
                "fee of the registry, the contract's own, paid for it, positive",
            ),
            ueur("fees_ueur", "transaction fees of the ledger paid for it, positive"),
        ),
    ),
)
