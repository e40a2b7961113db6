"""The reader: intervals that count, whole numbers, timestamps, and what is said of bad names."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cosim.errors import ResultFolderError, UserError
from cosim.results.reader import Results
from cosim.results.writer import TableWriter
from cosim.scenario import Scenario, load_scenario

SCENARIO = Path(__file__).parents[3] / "scenarios" / "quickstart.yaml"
START = pd.Timestamp("2016-05-24T00:00:00")
STEP = pd.Timedelta(minutes=15)


def order(interval: int, block: int | None) -> dict[str, object]:
    return {
        "interval": interval, "prosumer": "point 1", "side": "buy", "energy_wh": 5,
        "price_ueur_per_kwh": 1, "sent_at_s": 0.5, "block": [block], "status": "late",
        "filled_wh": 0,
    }  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Two intervals that count and one more, of which some orders and names are recorded."""
    writer = TableWriter(tmp_path / "run")
    for interval, block in ((0, None), (1, 2**53 + 1), (2, 8)):
        writer.append("orders", order(interval, block))
    for interval in (-1, 1):
        writer.append(
            "names",
            {"interval": interval, "prosumer": "point 1", "name": "one", "action": "registered",
             "owner": "0x1", "account": "0x1", "registry_fee_ueur": 1, "fees_ueur": 1},
        )  # fmt: skip
    writer.append(
        "blocks",
        {"block": [0, 1], "timestamp_s": [1464048000, 1464048012], "gas_used": 0, "gas_limit": 1,
         "base_fee_wei": 0, "n_transactions": 0, "proposer": 0, "others_gas": 0},
    )  # fmt: skip
    writer.append(
        "reorganisations",
        {"block": 1, "depth_blocks": 1, "seen_at_s": 1464048024, "cause": "fork",
         "n_transactions": 0, "n_left_out": 0},
    )  # fmt: skip
    writer.close()
    (writer.folder / "scenario.yaml").write_text(load_scenario(SCENARIO).to_yaml())
    return Results(writer.folder, intervals=2)


def test_rows_beyond_the_intervals_that_count_are_in_the_whole_table_only(
    results: Results,
) -> None:
    assert results.frame("orders")["interval"].tolist() == [0, 1]
    assert results.table("orders")["interval"].tolist() == [0, 1, 2]
    assert results.table("orders") is results.table("orders")


def test_whole_numbers_that_may_be_missing_stay_whole(results: Results) -> None:
    # as a float, the second block would be another one
    for frame in (results.frame("orders"), results.table("orders")[:2]):
        assert frame["block"].tolist() == [pd.NA, 2**53 + 1]


def test_text_is_plain_in_the_whole_table_and_categories_elsewhere(results: Results) -> None:
    assert results.frame("orders")["side"].dtype == "category"
    assert results.table("orders")["side"].dtype == object


def test_the_scenario_is_there_as_a_model_and_as_fields(results: Results) -> None:
    assert isinstance(results.scenario, Scenario)
    assert results.scenario.time.step_s == results.scenario_fields["time"]["step_s"] == 900
    assert results.times.tolist() == [START, START + STEP]


def test_time_of_an_interval_is_its_start(results: Results) -> None:
    orders = results.frame("orders", time=True)
    assert list(orders.columns[:3]) == ["interval", "time", "prosumer"]
    assert orders["time"].tolist() == [START, START + STEP]
    # of the set-up phase: one step before the first interval
    assert results.frame("names", time=True)["time"].tolist() == [START - STEP, START + STEP]
    assert "time" not in results.frame("orders").columns


def test_time_of_a_block_is_its_own(results: Results) -> None:
    blocks = results.frame("blocks", time=True)
    assert list(blocks.columns[:3]) == ["block", "timestamp_s", "time"]
    assert blocks["time"].tolist() == [START, START + pd.Timedelta(seconds=12)]
    seen = results.frame("reorganisations", time=True)["time"]
    assert seen.tolist() == [START + pd.Timedelta(seconds=24)]


def test_time_comes_with_any_choice_of_columns(results: Results) -> None:
    chosen = results.frame("orders", ["energy_wh", "interval"], time=True)
    assert list(chosen.columns) == ["energy_wh", "interval", "time"]
    chosen = results.frame("orders", ["energy_wh"], time=True)
    assert list(chosen.columns) == ["time", "energy_wh"]
    assert chosen["time"].tolist() == [START, START + STEP]


def test_a_table_without_any_time_says_so(results: Results) -> None:
    with pytest.raises(UserError, match=r"(?s)'events' has neither.*remedy: join it"):
        results.frame("events", time=True)


def test_an_unknown_table_and_a_missing_one_are_named(results: Results) -> None:
    for read in (results.frame, results.table):
        with pytest.raises(UserError, match=r"(?s)no table 'busses'.*buses"):
            read("busses")
    (results.folder / "tables" / "trades.parquet").unlink()
    with pytest.raises(ResultFolderError, match="cannot be read"):
        results.frame("trades")


def test_batches_are_the_row_groups_of_a_table(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "run", rows_per_group=4) as writer:
        writer.append(
            "taps",
            {
                "interval": list(range(10)),
                "trafo": 0,
                "tap_pos": [float(i % 3) for i in range(10)],
            },
        )
        writer.close()
        results = Results(writer.folder, intervals=10)
        sizes = [rows.num_rows for rows in results.batches("taps")]
        assert sizes == [4, 4, 2]
        assert [rows.num_rows for rows in results.batches("trades")] == [0]
        groups = results.row_groups("taps")
        assert groups is not None
        read = groups.read("interval", 3, 9, ["tap_pos"])
        assert read["tap_pos"].to_pylist() == [i % 3 for i in range(3, 9)]
        assert groups.read("interval", 10, 12, ["tap_pos"]) is None
        assert groups.spans("interval") == [(0, 0, 0, 3), (0, 1, 4, 7), (0, 2, 8, 9)]


@pytest.mark.parametrize(("first", "last"), [(-5, 5), (10, 5), (90, 97), (200, 300)])
def test_a_window_is_of_intervals_that_the_run_has(
    quickstart_result: Path, first: int, last: int
) -> None:
    with pytest.raises(ResultFolderError, match=f"0 to 95, and {first} to {last - 1} are asked"):
        Results(quickstart_result).window(first, last)
