"""A study's folder, whole or not there, and its manifest: runs, expectations, hashes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cosim.errors import StorageError
from cosim.inputs.kept import sha256
from cosim.results.columns import FORMAT_VERSION
from cosim.results.manifest import MANIFEST, RUNS_FOLDER, read_manifest
from cosim.results.storage import disk_trouble, storage_error, take_place
from cosim.results.writer import claim
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


@contextmanager
def pending(target: Path) -> Iterator[Path]:
    """Give a new folder that replaces the target, or is gone if there was an error.

    Runs that are finished when the disk fails are kept there, and the error says so.
    """
    folder = target.with_name(target.name + ".partial")
    lock, keeps = claim(folder), False
    try:
        yield folder
        Path(lock.name).unlink()
        take_place(folder, target)
    except (OSError, StorageError) as error:
        trouble = disk_trouble(error, folder, target)
        if trouble is None and not isinstance(error, StorageError):
            raise
        said = error if isinstance(error, StorageError) else storage_error(error, target)
        done = _finished_runs(folder)
        if not done:
            raise said from error
        keeps = True
        problem = said.problem.partition(";")[0]
        raise StorageError(
            f"{problem}; {done} of its runs are finished and kept in {folder / RUNS_FOLDER}",
            file=said.file,
            remedy=f"{said.remedy}; the next study of this name removes them: move them",
        ) from error
    finally:
        if not keeps:
            shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _finished_runs(folder: Path) -> int:
    """Remove runs that are not finished; return how many are, of one perhaps all but the report."""
    done = 0
    for path in sorted((folder / RUNS_FOLDER).iterdir()):
        if not (path / MANIFEST).is_file():
            shutil.rmtree(path, ignore_errors=True)
            continue
        done += 1
        if path.name.endswith(".partial"):
            path.rename(path.with_name(path.name.removesuffix(".partial")))
    return done
