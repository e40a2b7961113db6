"""The table of a study: one row per run, with every indicator that is a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import ResultFolderError
from cosim.report.head import intervals_text, period_text
from cosim.results.manifest import RUNS_FOLDER, flatten, read_manifest
from cosim.results.reader import Results
from cosim.studies.declaration import Replication
from cosim.studies.study import value_text

STUDY_TABLE = "study.parquet"
STUDY_CSV = "study.csv"
SETTINGS_MAX = 4
"""Networks or periods that a study's report lists each."""
KIND = "study"
"""Of the manifest of a study's folder."""


@dataclass(frozen=True)
class FinishedRun:
    """A run of a study that is finished.

    Parameters
    ----------
    name, variant : str
        As in :class:`cosim.studies.study.StudyRun`.
    values : dict
        Value on each axis, by field.
    indicators : dict
        By dotted path, in the order of the manifest; None where there is no value.
    replication : Replication or None
        None in a study with one seed.
    """

    name: str
    variant: str
    values: dict[str, Any]
    indicators: dict[str, float | None]
    replication: Replication | None = None

    @property
    def point(self) -> str:
        """Name that it shares with runs of other seeds; its own with one seed."""
        return self.replication.point if self.replication else self.name


def study_table(runs: Sequence[FinishedRun]) -> pd.DataFrame:
    """Return one row per run: ``run``, ``variant``, the axes by field, and every indicator.

    With several seeds, ``point`` and ``seed`` stand after the run.

    An axis whose values are not all numbers is a column of text. An indicator that a run lacks, or
    that has no value, is missing.
    """
    columns: dict[str, list[Any]] = {
        "run": [run.name for run in runs],
    }
    if any(run.replication for run in runs):
        columns["point"] = [run.point for run in runs]
        columns["seed"] = [run.replication and run.replication.seed for run in runs]
    columns["variant"] = [run.variant or None for run in runs]
    for axis in dict.fromkeys(axis for run in runs for axis in run.values):
        values = [run.values.get(axis) for run in runs]
        columns[axis] = values if all(map(is_number, values)) else [*map(value_text, values)]
    for indicator in dict.fromkeys(name for run in runs for name in run.indicators):
        columns[indicator] = [run.indicators.get(indicator) for run in runs]
    return pd.DataFrame({name: _series(values) for name, values in columns.items()})


def write_study_table(folder: Path, runs: Sequence[FinishedRun]) -> None:
    """Write ``study.parquet`` and ``study.csv`` into a study's folder."""
    table = study_table(runs)
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(arrow, folder / STUDY_TABLE)
    table.to_csv(folder / STUDY_CSV, index=False)


def read_runs(folder: str | Path) -> tuple[dict[str, Any], list[FinishedRun]]:
    """Return the manifest of a study, and its runs with the indicators of their own manifests.

    Raises
    ------
    ResultFolderError
        If the folder is not that of a study, or a run is missing.
    """
    root = Path(folder)
    manifest = read_manifest(root)
    if manifest.get("kind") != KIND:
        raise ResultFolderError(
            "is the result of one run, not of a study", file=root, remedy="give a study's folder"
        )
    runs = [
        FinishedRun(
            name=run["name"],
            variant=run["variant"],
            values=dict(zip(manifest["axes"], run["values"], strict=True)),
            indicators=flatten(read_manifest(root / RUNS_FOLDER / run["name"])["indicators"]),
            replication=Replication(**run["replication"]) if run.get("replication") else None,
        )
        for run in manifest["runs"]
    ]
    return manifest, runs


def grid_limits(folder: str | Path, runs: Sequence[FinishedRun]) -> dict[str, float]:
    """Return the limits of the grid that all runs share, by their names in a scenario."""
    scenarios = [Results(Path(folder) / RUNS_FOLDER / run.name).scenario_fields for run in runs]
    limits = [scenario["grid"]["limits"] for scenario in scenarios]
    return {
        name: float(value)
        for name, value in limits[0].items()
        if all(own[name] == value for own in limits)
    }


def setting_of(folder: str | Path, runs: Sequence[FinishedRun]) -> list[tuple[str, str]]:
    """Return network and period of a study's runs, term and text; every one where they differ."""
    results = [Results(Path(folder) / RUNS_FOLDER / run.name) for run in runs]
    texts = {
        "Network": [PurePath(each.scenario_fields["grid"]["network"]).name for each in results],
        "Period": [period_text(each) for each in results],
        "Intervals": [intervals_text(each) for each in results],
    }
    found = []
    for term, values in texts.items():
        distinct = list(dict.fromkeys(values))
        listed = " · ".join(distinct[:SETTINGS_MAX])
        if len(distinct) > SETTINGS_MAX:
            listed += f" · {len(distinct) - SETTINGS_MAX} more"
        found.append((term, f"{listed} (by run)" if len(distinct) > 1 else listed))
    return found


def is_study_folder(folder: str | Path) -> bool:
    """Return True for the folder of a study.

    Raises
    ------
    ResultFolderError
        If it is no result folder at all.
    """
    return read_manifest(folder).get("kind") == KIND


def is_number(value: Any) -> bool:
    """Return True for a number on an axis; truth is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _series(values: list[Any]) -> pd.Series:
    """Return a column; integers stay integers where every run has one."""
    if all(isinstance(value, int) for value in values):
        return pd.Series(values, dtype="int64")
    if all(value is None or isinstance(value, int | float) for value in values):
        return pd.Series(values, dtype="float64")
    return pd.Series(values, dtype="object")
