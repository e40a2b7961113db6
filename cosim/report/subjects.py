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


def _ranked() -> list[tuple[str, type[Mechanism[Any]]]]:
    return sorted(MECHANISMS.every().items(), key=lambda item: item[1].rank)


def subject_types() -> list[type[Reported[Any]]]:
    """Return every subject that a run may have, in the order of reports."""
    from cosim.report.attack_panel import AttackReported

    return [*(kind.reported() for _, kind in _ranked()), AttackReported]


def subjects(results: Results) -> list[Reported[Any]]:
    """Return the subjects of a run, by rank and the attack last.

    Raises
    ------
    ResultFolderError
        If a section of the scenario is not one of this version.
    """
    from cosim.report.attack import attack_settings
    from cosim.report.attack_panel import AttackReported

    found: list[Reported[Any]] = []
    for name, kind in _ranked():
        section = results.scenario_fields.get(name, {} if kind.is_default else None)
        if section is not None:
            found.append(kind.reported()(_settings(results, name, kind, section)))
    if results.scenario_fields.get("attack") is not None:
        found.append(AttackReported(attack_settings(results)))
    return found


def _settings(results: Results, name: str, kind: type[Mechanism[Any]], section: Any) -> Any:
    try:
        return kind.settings_type.model_validate(section)
    except ValidationError as error:
        raise ResultFolderError(
            f"section {name} is not one of this version: {error.errors()[0]['msg']}",
            file=results.folder / "scenario.yaml",
            remedy="run the scenario again with this version of cosim",
        ) from error
