"""Every attack of scenarios/attacks: what it does to money and to the grid, and what stops it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from cosim.grid.catalogue import GridCase
from cosim.inputs.kept import note_grid
from cosim.results.manifest import RUNS_FOLDER
from cosim.runs import preparation
from cosim.studies.runner import StudyResult, run_study
from cosim.studies.study import load_study
from cosim.studies.verification import verify_folder
from cosim.verify.study import check_study, study_runs
from cosim.verify.verification import verify

FOLDER = Path(__file__).parents[2] / "scenarios" / "attacks"

Studies = Callable[[str], StudyResult]


@pytest.fixture(scope="module", autouse=True)
def _grid_read_once() -> Iterator[None]:
    """All runs are on one grid; reading it takes longer than a run."""
    cached = functools.cache(preparation.open_grid)

    def opened(named: str, scenario_folder: Path | None = None) -> GridCase:
        case = cached(named, scenario_folder)
        note_grid(str(named), case.folder)  # each result keeps it
        return case

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "open_grid", opened)
        yield


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Studies:
    """Plays a study once, when a test first asks for it."""
    done: dict[str, StudyResult] = {}

    def study(name: str) -> StudyResult:
        if name not in done:
            out = tmp_path_factory.mktemp("attacks") / name
            done[name] = run_study(load_study(FOLDER / f"{name}.yaml"), out, jobs=1)
        return done[name]

    return study


def folder(study: StudyResult, variant: str) -> Path:
    return study.folder / RUNS_FOLDER / variant


def table(study: StudyResult, variant: str, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder(study, variant) / "tables" / f"{name}.parquet")


def indicator(study: StudyResult, variant: str, name: str) -> float:
    (value,) = (run.indicators[name] for run in study.runs if run.name == variant)
    assert value is not None
    return value


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.yaml")))
def test_what_is_expected_of_an_attack_comes_true(studies: Studies, name: str) -> None:
    study = studies(name)
    assert [outcome for outcome in study.outcomes if not outcome.met] == []
    assert study.outcomes
    assert {"honest", "attacked", "defended"} <= {run.name for run in study.runs}
    report = (folder(study, "attacked") / "report.html").read_text(encoding="utf-8")
    title = name.replace("_", " ")
    assert f'<h2 id="attack-title">Attack: {title}</h2>' in report
    for chart in ("attack-money", "attack-meters", "attack-grid"):
        assert f'<div class="plot" data-chart="{chart}"' in report
    honest = (folder(study, "honest") / "report.html").read_text(encoding="utf-8")
    assert f"Attack: {title}, not active" in honest


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


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.yaml")))
def test_page_shows_what_the_studies_give(studies: Studies, name: str) -> None:
    page = (FOLDER.parents[1] / "docs" / "attacks.md").read_text(encoding="utf-8")
    _, _, section = page.partition(f"`{name}`\n")
    table, _, _ = section.partition("\n## ")[0].partition("\n### ")
    given = [line for line in table.splitlines() if line[:2] == "| "]
    study = studies(name)
    played = [run.name for run in study.runs if not run.name.startswith("no_market_")]
    assert given[1:] == [page_row(study, name) for name in played]


BASELINES = {
    "nomination": ("honest", "attacked"),
    "nomination, settlement usef": ("honest", "usef"),
    "bounded_nomination": ("honest_bounded", "defended"),
    "meter_before": ("honest_before", "before"),
    "high_x_of_y": ("honest_high", "high"),
    "capacity_limit": ("honest_limit", "limit"),
    "nomination, α 0.5, λ 0.60": ("honest_called", "called"),
}
FURTHER_BASELINES = {
    "phantom_baseline": {
        "nomination, α 0.5, λ 0.02": ("honest_cheap", "cheap"),
        "nomination, α 0.8, λ 2.40": ("honest_often", "often"),
    }
}
"""What is played of one attack only."""


@pytest.mark.parametrize("name", ["phantom_baseline", "inc_dec"])
def test_page_shows_the_gain_under_each_baseline(studies: Studies, name: str) -> None:
    page = (FOLDER.parents[1] / "docs" / "attacks.md").read_text(encoding="utf-8")
    _, _, section = page.partition(f"`{name}`\n")
    _, table, *_ = section.partition("\n## ")[0].split("\n### ")
    given = [line for line in table.splitlines() if line[:2] == "| "]
    played = BASELINES | FURTHER_BASELINES.get(name, {})
    assert given[1:] == [baseline_row(studies(name), *row) for row in played.items()]


def test_page_shows_what_random_calling_costs(studies: Studies) -> None:
    page = (FOLDER.parents[1] / "docs" / "attacks.md").read_text(encoding="utf-8")
    _, _, section = page.partition("`phantom_baseline`\n")
    _, _, table, *_ = section.partition("\n## ")[0].split("\n### ")
    given = [line for line in table.splitlines() if line[:2] == "| "]
    study = studies("phantom_baseline")
    runs = ("honest_called", "called", "honest_cheap", "cheap", "honest_often", "often")
    assert given[1:] == [calling_row(study, run) for run in runs]


def calling_row(study: StudyResult, variant: str) -> str:
    """A row of the third table: who is called, what that costs the DSO, sellers and the grid."""
    values = values_of(study, variant)
    short, rounds = values["calling_rounds_insufficient"], values["calling_rounds"]
    cells = (
        f"{100 * values['calling_share']:.1f}",
        f"{values['calling_extra_cost_eur']:.2f}",
        f"{100 * values['calling_extra_cost_share']:.1f}",
        f"{short:.0f} of {rounds:.0f}",
        f"{values['curtailed_injection_kwh']:.1f}",
        f"{values['uncalled_penalties_eur']:.2f}",
    )
    return f"| {variant} | " + " | ".join(cells) + " |"


def test_phantom_gains_by_the_condition_and_calls_are_as_frequent_as_said(
    studies: Studies,
) -> None:
    study, phantom = studies("phantom_baseline"), "LV1.101 Bus 10"
    for honest, attacked, called, penalty in (
        ("honest_called", "called", 0.5, 600_000),
        ("honest_cheap", "cheap", 0.5, 20_000),
        ("honest_often", "often", 0.8, 2_400_000),
    ):
        offers = table(study, attacked, "flexibility")
        calls = offers.groupby(["interval", "prosumer"])["called"].first()
        n = len(calls)
        assert n > 300
        assert abs(calls.sum() - called * n) < 4 * (n * called * (1 - called)) ** 0.5
        own = offers[offers["prosumer"] == phantom]
        gain = values_of(study, honest)["attackers_cost_eur"]
        gain -= values_of(study, attacked)["attackers_cost_eur"]
        received = (own["paid_ueur"] - own["penalty_ueur"]).sum() / 1e6
        assert gain == pytest.approx(received, abs=0.01)
        # α p − (1 − α) λ at the price that it asks; of the draws as they fell and on average
        expected = called * 79_000 - (1 - called) * penalty
        assert (gain > 0) == (expected > 0)
        assert offers.loc[~offers["called"], "awarded_wh"].sum() == 0


def baseline_row(study: StudyResult, baseline: str, runs: tuple[str, str]) -> str:
    """A row of the second table: the attacker's gain, costs of the DSO, penalties, minutes."""

    def both(indicator: str, digits: int = 2) -> str:
        values = [values_of(study, run)[indicator] for run in runs]
        return " → ".join(f"{value:.{digits}f}" for value in values)

    costs = [values_of(study, run)["attackers_cost_eur"] for run in runs]
    cells = (
        f"{costs[0] - costs[1]:.2f}",
        both("flexibility_cost_eur"),
        both("penalties_eur"),
        both("violations.scheduled.trafo.minutes", 0),
        both("violations.delivered.trafo.minutes", 0),
    )
    return f"| {baseline} | " + " | ".join(cells).replace("-", "−") + " |"


def values_of(study: StudyResult, variant: str) -> dict[str, float]:
    (values,) = (run.indicators for run in study.runs if run.name == variant)
    return values  # type: ignore[return-value]


def test_phantom_is_paid_for_what_it_consumes_anyway(studies: Studies) -> None:
    study = studies("phantom_baseline")
    phantom = "LV1.101 Bus 10"
    for variant in ("attacked", "defended", "before", "high", "limit"):
        measured = table(study, variant, "prosumers")
        own = measured[measured["prosumer"] == phantom]
        assert own["metered_wh"].max() < 0
        assert not own["pv_p_mw"].any()
        offers = table(study, variant, "flexibility")
        offers = offers[(offers["prosumer"] == phantom) & (offers["awarded_wh"] > 0)]
        assert len(offers) >= 20
        if variant == "attacked":
            assert set(offers["awarded_wh"]) >= {10_000}
            assert offers["delivered_wh"].sum() > 0.99 * offers["awarded_wh"].sum()
        if variant in ("defended", "limit"):
            # nobody without PV injects: the nomination is 0, and what is sold is consumption
            assert set(offers["baseline_wh"]) == {0}
            consumed = own.set_index("interval")["metered_wh"].loc[offers["interval"]]
            assert (offers["delivered_wh"].to_numpy() <= -consumed.to_numpy()).all()
        if variant in ("before", "high"):
            assert offers["delivered_wh"].sum() < 0.1 * offers["awarded_wh"].sum()


def test_inc_dec_does_with_an_award_what_it_does_without_any(studies: Studies) -> None:
    study = studies("inc_dec")
    own = "prosumer == 'LV1.101 Bus 7'"
    metered = {
        variant: table(study, variant, "prosumers").query(own).set_index("interval")["metered_wh"]
        for variant in ("honest", "attacked")
    }
    offers = table(study, "attacked", "flexibility").query(own)
    awarded = offers[offers["awarded_wh"] > 0].groupby("interval")["awarded_wh"].sum()
    honest = table(study, "honest", "flexibility").query(own)
    bought = honest.groupby("interval")["awarded_wh"].sum()
    extra = (awarded - bought.reindex(awarded.index, fill_value=0)).sum()
    # it sells a discharge in each interval, and discharges in none of them
    assert extra > 20_000
    both = metered["attacked"].loc[awarded.index] - metered["honest"].loc[awarded.index]
    assert both.abs().max() <= 1_100
    assert offers["delivered_wh"].sum() == offers["awarded_wh"].sum()


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("phantom_baseline", "before"),
        ("phantom_baseline", "defended"),
        ("phantom_baseline", "limit"),
        ("phantom_baseline", "usef"),
        ("phantom_baseline", "cheap"),
        ("inc_dec", "called"),
        ("inc_dec", "limit"),
        ("inc_dec", "high"),
    ],
)
def test_deliveries_under_every_baseline_can_be_verified(
    studies: Studies, name: str, variant: str
) -> None:
    done = verify(folder(studies(name), variant), parts=("files", "ledger", "indicators"))
    assert done.failed == []
    (check,) = (check for check in done.checks if check.name == "deliveries")
    assert check.compared > 500


def page_row(study: StudyResult, variant: str) -> str:
    """A row of a table in docs/attacks.md: cost of every party, energy, and the grid."""
    (values,) = (run.indicators for run in study.runs if run.name == variant)
    received = values["supplier_received_eur"]
    assert received is not None
    money = [values[f"{party}_cost_eur"] for party in ("attackers", "victims", "others")]
    cells = [
        *("–" if value is None else f"{value:.2f}" for value in (*money, -received)),
        f"{values['flexibility_cost_eur']:.2f}",
        f"{values['traded_kwh']:.1f}",
        f"{values['highest_trafo_loading_percent']:.1f}",
        f"{values['lowest_vm_pu']:.4f}",
        f"{values['highest_vm_pu']:.4f}",
    ]
    return f"| {variant} | " + " | ".join(cells).replace("-", "−") + " |"


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
