"""Every attack of scenarios/attacks: what it does to money and to the grid, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from studies import Study

FOLDER = Path(__file__).parents[2] / "scenarios" / "attacks"

Studies = Callable[[str], Study]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Studies:
    """Runs a study once, when a test first asks for it."""
    done: dict[str, Study] = {}

    def study(name: str) -> Study:
        if name not in done:
            done[name] = Study(FOLDER / f"{name}.yaml", tmp_path_factory.mktemp(name))
        return done[name]

    return study


def table(study: Study, variant: str, name: str) -> pd.DataFrame:
    return pd.read_parquet(study.folders[variant] / "tables" / f"{name}.parquet")


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.yaml")))
def test_what_is_expected_of_an_attack_comes_true(studies: Studies, name: str) -> None:
    study = studies(name)
    assert study.unmet() == []
    assert {"honest", "attacked", "defended"} <= set(study.folders)
    report = (study.folders["attacked"] / "report.html").read_text(encoding="utf-8")
    assert f"<h2 id=\"attack-title\">Attack: {name.replace('_', ' ')}</h2>" in report
    for chart in ("attack-money", "attack-meters", "attack-grid"):
        assert f'<div class="plot" data-chart="{chart}"' in report
    honest = (study.folders["honest"] / "report.html").read_text(encoding="utf-8")
    assert f"Attack: {name.replace('_', ' ')}, not active" in honest


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
