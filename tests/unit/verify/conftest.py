"""One small run with every contract and every kind of row, and a copy of it to forge."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cosim.runs.again import play_again
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario

SUPPLIED, MOVING = "LV1.101 Bus 10", "LV1.101 Bus 5"


@pytest.fixture(scope="session")
def every_contract(short_scenario: Callable[..., Scenario]) -> Scenario:
    """An hour at noon with trades, flexibility, sealed orders, fees, and all other contracts."""
    return short_scenario(
        4,
        prosumers={"scaling": {"load": 8.0}},
        grid={"limits": {"trafo_loading_percent": 60.0}},
        market={"clearing": "committed", "reveal_s": 48},
        ledger={"tip_gwei": 0.02, "initial_base_fee_gwei": 1.0},
        supply_contract={
            "billing_intervals": 4,
            "prices_eur_per_kwh": [0.28],
            "consumers": [{"name": SUPPLIED, "deposit_eur": 20.0, "leaves_in": 0}],
        },
        community_storage={"capacity_kwh": 10, "p_max_kw": 2, "shares": 104},
        certificates={
            "price_eur_per_mwh": 5.0,
            "buyers": [{"share": 0.5, "limit_eur_per_mwh": 8.0}],
        },
        name_registry={"moves": [{"name": MOVING, "interval": 2}]},
    )


@pytest.fixture(scope="session")
def whole_result(made_once: Callable[..., Path], every_contract: Scenario) -> Path:
    """Result folder of that run."""
    return made_once(
        "whole", lambda folder: run_scenario(every_contract, folder.with_suffix(".yaml"), folder)
    )


@pytest.fixture
def copied(whole_result: Path, tmp_path: Path) -> Path:
    """A copy of the result that a test may spoil."""
    folder = tmp_path / "copy"
    shutil.copytree(whole_result, folder)
    return folder


@pytest.fixture(scope="session")
def honest(made_once: Callable[..., Path], short_scenario: Callable[..., Scenario]) -> Path:
    """Four intervals with trades and flexibility, at noon, when the transformer is overloaded."""
    scenario = short_scenario(4, ledger={"tip_gwei": 0.02})
    return made_once(
        "honest", lambda folder: run_scenario(scenario, folder.with_suffix(".yaml"), folder)
    )


@pytest.fixture(scope="session")
def played(made_once: Callable[..., Path], honest: Path) -> Path:
    """The same, as this version plays it from the folder."""
    return made_once("played", lambda out: play_again(honest, out))


@pytest.fixture
def forged(honest: Path, tmp_path: Path) -> Path:
    """A copy to forge."""
    return shutil.copytree(honest, tmp_path / "forged")
