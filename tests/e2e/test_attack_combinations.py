"""Attacks on a market that clears in another form: the books still balance to the integer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario

FILE = Path("scenario.yaml")
FRONT_RUNNING = {"kind": "front_running", "attacker": "LV1.101 Bus 3"}


@pytest.mark.parametrize(
    ("attack", "market", "ledger", "statuses"),
    [
        # the branch's book is empty: a committed clearing of it has no root to claim from
        (
            {"kind": "reorganisation"},
            {"clearing": "committed"},
            {"consensus": "proof_of_stake"},
            {"late"},
        ),
        # the attacker's own price is what the market operator clears, and what is revealed
        (FRONT_RUNNING, {"clearing": "verified"}, {}, {"cleared", "partial", "unmatched"}),
    ],
)
def test_a_run_ends_and_balances(
    short_scenario: Callable[..., Scenario],
    tmp_path: Path,
    attack: dict[str, Any],
    market: dict[str, Any],
    ledger: dict[str, Any],
    statuses: set[str],
) -> None:
    scenario = short_scenario(2, attack=attack, market=market, ledger=ledger)
    result = run_scenario(scenario, FILE, tmp_path / "run")
    assert result.complete
    orders = pd.read_parquet(result.folder / "tables" / "orders.parquet")
    assert set(orders["status"]) == statuses
