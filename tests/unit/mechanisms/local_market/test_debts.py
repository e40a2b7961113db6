"""What cannot be paid is a row, an indicator and a warning, and verify recomputes it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cosim.mechanisms.local_market.debts import Debts
from cosim.mechanisms.local_market.indicators import market_indicators
from cosim.mechanisms.local_market.panel import LocalMarketReported
from cosim.results.manifest import file_hashes
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.verification import verify

DEPOSIT_UEUR = 300_000


def test_only_changes_are_rows() -> None:
    debts = Debts()
    assert debts.rows(0, {"a": 0, "b": 5})["account"] == ["b"]
    rows = debts.rows(1, {"a": -3, "b": 5, "c": 0})
    assert (rows["account"], rows["debt_ueur"], rows["claim_ueur"]) == (["a"], [0], [3])
    rows = debts.rows(2, {"a": -3, "b": 0, "c": 0})
    assert (rows["account"], rows["debt_ueur"], rows["claim_ueur"]) == (["b"], [0], [0])


@pytest.fixture(scope="module")
def owing(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An evening in which members run out of money, and so does the supplier's in the morning."""
    place = tmp_path_factory.mktemp("owing")
    scenario = short_scenario(
        5,
        "2016-05-24T18:00:00",
        market={
            "account": "prepaid",
            "account_eur": 2 * DEPOSIT_UEUR / 1e6,
            "deposit_share": 0.5,
            "supplier_eur": 0.01,
        },
        dso={"procure": False},
    )
    run_scenario(scenario, place / "scenario.yaml", place / "result")
    return place / "result"


def test_debts_are_what_settlement_leaves(owing: Path) -> None:
    results = Results(owing)
    rows, settled = results.table("debts"), results.table("settlement")
    received = settled.groupby("prosumer")[["traded_ueur", "supplier_ueur"]].sum().sum(axis=1)
    left = DEPOSIT_UEUR + received
    last = rows.groupby("account").last()
    owed = last.loc[last["debt_ueur"] > 0, "debt_ueur"]
    assert len(owed) > 3
    assert owed.sort_index().to_dict() == (-left[left < 0]).sort_index().to_dict()
    assert not ((rows["debt_ueur"] > 0) & (rows["claim_ueur"] > 0)).any()
    # and the sum by role, at the end of the run
    indicators = market_indicators(results)
    roles = indicators.debts_eur
    members = roles["with_generation"] + roles["without_generation"]
    assert members == pytest.approx(owed.sum() / 1e6)
    assert roles["supplier"] == pytest.approx(last["claim_ueur"].sum() / 1e6)
    assert any(
        "debts of the local market are left at the end" in text for text in indicators.warnings()
    )
    part = LocalMarketReported(results.scenario.market).report(results)
    assert any(tile.title == "Debts of the local market" for tile in part.tiles)
    assert [chart.figure is not None for chart in part.figures if chart.key == "debts"] == [True]


def test_who_pays_has_no_debt(quickstart_result: Path) -> None:
    results = Results(quickstart_result)
    assert results.table("debts").empty
    assert set(market_indicators(results).debts_eur.values()) == {0.0}


@pytest.mark.parametrize("column", ["interval", "account", "debt_ueur", "claim_ueur"])
def test_a_forged_debt_is_found(owing: Path, tmp_path: Path, column: str) -> None:
    folder = tmp_path / "forged"
    shutil.copytree(owing, folder)
    path = folder / "tables" / "debts.parquet"
    schema, frame = pq.read_schema(path), pd.read_parquet(path)
    row = len(frame) // 2
    frame.loc[row, column] = "nobody" if column == "account" else frame.loc[row, column] + 1
    frame.to_parquet(path, schema=schema, index=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"] = file_hashes(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    found = verify(folder, parts=("ledger",))
    assert "debts" in {check.name for check in found.checks if not check.passed}


def test_honest_debts_pass(owing: Path) -> None:
    found = verify(owing, parts=("files", "ledger"))
    assert found.passed, found.failed
