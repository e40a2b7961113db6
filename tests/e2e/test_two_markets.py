"""Two local markets in one run, and its verification."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from result_folders import verified

from cosim.runs.experiment import run_scenario
from cosim.scenario import load_scenario
from cosim.verify.verification import verify

FILE = Path(__file__).parents[2] / "scenarios" / "two_markets.yaml"
EVENING = {"start": "2016-05-24T17:00:00", "intervals": 3}


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> Path:
    scenario = load_scenario(FILE).replace(time=EVENING)
    return run_scenario(scenario, FILE, tmp_path_factory.mktemp("two") / "out").folder


def test_each_market_has_a_price_of_its_own(result) -> None:
    trades = pd.read_parquet(result / "tables" / "trades.parquet")
    prices = trades.groupby(["interval", "area"], observed=True).price_ueur_per_kwh.nunique()
    assert prices.eq(1).all()
    by_area = trades.groupby("area", observed=True).price_ueur_per_kwh.first()
    assert by_area["lower"] != by_area["upper"]
    listed = load_scenario(FILE).market.areas
    for area, rows in trades.groupby("area", observed=True):
        assert set(rows.buyer) | set(rows.seller) <= set(listed[area])


def test_a_run_of_two_markets_is_verified_by_other_means(result) -> None:
    verified(result)


@pytest.mark.parametrize(
    ("table", "failed"),
    [("settlement", "settlement"), ("orders", "orders"), ("trades", "trades")],
)
def test_a_row_of_another_market_is_found(result, table: str, failed: str) -> None:
    file = result / "tables" / f"{table}.parquet"
    honest, rows = file.read_bytes(), pq.read_table(file)
    areas = rows["area"].to_pylist()
    areas[0] = "lower" if areas[0] == "upper" else "upper"
    column = rows.schema.get_field_index("area")
    forged = rows.set_column(column, rows.schema.field(column), [areas])
    try:
        pq.write_table(forged, file)
        found = verify(result, parts=("ledger",))
    finally:
        file.write_bytes(honest)
    assert failed in found.failed
