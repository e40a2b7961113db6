"""Model of ``contracts/FlexibilityMarket.vy``.

Membership and time are the contract's to check; the model is told what was accepted, keeps the same
balances, and refuses with the contract's own text what its money and state do not allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cosim.mechanisms.accounts import EscrowAccounts
from cosim.mechanisms.flexibility_market.curves import Blocks, earned_ueur, total_wh
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH, MAX_PRICE_UEUR_PER_KWH, Reading
from cosim.units import amount_due_ueur


@dataclass(frozen=True, slots=True)
class FlexibilityRequest:
    """A request of the DSO.

    Parameters
    ----------
    interval : int
        Delivery interval.
    is_up : bool
        Raise net injection, or else lower it.
    quantity_wh, price_cap_ueur_per_kwh : int
        Most energy, and highest price. [Wh], [µEUR/kWh]
    awarded_wh : int
        Energy awarded so far. [Wh]
    awarded_ueur : int
        Its most cost, part of the escrow. [µEUR]
    closed : bool
        The rest of the escrow went back.
    """

    interval: int
    is_up: bool
    quantity_wh: int
    price_cap_ueur_per_kwh: int
    awarded_wh: int = 0
    awarded_ueur: int = 0
    closed: bool = False

    @property
    def unawarded_ueur(self) -> int:
        """The part of the escrow that no award holds. [µEUR]"""
        return amount_due_ueur(self.quantity_wh, self.price_cap_ueur_per_kwh) - self.awarded_ueur


@dataclass(frozen=True, slots=True)
class FlexibilityOffer:
    """An account's offer to a request, and what became of it.

    Parameters
    ----------
    blocks : sequence of Block
        What may be awarded, the cheapest first.
    baseline_wh : int
        Net injection without the activation. [Wh]
    awarded_wh : int
        Energy awarded. [Wh]
    earlier_wh : int
        Energy awarded to the account for this interval by earlier requests. [Wh]
    settled : bool
        Paid, fined and released.
    """

    blocks: Blocks
    baseline_wh: int
    awarded_wh: int = 0
    earlier_wh: int = 0
    settled: bool = False

    @property
    def energy_wh(self) -> int:
        """Most energy that may be awarded. [Wh]"""
        return total_wh(self.blocks)

    @property
    def reserved_ueur(self) -> int:
        """The most the award can cost the DSO. [µEUR]"""
        return earned_ueur(self.blocks, self.awarded_wh)


@dataclass(frozen=True, slots=True)
class FlexibilitySettlement:
    """Outcome of a settled offer.

    Parameters
    ----------
    delivered_wh : int
        Energy that counts as delivered. [Wh]
    paid_ueur : int
        Paid by the DSO. [µEUR]
    penalty_ueur : int
        Paid to the DSO for what was awarded and not delivered. [µEUR]
    """

    delivered_wh: int
    paid_ueur: int
    penalty_ueur: int


@dataclass(frozen=True, slots=True)
class _Position:
    awarded_wh: int
    is_up: bool
    baseline_wh: int


def delivered_wh(
    is_up: bool, net_wh: int, baseline_wh: int, earlier_wh: int, awarded_wh: int
) -> int:
    """Energy delivered for an award.

    The change against the baseline in the direction of the request, less what earlier requests
    bought of it, between 0 and the award.

    Parameters
    ----------
    is_up : bool
        The request raises net injection.
    net_wh, baseline_wh : int
        Metered net injection, and the one without activation. [Wh]
    earlier_wh, awarded_wh : int
        Awarded by earlier requests, and by this one. [Wh]

    Returns
    -------
    int
        [Wh]
    """
    change_wh = (net_wh - baseline_wh) * (1 if is_up else -1) - earlier_wh
    return min(max(change_wh, 0), awarded_wh)


class FlexibilityMarketModel(EscrowAccounts):
    """State of the flexibility market.

    Parameters
    ----------
    dso : str
        Account that buys.
    penalty_ueur_per_kwh : int
        What awarded but undelivered energy costs. [µEUR/kWh]
    """

    subject: ClassVar[str] = "flexibility market"

    def __init__(self, dso: str, penalty_ueur_per_kwh: int) -> None:
        super().__init__()
        self.dso = dso
        self.penalty_ueur_per_kwh = penalty_ueur_per_kwh
        self._requests: dict[int, FlexibilityRequest] = {}
        self._offers: dict[tuple[int, str], FlexibilityOffer] = {}
        self._positions: dict[tuple[int, str], _Position] = {}
        self._n_requests = 0

    def request(self, request_id: int) -> FlexibilityRequest:
        """A request by its number.

        Raises
        ------
        ContractRevert
            If there is none.
        """
        self._require(request_id in self._requests, "no such request")
        return self._requests[request_id]

    def offer_of(self, request_id: int, account: str) -> FlexibilityOffer | None:
        """An account's offer to a request, if it made one."""
        return self._offers.get((request_id, account))

    def escrow_of(self, request_id: int) -> int:
        """Escrow that no award holds, until the request is closed. [µEUR]"""
        request = self.request(request_id)
        return 0 if request.closed else request.unawarded_ueur

    def locked_of(self, request_id: int, account: str) -> int:
        """Bond of an offer and the escrow that its award holds, until settled. [µEUR]"""
        offer = self.offer_of(request_id, account)
        if offer is None or offer.settled:
            return 0
        return self._bond_ueur(offer.energy_wh) + offer.reserved_ueur

    def locked_total_ueur(self) -> int:
        """Sum of ``escrow_of`` and ``locked_of`` over all requests and offers kept. [µEUR]"""
        escrow = sum(self.escrow_of(request_id) for request_id in self._requests)
        return escrow + sum(self.locked_of(*key) for key in self._offers)

    def open_request(
        self, interval: int, is_up: bool, quantity_wh: int, price_cap_ueur_per_kwh: int
    ) -> int:
        """Open a request with its cost at the price cap in escrow; return its number.

        Raises
        ------
        ContractRevert
            If a field is out of range or the DSO's free balance too low.
        """
        self._require(0 < quantity_wh <= MAX_ENERGY_WH, "energy out of range")
        self._require(0 <= price_cap_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH, "price out of range")
        self._take(self.dso, amount_due_ueur(quantity_wh, price_cap_ueur_per_kwh))
        self._n_requests += 1
        self._requests[self._n_requests] = FlexibilityRequest(
            interval, is_up, quantity_wh, price_cap_ueur_per_kwh
        )
        return self._n_requests

    def offer(self, request_id: int, account: str, baseline_wh: int, blocks: Blocks) -> None:
        """Accept an offer and lock its bond.

        Raises
        ------
        ContractRevert
            If a field is out of range, a block cheaper than the one before, the account has an
            offer already, or its free balance is too low.
        """
        request = self.request(request_id)
        self._require(abs(baseline_wh) <= MAX_ENERGY_WH, "baseline out of range")
        self._require((request_id, account) not in self._offers, "offer exists")
        least = 0
        for energy_wh, price in blocks:
            self._require(0 < energy_wh <= MAX_ENERGY_WH, "energy out of range")
            self._require(least <= price, "price below the one before")
            self._require(price <= request.price_cap_ueur_per_kwh, "price above the cap")
            least = price
        self._require(0 < total_wh(blocks) <= MAX_ENERGY_WH, "energy out of range")
        self._take(account, self._bond_ueur(total_wh(blocks)))
        self._offers[request_id, account] = FlexibilityOffer(tuple(blocks), baseline_wh)

    def award(self, request_id: int, accounts: Sequence[str], energies_wh: Sequence[int]) -> None:
        """Award offers, all or none; awards to one offer add up.

        Raises
        ------
        ContractRevert
            If there is no such offer, more is awarded than offered or requested, or the account's
            awards of the interval differ in direction or baseline or are out of order.
        """
        self._require(len(accounts) == len(energies_wh), "lists differ in length")
        request = self.request(request_id)
        offers: dict[tuple[int, str], FlexibilityOffer] = {}
        positions: dict[tuple[int, str], _Position] = {}
        for account, energy_wh in zip(accounts, energies_wh, strict=True):
            self._require(0 < energy_wh <= MAX_ENERGY_WH, "energy out of range")
            key = (request_id, account)
            self._require(key in self._offers, "no such offer")
            offer = offers.get(key, self._offers[key])
            self._require(offer.awarded_wh + energy_wh <= offer.energy_wh, "more than offered")
            self._require(
                request.awarded_wh + energy_wh <= request.quantity_wh, "more than requested"
            )
            place = (request.interval, account)
            position = positions.get(place) or self._positions.get(
                place, _Position(0, request.is_up, offer.baseline_wh)
            )
            self._require(position.is_up == request.is_up, "awarded in the other direction")
            self._require(position.baseline_wh == offer.baseline_wh, "baseline differs")
            if offer.awarded_wh == 0:
                offer = replace(offer, earlier_wh=position.awarded_wh)
            self._require(
                offer.earlier_wh + offer.awarded_wh == position.awarded_wh,
                "awarded in a later request",
            )
            awarded = replace(offer, awarded_wh=offer.awarded_wh + energy_wh)
            request = replace(
                request,
                awarded_wh=request.awarded_wh + energy_wh,
                awarded_ueur=request.awarded_ueur + awarded.reserved_ueur - offer.reserved_ueur,
            )
            offers[key] = awarded
            positions[place] = replace(position, awarded_wh=position.awarded_wh + energy_wh)
        self._offers.update(offers)
        self._positions.update(positions)
        self._requests[request_id] = request

    def settle(
        self,
        request_id: int,
        accounts: Sequence[str],
        readings: Mapping[str, Reading],
        is_final: bool = False,
    ) -> dict[str, FlexibilitySettlement]:
        """Settle offers of a request whose delivery has started.

        Parameters
        ----------
        request_id : int
            The request.
        accounts : sequence of str
            Whose offers. Those without one, settled, or awarded without a reading are passed over.
        readings : mapping of str to Reading
            Known readings of the interval. An estimate counts as nothing delivered.
        is_final : bool
            The report deadline has passed: an unknown reading counts as nothing delivered.

        Returns
        -------
        dict of str to FlexibilitySettlement
            Those settled now.
        """
        request = self.request(request_id)
        settled = {}
        for account in accounts:
            offer = self.offer_of(request_id, account)
            reading = readings.get(account)
            if offer is None or offer.settled:
                continue
            if offer.awarded_wh and reading is None and not is_final:
                continue
            delivered = 0
            if reading is not None and not reading.estimated:
                delivered = delivered_wh(
                    request.is_up,
                    reading.net_wh,
                    offer.baseline_wh,
                    offer.earlier_wh,
                    offer.awarded_wh,
                )
            paid = earned_ueur(offer.blocks, delivered)
            penalty = amount_due_ueur(offer.awarded_wh - delivered, self.penalty_ueur_per_kwh)
            self._add(self.dso, offer.reserved_ueur - paid + penalty)
            self._add(account, self._bond_ueur(offer.energy_wh) - penalty + paid)
            self._offers[request_id, account] = replace(offer, settled=True)
            settled[account] = FlexibilitySettlement(delivered, paid, penalty)
        return settled

    def close_request(self, request_id: int) -> int:
        """Return the escrow that no award holds to the DSO, once. [µEUR]

        Raises
        ------
        ContractRevert
            If it was closed already.
        """
        request = self.request(request_id)
        self._require(not request.closed, "already closed")
        self._requests[request_id] = replace(request, closed=True)
        self._add(self.dso, request.unawarded_ueur)
        return request.unawarded_ueur

    def forget(self, interval: int) -> None:
        """Drop the requests and offers of an interval whose requests are closed and settled.

        Raises
        ------
        ValueError
            If money is still locked in one of them: it would be lost.
        """
        ids = {number for number, r in self._requests.items() if r.interval == interval}
        keys = [key for key in self._offers if key[0] in ids]
        locked = {number for number in ids if self.escrow_of(number)}
        locked |= {key[0] for key in keys if self.locked_of(*key)}
        if locked:
            raise ValueError(f"interval {interval}: money is locked in requests {sorted(locked)}")
        for number in ids:
            del self._requests[number]
        for key in keys:
            del self._offers[key]
        for place in [place for place in self._positions if place[0] == interval]:
            del self._positions[place]

    def _bond_ueur(self, energy_wh: int) -> int:
        return amount_due_ueur(energy_wh, self.penalty_ueur_per_kwh)
