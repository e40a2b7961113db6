"""Progress of a run, and what the simulators leave to the next stretch of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from cosim.messages.declaration import edges
from cosim.units import FloatArray

IN_FLIGHT = tuple(dict.fromkeys(e.attribute for e in edges() if e.to.time_shifted))
"""Messages that arrive an interval after they were sent."""


@dataclass
class RunState:
    """Progress of a run.

    Parameters
    ----------
    intervals_done, intervals_settled : int
        Intervals delivered and recorded, and of those settled and reconciled.
    owed_mwh : (n,) float, optional
        Consumption that was owed at the end of the last interval. [MWh]
    in_flight : dict of str to message
        The last of each message that arrives an interval later, by mosaik attribute.
    warned : set of str
        Simulators of whose ungoverned draws the user knows.
    """

    intervals_done: int = 0
    intervals_settled: int = 0
    owed_mwh: FloatArray | None = None
    in_flight: dict[str, object] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)
