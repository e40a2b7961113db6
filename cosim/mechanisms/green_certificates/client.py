"""Client of ``GreenCertificates.vy``: certificates of origin by the hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from cosim.chain.chain import Chain
from cosim.mechanisms.escrow_client import EscrowClient

# gas limits: what the methods use at most (docs/contracts/green-certificates.md), and room
DEPOSIT_GAS = 110_000
WITHDRAW_GAS = 100_000
RECORD_GAS = 130_000
TRANSFER_GAS = 80_000
OFFER_GAS = 110_000
BUY_GAS = 110_000
CANCEL_GAS = 70_000
RETIRE_GAS = 80_000


@dataclass(frozen=True, slots=True)
class ConsumptionState:
    """Consumption of an account in an hour, what certificates were retired for, and the rest."""

    consumed_wh: int
    retired_wh: int
    residual_wh: int


@dataclass(frozen=True, slots=True)
class HourState:
    """An hour over all accounts. [Wh]"""

    issued_wh: int
    consumed_wh: int
    retired_wh: int


@dataclass(frozen=True, slots=True)
class CertificateOfferState:
    """An offer on the ledger; ``energy_wh`` 0 means that there is none, or none any more."""

    seller: bytes
    hour: int
    energy_wh: int
    price_ueur_per_kwh: int


class GreenCertificates(EscrowClient):
    """The certificates. Energy in Wh, money in µEUR, prices in µEUR/kWh, accounts as 20 bytes.

    An hour is Unix time / 3600. Functions that change state take the time of sending as Unix
    time, or send right after the latest block, and return a handle. ``interval`` is for the
    records only where the contract does not ask for it.
    """

    contract: ClassVar[str] = "GreenCertificates"
    deposit_gas: ClassVar[int] = DEPOSIT_GAS
    withdraw_gas: ClassVar[int] = WITHDRAW_GAS

    @classmethod
    def deploy(
        cls,
        chain: Chain,
        sender: bytes,
        *,
        token: bytes,
        meters: bytes,
        first_delivery_s: int,
        step_s: int,
        metering_s: int,
    ) -> Self:
        """Deploy in the next block."""
        return cls._deployed(chain, sender, token, meters, first_delivery_s, step_s, metering_s)

    def record(
        self,
        meter: bytes,
        interval: int,
        produced_wh: int,
        consumed_wh: int,
        sent_at_s: float | None = None,
    ) -> int:
        """Record an interval's production and consumption, once. Called by the meter."""
        data = self.calldata("record", interval, produced_wh, consumed_wh)
        return self._send(meter, data, sent_at_s, RECORD_GAS, interval)

    def transfer(
        self,
        sender: bytes,
        hour: int,
        to: bytes,
        energy_wh: int,
        sent_at_s: float | None = None,
        *,
        interval: int = -1,
    ) -> int:
        """Give certificates away."""
        data = self.calldata("transfer", hour, to, energy_wh)
        return self._send(sender, data, sent_at_s, TRANSFER_GAS, interval)

    def offer(
        self,
        seller: bytes,
        hour: int,
        energy_wh: int,
        price_ueur_per_kwh: int,
        sent_at_s: float | None = None,
        *,
        interval: int = -1,
    ) -> int:
        """Offer certificates for sale; :meth:`offer_id` tells the number of the offer."""
        data = self.calldata("offer", hour, energy_wh, price_ueur_per_kwh)
        return self._send(seller, data, sent_at_s, OFFER_GAS, interval)

    def offer_id(self, handle: int) -> int | None:
        """Number of the offer that a transaction made; None while no block includes it.

        Raises
        ------
        ContractRevert
            If the contract refused.
        """
        included = self.check(handle)
        if included is None:
            return None
        return int.from_bytes(included.receipt.output, "big")

    def buy(
        self,
        buyer: bytes,
        offer_id: int,
        energy_wh: int,
        sent_at_s: float | None = None,
        *,
        interval: int = -1,
    ) -> int:
        """Buy some or all of an offer."""
        data = self.calldata("buy", offer_id, energy_wh)
        return self._send(buyer, data, sent_at_s, BUY_GAS, interval)

    def cancel_offer(
        self, seller: bytes, offer_id: int, sent_at_s: float | None = None, *, interval: int = -1
    ) -> int:
        """Take back what of an offer is not sold. Seller only."""
        data = self.calldata("cancelOffer", offer_id)
        return self._send(seller, data, sent_at_s, CANCEL_GAS, interval)

    def retire(
        self,
        account: bytes,
        hour: int,
        energy_wh: int,
        sent_at_s: float | None = None,
        *,
        interval: int = -1,
    ) -> int:
        """Use certificates up against own consumption of their hour."""
        data = self.calldata("retire", hour, energy_wh)
        return self._send(account, data, sent_at_s, RETIRE_GAS, interval)

    def held_of(self, hour: int, account: bytes) -> int:
        """Certificates that an account holds. [Wh]"""
        return int(self._view("heldOf", hour, account)[0])

    def consumption_of(self, hour: int, account: bytes) -> ConsumptionState:
        """Consumption of an account in an hour, and how much of it is covered."""
        return ConsumptionState(*self._view("consumptionOf", hour, account))

    def totals_of(self, hour: int) -> HourState:
        """Issued, consumed and retired over all accounts."""
        return HourState(*self._view("totalsOf", hour))

    def is_recorded(self, interval: int, meter: bytes) -> bool:
        """Whether a meter recorded an interval."""
        return bool(self._view("isRecorded", interval, meter)[0])

    def offer_count(self) -> int:
        """How many offers were made; they are numbered from 1."""
        return int(self._view("offerCount")[0])

    def offer_of(self, offer_id: int) -> CertificateOfferState:
        """An offer."""
        return CertificateOfferState(*self._view("offerOf", offer_id))

    def hour_of(self, interval: int) -> int:
        """Hour that an interval lies in. [h]"""
        return int(self._view("hourOf", interval)[0])

    def record_deadline_of(self, interval: int) -> int:
        """Last second at which a meter may record an interval, as Unix time. [s]"""
        return int(self._view("recordDeadlineOf", interval)[0])
