"""Client of ``LocalMarket.vy``: the community's double auction and its settlement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from cosim.ledger.abi import pack
from cosim.ledger.chain import Chain
from cosim.ledger.clients.base import ContractClient

# gas limits: what the methods use at most (docs/ledger.md), and room for other states
DEPOSIT_GAS = 170_000
WITHDRAW_GAS = 120_000
COLLECT_CLAIM_GAS = 120_000
JOIN_GAS = 80_000
ORDER_GAS = 125_000
REPORT_GAS = 180_000
CLEAR_GAS = 120_000
CLEAR_GAS_PER_ORDER = 13_000

MAX_ORDERS = 512


def clear_gas(n_orders: int) -> int:
    """Gas limit that clearing so many orders needs."""
    return CLEAR_GAS + CLEAR_GAS_PER_ORDER * n_orders


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order on the ledger; ``energy_wh`` 0 means that there is none."""

    is_sell: bool
    price_ueur_per_kwh: int
    energy_wh: int
    filled_wh: int


@dataclass(frozen=True, slots=True)
class ClearingState:
    """Outcome of an interval's clearing; price and volume 0 when nothing crossed."""

    cleared: bool
    price_ueur_per_kwh: int
    volume_wh: int
    n_orders: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Metered net injection of an interval; ``estimated`` when the meter stayed silent."""

    known: bool
    estimated: bool
    net_wh: int


class LocalMarket(ContractClient):
    """The local market. Energy in Wh, money in µEUR, prices in µEUR/kWh, accounts as 20 bytes.

    Functions that change state take the time of sending as Unix time, or send right after the
    latest block, and return a handle.
    """

    contract: ClassVar[str] = "LocalMarket"

    @classmethod
    def deploy(
        cls,
        chain: Chain,
        sender: bytes,
        *,
        token: bytes,
        meters: bytes,
        supplier: bytes,
        retail_price_ueur_per_kwh: int,
        feed_in_price_ueur_per_kwh: int,
        first_delivery_s: int,
        step_s: int,
        order_lead_s: int,
        gate_closure_s: int,
        metering_s: int,
        silent_estimate_wh: int,
    ) -> Self:
        """Deploy in the next block."""
        return cls._deployed(
            chain,
            sender,
            token,
            meters,
            supplier,
            retail_price_ueur_per_kwh,
            feed_in_price_ueur_per_kwh,
            first_delivery_s,
            step_s,
            order_lead_s,
            gate_closure_s,
            metering_s,
            silent_estimate_wh,
        )

    def deposit(self, sender: bytes, amount_ueur: int, sent_at_s: float | None = None) -> int:
        """Move approved tokens into the market."""
        return self._send(sender, self.calldata("deposit", amount_ueur), sent_at_s, DEPOSIT_GAS)

    def withdraw(self, sender: bytes, amount_ueur: int, sent_at_s: float | None = None) -> int:
        """Move tokens of the free balance out of the market."""
        return self._send(sender, self.calldata("withdraw", amount_ueur), sent_at_s, WITHDRAW_GAS)

    def collect_claim(self, sender: bytes, sent_at_s: float | None = None) -> int:
        """Collect what the supplier owes the sender."""
        return self._send(sender, self.calldata("collectClaim"), sent_at_s, COLLECT_CLAIM_GAS)

    def join(self, sender: bytes, meter: bytes, sent_at_s: float | None = None) -> int:
        """Take part with a meter of one's own."""
        return self._send(sender, self.calldata("join", meter), sent_at_s, JOIN_GAS)

    def place_order(
        self,
        sender: bytes,
        interval: int,
        is_sell: bool,
        energy_wh: int,
        price_ueur_per_kwh: int,
        sent_at_s: float | None = None,
    ) -> int:
        """Offer or ask for energy of an interval."""
        data = self._selectors["placeOrder"] + pack(
            interval, is_sell, energy_wh, price_ueur_per_kwh
        )
        return self._send(sender, data, sent_at_s, ORDER_GAS, interval)

    def clear(
        self, sender: bytes, interval: int, n_orders: int, sent_at_s: float | None = None
    ) -> int:
        """Clear an interval; ``n_orders`` sets the gas limit."""
        data = self.calldata("clear", interval)
        return self._send(sender, data, sent_at_s, clear_gas(n_orders), interval)

    def report(
        self, meter: bytes, interval: int, net_wh: int, sent_at_s: float | None = None
    ) -> int:
        """Report a reading, net injection positive, and settle it. Sent by the meter."""
        data = self._selectors["report"] + pack(interval, net_wh)
        return self._send(meter, data, sent_at_s, REPORT_GAS, interval)

    def settle_silent(
        self, sender: bytes, interval: int, account: bytes, sent_at_s: float | None = None
    ) -> int:
        """Settle a member whose meter did not report."""
        data = self.calldata("settleSilent", interval, account)
        return self._send(sender, data, sent_at_s, REPORT_GAS, interval)

    def balance_of(self, account: bytes) -> int:
        """Free balance. [µEUR]"""
        return int(self._view("balanceOf", account)[0])

    def locked_of(self, interval: int, account: bytes) -> int:
        """What the market holds for an order until it is settled. [µEUR]"""
        return int(self._view("lockedOf", interval, account)[0])

    def is_member(self, account: bytes) -> bool:
        """Whether an account joined with a meter that is valid now."""
        return bool(self._view("isMember", account)[0])

    def order_of(self, interval: int, account: bytes) -> OrderState:
        """Order of an account in an interval."""
        return OrderState(*self._view("orderOf", interval, account))

    def clearing_of(self, interval: int) -> ClearingState:
        """Clearing of an interval."""
        return ClearingState(*self._view("clearingOf", interval))

    def reading_of(self, interval: int, account: bytes) -> Reading:
        """Reading of an account's meter in an interval."""
        return Reading(*self._view("readingOf", interval, account))

    def debt_of(self, account: bytes) -> int:
        """What an account owes the supplier. [µEUR]"""
        return int(self._view("debtOf", account)[0])

    def claim_of(self, account: bytes) -> int:
        """What the supplier owes an account. [µEUR]"""
        return int(self._view("claimOf", account)[0])
