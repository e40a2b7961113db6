"""Curtailment without a market: what nothing else relieves is cut, by a principle of access."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from cosim.dso.instruments.base import Action, Instrument
from cosim.errors import ScenarioError
from cosim.settings import Model
from cosim.units import IntArray, energy_wh_from_mw

if TYPE_CHECKING:
    from cosim.dso.procurement import Assessment
    from cosim.dso.rounds import Round

LAST_RESORT_TRIES = 2
"""Number of cuts in an interval before it leaves the schedules as they are (which is then
recorded as violated)."""


class CurtailmentOptions(Model):
    """Principle of access: who is cut."""

    rule: Literal["least_energy", "pro_rata", "last_in_first_out"] = Field(
        "least_energy",
        description="least_energy: those whose cut helps most; pro_rata: all that contribute, by "
        "the same share of what they could be cut; last_in_first_out: who was connected last first",
    )
    connection_order: tuple[str, ...] = Field(
        (),
        description="for last_in_first_out: connection points from the first to the last "
        "connected; those that are not named were connected before, in the order of the grid",
    )


class CurtailmentInstrument(Instrument[CurtailmentOptions]):
    """Cuts injection and consumption by order of the DSO.

    Raises
    ------
    ScenarioError
        From :meth:`meet`, if the order names a connection point twice or one that there is not.
    """

    settings_type = CurtailmentOptions
    last_resort: ClassVar[bool] = True

    @property
    def cuts_with_awards(self) -> bool:
        """True for the least energy: any other rule is applied to what awards leave."""
        return self.settings.rule == "least_energy"

    def meet(self, names: Sequence[str]) -> None:
        """Put the connection points in the order in which they were connected."""
        order = self.settings.connection_order
        strange = [name for name in order if name not in names]
        twice = [name for name in dict.fromkeys(order) if order.count(name) > 1]
        if strange or twice:
            raise ScenarioError(
                f"connection_order of curtailment names {(strange or twice)[0]!r}"
                + (", which is no connection point of the grid" if strange else " twice"),
                field="dso.instruments",
                remedy="name each connection point once, as the grid's connection_points.csv does",
            )
        place = {name: i for i, name in enumerate(names)}
        self._connected = [i for name, i in place.items() if name not in order]
        self._connected += [place[name] for name in order]

    def begin(self, interval: int) -> None:
        """Start with all tries."""
        self._tries = 0

    def act(self, round: Round, assessment: Assessment) -> Action | None:
        """Cut what the limits with their margins need."""
        if not assessment.needs_relief or self._tries == LAST_RESORT_TRIES:
            return None
        self._tries += 1
        return Action(curtailed_wh=self._cut_wh(round))

    def _cut_wh(self, round: Round) -> IntArray:
        (down_wh, up_wh), rule = round.curtailable_wh(), self.settings.rule
        if rule == "least_energy":
            result = round.procure(down_wh, up_wh, 0, 0)
            return energy_wh_from_mw(result.curtailed_mw, round.step_s)
        from cosim.dso.access import cut_by_rule

        return cut_by_rule(
            rule,
            round.network,
            round.net_wh,
            round.q_mvar,
            down_wh,
            up_wh,
            round.step_s,
            self._connected,
        )
