"""Top-ups out of bank accounts: how much, when, and what they save from being refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cosim.mechanisms.local_market.top_ups import top_up_ueur
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.verification import verify

# deposits of 2.40 EUR do not suffice for every order
PURSE = {"account_eur": 8.0, "deposit_share": 0.3}


@pytest.mark.parametrize(
    ("free", "debt", "needed", "bank", "moved"),
    [
        (100, 0, 0, 1_000, 0),
        (50, 0, 0, 1_000, 0),  # half is enough
        (49, 0, 0, 1_000, 51),
        (60, 0, 10, 1_000, 0),
        (60, 0, 11, 1_000, 51),
        (100, 0, 300, 1_000, 300),  # an order above the first deposit
        (0, 0, 0, 1_000, 100),
        (0, 30, 0, 1_000, 130),  # the debt is repaid first
        (0, 30, 0, 70, 70),
        (10, 0, 5, 0, 0),
    ],
)
def test_a_balance_below_half_is_brought_back_to_the_first_deposit(
    free: int, debt: int, needed: int, bank: int, moved: int
) -> None:
    assert top_up_ueur(free, debt, needed, 100, bank, 50) == moved


@pytest.mark.parametrize(
    ("free", "needed", "bank", "moved"),
    [(30, 30, 1_000, 0), (30, 31, 1_000, 101), (0, 10, 1_000, 110), (0, 10, 4, 4)],
)
def test_a_bond_needs_cover_alone(free: int, needed: int, bank: int, moved: int) -> None:
    assert top_up_ueur(free, 0, needed, 100, bank, 0) == moved


@pytest.fixture(scope="module")
def played(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[dict[str, object]], Path]:
    """Play five intervals with fees and a small purse."""

    def play(market: dict[str, object]) -> Path:
        place = tmp_path_factory.mktemp("run")
        ledger = {"initial_base_fee_gwei": 10.0, "tip_gwei": 1.0}
        scenario = short_scenario(5, market=PURSE | market, ledger=ledger)
        run_scenario(scenario, place / "scenario.yaml", place / "result")
        return place / "result"

    return play


def table(result: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(result / "tables" / f"{name}.parquet")


def test_with_top_ups_no_order_is_refused_for_want_of_money(
    played: Callable[[dict[str, object]], Path],
) -> None:
    dry = table(played({"account": "prepaid"}), "orders")
    assert (dry.reason == "local market: balance too low").sum() > 0
    result = played({})
    orders, sent = table(result, "orders"), table(result, "transactions")
    assert (orders.reason == "local market: balance too low").sum() == 0
    tops = sent[(sent.method == "deposit") & (sent.interval >= 0)]
    assert len(tops) > 0
    assert (tops.status == 1).all()
    # bonds for flexibility as well, out of the same bank accounts
    assert set(tops.contract) == {"LocalMarket", "FlexibilityMarket"}
    assert (sent.status[sent.method == "offer"] == 1).all()
    assert (tops.gas_used < tops.gas_limit).all()
    found = verify(result, parts=("files", "ledger"))
    assert found.passed, found.failed
