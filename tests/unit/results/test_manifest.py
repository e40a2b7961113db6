"""The manifest: hashes, versions, and what is said when it is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosim.errors import ResultFolderError
from cosim.results.manifest import build_manifest, file_hashes, read_manifest, write_manifest

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    for name in ("network.json", "scenario.yaml", "tables/orders.parquet"):
        (tmp_path / name).write_text("abc")
    return tmp_path


def manifest(folder: Path, **change: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "name": "two houses", "seed": 7, "complete": True, "intervals": 4, "intervals_done": 4,
        "start": "2016-05-24T00:00:00", "step_s": 900,
        "contracts": {"EuroToken": {"address": "0x01", "runtime_code_hash": "02"}},
        "chain": {"engine": "revm"}, "power_flow": {}, "indicators": {"b": 1, "a": 2},
        "timing": {"grid_s": 0.5},
    }  # fmt: skip
    return build_manifest(folder, **{**given, **change})


def test_hashes_name_each_file_by_its_path_in_the_folder(folder: Path) -> None:
    assert file_hashes(folder) == {
        "network.json": SHA256_OF_ABC,
        "scenario.yaml": SHA256_OF_ABC,
        "tables/orders.parquet": SHA256_OF_ABC,
    }


def test_what_is_written_is_read_and_sorted(folder: Path) -> None:
    path = write_manifest(folder, manifest(folder))
    text = path.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    read = read_manifest(folder)
    assert read["contracts"]["EuroToken"] == {"address": "0x01", "runtime_code_hash": "02"}
    assert read["versions"]["vyper"] == "0.4.3"


def test_two_runs_differ_in_timing_only(folder: Path) -> None:
    slow = manifest(folder, timing={"grid_s": 9.0})
    fast = manifest(folder)
    assert slow != fast
    assert {**slow, "timing": None} == {**fast, "timing": None}


def test_a_number_that_json_does_not_know_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_manifest(folder, manifest(folder, indicators={"x": float("nan")}))


@pytest.mark.parametrize(
    "text", [None, "not json", "[]", "{}", pytest.param("[" * 100_000, id="deep")]
)
def test_a_folder_without_a_manifest_is_no_result_folder(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ResultFolderError, match="remedy"):
        read_manifest(tmp_path)
