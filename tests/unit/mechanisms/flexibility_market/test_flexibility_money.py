"""The DSO asks for what it can pay, members top up for their bonds, and what lacks is told."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.mechanisms.flexibility_market.budget import affordable_wh
from cosim.mechanisms.flexibility_market.indicators import flexibility_indicators
from cosim.mechanisms.flexibility_market.panel import FlexibilityReported
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.units import amount_due_ueur
from cosim.verify.verification import verify

CAP = 600_000
Run = Callable[..., Results]


@pytest.mark.parametrize(
    ("wanted", "free", "asked"),
    [
        ((4_000, 0), 2_400_000, (4_000, 0)),
        ((4_000, 0), 2_399_999, (3_999, 0)),
        ((4_000, 0), 1_200_000, (2_000, 0)),
        ((0, 4_000), 1_200_000, (0, 2_000)),
        ((3_000, 1_000), 1_200_000, (1_500, 500)),
        ((1_000, 1_000), 1_000_000, (833, 833)),  # 1 666.67 Wh
        ((4_000, 0), 599, (0, 0)),
        ((1, 1), 600, (0, 1)),
        ((0, 0), 0, (0, 0)),
    ],
)
def test_requests_are_cut_to_what_money_covers(
    wanted: tuple[int, int], free: int, asked: tuple[int, int]
) -> None:
    assert affordable_wh(*wanted, CAP, free) == asked


@given(
    st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 2 * 10**6), st.integers(0, 10**10)
)
def test_no_further_wh_is_covered(down: int, up: int, cap: int, free: int) -> None:
    asked = affordable_wh(down, up, cap, free)
    assert 0 <= asked[0] <= down
    assert 0 <= asked[1] <= up

    def cost(down_wh: int, up_wh: int) -> int:
        return amount_due_ueur(down_wh, cap) + amount_due_ueur(up_wh, cap)

    assert cost(*asked) <= free
    if asked != (down, up):
        # up first: of both, what rounding leaves goes there
        more = (asked[0], asked[1] + 1) if asked[1] < up else (asked[0] + 1, asked[1])
        assert cost(*more) > free


@pytest.fixture(scope="module")
def run(short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Play some intervals around noon, with fees, and have the ledger verified."""

    def play(intervals: int = 2, **sections: object) -> Results:
        place = tmp_path_factory.mktemp("run")
        ledger = {"initial_base_fee_gwei": 10.0, "tip_gwei": 1.0}
        scenario = short_scenario(intervals, ledger=ledger, **sections)
        run_scenario(scenario, place / "scenario.yaml", place / "result")
        found = verify(place / "result", parts=("files", "ledger"))
        assert found.passed, found.failed
        return Results(place / "result")

    return play


@pytest.fixture(scope="module")
def rich(run: Run) -> Results:
    return run()


def test_a_dso_with_money_asks_for_all_that_it_wants(rich: Results) -> None:
    requests = rich.table("requests")
    assert (requests["wanted_wh"] == requests["asked_wh"]).all()
    assert requests["request"].tolist() == list(range(1, len(requests) + 1))
    indicators = flexibility_indicators(rich)
    assert indicators.requests_wanted_kwh == pytest.approx(requests["wanted_wh"].sum() / 1_000)
    assert (indicators.requests_short_kwh, indicators.requests_short_intervals) == (0.0, 0)
    assert indicators.warnings() == []


def test_a_budget_for_half_a_request_buys_half(run: Run, rich: Results) -> None:
    first = rich.table("requests").iloc[0]
    half_wh = int(first["wanted_wh"]) // 2
    budget_eur = half_wh * CAP / 1_000 / 1e6
    results = run(dso={"budget_eur": budget_eur})
    requests = results.table("requests")
    # the first as before; its escrow is locked when the second would be opened
    assert requests["wanted_wh"].iloc[0] == first["wanted_wh"]
    assert requests["asked_wh"].tolist() == [half_wh, 0]
    assert requests["request"].isna().tolist() == [False, True]
    rows = results.table("flexibility")
    awarded = rows.groupby("interval")["awarded_wh"].sum()
    assert 0 < awarded[0] <= half_wh
    assert (rows["interval"] == 0).all()
    # what was not bought is curtailed, and the limits hold
    schedules = results.table("schedules").groupby("interval")["curtailed_wh"].sum()
    assert (schedules < 0).all()
    checks = results.table("grid_checks")
    assert not checks.loc[checks["stage"] == "delivered", "violated"].any()
    indicators = flexibility_indicators(results)
    lacking = int((requests["wanted_wh"] - requests["asked_wh"]).sum())
    assert indicators.requests_short_kwh == pytest.approx(lacking / 1_000)
    assert indicators.requests_short_intervals == 2
    (warning,) = indicators.warnings()
    assert "raise dso.budget_eur" in warning
    part = FlexibilityReported(results.scenario.dso).report(results)
    assert any(tile.title == "Flexibility not asked for, for want of money" for tile in part.tiles)
    assert [chart.figure is not None for chart in part.figures if chart.key == "requests"] == [True]


SMALL = {"account_eur": 8.0, "deposit_share": 0.9}
"""Of these, 0.80 EUR are for bonds of 0.60 EUR/kWh."""


def sent(results: Results, method: str) -> pd.DataFrame:
    frame = results.table("transactions")
    return frame[(frame["method"] == method) & (frame["interval"] >= 0)]


def test_members_top_up_for_their_bonds(run: Run) -> None:
    dry = run(market=SMALL | {"account": "prepaid"})
    refused = flexibility_indicators(dry)
    assert refused.offers_refused > 0
    assert refused.offers_refused_by_reason == {"balance too low": refused.offers_refused}
    assert any("balance too low" in text for text in refused.warnings())
    results = run(market=SMALL)
    indicators = flexibility_indicators(results)
    assert indicators.offers_refused == 0
    assert indicators.warnings() == []
    assert indicators.flexibility_offered_kwh > refused.flexibility_offered_kwh
    deposits = sent(results, "deposit")
    own = deposits[deposits["contract"] == "FlexibilityMarket"]
    approvals = sent(results, "approve")
    assert 0 < len(own) == len(approvals)
    assert (own["status"] == 1).all()
    assert (own["gas_used"] < own["gas_limit"]).all()
    # for the interval whose requests they answer, before the offers of it
    assert set(own["interval"]) <= {0, 1}
    offers = sent(results, "offer")
    for row in own.itertuples():
        after = offers[(offers["sender"] == row.sender) & (offers["interval"] == row.interval)]
        assert ((after["block"] > row.block) | (after["index"] > row.index)).any()


def test_an_empty_bank_account_tops_up_nothing(run: Run) -> None:
    results = run(market=SMALL | {"bank_eur": 0.0})
    assert len(sent(results, "approve")) == 0
    assert flexibility_indicators(results).offers_refused > 0
