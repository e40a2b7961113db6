"""A run whose contracts use slots again: the same orders, trades and money, and less gas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.verification import verify

RING, INTERVALS = 3, 4
NEW_SLOT_GAS = 17_100
"""A new slot costs that much more than a change of one."""


@pytest.fixture(scope="module")
def runs(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Path]:
    """The same noon without a ring and with one."""
    folders = {}
    for ring in (0, RING):
        place = tmp_path_factory.mktemp(f"ring_{ring}")
        market, dso = {"ring_intervals": ring}, {"procure": False}
        scenario = short_scenario(INTERVALS, market=market, dso=dso)
        run_scenario(scenario, place / "scenario.yaml", place / "result")
        folders[ring] = place / "result"
    return folders


def test_all_tables_but_those_of_transactions_are_the_same(runs: dict[int, Path]) -> None:
    tables = {ring: folder / "tables" for ring, folder in runs.items()}
    names = sorted(path.name for path in tables[0].glob("*.parquet"))
    differing = {
        name
        for name in names
        if (tables[0] / name).read_bytes() != (tables[RING] / name).read_bytes()
    }
    assert differing == {"blocks.parquet", "transactions.parquet"}
    orders = Results(runs[RING]).table("orders")
    assert set(orders["interval"]) == set(range(INTERVALS))
    assert Results(runs[RING]).table("trades")["energy_wh"].sum() > 0


def test_who_ordered_in_a_slot_before_takes_no_new_one(runs: dict[int, Path]) -> None:
    without, with_ring = (
        Results(folder).table("transactions")["gas_used"].to_numpy() for folder in runs.values()
    )
    saved = without - with_ring
    orders = Results(runs[0]).table("orders")
    in_used_slots = orders.merge(
        orders.assign(interval=orders["interval"] + RING), on=["interval", "prosumer"]
    )
    assert len(in_used_slots) > 2
    # a slot that holds the same order as before is not even changed
    assert sum(saved > 2 * NEW_SLOT_GAS - 100) == len(in_used_slots)
    assert max(saved) < 2 * NEW_SLOT_GAS + 3_000


def test_its_ledger_verifies(runs: dict[int, Path]) -> None:
    assert verify(runs[RING], parts=("ledger", "markets")).passed
