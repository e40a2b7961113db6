"""Draws of plug-ins that no seed governs, noticed where they are made."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
from cosim.seeds import shared_generators

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


class DrawWatch:
    """Sees whether the generators that all modules share are drawn from; warns once.

    Draws from a generator that a module makes for itself without a seed leave no trace here:
    ``cosim verify`` plays the run again and finds them.

    Parameters
    ----------
    simulator : str
        Who acts, as the scenario or the declarations of messages name it.

    Attributes
    ----------
    warned : bool
        True once it has warned.
    """

    def __init__(self, simulator: str) -> None:
        self._simulator = simulator
        self.warned = False

    @contextmanager
    def watch(self, when: str) -> Iterator[None]:
        """Look before and after.

        Parameters
        ----------
        when : str
            E.g. ``interval 3``; for the warning.

        Warns
        -----
        UngovernedDrawsWarning
        """
        if self.warned:
            yield
            return
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


__all__ = ["DrawWatch", "acting_in"]
