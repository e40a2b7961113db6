"""The flexibility market: the DSO asks for what its limits need, and awards at least cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from cosim.dso.instruments.base import Action, Instrument
from cosim.messages import Extras
from cosim.messages.extras import CoveredRequests
from cosim.settings import Model, NonNegative
from cosim.units import IntArray, energy_wh_from_mw

if TYPE_CHECKING:
    from cosim.dso.procurement import Assessment
    from cosim.dso.rounds import Round


class FlexibilityMarketOptions(Model):
    """Size and number of the DSO's requests."""

    request_margin: NonNegative = Field(0.5, description="energy beyond the technical need [-]")
    max_rounds: Annotated[int, Field(ge=1)] = Field(3, description="most requests per interval")


class FlexibilityMarketInstrument(Instrument[FlexibilityMarketOptions]):
    """Requests with a margin; awards; another request while offers are left and help."""

    settings_type = FlexibilityMarketOptions

    def begin(self, interval: int) -> None:
        """Start with all rounds."""
        self._requests = 0
        self._requested_wh = {-1: 0, 1: 0}
        self._is_short = False

    def act(self, round: Round, assessment: Assessment) -> Action | None:
        """Ask for what the limits need, with a margin; not if nothing that exists would help.

        Nor once money fell short in the interval: escrow comes back after delivery has started.
        """
        used_up = self._is_short or self._requests == self.settings.max_rounds
        if not assessment.needs_relief or used_up:
            return None
        need = round.need(*round.curtailable_wh())
        wanted = np.array([need.total_down_mw, need.total_up_mw])
        wanted = wanted * (1.0 + self.settings.request_margin)
        down_wh, up_wh = (int(wh) for wh in energy_wh_from_mw(wanted, round.step_s))
        if not down_wh and not up_wh:
            return None
        self._requests += 1
        self._requested_wh = {-1: down_wh, 1: up_wh}
        return Action(request_down_wh=down_wh, request_up_wh=up_wh)

    def award(self, round: Round, *, cut_rest: bool) -> Action:
        """Award offers at least cost, no more than was requested, and cut the rest.

        When the request is used up while there are more offers, the rest is asked for in another
        round instead, if money covered the request.
        """
        offers, requested_wh = round.offers, self._covered_wh(round)
        self._is_short = requested_wh != self._requested_wh
        prosumer, direction = offers.prosumer, offers.direction
        down_wh, up_wh = round.curtailable_wh()
        # what a prosumer offers to do cannot be cut a second time
        for curtailable_wh, sign in ((down_wh, -1), (up_wh, 1)):
            own = direction == sign
            np.subtract.at(curtailable_wh, prosumer[own], offers.energy_wh[own])
            np.maximum(curtailable_wh, 0, out=curtailable_wh)
        most_wh = (requested_wh[-1], requested_wh[1])
        result = round.procure(down_wh, up_wh, *most_wh)
        left_over = any(
            offers.energy_wh[direction == sign].sum() > wh for sign, wh in requested_wh.items()
        )
        may_ask = not self._is_short and self._requests < self.settings.max_rounds
        if result.curtailed_mw.any() and left_over and may_ask:
            nothing = np.zeros_like(down_wh)
            without = round.procure(nothing, nothing, *most_wh)
            result = without if without.converged else result
        awarded_wh = energy_wh_from_mw(result.awarded_mw, round.step_s)
        _net_out(awarded_wh, prosumer, direction)
        cut_wh = energy_wh_from_mw(result.curtailed_mw, round.step_s) if cut_rest else None
        draw = round.appraise_draw()
        extras = Extras(round.appraise()) if prosumer.size or draw is not None else Extras()
        if draw is not None:
            extras |= Extras(draw)
        return Action(awarded_wh=awarded_wh, curtailed_wh=cut_wh, extras=extras)

    def _covered_wh(self, round: Round) -> dict[int, int]:
        """Return what was asked for by direction: less than wanted where money did not suffice."""
        covered = round.schedule.extras.of(CoveredRequests)
        if covered is None:
            return self._requested_wh
        most_wh = {-1: covered.down_wh, 1: covered.up_wh}
        return {sign: min(wh, most_wh[sign]) for sign, wh in self._requested_wh.items()}


def _net_out(awarded_wh: IntArray, prosumer: IntArray, direction: IntArray) -> None:
    """Cancel awards in both directions to one prosumer: the contract takes only one of them."""
    for point in np.intersect1d(
        prosumer[(direction > 0) & (awarded_wh > 0)], prosumer[(direction < 0) & (awarded_wh > 0)]
    ):
        ways = [np.flatnonzero((prosumer == point) & (direction == sign)) for sign in (1, -1)]
        both = min(awarded_wh[blocks].sum() for blocks in ways)
        for blocks in ways:
            # the dearest blocks, which come last, are taken back first
            kept = awarded_wh[blocks].sum() - both
            before = np.cumsum(awarded_wh[blocks]) - awarded_wh[blocks]
            awarded_wh[blocks] = np.clip(kept - before, 0, awarded_wh[blocks])
