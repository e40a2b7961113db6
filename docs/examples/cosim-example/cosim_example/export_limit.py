"""A DSO instrument: a fixed limit of what a connection point may feed into the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from cosim.dso.instruments.base import Action, Instrument
from cosim.settings import Model, NonNegative
from cosim.units import energy_wh_from_mw

if TYPE_CHECKING:
    from cosim.dso.procurement import Assessment
    from cosim.dso.rounds import Round

KW_PER_MW = 1_000


class ExportLimitSettings(Model):
    """Options of the instrument."""

    limit_kw: NonNegative = Field(10.0, description="most net injection of a connection point [kW]")


class ExportLimit(Instrument[ExportLimitSettings]):
    """Cuts the schedule of every connection point down to the limit, whatever the grid bears."""

    settings_type: ClassVar = ExportLimitSettings

    def act(self, round: Round, assessment: Assessment) -> Action | None:
        """Cut what exceeds the limit; leave the rest to the instruments after it."""
        limit_wh = int(energy_wh_from_mw(self.settings.limit_kw / KW_PER_MW, round.step_s))
        down_wh, _ = round.curtailable_wh()
        beyond_wh = np.minimum(np.maximum(round.net_wh - limit_wh, 0), down_wh)
        return Action(curtailed_wh=beyond_wh) if beyond_wh.any() else None
