"""Curtailment without a market: what nothing else relieves is cut at least energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cosim.dso.instruments.base import Action, Instrument
from cosim.settings import Model
from cosim.units import energy_wh_from_mw

if TYPE_CHECKING:
    from cosim.dso.procurement import Assessment
    from cosim.dso.rounds import Round

LAST_RESORT_TRIES = 2
"""Number of cuts in an interval before it leaves the schedules as they are (which is then
recorded as violated)."""


class CurtailmentInstrument(Instrument[Model]):
    """Cuts injection and consumption by order of the DSO."""

    last_resort: ClassVar[bool] = True

    def begin(self, interval: int) -> None:
        """Start with all tries."""
        self._tries = 0

    def act(self, round: Round, assessment: Assessment) -> Action | None:
        """Cut what the limits with their margins need."""
        if not assessment.needs_relief or self._tries == LAST_RESORT_TRIES:
            return None
        self._tries += 1
        result = round.procure(*round.curtailable_wh(), 0, 0)
        return Action(curtailed_wh=energy_wh_from_mw(result.curtailed_mw, round.step_s))
