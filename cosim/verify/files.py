"""Files of a result folder: hashes, schemas, and the manifest against its scenario."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cosim.errors import ResultFolderError
from cosim.replay.findings import Check
from cosim.results.columns import FORMAT_VERSION, Table
from cosim.results.manifest import MANIFEST, TABLES_FOLDER, file_hashes
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.results.writer import ROWS_PER_GROUP, TableWriter

MADE_FROM_TABLES = ("report.html", "figures")
"""Files of a result folder that the manifest does not hash."""


def check_files(results: Results) -> Check:
    """Hash every file again, and look for missing and for additional ones."""
    check = Check("files", "SHA-256 of each file against the manifest")
    stated = results.manifest.get("sha256", {})
    expected = _expected(results)
    found = file_hashes(results.folder) if _hashable(results.folder) else {}
    for name in sorted({*stated, *found, *expected}):
        if name in found and name in stated and name in expected:
            check.equal(name, "", "sha256", stated[name], found[name])
            continue
        check.compared += 1
        if name not in found:
            check.differ(name, "", "", "named or expected", "no such file")
        elif name not in stated:
            check.differ(name, "", "", "not named in the manifest", "a file")
        else:
            check.differ(name, "", "", "a file", "no table of the run")
    for path in sorted(_others(results.folder, {*stated, *found})):
        check.note(f"{path}: not hashed by the manifest, not checked")
    return check


def _hashable(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("network.json", "scenario.yaml"))


def _expected(results: Results) -> list[str]:
    tables = [f"{TABLES_FOLDER}/{name}.parquet" for name in tables_of(results.scenario)]
    return ["network.json", "scenario.yaml", *tables]


def _others(folder: Path, known: set[str]) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in known and name != MANIFEST:
            yield name


def check_tables(results: Results) -> Check:
    """Compare columns, types and missing values of every table with this version's schemas."""
    check = Check("schemas", "columns, types and missing values as this version writes them")
    for name, table in tables_of(results.scenario).items():
        try:
            read = results.arrow(name)
        except ResultFolderError as error:
            check.compared += 1
            check.differ(name, "", "", "a table", error.problem)
            continue
        _check_table(check, table, read)
    return check


def _check_table(check: Check, table: Table, read: Any) -> None:
    table = table.with_further(read.column_names)
    columns = [column.name for column in table.columns]
    check.equal(table.name, "", "columns", read.column_names, columns)
    for column in table.columns:
        if column.name not in read.column_names:
            continue
        found, wanted = read[column.name].type, column.type
        if pa.types.is_list(found) and pa.types.is_list(wanted):
            found, wanted = found.value_type, wanted.value_type
        check.equal(table.name, "", f"type of {column.name}", str(found), str(wanted))
        if not column.optional:
            check.equal(
                table.name, "", f"missing values of {column.name}", read[column.name].null_count, 0
            )
    if "interval" in read.column_names and read.num_rows:
        steps = pc.pairwise_diff(read["interval"].combine_chunks())
        backwards = pc.sum(pc.less(steps, 0)).as_py() or 0
        if table.name != "transactions":  # these are in the order of the chain
            check.equal(table.name, "", "rows out of the order of intervals", backwards, 0)


def check_bytes(results: Results) -> Check:
    """Write every table once more: its bytes follow from its rows, so no byte is free.

    What is no cell, such as statistics that readers rely on, is only checked by this.
    """
    check = Check("bytes", "every table written again from its rows, byte by byte")
    own, theirs = pa.__version__, results.manifest.get("versions", {}).get("pyarrow")
    if own != theirs:
        check.note(f"not comparable: written by pyarrow {theirs}, here is {own}")
        return check
    with tempfile.TemporaryDirectory() as parent:
        tables = tables_of(results.scenario)
        writer = TableWriter(Path(parent) / "again", tables=tables)
        try:
            for name in tables:
                rows = results.arrow(name)
                if not rows.num_rows:  # it has its further columns all the same
                    writer.append(name, rows.to_pydict())
                for batch in rows.to_batches(max_chunksize=ROWS_PER_GROUP):
                    writer.append(name, batch.to_pydict())
            writer.close()
            for name in tables:
                file = Path(TABLES_FOLDER) / f"{name}.parquet"
                same = (writer.folder / file).read_bytes() == (results.folder / file).read_bytes()
                check.equal(
                    file.as_posix(),
                    "",
                    "bytes",
                    "as written again" if same else "others",
                    "as written again",
                )
        finally:
            writer.abort()
    return check


def check_manifest(results: Results) -> Check:
    """Compare what the manifest says of the run with its scenario and its tables."""
    check = Check("manifest", "against scenario.yaml and the tables")
    manifest, scenario = results.manifest, results.scenario
    written = (results.folder / "scenario.yaml").read_text(encoding="utf-8")
    check.equal("scenario.yaml", "", "text", written, scenario.to_yaml())
    done, intervals = results.n_intervals, scenario.time.intervals
    settings = scenario.ledger.model_dump(mode="json", exclude={"engine"})
    last_block = int(results.table("blocks")["block"].max())
    for path, wanted in (
        (("format",), FORMAT_VERSION),
        (("name",), scenario.name),
        (("seed",), scenario.seed),
        (("start",), scenario.time.start.isoformat()),
        (("step_s",), scenario.time.step_s),
        (("intervals",), intervals),
        (("intervals_done",), done),
        (("complete",), done == intervals),
        (("chain", "settings"), settings),
        (("chain", "last_block"), last_block),
        (("power_flow", "engine"), scenario.grid.power_flow),
    ):
        stated: Any = manifest
        for key in path:
            stated = stated.get(key) if isinstance(stated, dict) else None
        check.equal(MANIFEST, "", ".".join(path), stated, wanted)
    settled = set(results.table("settlement")["interval"])
    if settled or done:
        check.equal("settlement", "", "intervals", sorted(settled)[-1] + 1 if settled else 0, done)
    for name in ("buses", "branches", "grid_balance", "prosumers", "schedules"):
        found = results.table(name)["interval"]
        delivered = int(found.max()) + 1 if len(found) else 0
        # an interrupted run has delivered one interval that was not settled
        check.compared += 1
        if not done <= delivered <= done + (not manifest.get("complete")):
            check.differ(name, "", "intervals", delivered, done)
    return check
