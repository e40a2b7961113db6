"""The same scenario gives the same bytes: again, in another process, and on another EVM engine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from result_folders import Tables, table_bytes

from cosim.cli import main
from cosim.scenario import Scenario


@pytest.fixture(scope="module")
def scenario_file(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Three intervals with everything that could depend on chance or order."""
    scenario = short_scenario(
        intervals=3,
        start="2016-05-24T14:00:00",
        prosumers={
            "battery": {"mode": "arbitrage", "share_of_pv_owners": 0.7},
            "strategies": [
                {"name": "truthful", "share": 0.6},
                {"name": "zero_intelligence", "share": 0.4},
            ],
        },
        ledger={"initial_base_fee_gwei": 5.0, "tip_gwei": 0.1},
    )
    file = tmp_path_factory.mktemp("determinism") / "scenario.yaml"
    file.write_text(scenario.to_yaml())
    return file


@pytest.fixture(scope="module")
def first(scenario_file: Path) -> Path:
    folder = scenario_file.parent / "first"
    assert main(["run", str(scenario_file), "--out", str(folder)]) == 0
    return folder


def manifest(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    assert data.pop("timing")["mosaik"] > 0
    return data


def test_the_scenario_exercises_what_could_differ(first: Path) -> None:
    tables = Tables(first)
    assert set(tables["orders"].status) >= {"cleared", "unmatched"}
    assert tables["flexibility"].awarded_wh.sum() > 0
    assert tables["settlement"].fees_ueur.sum() > 0
    assert tables["violations"].stage.tolist() == ["scheduled"] * 3


def test_the_manifest_holds_the_hashes_of_the_files(first: Path) -> None:
    hashes = manifest(first)["sha256"]
    assert {f"tables/{name}.parquet" for name in table_bytes(first)} <= hashes.keys()
    for name, digest in hashes.items():
        assert hashlib.sha256((first / name).read_bytes()).hexdigest() == digest


def test_another_process_writes_the_same_bytes(scenario_file: Path, first: Path) -> None:
    again = scenario_file.parent / "again"
    environment = {"PYTHONHASHSEED": "2718281", "OPENBLAS_NUM_THREADS": "2"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    subprocess.run(
        [sys.executable, "-m", "cosim.cli", "run", str(scenario_file), "--out", str(again)],
        env=os.environ | environment,
        check=True,
        capture_output=True,
    )
    assert table_bytes(again) == table_bytes(first)
    assert (again / "scenario.yaml").read_bytes() == (first / "scenario.yaml").read_bytes()
    assert (again / "network.json").read_bytes() == (first / "network.json").read_bytes()
    assert manifest(again) == manifest(first)


def test_the_reference_evm_writes_the_same_bytes(scenario_file: Path, first: Path) -> None:
    folder = scenario_file.parent / "py-evm"
    arguments = ["run", str(scenario_file), "--out", str(folder), "--engine", "py-evm"]
    assert main(arguments) == 0
    assert "engine: py-evm" in (folder / "scenario.yaml").read_text()
    assert table_bytes(folder) == table_bytes(first)
    mine, theirs = manifest(folder), manifest(first)
    # only the engine's name differs, in the scenario and in the manifest
    assert (mine["chain"].pop("engine"), theirs["chain"].pop("engine")) == ("py-evm", "revm")
    mine["sha256"].pop("scenario.yaml")
    theirs["sha256"].pop("scenario.yaml")
    assert mine == theirs


def test_another_seed_gives_other_results(scenario_file: Path, first: Path) -> None:
    text = scenario_file.read_text()
    other = scenario_file.with_name("other.yaml")
    other.write_text(text.replace("seed: 20160524", "seed: 20160525"))
    folder = scenario_file.parent / "other"
    assert main(["run", str(other), "--out", str(folder)]) == 0
    mine, theirs = table_bytes(folder), table_bytes(first)
    beside = {
        "supply",
        "storage",
        "certificates",
        "names",
        "bilateral_trades",
        "reorganisations",
        "debts",
        "flexibility_debts",
        "storage_debts",
        "supply_debts",
        "supply_subscriptions",
        "taps",
    }  # empty here
    same = {name for name in mine if mine[name] == theirs[name]}
    assert beside <= same <= beside | {"blocks", "violations", "pivotal", "rebounds"}
