"""Draws of plug-ins that no seed governs, noticed where they are made."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from cosim.errors import UngovernedDrawsWarning
from cosim.plugins import (
    DEVICES,
    EVM_ENGINES,
    FORECASTS,
    INSTRUMENTS,
    MECHANISMS,
    POWER_FLOW,
    STRATEGIES,
)
from cosim.seeds import WATCHING, shared_generators

ACTING = {
    "bidders": (STRATEGIES, FORECASTS, DEVICES),
    "market": (MECHANISMS, EVM_ENGINES),
    "dso": (INSTRUMENTS, POWER_FLOW),
    "devices": (DEVICES,),
    "grid": (POWER_FLOW,),
    "recorder": (POWER_FLOW,),
}
"""Kinds of plug-ins that act in a simulator of ours, by its role."""


def acting_in(role: str) -> Sequence[str]:
    """Return the plug-ins of other packages that are in use and act in a simulator of ours."""
    return [name for registry in ACTING.get(role, ()) for name in registry.of_others()]


def others_act_in(role: str) -> bool:
    """Return True if a plug-in of another package is in use and acts in a simulator of ours."""
    return any(registry.has_others for registry in ACTING.get(role, ()))


class DrawWatch:
    """Sees whether the generators that all modules share are drawn from; warns once.

    Draws from a generator that a module makes for itself without a seed leave no trace here:
    ``cosim verify`` plays the run again and finds them. Comparing the states takes 0.1 ms, so our
    simulators are watched only where plug-ins of other packages act in them; a test watches what
    ships.

    Parameters
    ----------
    simulator : str
        Who acts, as the scenario or the declarations of messages name it.
    is_foreign : bool
        It is no simulator of ours.

    Attributes
    ----------
    warned : bool
        True once it has warned.
    """

    def __init__(self, simulator: str, *, is_foreign: bool = False) -> None:
        self._simulator = simulator
        self._is_foreign = is_foreign
        self.warned = False

    def watch(self, when: str) -> AbstractContextManager[None]:
        """Look before and after, where anybody acts whose draws are of interest.

        Parameters
        ----------
        when : str
            E.g. ``interval 3``; for the warning.

        Warns
        -----
        UngovernedDrawsWarning
        """
        if self.warned or not (self._is_foreign or others_act_in(self._simulator)):
            return nullcontext()
        return self._watched(when)

    @contextmanager
    def _watched(self, when: str) -> Iterator[None]:
        with WATCHING:
            before = shared_generators()
            yield
            drawn = [name for name, state in shared_generators().items() if state != before[name]]
        if not drawn:
            return
        self.warned = True
        named = ", ".join(f"plug-in of package {name}" for name in acting_in(self._simulator))
        among = f" ({named})" if named else ""
        warnings.warn(
            f"simulator {self._simulator}{among} drew in {when} from the global generator of "
            f"{' and '.join(drawn)}, which the scenario's seed does not govern: the run cannot be "
            "repeated; draw from a numpy.random.Generator made of the seed",
            UngovernedDrawsWarning,
            stacklevel=3,
        )


__all__ = ["DrawWatch", "acting_in", "others_act_in"]
