"""Declaration of a mechanism: what a community agrees on by contract.

A mechanism is one folder: ``settings`` (its section of a scenario), ``client`` (of its contract),
``model`` (exact Python model of the contract), ``play`` (its part of a delivery interval),
``tables``, ``checks`` (for ``cosim verify``), ``indicators``, ``panel`` (of the report), ``gas``.
Its class here says what it is and hands these out; each is imported when it is asked for, so that
reading a scenario loads no contract and verifying a result loads no ``play``.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from cosim.plugins.reported import Reported
from cosim.settings import Model

if TYPE_CHECKING:
    from cosim.gas.cases import GasCases
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.play import Play
    from cosim.messages.agreements import SharedBattery
    from cosim.replay.checks import MechanismChecks
    from cosim.results.columns import Table
    from cosim.scenario import Scenario

S = TypeVar("S", bound=Model)


class Mechanism(ABC, Generic[S]):
    """Contract-based agreement of a community, registered under ``cosim.mechanisms``.

    One object stands for one section of one scenario.

    Attributes
    ----------
    section : str
        Name of its section in a scenario, and of its entry point.
    title : str
        Its name in reports and pages.
    summary : str
        What the section is, for the documentation of scenarios.
    settings_type : type of Model
        Its section.
    is_default : bool
        Whether it is there, with every default, when a scenario lacks the section.
    rank : int
        Place among the mechanisms of an interval; the local market has 0, the flexibility market
        10. Orders and nominations of a higher rank are sent first, and settled last.
    tables : tuple of Table
        Tables that it alone writes.
    contracts : tuple of str
        Names of the Vyper contracts that it deploys.
    sources : Path or None
        Folder of their sources; None for those that come with cosim.
    survives_forks : bool
        Whether it reads again what a reorganisation of the chain changed. If not, a scenario whose
        ledger forks refuses it.
    """

    section: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    settings_type: ClassVar[type[Model]]
    is_default: ClassVar[bool] = False
    rank: ClassVar[int] = 100
    tables: ClassVar[tuple[Table, ...]] = ()
    contracts: ClassVar[tuple[str, ...]] = ()
    sources: ClassVar[Path | None] = None
    survives_forks: ClassVar[bool] = False

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @classmethod
    def problem(cls, name: str) -> str | None:
        """Return what is wrong with the declaration under a name; None if nothing is."""
        asked = ("section", "title", "summary", "settings_type")
        if missing := [each for each in asked if not hasattr(cls, each)]:
            return f"lacks {', '.join(missing)}"
        if cls.section != name:
            return f"has the section {cls.section!r}, which is not the name of its entry point"
        if not (inspect.isclass(cls.settings_type) and issubclass(cls.settings_type, Model)):
            return "has a settings_type that is no subclass of cosim.settings.Model"
        for table in cls.tables:
            names = [column.name for column in table.columns]
            if len(set(names)) < len(names):
                return f"has a table {table.name!r} with two columns of one name"
        return None

    # --- before a run ---

    def check_scenario(self, scenario: Scenario) -> None:
        """Refuse a scenario that the section does not fit.

        Raises
        ------
        ValueError
            With a message that names the fields; it becomes an error of the scenario file.
        """

    def outsiders(self, scenario: Scenario) -> Sequence[str]:
        """Return connection points that it keeps out of the local market."""
        return ()

    def added_points(self) -> Sequence[tuple[str, str | None]]:
        """Return connection points that it adds to the grid: their names, and those of the buses.

        Without a bus it is the low-voltage busbar of the transformer.
        """
        return ()

    def shared_battery(self, scenario: Scenario, names: Sequence[str]) -> SharedBattery | None:
        """Return a battery that members share behind a point that it added; None for none.

        Parameters
        ----------
        scenario : Scenario
        names : sequence of str
            Connection points, the added ones among them.
        """
        return None

    def setup_wait_s(self) -> int:
        """Return for how long its set-up waits, on top of the blocks of its transactions. [s]"""
        return 0

    @abstractmethod
    def deploy(self, deployment: Deployment, scenario: Scenario) -> Play:
        """Deploy its contracts before the first order window, and return its part of a run.

        Raises
        ------
        ContractRevert
            If a contract refuses a step of the set-up.
        EngineError
            If the set-up does not finish before the first order window.
        """

    # --- after a run ---

    def checks(self) -> MechanismChecks[S] | None:
        """Return what ``cosim verify`` recomputes of its tables; None for nothing of its own."""
        return None

    @classmethod
    def reported(cls) -> type[Reported[Any]]:
        """Return the class that reads its part of a result: indicators, costs, report."""
        return Reported

    # --- without a run ---

    @classmethod
    def gas(cls) -> GasCases | None:
        """Return what ``cosim gas`` measures of its contracts; None for nothing."""
        return None


def added_names(mechanisms: Iterable[Mechanism[Any]]) -> tuple[str, ...]:
    """Return the names of the connection points that mechanisms add to the grid."""
    return tuple(name for each in mechanisms for name, _ in each.added_points())
