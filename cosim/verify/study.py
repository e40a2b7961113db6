"""Checks of a whole study: its own files, its table against its runs, and every run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from cosim.replay.findings import Check
from cosim.results.manifest import RUNS_FOLDER, flatten, read_manifest


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
    """Hashes of a study's files, and every indicator in its table against the runs' manifests."""
    root, manifest = Path(folder), read_manifest(folder)
    check = Check("study", "SHA-256; indicators of its table by the runs' manifests")
    for name, stated in sorted(manifest["sha256"].items()):
        file = root / name
        found = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "no such file"
        check.equal(name, "", "sha256", stated, found)
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
    return check
