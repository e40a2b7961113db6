"""Attacks on a market that clears in another form: the books still balance to the integer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import cosim
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario

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
    result = run_scenario(scenario, FILE, tmp_path / "run", report=False)
    assert result.complete
    orders = pd.read_parquet(result.folder / "tables" / "orders.parquet")
    assert set(orders["status"]) == statuses


def test_the_last_order_goes_by_the_prices_of_its_interval(tmp_path: Path) -> None:
    """A buyer outbids the best seller's price where retail is dear, though it was cheap before."""
    buyer = "LV1.101 Bus 5"
    scenario = load_scenario("quickstart").replace(
        time={"start": "2016-05-24T16:15:00", "intervals": 3},
        market={"retail": {"energy": {"eur_per_kwh": [0.12, 0.40, 0.40]}}},
        prosumers={
            "scaling": {"load": 4, "pv": 2},
            "battery": {"mode": "arbitrage"},
            "forecast": {"model": {"name": "nowcast"}},
        },
        attack={"kind": "front_running", "attacker": buyer},
    )
    orders = cosim.run(scenario, out=tmp_path / "run").frame("orders")
    own = orders[orders["prosumer"] == buyer].set_index("interval")
    others = orders[(orders["prosumer"] != buyer) & (orders["side"] == "sell")]
    assert list(own["status"]) == ["cleared"] * 3
    assert own["price_ueur_per_kwh"][0] <= 120_000 < own["price_ueur_per_kwh"][2]
    # one step above a seller's price: less would not have been served
    assert own["price_ueur_per_kwh"][2] - 1 in set(
        others[others["interval"] == 2]["price_ueur_per_kwh"]
    )
