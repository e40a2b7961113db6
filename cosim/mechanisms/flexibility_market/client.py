"""Client of ``FlexibilityMarket.vy``: the DSO's requests and what prosumers offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cosim.chain.chain import Chain
from cosim.evm.abi import pack, pack_mixed
from cosim.mechanisms.escrow_client import EscrowClient

# gas limits: what the methods use at most (docs/ledger.md), and room for other states
DEPOSIT_GAS = 110_000
WITHDRAW_GAS = 100_000
REQUEST_GAS = 110_000
OFFER_GAS = 90_000
CLOSE_GAS = 70_000
AWARD_GAS = 80_000
AWARD_GAS_PER_OFFER = 40_000
SETTLE_GAS = 100_000
SETTLE_GAS_PER_OFFER = 45_000

MAX_BATCH = 256


def award_gas(n_offers: int) -> int:
    """Gas limit that awarding so many offers needs."""
    return AWARD_GAS + AWARD_GAS_PER_OFFER * n_offers


def settle_gas(n_offers: int) -> int:
    """Gas limit that settling so many offers needs."""
    return SETTLE_GAS + SETTLE_GAS_PER_OFFER * n_offers


@dataclass(frozen=True, slots=True)
class RequestState:
    """A request on the ledger; ``quantity_wh`` 0 means that there is none."""

    interval: int
    is_up: bool
    quantity_wh: int
    price_cap_ueur_per_kwh: int
    awarded_wh: int
    closed: bool


@dataclass(frozen=True, slots=True)
class OfferState:
    """An offer on the ledger; ``energy_wh`` 0 means that there is none."""

    energy_wh: int
    price_ueur_per_kwh: int
    baseline_wh: int
    awarded_wh: int
    earlier_wh: int
    settled: bool


class FlexibilityMarket(EscrowClient):
    """The flexibility market. Energy in Wh, money in µEUR, prices in µEUR/kWh, 20-byte accounts.

    Functions that change state take the time of sending as Unix time, or send right after the
    latest block, and return a handle. ``interval`` is for the records only where the contract
    does not ask for it.
    """

    contract: ClassVar[str] = "FlexibilityMarket"
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
        dso: bytes,
        penalty_ueur_per_kwh: int,
    ) -> Self:
        """Deploy in the next block."""
        return cls._deployed(chain, sender, token, local_market, dso, penalty_ueur_per_kwh)

    def open_request(
        self,
        dso: bytes,
        interval: int,
        is_up: bool,
        quantity_wh: int,
        price_cap_ueur_per_kwh: int,
        sent_at_s: float | None = None,
    ) -> int:
        """Ask for a change of net injection. DSO only; :meth:`request_id` tells its number."""
        data = self.calldata("openRequest", interval, is_up, quantity_wh, price_cap_ueur_per_kwh)
        return self._send(dso, data, sent_at_s, REQUEST_GAS, interval)

    def request_id(self, handle: int) -> int | None:
        """Number of the request that a transaction opened; None while no block includes it.

        Raises
        ------
        ContractRevert
            If the contract refused.
        """
        included = self.check(handle)
        if included is None:
            return None
        return int.from_bytes(included.receipt.output, "big")

    def offer(
        self,
        sender: bytes,
        request_id: int,
        energy_wh: int,
        price_ueur_per_kwh: int,
        baseline_wh: int,
        sent_at_s: float | None = None,
        *,
        interval: int = -1,
    ) -> int:
        """Offer to a request, against a baseline of net injection."""
        data = self._selectors["offer"] + pack(
            request_id, energy_wh, price_ueur_per_kwh, baseline_wh
        )
        return self._send(sender, data, sent_at_s, OFFER_GAS, interval)

    def award(
        self,
        dso: bytes,
        request_id: int,
        accounts: Sequence[bytes],
        energies_wh: Sequence[int],
        sent_at_s: float | None = None,
        *,
        interval: int = -1,
    ) -> int:
        """Award offers, all or none, at most 256 at once. DSO only."""
        data = self._selectors["award"] + pack_mixed(request_id, accounts, energies_wh)
        return self._send(dso, data, sent_at_s, award_gas(len(accounts)), interval)

    def settle(
        self,
        sender: bytes,
        request_id: int,
        accounts: Sequence[bytes],
        sent_at_s: float | None = None,
        *,
        interval: int = -1,
    ) -> int:
        """Settle offers of a request, at most 256 at once."""
        data = self._selectors["settle"] + pack_mixed(request_id, accounts)
        return self._send(sender, data, sent_at_s, settle_gas(len(accounts)), interval)

    def close_request(
        self,
        sender: bytes,
        request_id: int,
        sent_at_s: float | None = None,
        *,
        interval: int = -1,
    ) -> int:
        """Return to the DSO the escrow that no award holds."""
        return self._send(
            sender, self.calldata("closeRequest", request_id), sent_at_s, CLOSE_GAS, interval
        )

    def request_count(self) -> int:
        """How many requests were opened; they are numbered from 1."""
        return int(self._view("requestCount")[0])

    def request_of(self, request_id: int) -> RequestState:
        """A request."""
        return RequestState(*self._view("requestOf", request_id))

    def offer_of(self, request_id: int, account: bytes) -> OfferState:
        """Offer of an account to a request."""
        return OfferState(*self._view("offerOf", request_id, account))

    def escrow_of(self, request_id: int) -> int:
        """The DSO's escrow that no award holds. [µEUR]"""
        return int(self._view("escrowOf", request_id)[0])

    def locked_of(self, request_id: int, account: bytes) -> int:
        """An offer's bond and the escrow of its award, until it is settled. [µEUR]"""
        return int(self._view("lockedOf", request_id, account)[0])
