"""State of the flexibility market's model: requests, offers, positions, and the money in them."""

from __future__ import annotations

from typing import ClassVar

from cosim.mechanisms.flexibility_market.baselines import Baselines, BaselineTerms
from cosim.mechanisms.flexibility_market.calling import Calling, CallingTerms
from cosim.mechanisms.flexibility_market.debts import DeliveryAccounts
from cosim.mechanisms.flexibility_market.records import (
    FlexibilityOffer,
    FlexibilityRequest,
    Position,
)
from cosim.units import amount_due_ueur


class FlexibilityState(DeliveryAccounts):
    """Requests, offers and money of the flexibility market.

    Parameters
    ----------
    dso : str
        Account that buys.
    penalty_ueur_per_kwh : int
        What awarded but undelivered energy costs. [µEUR/kWh]
    is_uncapped : bool
        The penalty is for the whole deviation, as in USEF, and what it exceeds is a debt.
    baselines : Baselines, optional
        Default: nominated, whatever is said.
    calling : Calling, optional
        Default: whoever offers may be awarded.
    """

    subject: ClassVar[str] = "flexibility market"

    def __init__(
        self,
        dso: str,
        penalty_ueur_per_kwh: int,
        is_uncapped: bool = False,
        baselines: Baselines | None = None,
        calling: Calling | None = None,
    ) -> None:
        super().__init__(dso)
        self.penalty_ueur_per_kwh = penalty_ueur_per_kwh
        self.is_uncapped = is_uncapped
        self.baselines = baselines or Baselines(BaselineTerms())
        self.calling = calling or Calling(CallingTerms())
        self._requests: dict[int, FlexibilityRequest] = {}
        self._offers: dict[tuple[int, str], FlexibilityOffer] = {}
        self._positions: dict[tuple[int, str], Position] = {}
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

    def awarded_wh(self, interval: int, account: str) -> int:
        """Energy awarded to an account for an interval, over all requests. [Wh]"""
        position = self._positions.get((interval, account))
        return 0 if position is None else position.awarded_wh

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
        self.calling.forget(interval)

    def _bond_ueur(self, energy_wh: int) -> int:
        uncalled_ueur_per_kwh = self.calling.terms.uncalled_penalty_ueur_per_kwh
        return amount_due_ueur(energy_wh, max(self.penalty_ueur_per_kwh, uncalled_ueur_per_kwh))
