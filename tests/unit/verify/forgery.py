"""Forging of result folders: a cell of a table, and the hashes in the manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cosim.results.manifest import file_hashes, git_revision
from cosim.results.schemas import tables_of
from cosim.results.writer import ROWS_PER_GROUP

TABLES = tables_of()


def hash_again(folder: Path) -> None:
    """Put the true hashes of all files into the manifest, as a forger does."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["sha256"] = file_hashes(folder)
    manifest["git_revision"] = git_revision()  # a commit while tests run is no forgery
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def rewrite(path: Path, table: Any) -> None:
    """Write a table as runs write it, so that nothing but its cells tells the forgery."""
    schema = TABLES[path.stem].arrow
    with pq.ParquetWriter(
        path,
        schema,
        version="2.6",
        compression="zstd",
        compression_level=3,
        use_dictionary=True,
        write_statistics=True,
        data_page_version="1.0",
    ) as writer:
        columns = [table[field.name].cast(field.type) for field in schema]
        writer.write_table(pa.Table.from_arrays(columns, schema=schema), ROWS_PER_GROUP)


def other(value: Any, kind: Any) -> Any:
    """Another value of the same type."""
    if value is None:
        return "x" if pa.types.is_string(kind) else 7
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return value + 1e-4 * max(abs(value), 1.0) if value == value else 0.5
    if isinstance(value, str):
        return value[:-1] + ("0" if not value.endswith("0") else "1")
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, list):
        return value[::-1] if len(value) > 1 else [*value, "nobody"]
    return value + 1


def with_other_cell(table: Any, column: str, row: int) -> Any:
    """A table with one cell changed."""
    kind = table.schema.field(column).type
    values = table[column].to_pylist()
    values[row] = other(values[row], kind)
    place = table.column_names.index(column)
    return table.set_column(place, table.schema.field(column), pa.array(values, kind))
