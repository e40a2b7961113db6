"""Client of ``CommunityStorage.vy``: shares of one battery, nominations and losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cosim.chain.chain import Chain
from cosim.evm.abi import pack, pack_mixed
from cosim.mechanisms.escrow_client import EscrowClient

# gas limits: what the methods use at most (docs/contracts/), and room for other states
DEPOSIT_GAS = 160_000
WITHDRAW_GAS = 180_000
BUY_GAS = 220_000
OFFER_GAS = 80_000
ACCEPT_GAS = 230_000
NOMINATE_GAS = 130_000
REPORT_GAS = 180_000
SETTLE_GAS = 80_000
SETTLE_GAS_PER_ACCOUNT = 75_000

MAX_BATCH = 256


def settle_gas(n_accounts: int) -> int:
    """Gas limit that settling so many accounts needs."""
    return SETTLE_GAS + SETTLE_GAS_PER_ACCOUNT * n_accounts


@dataclass(frozen=True, slots=True)
class AccountState:
    """Shares, stored energy [Wh], and the first interval that may be nominated next."""

    shares: int
    energy_wh: int
    next_interval: int


@dataclass(frozen=True, slots=True)
class NominatedState:
    """Sum of an interval's nominations: at the connection point, and in the accounts. [Wh]"""

    charged_wh: int
    discharged_wh: int
    credited_wh: int
    debited_wh: int


@dataclass(frozen=True, slots=True)
class StorageReading:
    """The battery's net injection and loss in an interval. [Wh]"""

    known: bool
    net_wh: int
    loss_wh: int


class CommunityStorage(EscrowClient):
    """The community storage. Energy in Wh, money in µEUR, accounts as 20 bytes.

    Functions that change state take the time of sending as Unix time, or send right after the
    latest block, and return a handle.
    """

    contract: ClassVar[str] = "CommunityStorage"
    deposit_gas: ClassVar[int] = DEPOSIT_GAS
    withdraw_gas: ClassVar[int] = WITHDRAW_GAS

    @classmethod
    def deploy(
        cls,
        chain: Chain,
        sender: bytes,
        *,
        token: bytes,
        local_market: bytes,
        meters: bytes,
        owner: bytes,
        meter: bytes,
        total_shares: int,
        share_price_ueur: int,
        capacity_wh: int,
        power_wh: int,
        charge_permille: int,
        discharge_permille: int,
        loss_limit_wh: int,
        retail_price_ueur_per_kwh: int,
        feed_in_price_ueur_per_kwh: int,
        order_lead_s: int,
        gate_closure_s: int,
    ) -> Self:
        """Deploy in the next block; the owner starts with all shares."""
        return cls._deployed(
            chain,
            sender,
            token,
            local_market,
            meters,
            owner,
            meter,
            total_shares,
            share_price_ueur,
            capacity_wh,
            power_wh,
            charge_permille,
            discharge_permille,
            loss_limit_wh,
            retail_price_ueur_per_kwh,
            feed_in_price_ueur_per_kwh,
            order_lead_s,
            gate_closure_s,
        )

    def buy_shares(self, sender: bytes, shares: int, sent_at_s: float | None = None) -> int:
        """Buy shares that the owner still has."""
        return self._send(sender, self.calldata("buyShares", shares), sent_at_s, BUY_GAS)

    def offer_shares(
        self, sender: bytes, to: bytes, shares: int, price_ueur: int, sent_at_s: float | None = None
    ) -> int:
        """Offer shares to an account, for a price in all."""
        data = self.calldata("offerShares", to, shares, price_ueur)
        return self._send(sender, data, sent_at_s, OFFER_GAS)

    def accept_shares(
        self,
        sender: bytes,
        account: bytes,
        shares: int,
        price_ueur: int,
        sent_at_s: float | None = None,
    ) -> int:
        """Take the shares that an account offered to the sender, and pay for them."""
        data = self.calldata("acceptShares", account, shares, price_ueur)
        return self._send(sender, data, sent_at_s, ACCEPT_GAS)

    def nominate(
        self, sender: bytes, interval: int, energy_wh: int, sent_at_s: float | None = None
    ) -> int:
        """Charge (positive) or discharge the sender's account in an interval."""
        data = self._selectors["nominate"] + pack(interval, energy_wh)
        return self._send(sender, data, sent_at_s, NOMINATE_GAS, interval)

    def report_storage(
        self, meter: bytes, interval: int, net_wh: int, sent_at_s: float | None = None
    ) -> int:
        """Report the battery's net injection. Sent by its meter."""
        data = self._selectors["reportStorage"] + pack(interval, net_wh)
        return self._send(meter, data, sent_at_s, REPORT_GAS, interval)

    def settle(
        self,
        sender: bytes,
        accounts: Sequence[bytes],
        sent_at_s: float | None = None,
        *,
        interval: int = -1,
    ) -> int:
        """Collect what accounts were billed, pay what they were credited; at most 256 at once."""
        data = self._selectors["settle"] + pack_mixed(accounts)
        return self._send(sender, data, sent_at_s, settle_gas(len(accounts)), interval)

    def debt_of(self, account: bytes) -> int:
        """What an account owes the owner. [µEUR]"""
        return int(self._view("debtOf", account)[0])

    def accrued_of(self, account: bytes) -> tuple[int, int]:
        """What was billed and credited to an account and is not settled yet. [µEUR]"""
        billed, credited = self._view("accruedOf", account)
        return int(billed), int(credited)

    def owner_owes(self) -> int:
        """What the owner owes the members. [µEUR]"""
        return int(self._view("ownerOwes")[0])

    def set_aside(self) -> int:
        """What the owner paid to the members and is not yet settled. [µEUR]"""
        return int(self._view("setAside")[0])

    def per_share(self) -> tuple[int, int]:
        """What one share was billed and credited since deployment. [µEUR]"""
        billed, credited = self._view("perShare")
        return int(billed), int(credited)

    def account_of(self, account: bytes) -> AccountState:
        """Shares and energy of an account."""
        return AccountState(*self._view("accountOf", account))

    def limits_of(self, account: bytes) -> tuple[int, int]:
        """Most energy that an account can hold, and nominate in one interval. [Wh]"""
        capacity, power = self._view("limitsOf", account)
        return int(capacity), int(power)

    def offer_of(self, account: bytes, to: bytes) -> tuple[int, int]:
        """Shares that an account offers to another, and their price. [1], [µEUR]"""
        shares, price = self._view("offerOf", account, to)
        return int(shares), int(price)

    def nomination_of(self, interval: int, account: bytes) -> int:
        """What an account charges (positive) or discharges. [Wh]"""
        return int(self._view("nominationOf", interval, account)[0])

    def nominated_of(self, interval: int) -> NominatedState:
        """Sum of an interval's nominations."""
        return NominatedState(*self._view("nominatedOf", interval))

    def reading_of(self, interval: int) -> StorageReading:
        """What the battery's meter reported for an interval."""
        return StorageReading(*self._view("readingOf", interval))
