"""Client of ``CommunityStorage.vy``: shares of one battery, nominations and losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cosim.chain.functions import Transaction, View, pair
from cosim.evm.abi import pack
from cosim.mechanisms.community_storage.accounts import StorageAccount
from cosim.mechanisms.community_storage.model import Nominated
from cosim.mechanisms.escrow_client import EscrowClient

MAX_BATCH = 256
_NOMINATE_GAS = 130_000


# gas limits: what the methods use at most (docs/contracts/), and space for other states
def settle_gas(n_accounts: int) -> int:
    """Gas limit that settling so many accounts needs."""
    return 80_000 + 75_000 * n_accounts


@dataclass(frozen=True, slots=True)
class StorageReading:
    """The battery's net injection and loss in an interval. [Wh]"""

    known: bool
    net_wh: int
    loss_wh: int


class CommunityStorage(EscrowClient):
    """The community storage. Energy in Wh, money in µEUR, accounts as 20 bytes."""

    contract: ClassVar[str] = "CommunityStorage"

    deposit = Transaction(160_000)
    withdraw = Transaction(180_000)
    buy_shares = Transaction(220_000)
    """Buy shares that the owner still has."""
    offer_shares = Transaction(80_000)
    """Offer shares to an account, for a price in all."""
    accept_shares = Transaction(230_000)
    """Take the shares that an account offered to the sender, and pay for them."""
    report_storage = Transaction(180_000)
    """Report the battery's net injection in an interval. Sent by its meter."""
    settle = Transaction(settle_gas)
    """Collect what accounts were billed, pay what they were credited; at most 256 at once."""

    debt_of = View(int)
    """Debt of an account to the owner. [µEUR]"""
    owner_owes = View(int)
    """Debt of the owner to the members. [µEUR]"""
    accrued_of = View(pair)
    """Bills and credits of an account that are not settled yet. [µEUR]"""
    account_of = View(StorageAccount)
    """Shares and energy of an account."""
    nominated_of = View(Nominated)
    """Sum of an interval's nominations."""
    reading_of = View(StorageReading)
    """Reading of the battery's meter in an interval."""

    def nominate(
        self, sender: bytes, interval: int, energy_wh: int, sent_at_s: float | None = None
    ) -> int:
        """Charge (positive) or discharge the sender's account in an interval."""
        data = self._selectors["nominate"] + pack(interval, energy_wh)
        return self.submit(sender, data, sent_at_s, _NOMINATE_GAS, interval)
