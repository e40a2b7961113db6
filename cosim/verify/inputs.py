"""Inputs that a result keeps, against what comes with this version; its report, rendered again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cosim.inputs.kept import INPUTS_FOLDER, kept_grid, sha256
from cosim.replay.findings import Check
from cosim.report.report import REPORT, render
from cosim.resources import folder as resource_folder
from cosim.results.environment import foreign_plug_ins
from cosim.results.inputs import (
    CONTRACTS_FOLDER,
    GRID_FILES,
    PROFILES,
    SOURCE,
    contract_sources,
)
from cosim.results.reader import Results

_NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
RELATIVE = 1e-9
"""Floats in a report may differ by so much: sums on another machine."""


def check_inputs(results: Results) -> Check:
    """Compare contract sources with those here, and a grid of a shipped name with the shipped one.

    Everything else is the author's own, and is named with its hash.
    """
    check = Check("inputs", "contract sources and grids that come with this version")
    note_plug_ins(check, results)
    place = results.folder / INPUTS_FOLDER
    for name, source in contract_sources(results.scenario).items():
        kept = place / CONTRACTS_FOLDER / name
        found = kept.read_bytes() if kept.is_file() else None
        check.compared += 1
        if found != source.read_bytes():
            said = "no such file" if found is None else "another source"
            check.differ(f"{INPUTS_FOLDER}/{CONTRACTS_FOLDER}/{name}", "", "", said, "this one's")
    named = results.scenario.grid.network
    grid = kept_grid(named, results.folder)
    if grid is None:
        check.compared += 1
        check.differ(f"{INPUTS_FOLDER}/index.json", "grid", "named", "another grid", named)
        return check
    own = resource_folder("grids") / named
    if len(Path(named).parts) == 1 and own.is_dir():
        _check_shipped(check, named, grid, own)
    else:
        hashes = ", ".join(f"{name} {sha256(grid / name)}" for name in (*GRID_FILES, PROFILES))
        check.note(f"the grid {named} is the author's own: {hashes}")
    return check


def note_plug_ins(check: Check, results: Results) -> None:
    """Name plug-ins of other packages that are not installed here as the manifest tells them.

    That decides nothing, for anybody can write the manifest: whether they do the same, the run
    played again says.
    """
    stated = results.manifest.get("environment", {}).get("plug_ins", ())
    told, ours = ({_identity(one): one for one in many} for many in (stated, foreign_plug_ins()))
    for key in sorted({*told, *ours}):
        if (theirs := _state(told.get(key))) != (own := _state(ours.get(key))):
            where = f"played with {theirs}, here is {own}"
            check.note(f"plug-in {key[1]} ({key[0]}) of the package {key[2]}: {where}")


def _identity(plug_in: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(plug_in["group"]), str(plug_in["name"]), str(plug_in["package"])


def _state(plug_in: Mapping[str, Any] | None) -> str:
    if plug_in is None:
        return "none"
    return f"version {plug_in['version']}, SHA-256 {str(plug_in['sha256'])[:16]}"


def _check_shipped(check: Check, named: str, kept: Path, own: Path) -> None:
    """Compare a grid with the one of its name that comes with this version."""
    place = f"{INPUTS_FOLDER}/grid/{named}"
    texts = GRID_FILES if not (own / SOURCE).is_file() else (*GRID_FILES, SOURCE)
    for name in texts:
        said = sha256(kept / name) if (kept / name).is_file() else "no such file"
        check.equal(f"{place}/{name}", "", "sha256", said, sha256(own / name))
    window = pq.read_table(kept / PROFILES)
    known = pq.read_schema(own / PROFILES).names
    unknown = [name for name in window.column_names if name not in known]
    check.equal(f"{place}/{PROFILES}", "", "columns that the shipped grid lacks", unknown, [])
    if unknown or "time" not in window.column_names or not window.num_rows:
        return
    whole = pq.read_table(own / PROFILES, columns=window.column_names)
    times = whole["time"].to_pylist()
    begin = window["time"][0].as_py()
    at = times.index(begin) if begin in times else len(times)
    shipped = whole.slice(at, window.num_rows)
    check.equal(f"{place}/{PROFILES}", "", "rows", window.num_rows, shipped.num_rows)
    for name in window.column_names:
        check.compared += window.num_rows
        if not window[name].equals(shipped[name]):
            pairs = zip(window[name].to_pylist(), shipped[name].to_pylist(), strict=False)
            row = next((i for i, (a, b) in enumerate(pairs) if a != b), 0)
            said = window[name][row].as_py()
            true = shipped[name][row].as_py() if row < shipped.num_rows else "no row"
            check.differ(f"{place}/{PROFILES}", f"row {row}", name, said, true)


def check_report(results: Results) -> Check:
    """Render the report again from the tables and the manifest, and compare its text."""
    check = Check("report", "report.html rendered again from the tables")
    compare_report(check, results.folder, lambda: render(results))
    return check


def compare_report(check: Check, folder: str | Path, rendered: Callable[[], str]) -> None:
    """Compare the report of a folder with what is rendered now; none there is a difference."""
    path = Path(folder) / REPORT
    check.compared += 1
    if path.is_file():
        compare_texts(check, path.read_bytes().decode("utf-8", "replace"), rendered())
    else:
        check.differ(REPORT, "", "", "no such file", "a report")


_CODED = re.compile(r'(?<="bdata":")[^"]*')
"""Numbers of a chart, in base64."""


def compare_texts(check: Check, recorded: str, own: str) -> None:
    """Compare two reports; numbers in them may differ by noise."""
    if recorded == own or _equal_but_for_noise(check, recorded, own):
        return
    pairs = zip(recorded.splitlines(), own.splitlines(), strict=False)
    row, said, true = next(
        ((i, a, b) for i, (a, b) in enumerate(pairs, 1) if a != b), (0, "its end", "its end")
    )
    check.differ(REPORT, f"line {row}", "", *_around_first(said, true))


def _equal_but_for_noise(check: Check, recorded: str, own: str) -> bool:
    """Compare two texts with numbers as numbers."""
    if _NUMBER.sub("#", recorded) != _NUMBER.sub("#", own):
        return False
    largest = 0.0
    for left, right in zip(_NUMBER.findall(recorded), _NUMBER.findall(own), strict=True):
        if left == right:
            continue
        gap = abs(float(left) - float(right)) / max(1.0, abs(float(right)))
        if not gap <= RELATIVE:
            return False
        largest = max(largest, gap)
    check.largest["relative"] = largest
    return True


def _around_first(said: str, true: str) -> tuple[Any, Any]:
    """Return the parts of two lines where they first differ."""
    at = next((i for i, (a, b) in enumerate(zip(said, true, strict=False)) if a != b), 0)
    if any(one.start() <= at < one.end() for one in _CODED.finditer(true)):
        return "other numbers in a chart", "those of the tables"
    begin = max(0, at - 20)
    return said[begin : at + 40], true[begin : at + 40]
