"""Runs whose ledger is slow, random, or reorganises: what the market and the grid make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from result_folders import Tables, table_bytes

from cosim.errors import ScenarioError
from cosim.evm.engine import create_engine
from cosim.runs.experiment import RunResult, run_scenario
from cosim.scenario import Scenario

Build = Callable[..., Scenario]


def played(scenario: Scenario, folder: Path) -> tuple[RunResult, Tables]:
    return run_scenario(scenario, folder / "scenario.yaml", folder / "result"), Tables(
        folder / "result"
    )


def proof_of_work(**changes: Any) -> dict[str, Any]:
    ledger = {"consensus": "proof_of_work", "block_time_s": 12, "propagation_delay_s": 8}
    return ledger | {"confirmations": 0} | changes


def test_a_clearing_that_comes_too_late_is_settled_but_not_scheduled(
    short_scenario: Build, tmp_path: Path
) -> None:
    # six of seven slots are missed: a block every 80 s
    ledger = {
        "consensus": "proof_of_stake", "missed_slot_probability": 0.85, "confirmations": 1,
    }  # fmt: skip
    scenario = short_scenario(8, "2016-05-24T16:00:00", ledger=ledger, seed=4)
    _, tables = played(scenario, tmp_path)
    start_s = scenario.clock().start_s
    clearings = tables["transactions"].query("method == 'clear'").set_index("interval")
    late = clearings.index[clearings.included_at_s > start_s + 900 * clearings.index]
    traded = tables["trades"].groupby("interval").energy_wh.sum()
    wanted = [k for k in late if traded.get(k, 0) > 0]
    assert wanted
    orders = tables["orders"].set_index(["interval", "prosumer"])
    schedules = tables["schedules"].set_index(["interval", "prosumer"])
    settlement = tables["settlement"].set_index(["interval", "prosumer"])
    for k in wanted:
        assert (settlement.loc[k].contracted_wh != 0).sum() == (orders.loc[k].filled_wh > 0).sum()
        assert (settlement.loc[k].contracted_wh == schedules.loc[k].contracted_wh).all()
        assert settlement.loc[k].contracted_wh.clip(lower=0).sum() == traded[k]
    assert set(tables["orders"].status) >= {"late", "cleared"}
    late_ones = tables["orders"].query("status == 'late'")
    assert set(late_ones.reason) == {"local market: gate closed"}


def test_a_run_follows_the_chain_through_reorganisations(
    short_scenario: Build, tmp_path: Path
) -> None:
    scenario = short_scenario(6, ledger=proof_of_work(), seed=3)
    _, tables = played(scenario, tmp_path)
    replaced = tables["reorganisations"]
    assert replaced.depth_blocks.max() > 1
    assert replaced.n_left_out.sum() > 0
    # the tables hold the chain that won: it can be executed once more, block by block
    blocks = tables["blocks"].set_index("block")
    assert blocks.index.tolist() == list(range(len(blocks)))
    assert (blocks.timestamp_s.diff().dropna() > 0).all()
    transactions = tables["transactions"]
    assert (
        transactions.groupby("block")
        .size()
        .eq(blocks.n_transactions[blocks.n_transactions > 0])
        .all()
    )
    engine = create_engine("revm")
    for row in transactions.sort_values(["block", "index"]).itertuples():
        engine.set_block(row.block, row.included_at_s, int(blocks.gas_limit[row.block]))
        sender = bytes.fromhex(row.sender[2:])
        assert engine.nonce(sender) == row.nonce
        to = None if row.to is None else bytes.fromhex(row.to[2:])
        receipt = engine.transact(sender, to, row.data, row.gas_limit)
        assert (receipt.status, receipt.gas_used) == (row.status, row.gas_used)
        assert row.sent_at_s < row.included_at_s


def test_the_same_seed_gives_the_same_chain_on_both_engines(
    short_scenario: Build, tmp_path: Path
) -> None:
    results = []
    for engine in ("revm", "py-evm"):
        scenario = short_scenario(1, ledger=proof_of_work(engine=engine), seed=3)
        (tmp_path / engine).mkdir()
        played(scenario, tmp_path / engine)
        results.append(table_bytes(tmp_path / engine / "result"))
    assert results[0] == results[1]


def test_confirmations_cost_the_dso_its_time(short_scenario: Build, tmp_path: Path) -> None:
    bought, curtailed = [], []
    for confirmations in (0, 6):
        ledger = {"consensus": "proof_of_stake", "confirmations": confirmations}
        (tmp_path / str(confirmations)).mkdir()
        result, _ = played(short_scenario(2, ledger=ledger), tmp_path / str(confirmations))
        bought.append(result.indicators["flexibility_awarded_kwh"])
        curtailed.append(result.indicators.curtailed_injection_kwh)
        assert result.indicators.violations["delivered"]["any"]["minutes"] == 0
    # 180 s are 15 blocks; a clearing and a round with six confirmations each need 28
    assert bought[0] > 10
    assert bought[1] == 0
    assert curtailed[0] == 0
    assert curtailed[1] > 10


def test_small_blocks_make_orders_miss_the_gate(short_scenario: Build, tmp_path: Path) -> None:
    ledger = {"block_time_s": 60, "block_gas_limit": 500_000}
    market = {"gate_closure_s": 300, "metering_s": 240, "order_lead_s": 480}
    scenario = short_scenario(2, ledger=ledger, market=market, dso={"max_rounds": 1})
    result, tables = played(scenario, tmp_path)
    assert result.indicators["orders"]["late"] > 0
    blocks = tables["blocks"]
    opens_s = scenario.clock().window_opens_s(0)
    assert set(blocks.gas_limit[blocks.timestamp_s > opens_s]) == {500_000}
    assert set(blocks.gas_limit[blocks.timestamp_s <= opens_s]) == {30_000_000}
    assert (blocks.gas_used <= blocks.gas_limit).all()


def test_fewer_participants_are_among_more(short_scenario: Build, tmp_path: Path) -> None:
    members = []
    for n in (4, 9):
        (tmp_path / str(n)).mkdir()
        scenario = short_scenario(1, prosumers={"participants": n})
        _, tables = played(scenario, tmp_path / str(n))
        members.append(set(tables["settlement"].prosumer))
        assert set(tables["orders"].prosumer) <= members[-1]
        assert len(tables["prosumers"]) == 13
        assert len(members[-1]) == n
    assert members[0] < members[1]


def test_more_participants_than_there_are(short_scenario: Build, tmp_path: Path) -> None:
    scenario = short_scenario(1, prosumers={"participants": 14})
    with pytest.raises(ScenarioError, match="14 connection points cannot take part") as caught:
        played(scenario, tmp_path)
    assert caught.value.field == "prosumers.participants"
    assert list(tmp_path.iterdir()) == []


def test_prosumers_with_a_fee_strategy_pay_their_own_tips(
    short_scenario: Build, tmp_path: Path
) -> None:
    ledger = {
        "initial_base_fee_gwei": 1.0,
        "tip_gwei": 0.5,
        "fee_strategies": [{"share": 0.5, "tip_gwei": 3.0}, {"share": 0.25, "tip_gwei": 0.0}],
    }
    _, tables = played(short_scenario(1, ledger=ledger), tmp_path)
    orders = tables["transactions"].query("method == 'placeOrder'")
    assert set(orders.tip_wei) == {3_000_000_000, 500_000_000, 0}
    reports = tables["transactions"].query("method == 'report'")
    assert set(reports.tip_wei) == {500_000_000}
    # a higher tip comes first within a block
    for _, block in orders.groupby("block"):
        assert block.sort_values("index").tip_wei.is_monotonic_decreasing
    paid = tables["settlement"].fees_ueur
    assert isinstance(paid, pd.Series)
    assert paid.gt(0).all()


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"ledger": {"validators": 4, "failed_validators": 2}}, "without a majority"),
        (
            {"ledger": {"consensus": "pbft", "validators": 7, "failed_validators": 3}},
            "stands still beyond a third",
        ),
        ({"ledger": {"propagation_delay_s": 2}}, "only proof_of_work has forks"),
        (
            {"ledger": {"consensus": "proof_of_work", "missed_slot_probability": 0.1}},
            "nobody has a turn under proof_of_work",
        ),
        (
            {"ledger": {"fee_strategies": [{"share": 0.7}, {"share": 0.5}]}},
            "add up to 1.2, more than 1",
        ),
        (
            {"ledger": proof_of_work(), "market": {"clearing": "committed"}},
            "market.clearing: committed needs a ledger without reorganisations",
        ),
        (
            {"ledger": proof_of_work(), "certificates": {}},
            "certificates needs a ledger without reorganisations",
        ),
        ({"ledger": {"confirmations": 9}}, "a clearing with 9 confirmations needs 20"),
    ],
)
def test_what_cannot_be(short_scenario: Build, sections: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        short_scenario(1, **sections)
