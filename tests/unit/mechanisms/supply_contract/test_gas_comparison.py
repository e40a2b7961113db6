"""The published gas table against a run's: averages, prices and percentages out of the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console

from cosim.mechanisms.supply_contract.gas_comparison import (
    OwnGas,
    RunGas,
    comparison_tables,
    notes,
    run_gas,
)
from cosim.report.summary import print_tables
from cosim.results.reader import Results
from cosim.results.schemas import tables_of

GWEI = 10**9

# block, contract, method, gas, max fee, tip, status
CALLS: tuple[tuple[int, str, str | None, int, int, int, int], ...] = (
    (1, "Supplier", None, 800_000, 5 * GWEI, 1 * GWEI, 1),
    (1, "SmartMeters", None, 250_000, 5 * GWEI, 1 * GWEI, 1),
    (2, "Supplier", "subscribeUser", 90_000, 5 * GWEI, 1 * GWEI, 1),
    (2, "Supplier", "subscribeUser", 70_000, 5 * GWEI, 1 * GWEI, 1),
    (2, "Supplier", "subscribeUser", 26_000, 5 * GWEI, 1 * GWEI, 0),  # reverted: no call done
    (3, "EuroToken", "approve", 40_000, 3 * GWEI, 9 * GWEI, 1),  # fee caps the tip at 0
)

TABLES = tables_of()
BASE_WEI = {1: 1 * GWEI, 2: 2 * GWEI, 3: 3 * GWEI}


def write(folder: Path, name: str, columns: dict[str, list[Any]], n: int) -> None:
    table = TABLES[name]
    data = {}
    for column in table.columns:
        values = columns.get(column.name)
        if values is None:
            filler: Any = "" if pa.types.is_string(column.type) else 0
            filler = b"" if pa.types.is_binary(column.type) else filler
            values = [None if column.optional else filler] * n
        data[column.name] = pa.array(values, type=column.type)
    pq.write_table(pa.table(data), folder / "tables" / f"{name}.parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A result with one finalised period, and few transactions."""
    (tmp_path / "tables").mkdir()
    ledger = {"eur_per_eth": 1_000.0, "block_gas_limit": 10_000_000}
    consumer = {"name": "LV1.101 Bus 2", "deposit_eur": 5.0}
    time = {"start": "2016-05-24T12:00:00", "intervals": 1, "step_s": 900}
    sections = {"time": time, "ledger": ledger, "supply_contract": {"consumers": [consumer]}}
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(sections))
    keys = ("block", "contract", "method", "gas_used", "max_fee_wei", "tip_wei", "status")
    columns = dict(zip(keys, map(list, zip(*CALLS, strict=True)), strict=True))
    write(tmp_path, "transactions", columns, len(CALLS))
    blocks = {"block": list(BASE_WEI), "base_fee_wei": list(BASE_WEI.values())}
    write(tmp_path, "blocks", blocks, len(BASE_WEI))
    write(tmp_path, "supply", {"estimated": [False]}, 1)
    nobody = {column.name: [] for column in TABLES["supply_subscriptions"].columns}
    write(tmp_path, "supply_subscriptions", nobody, 0)
    return tmp_path


def test_averages_count_calls_that_were_done(folder: Path) -> None:
    run = run_gas(Results(folder, intervals=1))
    assert run.methods == {("Supplier", "subscribeUser"): OwnGas(80_000.0, 2)}
    assert run.deployments == {
        "Supplier": OwnGas(800_000.0, 1),
        "SmartMeters": OwnGas(250_000.0, 1),
    }


def test_price_is_what_the_run_paid_per_gas(folder: Path) -> None:
    run = run_gas(Results(folder, intervals=1))
    paid = 1_050_000 * 2 + 186_000 * 3 + 40_000 * 3
    assert run.price_gwei == pytest.approx(paid / 1_276_000)
    assert (run.eur_per_eth, run.block_gas_limit) == (1_000.0, 10_000_000)


def test_rows_show_both_prices() -> None:
    run = RunGas(
        methods={("Supplier", "subscribeUser"): OwnGas(80_000.0, 2)},
        deployments={"Supplier": OwnGas(800_000.0, 1)},
        price_gwei=2.0,
        eur_per_eth=1_000.0,
        block_gas_limit=10_000_000,
    )
    methods, deployments = comparison_tables(run)
    rows = {row[0]: row[1:] for row in (*methods.rows, *deployments.rows)}
    thin = "\u202f"
    assert rows["subscribeUser"] == (
        f"125{thin}865", "4", "0.03", f"134{thin}897", f"80{thin}000", "2", "0.0247", "0.1600"
    )  # fmt: skip
    assert rows["Supplier"] == (
        f"1{thin}408{thin}078", "20.9", "0.29", f"863{thin}335",
        f"800{thin}000", "11.9", "0.2466", "8.0", "1.6000",
    )  # fmt: skip
    assert rows["finalize"][4:] == ("—", "0", "—", "—")  # not called in the run
    assert len(methods.headings) == len(methods.rows[0])
    assert len(deployments.headings) == len(deployments.rows[0])
    assert any("contradicts itself" in note for note in notes(run))


def test_printed_whole_on_a_narrow_screen(folder: Path) -> None:
    console = Console(width=80, record=True, file=(folder / "screen").open("w"))
    (folder / "manifest.json").write_text('{"complete": true, "intervals_done": 1}')
    print_tables(Results(folder), console)
    text = console.export_text()
    for cell in ("1\u202f408\u202f078", "863\u202f335", "1.7417", "subscribeUser", "0.434 EUR"):
        assert cell in text
    assert "…" not in text


def test_nothing_without_a_supply_contract(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"complete": true, "intervals_done": 1}')
    empty = {column.name: [] for column in TABLES["supply"].columns}
    write(folder, "supply", empty, 0)
    console = Console(width=80, record=True, file=(folder / "screen").open("w"))
    print_tables(Results(folder), console)
    assert console.export_text() == ""
    assert pd.read_parquet(folder / "tables" / "supply.parquet").empty
