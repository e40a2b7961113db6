"""A run's receipts, code and storage are those of an Ethereum node, to the unit of gas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from anvil_node import Node, anvil
from replay import (
    code_hash,
    dumped_storage,
    manifest,
    proven_storage_root,
    recorded_receipts,
    recorded_transactions,
    replay,
    signing_keys,
    trie_root,
)

from cosim.mechanisms.local_market.outcomes import Orders
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.local_market.trading import Trading
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario

pytestmark = pytest.mark.node

BLOCK_TIME_S = 12
SET_UP = {"mint", "approve", "deposit", "registerMeter", "join"}
EVERY_INTERVAL = {
    "placeOrder",
    "clear",
    "openRequest",
    "offer",
    "award",
    "settle",
    "closeRequest",
}


@pytest.fixture
def late_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first prosumer's orders arrive with the block that closes the gate."""
    send = Trading.send

    def send_late(self: Trading, interval: int, orders: Orders) -> None:
        opens_s = self.clock.window_opens_s(interval)
        closes_s = self.clock.gate_closes_s(interval)
        sent_fraction = orders.sent_fraction.copy()
        sent_fraction[0] = (closes_s - 0.5 * BLOCK_TIME_S - opens_s) / (
            closes_s - 2 * BLOCK_TIME_S - opens_s
        )
        send(self, interval, replace(orders, sent_fraction=sent_fraction))

    monkeypatch.setattr(Trading, "send", send_late)


def report_with_too_little_gas(
    self: MarketSettlement, meter: bytes, interval: int, net_wh: int, sent_at_s: float | None = None
) -> int:
    return self.send(meter, "report", interval, net_wh, gas=40_000, sent_at_s=sent_at_s)


@pytest.mark.usefixtures("late_orders")
@pytest.mark.parametrize(
    ("intervals", "metering"),
    [
        pytest.param(3, {"report"}, id="meters-report"),
        # reports run out of gas, so the agreed estimates are settled
        pytest.param(1, {"report", "settleSilent"}, id="meters-are-silent"),
    ],
)
def test_a_node_executes_a_run_as_recorded(
    program: str,
    short_scenario: Callable[..., Scenario],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    intervals: int,
    metering: set[str],
) -> None:
    if "settleSilent" in metering:
        monkeypatch.setattr(MarketSettlement, "report", report_with_too_little_gas)
    # deposits of 2.40 and 5.60 EUR do not suffice for every order and offer
    purse = {"account": "prepaid", "account_eur": 8.0, "deposit_share": 0.3}
    scenario = short_scenario(intervals, market=purse, ledger={"block_time_s": BLOCK_TIME_S})
    folder = tmp_path / "result"
    run_scenario(scenario, tmp_path / "scenario.yaml", folder)
    table = pd.read_parquet(folder / "tables" / "transactions.parquet")
    assert set(table["method"].dropna()) == SET_UP | EVERY_INTERVAL | metering
    assert set(table["revert_reason"].dropna()) >= {
        "local market: gate closed",
        "local market: balance too low",
        "flexibility market: balance too low",
    }

    assert_a_node_agrees(program, folder, scenario, n_contracts=5)


def test_a_node_executes_every_contract_as_recorded(
    program: str, short_scenario: Callable[..., Scenario], tmp_path: Path
) -> None:
    """One run with all of them: sealed orders, a committed clearing, and every other mechanism."""
    supplied, moving = "LV1.101 Bus 10", "LV1.101 Bus 5"
    scenario = short_scenario(
        8,
        "2016-05-24T07:00:00",
        market={"clearing": "committed", "reveal_s": 48},
        ledger={"block_time_s": BLOCK_TIME_S},
        supply_contract={
            "billing_intervals": 4,
            "prices_eur_per_kwh": [0.28],
            "consumers": [{"name": supplied, "deposit_eur": 20.0, "leaves_in": 0}],
        },
        community_storage={"capacity_kwh": 10, "p_max_kw": 2, "shares": 104},
        certificates={
            "price_eur_per_mwh": 5.0,
            "buyers": [{"share": 0.5, "limit_eur_per_mwh": 8.0}],
        },
        name_registry={"moves": [{"name": moving, "interval": 2}]},
    )
    folder = tmp_path / "result"
    run_scenario(scenario, tmp_path / "scenario.yaml", folder)
    table = pd.read_parquet(folder / "tables" / "transactions.parquet")
    assert set(table["method"].dropna()) >= {
        "commitOrder", "revealOrder", "commitClearing", "claimFill", "releaseBond",
        "subscribeUser", "declarePeriod", "paymentPeriod", "finalize",
        "nominate", "reportStorage", "record", "retire", "commitName", "registerName",
        "acceptName",
    }  # fmt: skip
    assert_a_node_agrees(program, folder, scenario, n_contracts=9)


def assert_a_node_agrees(program: str, folder: Path, scenario: Scenario, n_contracts: int) -> None:
    """Receipts, code and storage of a replay on a fresh node are those of the result."""
    transactions = recorded_transactions(folder)
    genesis_s = transactions[0].timestamp_s - BLOCK_TIME_S
    with anvil(program, folder.parent, genesis_s, scenario.ledger.block_gas_limit) as node:
        executed = replay(node, transactions, signing_keys(folder))
        recorded = recorded_receipts(folder)
        assert [one.gas_used for one in executed] == [one.gas_used for one in recorded]
        assert executed == recorded
        contracts = manifest(folder)["contracts"]
        assert len(contracts) == n_contracts
        assert_same_state(node, contracts)
    reverted = sum(not one.status for one in executed)
    events = sum(len(one.logs) for one in executed)
    gas = sum(one.gas_used for one in executed)
    print(f"{len(executed)} transactions equal: {reverted} reverted, {events} events, {gas} gas")


def assert_same_state(node: Node, contracts: dict[str, dict[str, str]]) -> None:
    """Code and storage of the contracts are what the manifest says.

    anvil 1.7.1 keeps a slot that was set back to 0 in its trie, as a leaf that holds a 0, where
    Ethereum's storage trie has none. So the roots are taken over the node's slots without zeros,
    by another package than ours, and the node's own root may be either.
    """
    storage = dumped_storage(node)
    for name, entry in contracts.items():
        address = entry["address"]
        slots = storage[address]
        root = trie_root({slot: value for slot, value in slots.items() if value})
        assert code_hash(node, address) == entry["runtime_code_hash"], name
        assert root == entry["storage_root"], name
        assert proven_storage_root(node, address) in (root, trie_root(slots)), name
