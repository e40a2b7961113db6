"""A study's folder, whole or not there, and its manifest: runs, expectations, hashes.

Until it is whole it is ``<folder>.partial``. What is finished there when the study is interrupted
or killed stays, with the hashes of its inputs, for the next study of this name.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cosim.errors import ResultFolderError, StorageError
from cosim.inputs.json_file import parse_json
from cosim.inputs.kept import sha256
from cosim.report.report import REPORT, write_report
from cosim.results.columns import FORMAT_VERSION
from cosim.results.manifest import RUNS_FOLDER, read_manifest
from cosim.results.storage import disk_trouble, replace_text, storage_error, take_place
from cosim.results.writer import claim
from cosim.runs.input_hash import input_hash
from cosim.studies.declaration import ImpossibleRun, Study, StudyRun
from cosim.studies.differences import COMPARISON_CSV, COMPARISON_TABLE
from cosim.studies.expectations import Outcome
from cosim.studies.points import MEANS_CSV, MEANS_TABLE
from cosim.studies.results import KIND, STUDY_CSV, STUDY_TABLE, FinishedRun

_LOCK, _INPUTS = ".lock", ".inputs.json"
"""Files of a folder that is not whole: who writes it, and hashes of its runs' inputs."""
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
    """Give a folder that replaces the target, or is gone if there was an error.

    Runs that are finished when the user interrupts it or the disk fails are kept there, and the
    error says so.
    """
    folder = target.with_name(target.name + ".partial")
    lock, keeps = claim(folder, {_LOCK, _INPUTS, RUNS_FOLDER}), False
    try:
        yield folder
        (folder / _INPUTS).unlink(missing_ok=True)
        Path(lock.name).unlink()
        take_place(folder, target)
    except KeyboardInterrupt:
        done = _finished_runs(folder)
        if not done:
            raise
        keeps = True
        raise KeyboardInterrupt(
            f"{done} of its runs are finished and kept in {folder}; the same command goes on"
        ) from None
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
            remedy=f"{said.remedy}; the next study of this name goes on with them",
        ) from error
    finally:
        if not keeps:
            shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def kept_runs(folder: Path, runs: Sequence[StudyRun]) -> set[str]:
    """Return the names of runs that an earlier study finished; everything else is removed.

    Parameters
    ----------
    folder : Path
        As :func:`pending` gives it.
    runs : sequence of StudyRun
        A run counts as finished if its inputs have the hash that they had then.
    """
    place = folder / RUNS_FOLDER
    place.mkdir(exist_ok=True)
    inputs = {run.name: _inputs(run) for run in runs}
    try:
        before = parse_json((folder / _INPUTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    known = before if isinstance(before, dict) else {}
    kept = set()
    for path in sorted(place.iterdir()):
        same = path.name in inputs and known.get(path.name) == inputs[path.name]
        if same and _is_complete(path):
            kept.add(path.name)
            if not (path / REPORT).is_file():
                write_report(path)
        else:
            shutil.rmtree(path, ignore_errors=True)
    replace_text(folder / _INPUTS, json.dumps(inputs, indent=2, sort_keys=True) + "\n")
    return kept


def _inputs(run: StudyRun) -> str:
    """Return a hash of what decides the result folder of a run, its name among it."""
    words = hashlib.sha256(run.scenario.to_yaml().encode()).hexdigest()
    return f"{input_hash(run.scenario)} {words}"


def _is_complete(folder: Path) -> bool:
    """Return True for a whole run; its manifest is first written without indicators."""
    try:
        manifest = read_manifest(folder)
        return bool(manifest["complete"] and manifest.get("indicators"))
    except ResultFolderError:
        return False


def _finished_runs(folder: Path) -> int:
    """Remove runs that are not finished; return how many are, of one perhaps all but the report."""
    done = 0
    if not (folder / RUNS_FOLDER).is_dir():
        return 0
    for path in sorted((folder / RUNS_FOLDER).iterdir()):
        if not _is_complete(path):
            shutil.rmtree(path, ignore_errors=True)
            continue
        done += 1
        (path / _LOCK).unlink(missing_ok=True)
        if path.name.endswith(".partial"):
            path.rename(path.with_name(path.name.removesuffix(".partial")))
    return done
