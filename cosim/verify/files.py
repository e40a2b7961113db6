"""Files of a result folder: hashes, schemas, and the manifest against its scenario."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cosim.errors import ResultFolderError
from cosim.grid.reference import TOLERANCE_PU, sample
from cosim.inputs.kept import INDEX, INPUTS_FOLDER, kept_files, kept_grid
from cosim.plugins import POWER_FLOW
from cosim.replay.findings import Check
from cosim.report.report import REPORT
from cosim.results.columns import FORMAT_VERSION, Table
from cosim.results.inputs import (
    CONTRACTS_FOLDER,
    GRID_FILES,
    PROFILES,
    SOURCE,
    contract_sources,
)
from cosim.results.manifest import MANIFEST, TABLES_FOLDER, file_hashes
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.results.signature import SIGNATURE
from cosim.results.writer import ROWS_PER_GROUP, TableWriter

_BLOCK_BYTES = 2**20

NOT_HASHED = (MANIFEST, REPORT, SIGNATURE)
"""Files that the manifest does not hash: itself, the report, which is rendered again, and what is
signed with its own hash."""


def check_files(results: Results) -> Check:
    """Hash every file again, and look for missing and for additional ones."""
    check = Check("files", "SHA-256 of each file against the manifest; no other file")
    stated = results.manifest.get("sha256", {})
    found = file_hashes(results.folder) if _hashable(results.folder) else {}
    expected, possible = _expected(results), _possible(results)
    for name in sorted({*stated, *found, *expected}):
        if name in found and name in stated and name in (*expected, *possible):
            check.equal(name, "", "sha256", stated[name], found[name])
            continue
        check.compared += 1
        if name not in found:
            check.differ(name, "", "", "named or expected", "no such file")
        elif name not in stated:
            check.differ(name, "", "", "not named in the manifest", "a file")
        else:
            check.differ(name, "", "", "a file", "nothing of the run")
    for link in sorted(path for path in results.folder.rglob("*") if path.is_symlink()):
        check.compared += 1
        check.differ(link.relative_to(results.folder).as_posix(), "", "", "a link", "a file")
    for path in sorted(_others(results.folder, {*stated, *found, *NOT_HASHED})):
        check.compared += 1
        check.differ(path, "", "", "a file", "nothing that a run writes")
    return check


def _hashable(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("network.json", "scenario.yaml"))


def _expected(results: Results) -> list[str]:
    """Files that the run must have, the report and the manifest left out."""
    tables = [f"{TABLES_FOLDER}/{name}.parquet" for name in tables_of(results.scenario)]
    inputs = [f"{INPUTS_FOLDER}/{INDEX}"]
    inputs += [
        f"{INPUTS_FOLDER}/{CONTRACTS_FOLDER}/{s}" for s in contract_sources(results.scenario)
    ]
    inputs += [f"{INPUTS_FOLDER}/{name}" for name in kept_files(results.folder)]
    if grid := _grid(results):
        inputs += [f"{grid}/{name}" for name in (*GRID_FILES, PROFILES)]
    return ["network.json", "scenario.yaml", *tables, *inputs]


def _possible(results: Results) -> list[str]:
    """Files that a run may have: a grid need not say where it is from."""
    grid = _grid(results)
    return [f"{grid}/{SOURCE}"] if grid else []


def _grid(results: Results) -> str | None:
    grid = kept_grid(results.scenario.grid.network, results.folder)
    return None if grid is None else grid.relative_to(results.folder).as_posix()


def _others(folder: Path, known: set[str]) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if (path.is_file() or path.is_symlink()) and name not in known:
            yield name


def check_tables(results: Results) -> Check:
    """Compare columns, types and missing values of every table with this version's schemas."""
    check = Check("schemas", "columns, types and missing values as this version writes them")
    for name, table in tables_of(results.scenario).items():
        try:
            _check_table(check, table, results.batches(name))
        except ResultFolderError as error:
            check.compared += 1
            check.differ(name, "", "", "a table", error.problem)
    return check


def _check_table(check: Check, table: Table, batches: Iterator[Any]) -> None:
    read = next(batches)
    missing = Counter({name: read[name].null_count for name in read.column_names})
    backwards, last = _backwards(read, None)
    for batch in batches:
        missing.update({name: batch[name].null_count for name in batch.column_names})
        further, last = _backwards(batch, last)
        backwards += further
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
            check.equal(table.name, "", f"missing values of {column.name}", missing[column.name], 0)
    # transactions are in the order of the chain
    if "interval" in read.column_names and read.num_rows and table.name != "transactions":
        check.equal(table.name, "", "rows out of the order of intervals", backwards, 0)


def _backwards(rows: Any, last: int | None) -> tuple[int, int | None]:
    """Return how many rows have an interval before the row before, and the last one's interval."""
    if "interval" not in rows.column_names or not rows.num_rows:
        return 0, last
    interval = rows["interval"].combine_chunks()
    steps = pc.sum(pc.less(pc.pairwise_diff(interval), 0)).as_py() or 0
    first = interval[0].as_py()
    steps += last is not None and first is not None and first < last
    return int(steps), interval[-1].as_py()


def check_bytes(results: Results) -> Check:
    """Write every table once more, and compare what readers rely on that is no cell.

    The same version of pyarrow writes the same bytes; another one other bytes with the same
    layout: row groups, statistics, metadata, no index of pages. Whichever wrote the table, those
    must be the same.
    """
    check = Check(
        "bytes", "every table written again from its rows: bytes, or layout and statistics"
    )
    n_same, names = 0, tables_of(results.scenario)
    with tempfile.TemporaryDirectory() as parent:
        writer = TableWriter(Path(parent) / "again", tables=names)
        try:
            for name in names:
                for rows in results.batches(name):
                    if not rows.num_rows:  # it has its further columns all the same
                        writer.append(name, rows.to_pydict())
                    for batch in rows.to_batches(max_chunksize=ROWS_PER_GROUP):
                        writer.append(name, batch.to_pydict())
            writer.close()
            for name in names:
                file = Path(TABLES_FOLDER) / f"{name}.parquet"
                recorded, again = results.folder / file, writer.folder / file
                check.compared += 1
                if same_bytes(recorded, again):
                    n_same += 1
                else:
                    _compare_layout(check, file.as_posix(), recorded, again)
        finally:
            writer.abort()
    if n_same < len(names):
        text = f"{n_same} of {len(names)} tables are equal by byte to those written here"
        check.note(text, detail=True)
    return check


def same_bytes(left: Path, right: Path) -> bool:
    """Tell if two files are equal, without holding them in memory."""
    if left.stat().st_size != right.stat().st_size:
        return False
    with left.open("rb") as ours, right.open("rb") as theirs:
        while block := ours.read(_BLOCK_BYTES):
            if block != theirs.read(_BLOCK_BYTES):
                return False
    return True


def _compare_layout(check: Check, name: str, recorded: Path, again: Path) -> None:
    """Compare what readers take from the footer of a Parquet file."""
    left, right = pq.read_metadata(recorded), pq.read_metadata(again)
    if left.created_by == right.created_by:  # the same writer writes the same bytes
        check.differ(name, "", "bytes", "others", "as written again")
        return
    size = recorded.stat().st_size
    for key, said, true in (
        ("row groups", left.num_row_groups, right.num_row_groups),
        ("rows", left.num_rows, right.num_rows),
    ):
        check.equal(name, "", key, said, true)
    compare_metadata(check, name, left.metadata, right.metadata)
    for k in range(min(left.num_row_groups, right.num_row_groups)):
        for i in range(min(left.num_columns, right.num_columns)):
            ours, theirs = left.row_group(k).column(i), right.row_group(k).column(i)
            for key in ("path_in_schema", "num_values", "has_offset_index", "has_column_index"):
                check.equal(name, f"row group {k}", key, getattr(ours, key), getattr(theirs, key))
            said, true = _statistics(ours), _statistics(theirs)
            check.equal(name, f"row group {k}, {ours.path_in_schema}", "statistics", said, true)
    footer = 8 + left.serialized_size
    used = sum(
        left.row_group(k).column(i).total_compressed_size
        for k in range(left.num_row_groups)
        for i in range(left.num_columns)
    )
    check.equal(name, "", "bytes that are no part of the table", size - 4 - used - footer, 0)


def compare_metadata(check: Check, name: str, recorded: Any, again: Any) -> None:
    """Compare the metadata of two tables, by key: its values are long, and coded."""
    left, right = recorded or {}, again or {}
    check.compared += 1
    for key in sorted({*left, *right}):
        said, true = (
            "none" if key not in each else f"{len(each[key])} bytes" for each in (left, right)
        )
        if left.get(key) != right.get(key):
            column = f"metadata {key.decode(errors='replace')}"
            check.differ(name, "", column, said, true if said != true else f"other {true}")


def _statistics(column: Any) -> list[Any] | None:
    found = column.statistics
    if found is None:
        return None
    return [found.has_min_max, found.min, found.max, found.null_count, found.num_values]


def check_manifest(results: Results) -> Check:
    """Compare what the manifest says of the run with its scenario and its tables."""
    check = Check("manifest", "against scenario.yaml and the tables")
    manifest, scenario = results.manifest, results.scenario
    written = (results.folder / "scenario.yaml").read_text(encoding="utf-8")
    check.equal("scenario.yaml", "", "text", written, scenario.to_yaml())
    done, intervals = results.n_intervals, scenario.time.intervals
    settings = scenario.ledger.model_dump(mode="json", exclude={"engine"})
    last_block = int(pc.max(results.arrow("blocks", ["block"])["block"]).as_py())
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
        (("power_flow", "reference_engine"), POWER_FLOW.load(scenario.grid.power_flow).reference),
        (("power_flow", "reference_intervals"), _compared_intervals(results)),
        (("power_flow", "tolerance_pu"), TOLERANCE_PU),
    ):
        stated: Any = manifest
        for key in path:
            stated = stated.get(key) if isinstance(stated, dict) else None
        check.equal(MANIFEST, "", ".".join(path), stated, wanted)
    settled = _intervals(results, "settlement")
    if settled or done:
        check.equal("settlement", "", "intervals", max(settled) + 1 if settled else 0, done)
    for name in ("buses", "branches", "grid_balance", "prosumers", "schedules"):
        delivered = max(_intervals(results, name), default=-1) + 1
        # an interrupted run has delivered one interval that was not settled
        check.compared += 1
        if not done <= delivered <= done + (not manifest.get("complete")):
            check.differ(name, "", "intervals", delivered, done)
    return check


def _intervals(results: Results, table: str) -> set[int]:
    """Return the intervals that a table has rows of."""
    return set(pc.unique(results.arrow(table, ["interval"])["interval"]).to_pylist())


def _compared_intervals(results: Results) -> list[int]:
    """Return the intervals that a run compares with another power-flow engine."""
    scenario = results.scenario
    if any(one.replaces == "grid" for one in scenario.simulators):
        return []
    delivered = _intervals(results, "buses")
    return [
        interval
        for interval in sample(scenario.time.intervals, scenario.grid.reference_sample)
        if interval in delivered
    ]
