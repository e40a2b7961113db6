"""cosim: grid, prosumers and a blockchain-settled local energy market in one co-simulation.

The Python interface (docs/python.md): each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cosim.postponed import postpone

if TYPE_CHECKING:
    from cosim.api import Result as Result
    from cosim.api import open_result as open_result
    from cosim.api import run as run
    from cosim.campaigns.sweep import SweepResult as SweepResult
    from cosim.campaigns.sweep import sweep as sweep
    from cosim.comparing import ComparedRuns as ComparedRuns
    from cosim.comparing import compare as compare
    from cosim.inspection import inspect as inspect
    from cosim.scenario import Scenario as Scenario
    from cosim.scenario import load_scenario as load_scenario

__version__ = "0.1.0"

_PUBLIC = {
    "ComparedRuns": "cosim.comparing",
    "Result": "cosim.api",
    "Scenario": "cosim.scenario",
    "SweepResult": "cosim.campaigns.sweep",
    "compare": "cosim.comparing",
    "inspect": "cosim.inspection",
    "load_scenario": "cosim.scenario",
    "open_result": "cosim.api",
    "run": "cosim.api",
    "sweep": "cosim.campaigns.sweep",
}
"""Module of each public name."""

__all__ = ["__version__", *_PUBLIC]

postpone()


if not TYPE_CHECKING:  # else every misspelt name would be one

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used (PEP 562): pandapower alone takes seconds."""
        if name not in _PUBLIC:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_PUBLIC[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
