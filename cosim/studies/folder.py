"""Manifest of a study's folder: its runs, what was left out, what was expected, hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cosim.inputs.kept import sha256
from cosim.results.columns import FORMAT_VERSION
from cosim.results.manifest import RUNS_FOLDER, read_manifest
from cosim.studies.declaration import ImpossibleRun, Study
from cosim.studies.differences import COMPARISON_CSV, COMPARISON_TABLE
from cosim.studies.expectations import Outcome
from cosim.studies.points import MEANS_CSV, MEANS_TABLE
from cosim.studies.results import KIND, STUDY_CSV, STUDY_TABLE, FinishedRun

STUDY_FILE = "study.yaml"
"""The study as it was given."""
_TABLES = (
    *(STUDY_FILE, STUDY_TABLE, STUDY_CSV),
    *(MEANS_TABLE, MEANS_CSV, COMPARISON_TABLE, COMPARISON_CSV),
)


def study_manifest(
    study: Study,
    folder: Path,
    runs: Sequence[FinishedRun],
    impossible: Sequence[ImpossibleRun],
    outcomes: Sequence[Outcome],
    timing: dict[str, Any],
) -> dict[str, Any]:
    """Return the manifest of a study, but for its comparisons.

    Parameters
    ----------
    study : Study
    folder : Path
        Where its tables are written already.
    runs : sequence of FinishedRun
    impossible : sequence of ImpossibleRun
    outcomes : sequence of Outcome
    timing : dict
        The only entry that differs when the study is played again.
    """
    first = read_manifest(folder / RUNS_FOLDER / runs[0].name)
    hashed = {name: sha256(folder / name) for name in _TABLES if (folder / name).exists()}
    return {
        "format": FORMAT_VERSION,
        "kind": KIND,
        "name": study.name,
        "description": study.description,
        "complete": True,
        "expectation": study.settings.expectation,
        "axes": list(study.settings.axes),
        "seeds": study.settings.seeds,
        "runs": [
            {
                "name": run.name,
                "variant": run.variant,
                "values": list(run.values.values()),
                "replication": None if run.replication is None else asdict(run.replication),
            }
            for run in runs
        ],
        "impossible": [asdict(run) for run in impossible],
        "outcomes": [asdict(outcome) for outcome in outcomes],
        "versions": first["versions"],
        "git_revision": first["git_revision"],
        "sha256": hashed,
        "timing": timing,
    }
