"""Consent to the code that a scenario file names: programs, modules and addresses of simulators.

A scenario is data until a run starts what its section ``simulators`` names, with the rights of
whoever runs it. Everything else that a scenario names is installed already.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.errors import ScenarioError
from cosim.scenario.simulators import ForeignSimulator

if TYPE_CHECKING:
    from cosim.scenario.root import Scenario

_DOES = {
    "python": "imports a module and runs its class here",
    "cmd": "starts a program",
    "connect": "sends what it reads to an address",
}


def started(simulators: Sequence[ForeignSimulator]) -> list[tuple[str, str]]:
    """Return what a run would start, import or connect to.

    Parameters
    ----------
    simulators : sequence of ForeignSimulator

    Returns
    -------
    list of (str, str)
        The field that names it, and what that would do, with the value as it stands in the file.
    """
    return [
        (f"simulators.{one.name}.{key}", f"{does}: {getattr(one, key)!r}")
        for one in simulators
        for key, does in _DOES.items()
        if getattr(one, key) is not None
    ]


def require_trust(scenario: Scenario, file: str | Path, trust: bool) -> None:
    """Refuse a scenario that would start anything, unless its user said so.

    Parameters
    ----------
    scenario : Scenario
    file : str or Path
        Where it was read from; named in the error.
    trust : bool
        The user's consent.

    Raises
    ------
    ScenarioError
        Names every field and what it would start.
    """
    found = [] if trust else started(scenario.simulators)
    if not found:
        return
    (field, does), *rest = found
    raise ScenarioError(
        f"{does}, which is not done unless you say so"
        + "".join(f"\n  also field {name}: {more}" for name, more in rest),
        file=file,
        field=field,
        remedy="read what it is; if you trust it, give --trust (in Python trust=True)",
    )
