"""The strategy of the example package, installed as a user would install it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from installed_plugins import EXAMPLE, pip_install, python

PROGRAM = """
import json
import numpy as np
from cosim.scenario.prosumers import StrategySettings, Tariff
from cosim.plugins import STRATEGIES
from cosim.prosumers.strategies import (
    BidContext, StrategySetup, check_orders, make_strategy,
)

setup = StrategySetup(("seller", "buyer"), 900, Tariff(300_000, 80_000), np.random.default_rng(0))
share = StrategySettings(name="price_follower", options={"margin": 0.1, "share": 0.5})
strategy = make_strategy(share, setup)

def bid(last_price):
    context = BidContext(
        interval=1,
        is_sell=np.array([True, False]),
        energy_wh=np.array([501, 700]),
        battery_wh=np.zeros(2, dtype=np.int64),
        battery_price_ueur_per_kwh=np.zeros(2, dtype=np.int64),
        expected_price_ueur_per_kwh=100_000.0,
        last_price_ueur_per_kwh=last_price,
        rng=np.random.default_rng(0),
    )
    orders = check_orders("price_follower", context, strategy.bid(context))
    return orders.energy_wh.tolist(), orders.price_ueur_per_kwh.tolist()

print(json.dumps([sorted(STRATEGIES.names), bid(None), bid(290_000)]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pip_install(EXAMPLE, tmp_path_factory.mktemp("example") / "site")


def run(program: str, *path: Path) -> str:
    done = python(["-c", program], *path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_installed_strategy_is_found_and_bids(installed):
    known, first, second = json.loads(run(PROGRAM, installed))
    assert {"price_follower", "truthful", "zero_intelligence"} <= set(known)
    assert first == [[250, 350], [90_000, 110_000]]
    # a tenth below and above 290 000, but never beyond the retail price
    assert second == [[250, 350], [261_000, 300_000]]


def test_without_the_package_it_is_unknown():
    program = """
from pydantic import ValidationError
from cosim.scenario.prosumers import StrategySettings
try:
    StrategySettings(name="price_follower")
except ValidationError as error:
    print(error)
"""
    assert "unknown strategy 'price_follower'" in run(program)
