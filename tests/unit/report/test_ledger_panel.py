"""Indicators of the ledger against values worked out by hand, on a chain with irregular blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cosim.mechanisms.local_market.indicators import market_indicators
from cosim.mechanisms.local_market.panel import latency_chart, market_tiles, missed_chart
from cosim.report import ledger
from cosim.report.indicators import compute_indicators
from cosim.report.ledger import settlement_finality
from cosim.report.ledger_panel import fee_chart, finality_chart, ledger_part, ledger_tiles
from cosim.results.reader import Results
from cosim.results.writer import TableWriter

START_S = 1_464_048_000  # 24 May 2016, 00:00 UTC
STEP_S = 900
GWEI = 10**9
BLOCKS_S = [-700, -580, -300, -180, -170, 20, 905, 909, 950, 1_000, 1_700, 1_710, 1_930]
"""Times of blocks 0 to 12 after the start: the window of interval 0 is (-600, -180]."""

Call = tuple[int, int, str, str, int, int]


def recorded(
    folder: Path,
    confirmations: int | None = 1,
    consensus: str | None = "proof_of_work",
    orders: list[tuple[int, float, int | None, str]] | None = None,
    calls: list[Call] | None = None,
    traded_wh: int = 2_000,
    tip_wei: int = 2 * GWEI,
) -> Results:
    """A result of two intervals.

    Orders are (interval, sent after the start, block, status), transactions (block, interval,
    contract, method, gas, status).
    """
    writer = TableWriter(folder)
    if orders is None:
        orders = [
            (0, -590.0, 1, "cleared"),
            (0, -400.0, 2, "rejected"),
            (0, -175.0, 4, "late"),  # included, but after gate closure
            (0, -200.0, None, "late"),
            (1, 450.0, None, "late"),
        ]
    if calls is None:
        calls = [
            (0, -1, "LocalMarket", "join", 900_000, 1),
            (1, 0, "LocalMarket", "placeOrder", 100_000, 1),
            (2, 0, "LocalMarket", "placeOrder", 200_000, 0),
            (6, 0, "MarketSettlement", "report", 300_000, 1),
            (8, 0, "FlexibilityMarket", "closeRequest", 100_000, 1),
            (9, 0, "MarketSettlement", "report", 50_000, 0),  # refused: settles nothing
            (11, 1, "MarketSettlement", "settleSilent", 100_000, 1),
            (11, 1, "Supplier", "settle", 100_000, 1),
        ]
    for k, sent_s, block, status in orders:
        writer.append(
            "orders",
            {
                "interval": [k], "prosumer": "a", "side": "buy", "energy_wh": 1_500,
                "price_ueur_per_kwh": 1, "sent_at_s": START_S + sent_s,
                "block": None if block is None else [block], "status": status, "filled_wh": 0,
                "clearing_price_ueur_per_kwh": None,
            },
        )  # fmt: skip
    used = np.zeros(len(BLOCKS_S), dtype=np.int64)
    for index, (block, interval, contract, method, gas, status) in enumerate(calls):
        used[block] += gas
        writer.append(
            "transactions",
            {
                "block": [block], "index": index, "sent_at_s": 0.0,
                "included_at_s": START_S + BLOCKS_S[block], "sender": bytes(20), "nonce": 0,
                "to": None, "data": b"", "value_wei": 0, "gas_limit": 10**6,
                "max_fee_wei": 11 * GWEI, "tip_wei": tip_wei, "gas_used": gas, "status": status,
                "interval": interval, "contract": contract, "method": method,
            },
        )  # fmt: skip
    n = len(BLOCKS_S)
    base_wei = np.full(n, 0 if not tip_wei else 8 * GWEI)
    base_wei[11:] *= 5
    base_wei[11:] //= 4  # 10 gwei: of the tip only 1 is left
    writer.append(
        "blocks",
        {
            "block": np.arange(n), "timestamp_s": START_S + np.array(BLOCKS_S), "gas_used": used,
            "gas_limit": 1_000_000, "base_fee_wei": base_wei, "n_transactions": 0, "proposer": 0,
            "others_gas": 0,
        },
    )  # fmt: skip
    for k in range(2):
        writer.append(
            "settlement",
            {
                "interval": [k], "prosumer": "a", "contracted_wh": 0, "metered_wh": 0,
                "residual_wh": 0, "traded_ueur": 0, "supplier_ueur": 0, "flexibility_ueur": 0,
                "fees_ueur": 300_000, "estimated": False,
            },
        )  # fmt: skip
    if traded_wh:
        writer.append(
            "trades",
            {
                "interval": [1], "buyer": "a", "seller": "b", "energy_wh": traded_wh,
                "price_ueur_per_kwh": 1, "amount_ueur": 1, "sell_price_ueur_per_kwh": 1,
                "earned_ueur": 1,
            },
        )  # fmt: skip
    writer.close()
    ledger = {"consensus": consensus, "confirmations": confirmations, "eur_per_eth": 2_000.0}
    scenario: dict[str, Any] = {
        "time": {"start": "2016-05-24T00:00:00", "intervals": 2, "step_s": STEP_S},
        "market": {"order_lead_s": 600, "gate_closure_s": 180},
        "ledger": {key: value for key, value in ledger.items() if value is not None},
    }
    (writer.folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    return Results(writer.folder, intervals=2)


def ledger_indicators(results: Results) -> dict[str, Any]:
    """Indicators of the ledger, and those of the orders and fees on it."""
    return ledger.ledger_indicators(results) | market_indicators(results).as_dict()


def test_latency_of_included_orders(tmp_path: Path) -> None:
    found = ledger_indicators(recorded(tmp_path / "run"))
    # to the blocks at -580, -300 and -170, and to those after them at -300, -180 and 20
    latency = found["order_latency_s"]
    assert latency["mean"] == pytest.approx((10 + 100 + 5) / 3)
    assert (latency["median"], latency["max"]) == (10.0, 100.0)
    assert latency["p95"] == pytest.approx(91.0)
    confirmation = found["order_confirmation_s"]
    assert confirmation["mean"] == pytest.approx((290 + 220 + 195) / 3)
    assert confirmation["max"] == 290.0


def test_missed_orders(tmp_path: Path) -> None:
    found = ledger_indicators(recorded(tmp_path / "run"))
    assert (found["orders_missed"], found["orders_missed_kwh"]) == (3, 4.5)
    assert found["orders_missed_share"] == pytest.approx(0.6)


def test_orders_that_the_contract_refused(tmp_path: Path) -> None:
    found = market_indicators(recorded(tmp_path / "run"))
    assert (found.orders_refused, found.orders_refused_kwh) == (1, 1.5)
    assert found.orders_refused_share == pytest.approx(0.2)
    assert found.orders_refused_by_reason == {"without a reason": 1}
    (warning,) = found.warnings()
    assert warning.startswith("the local market's contract refused 1 of 5 orders")
    assert "without a reason 1" in dict(found.rows())["Orders refused by the contract"]


def test_few_refused_orders_are_no_warning(tmp_path: Path) -> None:
    """One of a hundred is tolerated, two are not."""
    some = [(0, -590.0, 1, "cleared")] * 98
    for n, warned in ((1, False), (2, True)):
        orders = [*some, *[(0, -400.0, 2, "rejected")] * n, *[(0, -590.0, 1, "cleared")] * (2 - n)]
        found = market_indicators(recorded(tmp_path / str(n), orders=orders))
        assert found.orders_refused_share == n / 100
        assert bool(found.warnings()) == warned


def test_use_of_blocks_leaves_set_up_and_what_follows_out(tmp_path: Path) -> None:
    found = ledger_indicators(recorded(tmp_path / "run"))
    # blocks 1 to 11; those of the windows: -580, -300, -180, and none of interval 1
    assert found["block_usage_mean"] == pytest.approx((0.1 + 0.2 + 0.3 + 0.1 + 0.05 + 0.2) / 11)
    assert found["block_usage_max"] == pytest.approx(0.3)
    assert found["order_window_block_usage_mean"] == pytest.approx(0.3 / 3)


def test_fees(tmp_path: Path) -> None:
    found = ledger_indicators(recorded(tmp_path / "run"))
    assert found["prosumer_fees_eur"] == pytest.approx(0.6)
    assert found["fee_eur_per_kwh_traded"] == pytest.approx(0.3)
    # 750 000 gas at 8 + 2 gwei, 200 000 at 10 + 1
    assert found["ledger_fees_eur"] == pytest.approx((750_000 * 10 + 200_000 * 11) * 1e-9 * 2_000)


def test_finality_of_settlement(tmp_path: Path) -> None:
    results = recorded(tmp_path / "run")
    # interval 0 ends at 900, its last settling block is 8, block 9 is at 1 000;
    # interval 1 ends at 1 800, block 11 at 1 710 (before its end), block 12 at 1 930
    finality = settlement_finality(results)
    assert finality.after_s.tolist() == [100.0, 130.0]
    assert finality.is_final.all()
    found = ledger_indicators(results)
    assert found["settlement_finality_s"] == {"mean": 115.0, "max": 130.0}
    assert found["intervals_not_final"] == 0


def test_times_are_read_in_their_zone(tmp_path: Path) -> None:
    results = recorded(tmp_path / "run")
    here = settlement_finality(results).after_s.tolist()
    file = results.folder / "scenario.yaml"
    file.write_text(file.read_text().replace("2016-05-24T00:00:00", "2016-05-24T02:00:00+02:00"))
    assert "+02:00" in file.read_text()
    assert settlement_finality(Results(results.folder, intervals=2)).after_s.tolist() == here


def test_where_the_chain_ends_before_its_last_block_counts(tmp_path: Path) -> None:
    results = recorded(tmp_path / "run", confirmations=3)
    finality = settlement_finality(results)
    assert finality.is_final.tolist() == [True, False]
    assert finality.after_s.tolist() == [1_710 - 900, 1_930 - 1_800]
    assert ledger_indicators(results)["intervals_not_final"] == 1
    # the order of block 4 has its third confirmation, at 909
    assert ledger_indicators(results)["order_confirmation_s"]["max"] == 905 + 175 + 4


def test_later_than_an_interval_is_not_final_in_time(tmp_path: Path) -> None:
    results = recorded(tmp_path / "run", confirmations=4)
    finality = settlement_finality(results)
    assert finality.is_final.tolist() == [True, False]
    assert finality.after_s[0] == 1_930 - 900  # above 900
    assert ledger_indicators(results)["intervals_not_final"] == 2


def test_without_confirmations_a_block_is_final(tmp_path: Path) -> None:
    for place, confirmations in enumerate((None, 0)):
        results = recorded(tmp_path / str(place), confirmations, consensus=None)
        found = ledger_indicators(results)
        assert found["settlement_finality_s"]["mean"] == ((950 - 900) + (1_710 - 1_800)) / 2
        assert found["order_confirmation_s"] is None
        assert found["reversal_probability"] is None


def test_reversal_is_a_matter_of_proof_of_work(tmp_path: Path) -> None:
    found = ledger_indicators(recorded(tmp_path / "work", confirmations=1))
    assert found["reversal_probability"] == {
        "share_10_percent": pytest.approx(0.2),
        "share_20_percent": pytest.approx(0.4),
        "share_30_percent": pytest.approx(0.6),
    }
    others = ledger_indicators(recorded(tmp_path / "stake", consensus="proof_of_stake"))
    assert others["reversal_probability"] is None


def test_nothing_sent_nothing_traded(tmp_path: Path) -> None:
    found = ledger_indicators(recorded(tmp_path / "run", orders=[], calls=[], traded_wh=0))
    for name in (
        "order_latency_s",
        "order_confirmation_s",
        "orders_missed_share",
        "block_usage_mean",
        "block_usage_max",
        "order_window_block_usage_mean",
        "fee_eur_per_kwh_traded",
        "settlement_finality_s",
    ):
        assert found[name] is None, name
    assert found["orders_missed"] == found["intervals_not_final"] == found["ledger_fees_eur"] == 0


def test_no_order_reached_a_block(tmp_path: Path) -> None:
    results = recorded(tmp_path / "run", orders=[(0, -200.0, None, "late")])
    found = ledger_indicators(results)
    assert found["order_latency_s"] is None
    assert found["orders_missed_share"] == 1.0
    assert latency_chart(results).figure is None
    assert missed_chart(results).figure is not None


def test_latency_chart_lacks_what_missed(tmp_path: Path) -> None:
    chart = latency_chart(recorded(tmp_path / "run"))
    included, confirmed = chart.figure.data
    assert included.x.tolist() == [0, 5, 10, 100, 290]
    assert included.y.tolist() == [0, 20, 40, 60, 60]
    assert confirmed.x.tolist() == [0, 195, 220, 290, 290]
    assert "1 block on top" in chart.caption
    assert "missed the gate" in chart.caption


def test_a_long_distribution_is_drawn_by_quantiles(tmp_path: Path) -> None:
    orders = [(0, -580.0 - k / 100, 1, "unmatched") for k in range(1, 1_001)]
    (included,) = latency_chart(recorded(tmp_path / "run", 0, orders=orders)).figure.data
    assert len(included.x) == 400 + 2
    middle = np.searchsorted(included.y, 50.0)
    assert included.x[middle] == pytest.approx(5.0, abs=0.03)
    assert (included.x[-1], included.y[-1]) == (10.0, 100.0)


def test_missed_chart_counts_by_interval(tmp_path: Path) -> None:
    missed, in_time = missed_chart(recorded(tmp_path / "run")).figure.data
    assert missed.y.tolist() == [2, 1]
    assert in_time.y.tolist() == [2, 0]


def test_finality_chart_marks_where_the_chain_ended(tmp_path: Path) -> None:
    (line,) = finality_chart(recorded(tmp_path / "one")).figure.data
    assert line.y.tolist() == [100, 130, 130]  # the last is held to the interval's end
    chart = finality_chart(recorded(tmp_path / "three", confirmations=3))
    _, ended = chart.figure.data
    assert ended.y.tolist() == [130]
    assert "cross" in chart.caption


def test_fee_chart_shows_base_fee_where_there_is_one(tmp_path: Path) -> None:
    everybody, prosumers, base = fee_chart(recorded(tmp_path / "run")).figure.data
    assert everybody.y.tolist() == [15.0, 4.4, 4.4]
    assert prosumers.y.tolist() == [0.3, 0.3, 0.3]
    # interval 0: block 5; interval 1: blocks 6 to 11
    assert base.y.tolist() == pytest.approx(
        [8.0, (4 * 8 + 8 + 10) / 6, (4 * 8 + 8 + 10) / 6], abs=1e-4
    )
    calls: list[Call] = [(6, 0, "MarketSettlement", "report", 300_000, 1)]
    chart = fee_chart(recorded(tmp_path / "free", calls=calls, tip_wei=0))
    assert chart.figure is None
    assert "No fees" in chart.empty


def test_report_tells_what_applies(another_result: Callable[..., Path]) -> None:
    results = Results(another_result())
    indicators = compute_indicators(results)
    assert [tile.title for tile in ledger_tiles(indicators, 0)] == [
        "Gas per prosumer and interval", "Share of the block used", "Settlement final after",
    ]  # fmt: skip
    assert [tile.title for tile in market_tiles(market_indicators(results), 0)] == [
        "Traded between prosumers", "Surplus of the trades", "Order latency",
        "Orders missed at the gate", "Orders refused by the contract", "Fees per kWh traded",
    ]  # fmt: skip
    assert "Reversal" not in dict(ledger_part(results, indicators).definitions)
    rows = dict(indicators.rows())
    assert rows["Orders missed at the gate"] == "25.0\u00a0%, 1.0\u00a0kWh"
    # 120 µEUR that prosumers paid over 0.5 kWh; the blocks' base fee and tips are 0
    assert {name: value for name, value in rows.items() if "Fees" in name} == {
        "Fees of prosumers per kWh traded": "0.0002\u00a0EUR/kWh"
    }
    assert not [name for name in rows if "Reverted" in name]


def test_report_of_a_run_with_fees_under_proof_of_work(
    another_result: Callable[..., Path], tmp_path: Path
) -> None:
    folder = another_result()
    scenario = yaml.safe_load((folder / "scenario.yaml").read_text())
    scenario["ledger"] |= {"consensus": "proof_of_work", "confirmations": 1}
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    results = Results(folder)
    indicators = compute_indicators(results)
    part = ledger_part(results, indicators)
    tiles = {tile.title: tile for tile in part.tiles}
    assert tiles["Reversal of a trade"].value == "20 / 40 / 60\u00a0%"
    assert "with 1 confirmation," in tiles["Reversal of a trade"].note
    assert "Reversal" in dict(part.definitions)
    assert dict(indicators.rows())["Reverted by 10 / 20 / 30 % of hash power"] == (
        "20 / 40 / 60\u00a0%"
    )
