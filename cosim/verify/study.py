"""Checks of a whole study: its own files, its table against its runs, and every run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from cosim.inputs.kept import sha256
from cosim.replay.findings import Check
from cosim.report.report import REPORT
from cosim.results.manifest import MANIFEST, RUNS_FOLDER, flatten, read_manifest
from cosim.results.signature import SIGNATURE


def study_runs(folder: str | Path) -> list[Path] | None:
    """Result folders of a study's runs, in its order; None if the folder is no study's.

    Raises
    ------
    ResultFolderError
        If it has no manifest.
    """
    manifest = read_manifest(folder)
    if manifest.get("kind") != "study":
        return None
    return [Path(folder) / RUNS_FOLDER / str(run["name"]) for run in manifest["runs"]]


def check_study(folder: str | Path) -> Check:
    """Hashes of a study's files; its table and its means against the runs' manifests."""
    root, manifest = Path(folder), read_manifest(folder)
    check = Check("study", "SHA-256; indicators of its tables by the runs' manifests")
    for name, stated in sorted(manifest["sha256"].items()):
        file = root / name
        found = sha256(file) if file.is_file() else "no such file"
        check.equal(name, "", "sha256", stated, found)
    runs = {run.name for run in study_runs(folder) or ()}
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        of_run = len(parts) > 2 and parts[0] == RUNS_FOLDER and parts[1] in runs
        hashed = path.name in manifest["sha256"] or path.name in (MANIFEST, REPORT, SIGNATURE)
        if path.is_file() and not of_run and not (hashed and len(parts) == 1):
            check.differ("/".join(parts), "", "", "a file", "nothing that a study writes")
    table = pd.read_parquet(root / "study.parquet").set_index("run")
    for run in study_runs(folder) or ():
        indicators = flatten(read_manifest(run)["indicators"])
        row = table.loc[run.name].to_dict()
        for column in table.columns:
            if column in indicators:
                recorded, own = row[column], indicators[column]
                missing = own is None and pd.isna(recorded)
                if not missing:
                    check.equal("study", f"run {run.name}", column, recorded, own)
    if (root / "means.parquet").is_file():
        _check_means(check, root, manifest)
    return check


def _check_means(check: Check, root: Path, manifest: Mapping[str, Any]) -> None:
    """Means over seeds, their intervals and differences, from the runs' manifests."""
    found: dict[str, dict[int, dict[str, float | None]]] = {}
    for run in manifest["runs"]:
        place = run["replication"]
        indicators = flatten(read_manifest(root / RUNS_FOLDER / str(run["name"]))["indicators"])
        found.setdefault(place["point"], {})[place["number"]] = indicators
    for row in pd.read_parquet(root / "means.parquet").to_dict("records"):
        name, own = row["indicator"], found[row["point"]]
        values = {k: each[name] for k, each in own.items() if each.get(name) is not None}
        recomputed: dict[str, float] = {"n": len(values)}
        recomputed |= dict(zip(("mean", "low", "high"), _interval([*values.values()]), strict=True))
        if not pd.isna(row["against"]):
            others = found[row["against"]]
            pairs = ((value, others.get(k, {}).get(name)) for k, value in values.items())
            changes = [a - b for a, b in pairs if a is not None and b is not None]
            names = ("difference", "difference_low", "difference_high")
            recomputed |= dict(zip(names, _interval(changes), strict=True))
        for column, value in recomputed.items():
            check.compared += 1
            if not np.isclose(row[column], value, rtol=1e-9, atol=1e-9, equal_nan=True):
                check.differ("means", f"{row['point']}, {name}", column, row[column], value)


def _interval(values: Sequence[float | None]) -> tuple[float, float, float]:
    """Return mean and 95 % interval; NaN where there is none."""
    known = np.asarray(values, dtype=np.float64)
    mean = float(known.mean()) if len(known) else math.nan
    if len(known) < 2:
        return mean, math.nan, math.nan
    half = float(t.ppf(0.975, len(known) - 1)) * float(known.std(ddof=1)) / math.sqrt(len(known))
    return mean, mean - half, mean + half
