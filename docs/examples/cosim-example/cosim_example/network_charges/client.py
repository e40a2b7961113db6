"""Client of ``NetworkCharges.vy``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from cosim.chain.functions import Transaction, View
from cosim.mechanisms.escrow_client import EscrowClient

SOURCES = Path(__file__).parents[1] / "contracts"

MAX_BATCH = 128


class NetworkCharges(EscrowClient):
    """The network charges. Energy in Wh, money in µEUR, accounts as 20 bytes."""

    contract: ClassVar[str] = "NetworkCharges"
    sources: ClassVar[Path | None] = SOURCES

    deposit = Transaction(110_000)
    withdraw = Transaction(100_000)
    announce = Transaction(80_000)
    """Set the charge of an interval, once. Sent by the DSO."""
    charge = Transaction(lambda n_accounts: 60_000 + 90_000 * n_accounts)
    """Charge accounts, at most 128 at once, for what they drew in a metered interval."""

    debt_of = View(int)
    """Debt of an account to the DSO. [µEUR]"""
