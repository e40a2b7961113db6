"""Runs that pairs of a trading graph clear: played, verified, forged; and the study's page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cosim
from cosim.inputs.yaml_file import read_yaml, to_yaml
from cosim.studies.runner import run_study
from cosim.studies.study import load_study

REPOSITORY = Path(__file__).parents[2]
ROW = re.compile(
    r"^\| `(\w+)` \| (?:\d+ )?\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) % \| ([\d.]+) \|", re.M
)
PAGE = {name: numbers for name, *numbers in ROW.findall(
    (REPOSITORY / "docs" / "bilateral.md").read_text(encoding="utf-8")
)}  # fmt: skip


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> cosim.Result:
    folder = tmp_path_factory.mktemp("bilateral")
    (folder / "edges.csv").write_text(
        "seller,buyer,fee_eur_per_kwh,penalty_eur_per_kwh\n"
        + "".join(
            f"LV1.101 Bus {seller},LV1.101 Bus {buyer},{fee},{penalty}\n"
            for seller, buyer, fee, penalty in (
                (8, 10, 0.013, 0.002), (11, 10, 0, 0), (2, 1, 0.03, 0), (3, 5, 0, 0.04),
                (13, 12, 0, 0), (9, 10, 0.001, 0), (6, 5, 0.02, 0.01),
            )
        )
    )  # fmt: skip
    fields: dict[str, Any] = {
        "name": "pairs",
        "seed": 20160524,
        "time": {"start": "2016-05-24T16:00:00", "intervals": 10},
        "grid": {"network": "1-LV-rural1--1-sw"},
        "ledger": {"tip_gwei": 0.02, "initial_base_fee_gwei": 1.0},
        "market": {"clearing": "bilateral", "bilateral": {"graph": "listed", "file": "edges.csv"}},
    }
    (folder / "pairs.yaml").write_text(to_yaml(fields))
    return cosim.run(folder / "pairs.yaml", out=folder / "out")


def test_pairs_trade_along_edges_and_everything_is_verified(result: cosim.Result) -> None:
    pairs, trades = result.frame("bilateral_trades"), result.frame("trades")
    assert len(pairs) > 10
    assert pairs[["seller", "buyer"]].drop_duplicates().shape[0] > 3
    edges = result.scenario.market.bilateral.edges
    assert len(edges) == 14  # both ways, written out
    allowed = {
        (e.seller, e.buyer): (round(1e6 * e.fee_eur_per_kwh), round(1e6 * e.penalty_eur_per_kwh))
        for e in edges
    }
    orders = result.frame("orders").set_index(["interval", "prosumer"])
    for row in pairs.itertuples():
        own = (row.fee_ueur_per_kwh, row.penalty_ueur_per_kwh)
        assert allowed[row.seller, row.buyer] == own
        ask = orders.loc[(row.interval, row.seller), "price_ueur_per_kwh"]
        bid = orders.loc[(row.interval, row.buyer), "price_ueur_per_kwh"]
        assert row.price_ueur_per_kwh == (ask + bid - sum(own)) // 2
        assert row.gain_ueur_per_kwh == bid - ask - sum(own) >= 0
    assert (pairs["energy_wh"] == trades["energy_wh"]).all()
    paid = pairs["price_ueur_per_kwh"] + pairs["fee_ueur_per_kwh"]
    assert (trades["price_ueur_per_kwh"] == paid).all()
    # who sold and bought was paid so, and its meter settled the rest
    settled = result.frame("settlement").groupby("prosumer", observed=True)["traded_ueur"].sum()
    earned = trades.groupby("seller", observed=True)["earned_ueur"].sum()
    spent = trades.groupby("buyer", observed=True)["amount_ueur"].sum()
    own = earned.reindex(settled.index, fill_value=0) - spent.reindex(settled.index, fill_value=0)
    assert (own == settled).all()
    fees_eur = (pairs["energy_wh"] * pairs["fee_ueur_per_kwh"]).sum() / 1e9
    assert result.indicators["pair_fees_eur"] == pytest.approx(fees_eur)
    done = result.verify()
    assert done.failed == []
    compared = {check.name: check.compared for check in done.checks}
    assert compared["bilateral_trades"] == 8 * len(pairs)
    assert compared["clearing"] > 20
    assert "Who traded with whom" in result.report.read_text(encoding="utf-8")


def test_another_graph_in_the_scenario_is_found(result: cosim.Result, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(result.folder, copy)
    file = copy / "scenario.yaml"
    fields = read_yaml(file, ValueError, "")  # type: ignore[arg-type]
    fields["market"]["bilateral"]["edges"][0]["fee_eur_per_kwh"] += 0.001
    file.write_text(to_yaml(fields))
    failed = cosim.open_result(copy).verify(parts=("ledger",)).failed
    assert {"clearing", "bilateral_trades"} <= set(failed)


def test_a_forged_pair_is_found(result: cosim.Result, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for column in ("price_ueur_per_kwh", "penalty_ueur_per_kwh", "energy_wh"):
        copy = tmp_path / column
        shutil.copytree(result.folder, copy)
        path = copy / "tables" / "bilateral_trades.parquet"
        table = pq.read_table(path)
        values = np.array(table[column].to_numpy())
        values[-1] += 1
        at = table.column_names.index(column)
        pq.write_table(table.set_column(at, table.schema.field(at), pa.array(values)), path)
        failed = cosim.open_result(copy).verify(parts=("ledger",)).failed
        assert "bilateral_trades" in failed


@pytest.mark.usefixtures("without_reports", "grid_read_once")
def test_the_study_says_what_its_page_says(tmp_path: Path) -> None:
    file = tmp_path / "bilateral.yaml"
    fields = read_yaml(REPOSITORY / "scenarios" / "bilateral.yaml", ValueError, "")  # type: ignore[arg-type]
    del fields["study"]["compare"]
    file.write_text(to_yaml(fields))
    study = run_study(load_study(file), tmp_path / "out", jobs=1)
    assert study.as_expected
    found = {run.name: run.indicators for run in study.runs}
    assert list(PAGE) == list(found)
    for name, own in found.items():
        surplus, most = own["trade_surplus_eur"], own["trade_surplus_possible_eur"]
        assert PAGE[name] == [
            f"{own['traded_kwh']:.1f}",
            f"{surplus:.2f}",
            f"{100 * surplus / most:.1f}",
            f"{own['mean_price_eur_per_kwh']:.4f}",
        ]
