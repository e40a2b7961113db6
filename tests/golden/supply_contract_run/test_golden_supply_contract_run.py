"""The scenario supply_contract as it ships: its bills, and the table that the docs show."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cosim.mechanisms.supply_contract import published_gas
from cosim.mechanisms.supply_contract.gas_comparison import RunGas, comparison_tables, run_gas
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import load_scenario

ROOT = Path(__file__).parents[3]
FILE = ROOT / "scenarios" / "supply_contract.yaml"
REFERENCE = ROOT / "results" / "reference"
PAGE = ROOT / "docs" / "contracts" / "supplier.md"


def comparison_csv(run: RunGas) -> str:
    """Both tables as one: gas on average, amounts in EUR."""
    lines = [
        "contract,method,gas_then,calls_then,eur_then,gas_now,gas,calls,eur_published,eur_here"
    ]
    rows = [
        (row.contract, row.method, row.gas, row.calls, row.eur_cents, row.gas_now)
        for row in published_gas.METHODS
    ]
    rows += [
        (row.contract, "deploy", row.gas, 1, row.eur_cents, row.gas_now)
        for row in published_gas.DEPLOYMENTS
    ]
    for contract, method, gas, calls, cents, now in rows:
        is_deployment = method == "deploy"
        own = (
            run.deployments.get(contract) if is_deployment else run.methods.get((contract, method))
        )
        if own is None:
            ours = ["", "0", "", ""]
        else:
            stated = (published_gas.GAS_PRICE_GWEI, published_gas.EUR_PER_ETH)
            here = (run.price_gwei, run.eur_per_eth)
            eur = [f"{published_gas.gas_eur(own.gas, *price):.6f}" for price in (stated, here)]
            ours = [f"{own.gas:.1f}", str(own.calls), *eur]
        published = (
            contract,
            method,
            gas,
            calls,
            f"{cents / published_gas.CENTS_PER_EUR:.2f}",
            now,
        )
        lines.append(",".join(map(str, (*published, *ours))))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole day."""
    out = tmp_path_factory.mktemp("supply") / "run"
    run_scenario(load_scenario(FILE), FILE, out, report=False)
    return out


def test_bills_are_the_published_ones(folder: Path) -> None:
    bills = pd.read_parquet(folder / "tables" / "supply.parquet")
    bills["declared_wh"] = bills["declared_wh"].astype("Int64")
    expected = (REFERENCE / "supply_contract.csv").read_text(encoding="utf-8")
    assert bills.to_csv(index=False, lineterminator="\n") == expected


def test_gas_is_the_published_one(folder: Path) -> None:
    run = run_gas(Results(folder))
    expected = (REFERENCE / "supply_contract_gas.csv").read_text(encoding="utf-8")
    assert comparison_csv(run) == expected


def test_docs_show_the_printed_table(folder: Path) -> None:
    shown = {
        " ".join(line.replace("\u202f", " ").split())
        for line in PAGE.read_text(encoding="utf-8").splitlines()
    }
    for table in comparison_tables(run_gas(Results(folder))):
        for row in table.rows:
            assert " ".join(row).replace("\u202f", " ") in shown
