"""What a verification of a long run says before it begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cosim.verify.effort import TRANSACTION_BYTES, expected_effort
from cosim.verify.verification import PARTS


def folder_of(place: Path, **fields: Any) -> Path:
    manifest = {
        "complete": True,
        "intervals_done": 2880,
        "step_s": 900,
        "timing": {"ledger": 500.0, "set-up": 100},
    }
    (place / "manifest.json").write_text(json.dumps(manifest | fields))
    (place / "tables").mkdir(exist_ok=True)
    rows = pa.table({"block": list(range(200_000))})
    pq.write_table(rows, place / "tables" / "transactions.parquet")
    return place


def test_of_a_month_it_says_time_memory_and_how_to_take_less(tmp_path: Path) -> None:
    (line,) = expected_effort(folder_of(tmp_path), PARTS, 1, 1)
    assert "a run of 30 days: playing it again 10 min" in line
    assert f"{200_000 * TRANSACTION_BYTES / 1e9:.1f} GB" in line
    assert "power flows 2" in line
    assert "--every N" in line
    (line,) = expected_effort(tmp_path, ("grid",), 10, 2)
    assert "playing it again" not in line
    assert "power flows 1 min" in line


def test_of_a_week_of_a_part_or_of_a_false_manifest_it_says_nothing(tmp_path: Path) -> None:
    assert not expected_effort(folder_of(tmp_path, intervals_done=7 * 96), PARTS, 1, 1)
    assert not expected_effort(folder_of(tmp_path), ("files",), 1, 1)
    assert not expected_effort(folder_of(tmp_path, step_s="none"), PARTS, 1, 1)
    (tmp_path / "tables" / "transactions.parquet").write_bytes(b"no table")
    assert "GB" not in expected_effort(folder_of(tmp_path, timing=[1]), ("grid",), 1, 1)[0]
