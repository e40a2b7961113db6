"""Indicators of the ledger in a real run under proof of work with fees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario

ROOT = Path(__file__).parents[2]
CONFIRMATIONS = 2
WEI_PER_UEUR = 10**18 / (2_000 * 10**6)


@pytest.fixture(scope="module")
def folder(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    scenario = short_scenario(
        ledger={
            "consensus": "proof_of_work",
            "confirmations": CONFIRMATIONS,
            "propagation_delay_s": 1.0,
            "initial_base_fee_gwei": 500.0,
            "tip_gwei": 0.5,
        }
    )
    folder = tmp_path_factory.mktemp("work") / "run"
    run_scenario(scenario, ROOT / "scenarios" / "quickstart.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def indicators(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text())["indicators"])


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "tables" / f"{name}.parquet")


def test_latency_is_that_of_the_transactions(folder: Path, indicators: dict[str, Any]) -> None:
    rows = table(folder, "transactions")
    rows = rows[rows.method == "placeOrder"]
    took_s = rows.included_at_s - rows.sent_at_s
    assert indicators["order_latency_s"]["mean"] == pytest.approx(took_s.mean())
    assert indicators["order_latency_s"]["max"] == pytest.approx(took_s.max())
    waits = indicators["order_confirmation_s"]["mean"] - indicators["order_latency_s"]["mean"]
    stamps = table(folder, "blocks").set_index("block").timestamp_s
    on_top = stamps.loc[rows.block + CONFIRMATIONS].to_numpy() - rows.included_at_s.to_numpy()
    assert waits == pytest.approx(on_top.mean())


def test_prosumers_fees_are_what_their_transactions_cost(
    folder: Path, indicators: dict[str, Any]
) -> None:
    rows = table(folder, "transactions").merge(table(folder, "blocks")[["block", "base_fee_wei"]])
    rows = rows[rows.interval >= 0]
    tip = np.minimum(rows.tip_wei, rows.max_fee_wei - rows.base_fee_wei)
    fee_ueur = rows.gas_used * (rows.base_fee_wei + tip) / WEI_PER_UEUR
    own = rows.method.isin(["placeOrder", "offer", "report"])
    n_rounded = len(table(folder, "settlement"))
    assert indicators["ledger_fees_eur"] == pytest.approx(fee_ueur.sum() / 1e6)
    assert indicators["prosumer_fees_eur"] == pytest.approx(
        fee_ueur[own].sum() / 1e6, abs=n_rounded * 1e-6
    )
    assert indicators["fee_eur_per_kwh_traded"] == pytest.approx(
        indicators["prosumer_fees_eur"] / indicators["traded_kwh"]
    )


def test_settlement_is_final_after_the_last_meter_reported(
    folder: Path, indicators: dict[str, Any]
) -> None:
    rows = table(folder, "transactions")
    stamps = table(folder, "blocks").set_index("block").timestamp_s
    reports = rows[rows.method == "report"].groupby("interval").block.max()
    start_s = pd.Timestamp("2016-05-24T11:00:00").timestamp()
    ends = start_s + 900 * (reports.index.to_numpy() + 1)
    least = stamps.loc[reports + CONFIRMATIONS].to_numpy() - ends
    assert indicators["settlement_finality_s"]["mean"] >= least.mean() > 0
    # every user waited for confirmations, so that the chain holds them
    assert indicators["intervals_not_final"] == 0


def test_risk_of_a_reversal(indicators: dict[str, Any]) -> None:
    # two confirmations, as Rosenfeld (2014) tables them for n = 2
    expected = {10: 0.056, 20: 0.208, 30: 0.432}
    assert indicators["reversal_probability"] == {
        f"share_{percent}_percent": pytest.approx(p) for percent, p in expected.items()
    }


def test_report_shows_it(folder: Path) -> None:
    html = (folder / "report.html").read_text(encoding="utf-8")
    for title in ("Reversal of a trade", "Settlement final after", "Fees per kWh traded"):
        assert f"<h3>{title}</h3>" in html
    assert 'id="chart-latency"' in html
    assert 'id="chart-fees"' in html
