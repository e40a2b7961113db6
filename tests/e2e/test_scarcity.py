"""When money, offers, blocks or the grid itself give out, a run goes on, reconciles and says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from result_folders import KEY, Tables

from cosim.cli import main
from cosim.evm.accounts import account
from cosim.mechanisms.flexibility_market.indicators import flexibility_indicators
from cosim.messages import BidsMessage
from cosim.prosumers.bidding import Bidders
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.units import fee_ueur

Play = Callable[..., Tables]


@pytest.fixture
def play(
    tmp_path: Path, short_scenario: Callable[..., Scenario], capsys: pytest.CaptureFixture[str]
) -> Play:
    """Run some intervals around noon through the command line; gives the tables."""

    def run(intervals: int = 2, **sections: Any) -> Tables:
        file = tmp_path / "scenario.yaml"
        file.write_text(short_scenario(intervals=intervals, **sections).to_yaml())
        assert main(["run", str(file), "--out", str(tmp_path / "result")]) == 0
        assert "complete" in capsys.readouterr().out
        return Tables(tmp_path / "result")

    return run


def violated(tables: Tables, stage: str) -> set[str]:
    checks = tables["grid_checks"]
    last = checks.groupby(["interval", "stage"])["round"].transform("max")
    rows = checks.violated & (checks.stage == stage) & (checks["round"] == last)
    return set(checks[rows].element)


def events(tables: Tables, name: str) -> pd.DataFrame:
    rows = tables["events"]
    return pd.DataFrame([json.loads(text) for text in rows[rows.event == name].arguments])


def refusals(tables: Tables, method: str) -> set[str]:
    transactions = tables["transactions"]
    failed = transactions[(transactions.method == method) & (transactions.status == 0)]
    return set(failed.revert_reason)


# the DSO


def relieved_by_curtailment(tables: Tables) -> None:
    assert violated(tables, "scheduled") == {"trafo"}
    assert violated(tables, "relieved") == set()
    assert violated(tables, "delivered") == set()
    schedules = tables["schedules"]
    assert (schedules.activated_wh == 0).all()
    # each interval, and recorded as such: as a fall of injection that the devices carry out
    assert (schedules.groupby("interval").curtailed_wh.sum() < 0).all()
    assert (schedules.curtailed_wh <= 0).all()
    assert (
        schedules.dispatched_wh.tolist()
        == (schedules.nominated_wh + schedules.curtailed_wh).tolist()
    )
    prosumers = tables["prosumers"]
    given_up_wh = prosumers.pv_curtailed_p_mw * 250_000
    cut = schedules.curtailed_wh < 0
    assert (given_up_wh[cut].to_numpy() > 0).any()
    # forecasts err: what is fed in is near what was dispatched, and no more
    near = (prosumers.metered_wh - schedules.dispatched_wh)[cut]
    assert near.abs().max() < 500


def test_without_an_offer_below_the_cap_the_dso_curtails(play: Play) -> None:
    tables = play(dso={"price_cap_eur_per_kwh": 0.0001})
    relieved_by_curtailment(tables)
    requests = events(tables, "RequestOpened")
    assert requests.interval.tolist() == [0, 1]
    assert len(tables["flexibility"]) == 0
    # and its escrow comes back
    closed = events(tables, "RequestClosed")
    escrow = -(-requests.quantity_wh * requests.price_cap_ueur_per_kwh // 1_000)
    assert closed.returned_ueur.tolist() == escrow.tolist()


def test_without_a_budget_the_dso_curtails(play: Play) -> None:
    tables = play(dso={"budget_eur": 0.0005})  # not a Wh at the price cap
    relieved_by_curtailment(tables)
    assert refusals(tables, "openRequest") == set()
    assert "RequestOpened" not in set(tables["events"].event)
    requests = tables["requests"]
    assert requests.interval.tolist() == [0, 1]
    assert (requests.wanted_wh > 1_000).all()
    assert (requests.asked_wh == 0).all()
    assert requests.request.isna().all()


def test_a_dso_that_does_not_procure_only_watches(play: Play) -> None:
    tables = play(dso={"procure": False})
    assert violated(tables, "scheduled") == {"trafo"}
    assert violated(tables, "delivered") == {"trafo"}
    assert "relieved" not in set(tables["grid_checks"].stage)
    schedules = tables["schedules"]
    assert schedules.dispatched_wh.tolist() == schedules.nominated_wh.tolist()
    assert len(tables["flexibility"]) == 0


def test_a_request_without_margin_is_awarded_in_full_and_no_more(play: Play) -> None:
    tables = play(dso={"request_margin": 0.0})
    assert violated(tables, "scheduled") == {"trafo"}
    assert violated(tables, "relieved") == set()
    assert refusals(tables, "award") == set()
    assert (tables["schedules"].curtailed_wh == 0).all()
    requests = events(tables, "RequestOpened").set_index("request").quantity_wh
    awarded = tables["flexibility"].groupby("request").awarded_wh.sum()
    assert (awarded <= requests).all()
    assert (awarded >= 0.98 * requests).all()


# money


def test_prosumers_without_money_are_refused_and_still_supplied(play: Play) -> None:
    tables = play(market={"account": "prepaid", "account_eur": 0.01})
    orders = tables["orders"]
    assert set(orders.status) == {"rejected"}
    assert set(orders.reason) == {"local market: balance too low"}
    assert refusals(tables, "offer") == {"flexibility market: balance too low"}
    relieved_by_curtailment(tables)
    settlement = tables["settlement"]
    assert settlement.residual_wh.tolist() == settlement.metered_wh.tolist()
    assert (settlement[settlement.metered_wh > 0].supplier_ueur > 0).all()


def test_debts_grow_by_what_a_customer_cannot_pay_and_block_nobody(play: Play) -> None:
    tables = play(
        intervals=6,
        start="2016-05-24T18:00:00",
        market={"account": "prepaid", "account_eur": 0.6, "deposit_share": 0.5},
    )
    debts = events(tables, "DuesChanged")
    names = list(tables["prosumers"].prosumer.unique())
    name_of = {account(20160524, f"prosumer {name}").hex: name for name in names}
    last = debts.groupby("account").dues_ueur.last().rename(index=name_of)
    settlement = tables["settlement"]
    assert len(settlement) == 6 * len(names)
    received = settlement.groupby("prosumer")[["traded_ueur", "supplier_ueur"]].sum().sum(axis=1)
    # whoever started with 0.30 EUR in the market and paid more than that owes the difference
    expected = -(received + 300_000)
    owing = expected[expected > 0]
    assert len(owing) > 3
    assert last[last > 0].sort_index().to_dict() == owing.sort_index().to_dict()
    orders = tables["orders"]
    poor = orders[orders.prosumer.isin(owing.index) & (orders.interval == 5)]
    assert set(poor.status) == {"rejected"}
    assert set(orders[~orders.prosumer.isin(owing.index)].status) == {"unmatched"}


def test_a_supplier_without_money_owes_its_customers(play: Play) -> None:
    tables = play(intervals=3, market={"supplier_eur": 0.5})
    claims = events(tables, "DuesChanged")
    last = claims.groupby("account").dues_ueur.last()
    received = tables["settlement"].supplier_ueur.sum()
    assert received > 500_000
    # what it pays in and was paid, it pays out; the rest it owes, but for the dust it keeps
    dust = -tables["settlement"].traded_ueur.sum()
    assert received - (500_000 + dust) <= -last.sum() <= received - 500_000 + dust


# blocks


SMALL_BLOCKS = 520_000
"""Gas limit with which a block holds a few orders only."""


@dataclass
class Plans:
    """What the bidders meant to do, by interval."""

    bids: dict[int, BidsMessage] = field(default_factory=dict)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Plans:
    kept = Plans()
    bid = Bidders.bid

    def noted(self: Bidders, interval: int, *state: Any) -> BidsMessage:
        kept.bids[interval] = bid(self, interval, *state)
        return kept.bids[interval]

    monkeypatch.setattr(Bidders, "bid", noted)
    return kept


def test_orders_and_readings_that_find_no_room(play: Play, plans: Plans) -> None:
    """One block takes orders, two take reports: who is last in line is late, or silent."""
    tables = play(
        intervals=24,  # the horizon of price forecasts
        start="2016-05-24T15:00:00",
        prosumers={"battery": {"mode": "arbitrage", "share_of_pv_owners": 1.0}},
        market={"order_lead_s": 204, "metering_s": 24},
        ledger={"block_gas_limit": SMALL_BLOCKS},
    )
    blocks = tables["blocks"]
    assert (blocks.gas_used[blocks.block > blocks.block.max() - 100] <= SMALL_BLOCKS).all()
    orders = tables["orders"]
    late = orders[orders.status == "late"]
    assert 0 < len(late) < len(orders)
    assert set(late.reason) <= {"local market: gate closed", "not included before gate closure"}
    assert (late.filled_wh == 0).all()
    # a battery that meant to trade and came late does what it would have done without the market
    schedules = tables["schedules"].set_index(KEY)
    names = list(tables["prosumers"].prosumer.unique())
    changed = 0
    for row in late.itertuples():
        bids, i = plans.bids[row.interval], names.index(row.prosumer)
        assert schedules.nominated_wh[row.interval, row.prosumer] == bids.firm_wh[i]
        changed += bids.firm_wh[i] != bids.planned_wh[i]
    assert changed > 0
    # who could not report is billed the agreed estimate, whatever was delivered
    settlement = tables["settlement"].set_index(KEY)
    silent = settlement[settlement.estimated]
    assert 0 < len(silent) < len(settlement)
    assert set(silent.metered_wh) == {-2_000}
    measured = tables["prosumers"].set_index(KEY).metered_wh
    known = settlement[~settlement.estimated]
    assert known.metered_wh.tolist() == measured[known.index].tolist()
    reported = events(tables, "MeterReported")
    assert reported.estimated.sum() == len(silent)


def test_an_estimate_counts_as_nothing_delivered(play: Play) -> None:
    tables = play(market={"metering_s": 12}, ledger={"block_gas_limit": SMALL_BLOCKS})
    settlement = tables["settlement"].set_index(KEY)
    flexibility = tables["flexibility"]
    awarded = flexibility[flexibility.awarded_wh > 0]
    silent = settlement.estimated[pd.MultiIndex.from_frame(awarded[KEY])].to_numpy()
    assert silent.any()
    assert not silent.all()
    assert (awarded.delivered_wh[silent] == 0).all()
    assert (awarded.paid_ueur[silent] == 0).all()
    assert awarded.penalty_ueur[silent].tolist() == [600 * wh for wh in awarded.awarded_wh[silent]]
    assert (awarded.delivered_wh[~silent] > 0).all()


def test_fees_are_gas_times_price_of_whoever_sent(play: Play) -> None:
    tables = play(ledger={"initial_base_fee_gwei": 20.0, "tip_gwei": 1.5, "eur_per_eth": 3_000.0})
    blocks = tables["blocks"].set_index("block")
    assert blocks.base_fee_wei.nunique() > 10  # EIP-1559 moves it
    transactions = tables["transactions"]
    price_wei = blocks.base_fee_wei[transactions.block].to_numpy() + 1_500_000_000
    assert (price_wei <= transactions.max_fee_wei).all()
    fee_wei = (transactions.gas_used.astype(object) * price_wei).tolist()
    names = list(tables["prosumers"].prosumer.unique())
    seed = 20160524
    payer = {account(seed, f"prosumer {name}").hex: name for name in names}
    payer |= {account(seed, f"meter meter-{name}").hex: name for name in names}
    expected: dict[tuple[int, str], int] = {}
    for row, fee in zip(transactions.itertuples(), fee_wei, strict=True):
        if row.sender in payer and row.interval >= 0:
            place = (row.interval, payer[row.sender])
            expected[place] = expected.get(place, 0) + fee
    settlement = tables["settlement"].set_index(KEY)
    assert len(expected) == len(settlement)
    for place, fee in expected.items():
        assert settlement.fees_ueur[place] == fee_ueur(fee, 3_000.0)
    assert (settlement.fees_ueur > 0).all()


# the grid


def test_a_power_flow_without_solution_is_a_violation_and_no_crash(
    play: Play, tmp_path: Path
) -> None:
    tables = play(prosumers={"scaling": {"pv": 200}}, dso={"procure": False})
    assert not tables["grid_balance"].converged.any()
    assert tables["buses"].vm_pu.isna().all()
    assert tables["branches"].loading_percent.isna().all()
    for stage in ("scheduled", "delivered"):
        assert violated(tables, stage) == {"grid", "bus", "line", "trafo"}
    grid = tables["grid_checks"][tables["grid_checks"].element == "grid"]
    assert grid.value.tolist() == [0.0] * 4
    manifest = json.loads((tmp_path / "result" / "manifest.json").read_text())
    minutes = manifest["indicators"]["violations"]
    assert {stage: minutes[stage]["non_convergence"]["minutes"] for stage in minutes} == {
        "scheduled": 30.0,
        "relieved": 30.0,
        "delivered": 30.0,
    }
    # money and meters do not depend on it
    settlement, prosumers = tables["settlement"], tables["prosumers"]
    assert settlement.metered_wh.tolist() == prosumers.metered_wh.tolist()
    assert np.isfinite(prosumers.p_inject_mw).all()
    report = (tmp_path / "result" / "report.html").read_text()
    assert "No power-flow solution" in report
    assert Results(tmp_path / "result").n_intervals == 2


def test_a_schedule_without_solution_is_curtailed_until_it_has_one(play: Play) -> None:
    tables = play(prosumers={"scaling": {"pv": 200}})
    assert violated(tables, "scheduled") == {"grid", "bus", "line", "trafo"}
    assert violated(tables, "relieved") == set()
    assert tables["grid_balance"].converged.all()
    assert tables["schedules"].curtailed_wh.sum() < -1_000_000


def test_profiles_may_be_longer_steps(
    tmp_path: Path, short_scenario: Callable[..., Scenario]
) -> None:
    """An hour is a mean of four quarters; energies and the chain's clock follow."""
    time = {"start": "2016-05-24T10:00:00", "intervals": 2, "step_s": 3_600}
    data = short_scenario().model_dump(mode="json") | {"time": time}
    file = tmp_path / "scenario.yaml"
    result = run_scenario(Scenario.model_validate(data), file, tmp_path / "result")
    tables = Tables(result.folder)
    prosumers = tables["prosumers"]
    assert prosumers.metered_wh.tolist() == np.rint(prosumers.p_inject_mw * 1e6).tolist()
    reports = tables["transactions"][tables["transactions"].method == "report"]
    first = int(pd.Timestamp("2016-05-24T10:00:00").timestamp())
    ends = first + 3_600 * (reports.interval + 1)
    assert ((reports.included_at_s > ends) & (reports.included_at_s <= ends + 240)).all()
    assert violated(tables, "delivered") == set()


def test_rounds_without_enough_offers_count_for_no_margin(play: Play, tmp_path: Path) -> None:
    """Neither award keeps any limit there, so that their difference is the cost of nothing."""
    tables = play(
        prosumers={"participants": 3},
        dso={"loading_margin_percent": 40.0, "curtail": False},
        grid={"limits": {"trafo_loading_percent": 60.0}},
    )
    indicators = flexibility_indicators(Results(tmp_path / "result"))
    margins = tables["margins"].set_index("request")
    bought = margins[tables["flexibility"].groupby("request").awarded_wh.sum() > 0]
    assert len(bought) > 0
    assert not bought.sufficient.any()
    assert indicators.award_rounds == len(bought) == indicators.award_rounds_insufficient
    assert indicators.margin_cost_eur == 0.0
    assert indicators.margin_cost_share is None
