"""The run of a result folder played again by this version, and every file of both compared.

What plays is a program of its own (:mod:`cosim.runs.again`): nothing of it is imported here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import CheckError, CosimError
from cosim.inputs.kept import INPUTS_FOLDER
from cosim.processes import SAFE_PATH
from cosim.replay.findings import ORDINALS, Check, row_name
from cosim.results.manifest import MANIFEST, TABLES_FOLDER, read_manifest
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.scenario import Scenario
from cosim.scenario.trust import started
from cosim.verify.files import compare_metadata, same_bytes
from cosim.verify.trees import TOLERANCE, differing, same_number, unpacked

PROGRAM = "cosim.runs.again"
_GRACE_S = 5.0
"""Wait so long for the output of a program that was ended. [s]"""

FROM_POWER_FLOWS = frozenset(
    [
        "grid_checks",
        "violations",
        "buses",
        "branches",
        "grid_balance",
        "margins",
        "pivotal",
        "rebounds",
        "taps",
        "prosumers",
        "forecasts",
    ]
)
"""Tables with floats that a solver gave; those of all others are equal to the last bit."""

FREE = ("timing", "versions", "git_revision", "environment", "sha256")
"""Keys of the manifest that another machine, or another day, has otherwise."""

LEAST_S, MOST_S, TIMES = 1800.0, 7 * 86_400.0, 30.0
"""Time limit of a rerun: so many times what the manifest says the run took, in bounds. [s]"""


def time_limit_s(manifest: Mapping[str, Any]) -> float:
    """Return how long a run may take to be played again, if nobody says otherwise. [s]

    A slower engine is installed here, or the machine is busy: so the limit is wide. That the
    manifest is its author's word decides nothing: a run that is not played to its end is no pass.
    """
    timing = manifest.get("timing")
    spent = timing.values() if isinstance(timing, Mapping) else ()
    took_s = sum(value for value in spent if isinstance(value, int | float) and 0 < value < MOST_S)
    return min(max(TIMES * took_s, LEAST_S), MOST_S)


def untrusted(scenario: Scenario) -> str | None:
    """Return what a scenario would start or import that is not installed here; None if nothing."""
    if not scenario.simulators:
        return None
    names = ", ".join(f"{field} {does}" for field, does in started(scenario.simulators))
    return f"the scenario starts simulators of its own: {names}"


class Rerun:
    """A run that is played again while other checks are made.

    Parameters
    ----------
    results : Results
        What was recorded.
    trust : bool
        Let the scenario start the programs, and import the modules, that it names.
    timeout_s : float, optional
        Time for it, from now; default: :func:`time_limit_s`. [s]

    Raises
    ------
    CheckError
        If this machine has no place for it.
    """

    def __init__(
        self, results: Results, trust: bool = False, timeout_s: float | None = None
    ) -> None:
        self._results = results
        self._timeout_s = time_limit_s(results.manifest) if timeout_s is None else timeout_s
        self._begin_s = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._place: tempfile.TemporaryDirectory[str] | None = None
        self._refused = ""
        try:
            self._refused = "" if trust else untrusted(results.scenario) or ""
            settled = results.n_intervals if not results.manifest.get("complete") else None
        except (CosimError, LookupError, TypeError, ValueError) as error:
            self._refused = f"its scenario cannot be read here: {_one_line(error)}"
        if self._refused:
            return
        try:
            self._place = tempfile.TemporaryDirectory(prefix="cosim-rerun-")
        except OSError as error:
            raise CheckError(f"there is no place to play the run again: {error}") from error
        # programs that the scenario names may be meant from where the user is
        place = None if trust and results.scenario.simulators else Path(self._place.name)
        self._process = self._start(place, settled, trust)

    @property
    def out(self) -> Path:
        """The folder that the run is played into."""
        assert self._place is not None
        return Path(self._place.name) / "again"

    def _start(
        self, place: Path | None, settled: int | None, trust: bool
    ) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", PROGRAM]
        program += [str(self._results.folder.absolute()), str(self.out)]
        if trust:
            program += ["--trust"]
        if settled is not None:
            program += ["--settled", str(settled)]
        here = str(Path(__file__).parents[2])
        known = os.environ.get("PYTHONPATH")
        paths = here if not known else os.pathsep.join((here, known))
        return subprocess.Popen(
            program,
            cwd=place,  # nothing near the user is taken for an input
            env=os.environ | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", SAFE_PATH: "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def check(self) -> Check:
        """Wait for the run, and compare.

        Raises
        ------
        CheckError
            If this machine could not play it.
        """
        check = Check("rerun", "the run played again by this version, every file compared")
        if self._process is None:
            check.leave_out(self._refused)
            return check
        left_s = self._timeout_s - (time.monotonic() - self._begin_s)
        try:
            printed, errors = self._process.communicate(timeout=max(left_s, 0.0))
        except subprocess.TimeoutExpired:
            check.leave_out(
                f"it was not done after {self._timeout_s:g} s; --timeout gives it longer"
            )
            return check
        told = _outcome(printed)
        outcome, said = told.get("outcome"), str(told.get("said", ""))
        if outcome == "trouble":
            raise CheckError(f"the run could not be played again on this machine: {said}")
        if outcome == "refused":
            check.leave_out(said)
        elif outcome == "stopped":
            check.compared += 1
            check.differ("the run", "", "", "a result", f"an error: {said}")
        elif outcome == "played":
            compare(check, self._results, self.out)
        else:
            last = (errors.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
            code = self._process.returncode
            raise CheckError(f"{PROGRAM} ended with exit code {code} and said: {last}")
        return check

    def __enter__(self) -> Rerun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the program if it still runs, and remove what it wrote."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            try:
                self._process.communicate(timeout=_GRACE_S)
            except subprocess.TimeoutExpired:
                # a simulator that it started, and that outlives it, holds the pipes
                for pipe in (self._process.stdout, self._process.stderr):
                    if pipe is not None:
                        pipe.close()
        if self._place is not None:
            self._place.cleanup()


def _outcome(printed: bytes) -> dict[str, Any]:
    """Return the last line that is JSON: simulators may print, too."""
    for line in reversed(printed.decode(errors="replace").splitlines()):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and "outcome" in told:
            return told
    return {}


def compare(check: Check, results: Results, again: Path) -> None:
    """Compare every file of a recorded run with those of the run played again.

    Parameters
    ----------
    check : Check
        Gets the differences.
    results : Results
        As recorded.
    again : Path
        Result folder of the run as it was played here.
    """
    recorded = results.folder
    same = 0
    names = sorted(tables_of(results.scenario))
    for name in names:
        file = f"{TABLES_FOLDER}/{name}.parquet"
        if not (recorded / file).is_file():
            check.compared += 1
            check.differ(file, "", "", "no such file", "a table")
            continue
        if same_bytes(recorded / file, again / file):
            check.compared += pq.ParquetFile(recorded / file).metadata.num_rows
            same += 1
            continue
        of_table = Check(name, "")
        compare_tables(of_table, name, pq.read_table(recorded / file), pq.read_table(again / file))
        _take(check, of_table)
    check.note(f"{same} of {len(names)} tables are equal by byte", detail=True)
    written = (recorded / "scenario.yaml").read_text(encoding="utf-8")
    check.equal("scenario.yaml", "", "text", written, results.scenario.to_yaml())
    for name in ("network.json", *_inputs(recorded, again)):
        _compare_files(check, name, recorded / name, again / name)
    _compare_manifests(check, read_manifest(recorded), read_manifest(again))


def _take(check: Check, other: Check) -> None:
    """Add what another check found: of every table its first differences are shown."""
    check.compared += other.compared
    check.n_differences += other.n_differences
    check.differences += other.differences
    for column, gap in other.largest.items():
        check.largest[column] = max(check.largest.get(column, 0.0), gap)


def compare_tables(
    check: Check, name: str, recorded: Any, again: Any, close: bool | None = None
) -> None:
    """Compare two tables cell by cell, columns and their types included; keep each one's first.

    Parameters
    ----------
    check : Check
    name : str
    recorded, again : pyarrow.Table
    close : bool, optional
        Let floats differ by the tolerance; default: in tables of power flows.
    """
    types = [f"{field.name} ({field.type})" for field in again.schema]
    found = [f"{field.name} ({field.type})" for field in recorded.schema]
    if not check.equal(name, "", "columns", found, types):
        return
    if not check.equal(name, "", "number of rows", recorded.num_rows, again.num_rows):
        return
    compare_metadata(check, name, recorded.schema.metadata, again.schema.metadata)
    close = name in FROM_POWER_FLOWS if close is None else close
    rows = _row_names(again)
    for field in again.schema:
        left, right = recorded[field.name], again[field.name]
        if pa.types.is_floating(field.type) and close:
            _numbers(check, name, rows, field.name, left, right)
            continue
        check.compared += len(left)
        if left.equals(right):
            continue
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        wrong = [i for i, (a, b) in enumerate(pairs) if not same_number(a, b)]
        for i in wrong[:1]:
            said, true = left[i].as_py(), right[i].as_py()
            check.differ(name, rows(i), field.name, said, true, n=len(wrong))


def _numbers(check: Check, name: str, rows: Any, column: str, recorded: Any, again: Any) -> None:
    """Compare floats with the tolerance; what is missing is missing in both."""
    check.equal(name, "", f"missing values of {column}", recorded.null_count, again.null_count)
    left, right = (each.to_numpy().astype(np.float64) for each in (recorded, again))
    check.compared += len(left)
    with np.errstate(invalid="ignore"):
        gap = np.abs(left - right)
        gap[(left == right) | (np.isnan(left) & np.isnan(right))] = 0.0  # infinities, too
        allowed = TOLERANCE * np.maximum(1.0, np.abs(right))
        wrong = np.flatnonzero(~((gap <= allowed) | (gap == 0.0)))  # allowed is NaN where both are
        finite = gap[np.isfinite(gap)]
    if finite.size and finite.max() > 0:
        check.largest[column] = max(check.largest.get(column, 0.0), float(finite.max()))
    for i in wrong[:1]:
        check.differ(name, rows(int(i)), column, float(left[i]), float(right[i]), n=len(wrong))


def _row_names(table: Any) -> Any:
    """Return what names a row: see :func:`cosim.replay.findings.row_name`."""
    kinds = pa.types
    naming = list(
        takewhile(
            lambda name: name in ORDINALS or kinds.is_string(table.schema.field(name).type),
            table.column_names,
        )
    )
    frame = cache(lambda: table.select(naming).to_pandas())  # only if something differs
    return lambda i: row_name(frame(), i)


def _inputs(*folders: Path) -> list[str]:
    """Names of all files of inputs in two result folders."""
    return sorted(
        {
            path.relative_to(folder).as_posix()
            for folder in folders
            for path in (folder / INPUTS_FOLDER).rglob("*")
            if path.is_file()
        }
    )


def _compare_files(check: Check, name: str, recorded: Path, again: Path) -> None:
    check.compared += 1
    missing = [path for path in (recorded, again) if not path.is_file()]
    if missing:
        said = ["no such file" if path in missing else "a file" for path in (recorded, again)]
        check.differ(name, "", "", said[0], said[1])
    elif same_bytes(recorded, again):
        return
    elif name.endswith(".parquet"):  # another version of pyarrow writes other bytes
        compare_tables(check, name, pq.read_table(recorded), pq.read_table(again))
    elif name.endswith(".json"):
        left, right = (json.loads(path.read_text(encoding="utf-8")) for path in (recorded, again))
        for place, ours, theirs in differing(unpacked(left), unpacked(right)):
            check.differ(name, place, "", ours, theirs)
    else:
        check.differ(name, "", "", "other bytes", "those of this version")


def _compare_manifests(check: Check, recorded: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Compare what the manifest says of the run; see :data:`FREE` for what it may say."""
    check.compared += 1
    for place, left, right in differing(_comparable(recorded), _comparable(ours)):
        check.differ(MANIFEST, place, "", left, right)


def _comparable(manifest: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in manifest.items() if key not in FREE}
    chain = kept.get("chain")
    if isinstance(chain, dict):  # every engine gives the same result
        kept["chain"] = {key: value for key, value in chain.items() if key != "engine"}
    return kept


def _one_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
