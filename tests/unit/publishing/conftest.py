"""One small run with every contract and every kind of row, and copies of it to forge."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cosim.experiment import run_scenario
from cosim.recording.manifest import file_hashes
from cosim.recording.writer import ROWS_PER_GROUP
from cosim.scenario import Scenario

SUPPLIED, MOVING = "LV1.101 Bus 10", "LV1.101 Bus 5"

Forge = Callable[..., Path]


@pytest.fixture(scope="session")
def every_contract(short_scenario: Callable[..., Scenario]) -> Scenario:
    """An hour at noon with trades, flexibility, sealed orders, fees, and all other contracts."""
    return short_scenario(
        4,
        prosumers={"scaling": {"load": 8.0}},
        market={"clearing": "committed", "reveal_s": 48},
        ledger={"tip_gwei": 0.02, "initial_base_fee_gwei": 1.0},
        supply_contract={
            "billing_intervals": 4,
            "prices_eur_per_kwh": [0.28],
            "consumers": [{"name": SUPPLIED, "deposit_eur": 20.0, "leaves_in": 0}],
        },
        community_storage={"capacity_kwh": 10, "p_max_kw": 2, "shares": 104},
        certificates={
            "price_eur_per_mwh": 5.0,
            "buyers": [{"share": 0.5, "limit_eur_per_mwh": 8.0}],
        },
        name_registry={"moves": [{"name": MOVING, "interval": 2}]},
    )


@pytest.fixture(scope="session")
def whole_result(every_contract: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Result folder of that run."""
    folder = tmp_path_factory.mktemp("publishing") / "whole"
    run_scenario(every_contract, folder.with_suffix(".yaml"), folder)
    return folder


@pytest.fixture
def copied(whole_result: Path, tmp_path: Path) -> Path:
    """A copy of the result that a test may spoil."""
    folder = tmp_path / "copy"
    shutil.copytree(whole_result, folder)
    return folder


def hash_again(folder: Path) -> None:
    """Put the true hashes of all files into the manifest, as a forger does."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["sha256"] = file_hashes(folder)
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def rewrite(path: Path, table: Any) -> None:
    """Write a table as runs write it, so that nothing but its cells tells the forgery."""
    schema = pq.read_schema(path)
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
        writer.write_table(pa.Table.from_arrays(table.columns, schema=schema), ROWS_PER_GROUP)


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
