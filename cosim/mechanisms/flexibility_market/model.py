"""Model of ``contracts/FlexibilityMarket.vy``.

Membership and time are the contract's to check; the model is told what was accepted, keeps the same
balances, and refuses with the contract's own text what its money and state do not allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cosim.mechanisms.flexibility_market.curves import Blocks, earned_ueur
from cosim.mechanisms.flexibility_market.delivery import Change, delivered_wh, wrong_way_wh
from cosim.mechanisms.flexibility_market.records import (
    FlexibilityOffer,
    FlexibilityRequest,
    FlexibilitySettlement,
    Position,
)
from cosim.mechanisms.flexibility_market.state import FlexibilityState
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH, MAX_PRICE_UEUR_PER_KWH, Reading
from cosim.units import amount_due_ueur


class FlexibilityMarketModel(FlexibilityState):
    """State of the flexibility market, and the calls that change it."""

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
        least, total = 0, 0
        noted_wh = baseline_wh
        for energy_wh, price in blocks:
            self._require(0 < energy_wh <= MAX_ENERGY_WH, "energy out of range")
            self._require(least <= price, "price below the one before")
            self._require(price <= request.price_cap_ueur_per_kwh, "price above the cap")
            least, total = price, total + energy_wh
            noted_wh = self._admitted(request, account, baseline_wh, total)
        self._require(0 < total <= MAX_ENERGY_WH, "energy out of range")
        self.calling.require_open(request.interval)
        self._take(account, self._bond_ueur(total))
        self.calling.enter(request.interval, request_id, account, noted_wh, blocks)
        self._offers[request_id, account] = FlexibilityOffer(tuple(blocks), noted_wh)

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
        self.calling.require_drawn(request.interval)
        offers: dict[tuple[int, str], FlexibilityOffer] = {}
        positions: dict[tuple[int, str], Position] = {}
        for account, energy_wh in zip(accounts, energies_wh, strict=True):
            self._require(0 < energy_wh <= MAX_ENERGY_WH, "energy out of range")
            key = (request_id, account)
            self._require(key in self._offers, "no such offer")
            self.calling.require_called(request.interval, account)
            offer = offers.get(key, self._offers[key])
            self._require(offer.awarded_wh + energy_wh <= offer.energy_wh, "more than offered")
            self._require(
                request.awarded_wh + energy_wh <= request.quantity_wh, "more than requested"
            )
            place = (request.interval, account)
            position = positions.get(place) or self._positions.get(
                place, Position(0, request.is_up, offer.baseline_wh)
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
        for interval, account in positions:
            self.baselines.mark(interval, account)
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
        settled, to_dso = {}, 0
        for account in accounts:
            offer = self.offer_of(request_id, account)
            reading = readings.get(account)
            if offer is None or offer.settled:
                continue
            left_out = self.calling.is_left_out(request.interval, account)
            if (offer.awarded_wh or left_out) and reading is None and not is_final:
                continue
            if left_out:
                settled[account] = self._settle_left_out(request_id, account, offer, reading)
                to_dso += settled[account].penalty_ueur
                continue
            offer, change = self._measured(request, account, offer, reading)
            delivered = 0 if change is None else delivered_wh(*change, offer.awarded_wh)
            wrong_way = wrong_way_wh(*change) if self.is_uncapped and change is not None else 0
            paid = earned_ueur(offer.blocks, delivered)
            missing = offer.awarded_wh - delivered + wrong_way
            penalty = amount_due_ueur(missing, self.penalty_ueur_per_kwh)
            held = self._bond_ueur(offer.energy_wh) + paid
            collected = min(penalty, held)
            self._add(account, held - collected)
            self._charge(account, penalty - collected)
            to_dso += offer.reserved_ueur - paid + collected
            self._offers[request_id, account] = replace(offer, settled=True)
            settled[account] = FlexibilitySettlement(delivered, paid, penalty)
        self._add(self.dso, to_dso)
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

    def _settle_left_out(
        self, request_id: int, account: str, offer: FlexibilityOffer, reading: Reading | None
    ) -> FlexibilitySettlement:
        """Collect what leaving the nomination costs who offered and was not called."""
        request, uncalled = self.request(request_id), offer.energy_wh
        if reading is not None and not reading.estimated:
            obeyed_wh = self.calling.obeyed_wh(request.interval, account, request.is_up)
            change = Change(request.is_up, reading.net_wh + obeyed_wh, offer.baseline_wh, 0)
            uncalled = delivered_wh(*change, offer.energy_wh)
        penalty = amount_due_ueur(uncalled, self.calling.terms.uncalled_penalty_ueur_per_kwh)
        self._add(account, self._bond_ueur(offer.energy_wh) - penalty)
        if self.is_uncapped:
            self._charge(account, 0)
        self._offers[request_id, account] = replace(offer, settled=True)
        return FlexibilitySettlement(0, 0, penalty)

    def _admitted(
        self, request: FlexibilityRequest, account: str, stated_wh: int, energy_wh: int
    ) -> int:
        """Return the baseline that is kept with an offer. [Wh]"""
        bought_wh = self.awarded_wh(request.interval, account)
        return self.baselines.admitted(
            request.interval, account, request.is_up, bought_wh, stated_wh, energy_wh
        )

    def _measured(
        self,
        request: FlexibilityRequest,
        account: str,
        offer: FlexibilityOffer,
        reading: Reading | None,
    ) -> tuple[FlexibilityOffer, Change | None]:
        """Return an offer with its baseline, and the change against it if that can be measured."""
        if not offer.awarded_wh or reading is None or reading.estimated:
            return offer, None
        if self.baselines.terms.is_measured:
            found = self.baselines.measured(request.interval, account, request.is_up)
            offer = replace(offer, baseline_wh=found or 0)
            if found is None:
                return offer, None
        return offer, Change(request.is_up, reading.net_wh, offer.baseline_wh, offer.earlier_wh)
