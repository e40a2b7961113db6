"""Every attack of scenarios/attacks: what it does to money and to the grid, and what stops it.

Those on baselines of flexibility: ``test_baseline_attacks.py``.
"""

from __future__ import annotations

import pandas as pd
import pytest
from attack_studies import (
    FOLDER,
    OF_BASELINES,
    Studies,
    comes_true,
    folder,
    indicator,
    page_shows,
    table,
)

from cosim.results.manifest import RUNS_FOLDER
from cosim.studies.runner import StudyResult
from cosim.studies.verification import verify_folder
from cosim.verify.study import check_study, study_runs
from cosim.verify.verification import verify

NAMES = sorted({file.stem for file in FOLDER.glob("*.yaml")}.difference(OF_BASELINES))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_expected_of_an_attack_comes_true(studies: Studies, name: str) -> None:
    comes_true(studies(name), name)


@pytest.mark.parametrize("name", NAMES)
def test_page_shows_what_the_studies_give(studies: Studies, name: str) -> None:
    page_shows(studies(name), name)


def test_false_meters_report_half_of_consumption_and_nothing_else(studies: Studies) -> None:
    study = studies("meter_under_report")
    false = {"LV1.101 Bus 5", "LV1.101 Bus 10"}
    for variant, last in (("attacked", 7), ("defended", 3), ("honest", -1)):
        settled = table(study, variant, "settlement").set_index(["interval", "prosumer"])
        measured = table(study, variant, "prosumers").set_index(["interval", "prosumer"])
        for key, reported_wh in settled["metered_wh"].items():
            measured_wh = measured.loc[key, "metered_wh"]
            if key[0] <= last and key[1] in false and measured_wh < 0:
                measured_wh = -(-measured_wh // 2)
            assert reported_wh == measured_wh, (variant, key)


def test_silent_meters_are_settled_by_the_estimate(studies: Studies) -> None:
    study = studies("silent_meter")
    for variant, estimate_wh in (("attacked", 0), ("too_low", 2_000), ("defended", 4_000)):
        settled = table(study, variant, "settlement")
        silent = settled[settled["estimated"]]
        assert len(silent) == 2 * 8
        assert set(silent["prosumer"]) == {"LV1.101 Bus 5", "LV1.101 Bus 10"}
        assert set(silent["metered_wh"]) == {-estimate_wh}


def test_nobody_delivers_less_but_the_defaulters(studies: Studies) -> None:
    study = studies("flexibility_default")
    defaulters = {"LV1.101 Bus 8", "LV1.101 Bus 11", "LV1.101 Bus 13"}
    rows = table(study, "attacked", "flexibility")
    short = rows[rows["awarded_wh"] - rows["delivered_wh"] > 0.05 * rows["awarded_wh"]]
    assert set(short["prosumer"]) == defaulters
    for variant in ("attacked", "defended"):
        branches = table(study, variant, "branches")
        assert branches.loc[branches["element"] == "trafo", "loading_percent"].max() > 120
    bonded = table(study, "bonded", "transactions")
    refused = bonded[bonded["revert_reason"] == "flexibility market: balance too low"]
    assert set(refused["method"]) == {"offer"}


def test_sellers_ask_what_they_agreed_on(studies: Studies) -> None:
    study = studies("collusion")
    for variant, least in (("attacked", 220_000), ("honest", 0)):
        orders = table(study, variant, "orders")
        asks = orders.loc[orders["side"] == "sell", "price_ueur_per_kwh"]
        assert asks.min() >= least
        assert (asks < 220_000).any() == (variant == "honest")
    set_price = table(study, "defended", "orders")
    assert set(set_price.loc[set_price["side"] == "sell", "price_ueur_per_kwh"]) == {0}


def test_last_order_is_the_attackers_and_only_its_price_is_new(studies: Studies) -> None:
    study = studies("front_running")
    honest, attacked = (table(study, variant, "orders") for variant in ("honest", "attacked"))
    own = attacked["prosumer"] == "LV1.101 Bus 11"
    key = ["interval", "prosumer", "side", "energy_wh"]
    first = attacked["interval"] == 0  # later ones rest on what was traded
    assert (attacked.loc[first, key].to_numpy() == honest.loc[first, key].to_numpy()).all()
    same_price = (
        attacked.loc[first, "price_ueur_per_kwh"].to_numpy()
        == honest.loc[first, "price_ueur_per_kwh"].to_numpy()
    )
    assert (same_price == ~own[first].to_numpy()).all()
    for _, orders in attacked.groupby("interval"):
        is_last = orders["sent_at_s"] == orders["sent_at_s"].max()
        assert set(orders.loc[is_last, "prosumer"]) == {"LV1.101 Bus 11"}
    sealed = table(study, "defended", "orders")
    assert (sealed["price_ueur_per_kwh"] == honest["price_ueur_per_kwh"]).all()
    assert set(table(study, "defended", "transactions")["method"]) >= {"commitOrder", "revealOrder"}
    gain = [
        indicator(study, before, "attackers_cost_eur")
        - indicator(study, after, "attackers_cost_eur")
        for before, after in (("honest", "attacked"), ("honest_mcafee", "mcafee"))
    ]
    assert gain[0] > 3.0
    assert abs(gain[1]) < 0.05


def test_spam_pays_for_the_gas_that_it_burns(studies: Studies) -> None:
    study = studies("spam")
    sent = table(study, "attacked", "transactions")
    blocks = table(study, "attacked", "blocks").set_index("block")
    spam = sent[sent["contract"].isna() & sent["to"].notna()]
    assert (spam["gas_used"] == spam["gas_limit"]).all()
    assert (spam["status"] == 0).all()
    assert spam["sender"].nunique() == 1
    created = sent[sent["contract"].isna() & sent["to"].isna()]
    assert list(created["interval"]) == [0]
    fees_wei = sum(
        int(row.gas_used) * (int(blocks.loc[row.block, "base_fee_wei"]) + int(row.tip_wei))
        for row in [*spam.itertuples(), *created.itertuples()]
    )
    fees_eur = indicator(study, "attacked", "attack_fees_eur")
    assert fees_eur == pytest.approx(fees_wei / 1e18 * 2_000, abs=1e-6)
    damage_eur = indicator(study, "attacked", "victims_cost_eur") - indicator(
        study, "honest", "victims_cost_eur"
    )
    assert fees_eur > 3 * damage_eur > 0
    full = blocks.loc[spam["block"].unique()]
    # what is left of a block is too little for an order, which needs 125 000
    assert (full["gas_limit"] - full["gas_used"] - full["others_gas"] < 125_000).mean() > 0.9
    # the base fee rises by an eighth with each full block, so that the last costs most
    assert full["base_fee_wei"].max() > 2 * full["base_fee_wei"].min() > 0


def test_spam_until_delivery_keeps_the_dso_out(studies: Studies) -> None:
    study = studies("spam")
    sent = table(study, "until_delivery", "transactions")
    assert not set(sent.loc[sent["interval"] >= 0, "method"]) & {"openRequest", "offer", "award"}
    cleared = sent[sent["method"] == "clear"]
    start_s = pd.Timestamp("2016-05-24T15:15:00").timestamp()
    assert (cleared["included_at_s"] >= start_s + 900 * cleared["interval"]).all()
    schedules = table(study, "until_delivery", "schedules")
    assert schedules["curtailed_wh"].min() < -5_000


def test_branch_leaves_out_orders_and_awards_and_the_books_follow(studies: Studies) -> None:
    study = studies("reorganisation")
    orders = table(study, "attacked", "orders")
    assert set(orders["reason"]) <= {
        "local market: gate closed",
        "not included before gate closure",
    }
    assert set(orders["status"]) == {"late"}
    for variant in ("attacked", "short"):
        flexibility = table(study, variant, "flexibility")
        assert flexibility["awarded_wh"].sum() == 0
        sent = table(study, variant, "transactions")
        awards = sent[sent["method"] == "award"]
        assert set(awards["revert_reason"]) == {"flexibility market: no such offer"}
        schedules = table(study, variant, "schedules")
        assert not schedules["activated_wh"].any()
        assert schedules["contracted_wh"].any() == (variant == "short")
    assert (table(study, "defended", "schedules")["activated_wh"] != 0).any()


def test_nothing_of_a_censored_prosumer_is_in_a_block(studies: Studies) -> None:
    study = studies("censorship")
    for variant, methods in (
        ("honest", {"placeOrder", "offer"}),
        ("attacked", set()),
        ("meters", set()),
        ("defended", {"placeOrder", "offer"}),
    ):
        sent = table(study, variant, "transactions")
        joined = sent[(sent["interval"] == -1) & (sent["method"] == "join")]
        accounts = dict(zip(names(study), joined["sender"], strict=True))
        running = sent[(sent["interval"] >= 0) & (sent["sender"] == accounts["LV1.101 Bus 11"])]
        assert set(running["method"]) == methods
    settled = table(study, "meters", "settlement")
    assert set(settled.loc[settled["estimated"], "prosumer"]) == {"LV1.101 Bus 11"}


def names(study: StudyResult) -> list[str]:
    """Prosumers in connection-point order."""
    first = table(study, "honest", "prosumers")
    return list(first.loc[first["interval"] == 0, "prosumer"])


@pytest.mark.parametrize("name", ["spam", "reorganisation", "censorship", "meter_under_report"])
def test_an_attacked_run_can_be_verified(studies: Studies, name: str) -> None:
    done = verify(folder(studies(name), "attacked"), parts=("files", "ledger", "indicators"))
    assert done.failed == []
    assert sum(check.compared for check in done.checks) > 10_000


def test_a_study_is_what_its_runs_say(studies: Studies) -> None:
    study = studies("spam").folder
    assert study_runs(study) == [study / RUNS_FOLDER / run.name for run in studies("spam").runs]
    first, *others = verify_folder(study, parts=("files",))
    assert [done.folder for done in (first, *others)] == [study, *(study_runs(study) or ())]
    assert all(done.passed for done in others)
    assert all(check.passed for check in first.checks)
    assert sum(check.compared for check in first.checks) > 400
    table = pd.read_parquet(study / "study.parquet")
    table.loc[1, "orders.late"] += 1
    file = study / "study.parquet"
    honest = file.read_bytes()
    table.to_parquet(file)
    forged = check_study(study)
    assert not next(verify_folder(study)).passed
    file.write_bytes(honest)
    assert {(d.table, d.column) for d in forged.differences} == {
        ("study.parquet", "sha256"),
        ("study", "orders.late"),
    }
