"""Subjects of a run that have a say in its report: its mechanisms, and its attack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cosim.errors import ResultFolderError
from cosim.plugins import MECHANISMS
from cosim.plugins.reported import Reported

if TYPE_CHECKING:
    from cosim.plugins.mechanism import Mechanism
    from cosim.results.reader import Results


def _core() -> tuple[type[Reported], ...]:
    """Subjects of every run that are no plug-in yet."""
    from cosim.mechanisms.flexibility_market.panel import FlexibilityReported
    from cosim.mechanisms.local_market.panel import LocalMarketReported

    return LocalMarketReported, FlexibilityReported


def subject_types() -> tuple[type[Reported], ...]:
    """Return every subject that a run may have, in the order of reports."""
    from cosim.attacks.reported import AttackReported

    return (*_core(), *sorted(MECHANISMS.every().values(), key=lambda t: t.rank), AttackReported)


def subjects(results: Results) -> tuple[Reported, ...]:
    """Return the subjects of a run, by rank and the attack last.

    Raises
    ------
    ResultFolderError
        If a section of the scenario is not one of this version.
    """
    from cosim.attacks.reported import AttackReported

    found: list[Mechanism[Any]] = []
    for name, kind in MECHANISMS.every().items():
        section = results.scenario.get(name, {} if kind.is_default else None)
        if section is not None:
            found.append(kind(_settings(results, name, kind, section)))
    found.sort(key=lambda mechanism: mechanism.rank)
    attack = [AttackReported()] if results.scenario.get("attack") is not None else []
    return (*(kind() for kind in _core()), *found, *attack)


def _settings(results: Results, name: str, kind: type[Mechanism[Any]], section: Any) -> Any:
    try:
        return kind.settings_type.model_validate(section)
    except ValidationError as error:
        raise ResultFolderError(
            f"section {name} is not one of this version: {error.errors()[0]['msg']}",
            file=results.folder / "scenario.yaml",
            remedy="run the scenario again with this version of cosim",
        ) from error
