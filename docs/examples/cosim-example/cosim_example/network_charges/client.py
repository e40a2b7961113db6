"""Client of ``NetworkCharges.vy``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from cosim.mechanisms.escrow_client import EscrowClient

SOURCES = Path(__file__).parents[1] / "contracts"

ANNOUNCE_GAS = 80_000
CHARGE_GAS = 60_000
CHARGE_GAS_PER_ACCOUNT = 90_000
MAX_BATCH = 128


class NetworkCharges(EscrowClient):
    """The network charges. Energy in Wh, money in µEUR, accounts as 20 bytes."""

    contract: ClassVar[str] = "NetworkCharges"
    sources: ClassVar[Path | None] = SOURCES

    def charge(self, sender: bytes, interval: int, accounts: list[bytes]) -> int:
        """Charge accounts for a metered interval, at most 128 at once; return the handle."""
        gas = CHARGE_GAS + CHARGE_GAS_PER_ACCOUNT * len(accounts)
        return self.send(sender, "charge", interval, accounts, gas=gas)
