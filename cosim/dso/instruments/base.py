"""Interface of what a DSO may do about its grid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from cosim.messages import Extras
from cosim.plugins import INSTRUMENTS
from cosim.settings import Model
from cosim.units import IntArray

if TYPE_CHECKING:
    from cosim.dso.procurement import Assessment, DsoNetwork
    from cosim.dso.rounds import Round

S = TypeVar("S", bound=Model)


@dataclass(frozen=True)
class Action:
    """Action of the DSO in a round; what is not named is not done.

    An action that asks for flexibility is followed by the offers to it, which go to
    :meth:`Instrument.award` of the instrument that asked.

    Attributes
    ----------
    request_down_wh, request_up_wh : int
        Flexibility asked for, lowering and raising net injection. [Wh]
    awarded_wh : (m,) int64 or None
        Of each offer of the round. [Wh]
    curtailed_wh : (n,) int64 or None
        To be cut in addition to what is in force; positive cuts injection, negative consumption.
        What several instruments cut is recorded as one sum (``schedules.curtailed_wh``), by
        agreement or not. [Wh]
    extras : Extras
        For the mechanism that carries out more than that.
    """

    request_down_wh: int = 0
    request_up_wh: int = 0
    awarded_wh: IntArray | None = None
    curtailed_wh: IntArray | None = None
    extras: Extras = field(default_factory=Extras)

    @property
    def asks(self) -> bool:
        """True if it asks for flexibility."""
        return bool(self.request_down_wh or self.request_up_wh)


class Instrument(ABC, Generic[S]):
    """Instrument of a DSO for its grid, registered under ``cosim.instruments``.

    A scenario lists instruments by name (``dso.instruments``). In every round the schedules are
    checked and each instrument is asked in turn: the first that acts decides the round. When none
    acts, the schedules stand, as violated as they are. An instrument reaches a contract by message
    alone: what it asks for travels in the DSO's decision, offers to it in the next schedule.

    Parameters
    ----------
    settings : Model
        Of ``settings_type``.

    Attributes
    ----------
    settings_type : type of Model
        Its options in a scenario. A field that section ``dso`` has under the same name is taken
        from there.
    last_resort : bool
        Whether it cuts without a market, and against nobody's agreement, what the instruments
        before it leave; ``dso.curtail: false`` leaves it out.
    """

    settings_type: ClassVar[type[Model]] = Model
    last_resort: ClassVar[bool] = False

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @property
    def cuts_with_awards(self) -> bool:
        """True for a last resort that lets the award of offers before it cut what they leave."""
        return self.last_resort

    def meet(self, names: Sequence[str]) -> None:
        """Learn the connection points of the grid, before the first interval.

        Parameters
        ----------
        names : sequence of str
            In the order of all arrays, (n,).

        Raises
        ------
        ScenarioError
            If an option names one that there is not.
        """

    def announce(self, interval: int, network: DsoNetwork) -> Extras:
        """Return what holds for an interval, before its order window opens.

        Mechanisms read it in their stage of the same name.

        Parameters
        ----------
        interval : int
        network : DsoNetwork
            The grid's model, which is known before any schedule.
        """
        return Extras()

    def begin(self, interval: int) -> None:
        """Forget the interval before."""

    @abstractmethod
    def act(self, round: Round, assessment: Assessment) -> Action | None:
        """Act on the schedules of a round, or leave them to the next instrument.

        Parameters
        ----------
        round : Round
            Schedules as they stand on the ledger.
        assessment : Assessment
            The same against the limits.
        """

    def award(self, round: Round, *, cut_rest: bool) -> Action:
        """Answer the offers to the flexibility that it asked for in the round before.

        Parameters
        ----------
        round : Round
            With the offers.
        cut_rest : bool
            Whether a last resort stands behind it: it may cut what offers leave.

        Raises
        ------
        PluginError
            If it asks for flexibility and has no award of its own.
        """
        raise INSTRUMENTS.refusal_of(
            type(self),
            "asks for flexibility and awards none",
            "give its class a method award, or let it ask for none",
        )
