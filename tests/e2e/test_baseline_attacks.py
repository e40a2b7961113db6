"""Attacks on baselines of flexibility: what a phantom and inc-dec gaming gain under each one."""

from __future__ import annotations

import pytest
from attack_studies import (
    OF_BASELINES,
    Studies,
    comes_true,
    folder,
    page_shows,
    rows_of,
    section_of,
    table,
    values_of,
)

from cosim.studies.runner import StudyResult
from cosim.verify.verification import verify


@pytest.mark.parametrize("name", OF_BASELINES)
def test_what_is_expected_of_an_attack_comes_true(studies: Studies, name: str) -> None:
    comes_true(studies(name), name)


@pytest.mark.parametrize("name", OF_BASELINES)
def test_page_shows_what_the_studies_give(studies: Studies, name: str) -> None:
    page_shows(studies(name), name)


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
    _, gains, *_ = section_of(name).split("\n### ")
    given = rows_of(gains)
    played = BASELINES | FURTHER_BASELINES.get(name, {})
    assert given[1:] == [baseline_row(studies(name), *row) for row in played.items()]


def test_page_shows_what_random_calling_costs(studies: Studies) -> None:
    _, _, calls, *_ = section_of("phantom_baseline").split("\n### ")
    given = rows_of(calls)
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
