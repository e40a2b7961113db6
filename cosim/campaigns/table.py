"""The tidy table of a campaign: a row per run, with parameters, indicators, folder and hash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.campaigns.declaration import Campaign
from cosim.campaigns.folder import CampaignFolder
from cosim.results.manifest import RUNS_FOLDER, flatten, read_manifest
from cosim.studies.failures import Failure
from cosim.studies.results import is_number
from cosim.studies.study import value_text

TABLE, CSV = "campaign.parquet", "campaign.csv"
DONE, FAILED, MISSING = "done", "failed", "missing"
OWN_COLUMNS = ("hash", "folder", "status", "error", "point", "number", "seed")
"""Columns before the parameters."""


def statuses(folder: CampaignFolder, campaign: Campaign) -> dict[str, str]:
    """Return by hash whether a run is done, failed or missing."""
    return {
        run: DONE if folder.has(run) else FAILED if folder.failure(run) else MISSING
        for run in campaign.distinct
    }


def campaign_table(
    folder: CampaignFolder, campaign: Campaign, status: dict[str, str]
) -> pd.DataFrame:
    """Return one row per run, in the order of the design.

    Parameters
    ----------
    folder : CampaignFolder
    campaign : Campaign
    status : dict
        As :func:`statuses` gives it.

    Returns
    -------
    pandas.DataFrame
        ``hash``, ``folder`` (within the campaign's; missing where there is none), ``status``
        (``done``, ``failed``, ``missing``), ``error``, ``point``, ``number`` and ``seed``; a column
        per parameter, named as in the file; every indicator that is a number, nested ones with
        dots. A parameter whose values are not all numbers is text. What a run lacks is missing.
    """
    indicators = {
        run: flatten(read_manifest(folder.target(run))["indicators"])
        for run, state in status.items()
        if state == DONE
    }
    failures = {run: folder.failure(run) for run, state in status.items() if state == FAILED}
    runs = campaign.runs
    columns: dict[str, list[Any]] = {
        "hash": [run.hash for run in runs],
        "folder": [
            f"{RUNS_FOLDER}/{run.hash}" if status[run.hash] == DONE else None for run in runs
        ],
        "status": [status[run.hash] for run in runs],
        "error": [_words(failures.get(run.hash)) for run in runs],
        "point": [run.point for run in runs],
        "number": [run.number for run in runs],
        "seed": [run.scenario.seed for run in runs],
    }
    series = {name: _series(values) for name, values in columns.items()}
    for name in campaign.parameters:
        series[_free(name, series)] = parameter([run.values.get(name) for run in runs])
    for name in dict.fromkeys(name for own in indicators.values() for name in own):
        values = [indicators.get(run.hash, {}).get(name) for run in runs]
        series[_free(name, series)] = pd.Series(values, dtype="float64")
    return pd.DataFrame(series)


def parameter(values: Sequence[Any]) -> pd.Series:
    """Return the column of a parameter: numbers if all are, else text."""
    if all(map(is_number, values)):
        kind = "int64" if all(isinstance(value, int) for value in values) else "float64"
        return pd.Series(values, dtype=kind)
    return pd.Series([None if v is None else value_text(v) for v in values], dtype="object")


def write_table(folder: Path, table: pd.DataFrame, name: str, csv: str) -> None:
    """Write a table as Parquet and CSV, each whole."""
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    partial = folder / f".{name}.partial"
    pq.write_table(arrow, partial)
    partial.replace(folder / name)
    partial = folder / f".{csv}.partial"
    table.to_csv(partial, index=False)
    partial.replace(folder / csv)


def _free(name: str, taken: dict[str, pd.Series]) -> str:
    """Return a name for a column: that of a parameter before that of an indicator."""
    while name in taken:
        name += "_"
    return name


def _series(values: list[Any]) -> pd.Series:
    whole = bool(values) and all(isinstance(value, int) for value in values)
    return pd.Series(values, dtype="int64" if whole else "object")


def _words(failure: Failure | None) -> str | None:
    """Return an error in one line: of a traceback the last."""
    if failure is None:
        return None
    lines = failure.text.strip().splitlines() or [""]
    text = lines[-1] if failure.kind == "bug" else lines[0]
    return f"{failure.field}: {text}" if failure.field else text
