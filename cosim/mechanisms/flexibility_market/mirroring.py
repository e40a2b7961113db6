"""Requests, offers, awards and settlements once more in the model, as the ledger took them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cosim.mechanisms.escrow_play import EscrowPlay
from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
from cosim.mechanisms.flexibility_market.model import FlexibilityMarketModel
from cosim.mechanisms.flexibility_market.outcomes import FlexibilityInterval, Request
from cosim.mechanisms.flexibility_market.requests import Requests
from cosim.mechanisms.flexibility_market.terms import FlexibilityTerms
from cosim.mechanisms.local_market.mirroring import MemberReadings
from cosim.mechanisms.local_market.orders import Reading
from cosim.mechanisms.reconciliation import check_equal
from cosim.units import IntArray


class MirroredFlexibility(EscrowPlay[FlexibilityMarket, FlexibilityMarketModel]):
    """Flexibility market whose model is told what the contract took."""

    answers_for = (FlexibilityMarket.contract,)
    free_of = "escrow._free_of"

    terms: FlexibilityTerms
    _market: MemberReadings
    _requests: Requests

    def _open_in_model(self, request: Request) -> None:
        self.model.open_request(
            request.interval,
            request.direction > 0,
            request.quantity_wh,
            self.terms.price_cap_ueur_per_kwh,
        )

    def _offer_in_model(self, request: Request, o: int) -> None:
        self.model.offer(
            request.number,
            str(self._names[request.prosumers[o]]),
            request.baselines_wh[o],
            request.blocks[o],
        )
        offer = self.model.offer_of(request.number, str(self._names[request.prosumers[o]]))
        if offer is not None:
            request.baselines_wh[o] = offer.baseline_wh

    def _award_in_model(self, request: Request, awarded_wh: Mapping[int, int]) -> None:
        self.model.award(
            request.number,
            [str(self._names[request.prosumers[o]]) for o in awarded_wh],
            list(awarded_wh.values()),
        )

    def _readings(self, interval: int) -> dict[str, Reading]:
        """Return the readings that the local market settled an interval with."""
        found = ((name, self._market.reading_of(interval, name)) for name in self._names.tolist())
        return {name: reading for name, reading in found if reading is not None}

    def _bought_wh(self, interval: int, i: int) -> int:
        return self.model.awarded_wh(interval, str(self._names[i]))

    def _settle_in_model(
        self, interval: int, request: Request, readings: Mapping[str, Reading]
    ) -> None:
        """Settle and close a request once more, by the readings of the local market."""
        names = self._names.tolist()
        in_model = self.model.settle(request.number, names, readings)
        self.model.close_request(request.number)
        check_equal(
            interval,
            request.settlements(names),
            in_model,
            "flexibility settled by the contract",
            "flexibility settled by the model",
        )

    def _locked_ueur(self) -> int:
        return self.model.locked_total_ueur()

    def _award(
        self, state: FlexibilityInterval, awarded_wh: IntArray, activated_wh: IntArray
    ) -> IntArray:
        """Award offers on the ledger; only what the ledger took changes a schedule."""
        activated = activated_wh.copy()
        for request in dict.fromkeys(request for request, _ in state.offers):
            energy = np.zeros(len(request.prosumers), dtype=np.int64)
            for (own, o, _), wh in zip(state.rows(), awarded_wh, strict=True):
                if own is request:
                    energy[o] += wh
            # an award that changes a schedule pays for what is idle of the offer first
            energy += np.where(energy > 0, np.array(request.idle_wh, dtype=np.int64), 0)
            for batch in self._requests.award(request, energy):
                self._award_in_model(request, {o: int(energy[o]) for o in batch})
                for o in batch:
                    activated[request.prosumers[o]] += request.effect_wh(o, int(energy[o]))
        return activated
