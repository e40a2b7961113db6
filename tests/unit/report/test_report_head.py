"""Head of a report: households, wholesale price and trading graph of a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.mechanisms.local_market.bilateral.panel import graph_entries
from cosim.report.head import NAMED_MAX, household_entries, wholesale_text
from cosim.report.indicators import compute_indicators
from cosim.report.money_panel import money_part
from cosim.report.report import render
from cosim.results.reader import Results
from cosim.studies.results import FinishedRun, setting_of

SOLAR, OTHER = "solar house", "house </script><b>2"
Write = Callable[..., Path]


def test_named_households_are_no_part_of_the_shares(another_result: Write) -> None:
    named = [
        {"connection_point": SOLAR, "strategy": {"name": "zero_intelligence"},
         "battery": {"capacity_kwh": 13.5, "p_max_kw": 5.0}},
        {"connection_point": OTHER, "battery": False, "scaling": {"heat_pump": 2.0},
         "deferral": {"energy_max_kwh": 3.0}},
    ]  # fmt: skip
    results = Results(another_result(prosumers={"named": named}))
    assert household_entries(results) == [
        ("Bidding strategies", "truthful 100 %, but for 1 named household"),
        (
            "Named households",
            f"{SOLAR}: strategy zero_intelligence, battery (capacity_kwh 13.5, p_max_kw 5.0); "
            f"{OTHER}: no battery, deferral (energy_max_kwh 3.0), heat pump × 2",
        ),
    ]
    assert "<dt>Named households</dt><dd>solar house: strategy zero_intelligence" in render(results)


def test_of_many_named_households_the_first_are_listed(another_result: Write) -> None:
    named = [{"connection_point": f"P{k}", "battery": False} for k in range(NAMED_MAX + 3)]
    (_, strategies), (_, text) = household_entries(
        Results(another_result(prosumers={"named": named}))
    )
    assert strategies == "truthful 100 %"
    assert text.count("no battery") == NAMED_MAX
    assert text.endswith("; 3 more in scenario.yaml")


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (0.05, "0.05 EUR/kWh"),
        ({"eur_per_kwh": [-0.02, 0.1, 0.2, 0.12]}, "-0.02 to 0.2 EUR/kWh, mean 0.1000 EUR/kWh"),
    ],
)
def test_the_wholesale_price_is_stated(another_result: Write, price: Any, text: str) -> None:
    results = Results(another_result(valuation={"wholesale_eur_per_kwh": price}))
    assert wholesale_text(results) == text
    assert f"<dt>Wholesale price</dt><dd>{text}</dd>" in render(results)


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        ({"fee_eur_per_kwh": 0.05}, "complete: everybody may trade with everybody; fee 0.05"),
        (
            {"graph": "listed", "directed": True, "fee_eur_per_kwh": 0.01, "edges": [
                {"seller": SOLAR, "buyer": OTHER},
                {"seller": OTHER, "buyer": SOLAR, "fee_eur_per_kwh": 0.03},
            ]},
            "2 edges from seller to buyer, that is 1 both ways; fee 0.01 to 0.03",
        ),
    ],
)  # fmt: skip
def test_trading_graph_and_fee_are_stated(
    another_result: Write, graph: dict[str, Any], text: str
) -> None:
    folder = another_result()
    file = folder / "scenario.yaml"
    scenario = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert graph_entries(Results(folder)) == []
    scenario["market"] |= {"clearing": "bilateral", "bilateral": graph}
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    results = Results(folder)
    assert graph_entries(results) == [("Trading graph", f"{text} EUR/kWh")]
    assert f"<dt>Trading graph</dt><dd>{text} EUR/kWh</dd>" in render(results)


def test_a_study_states_network_and_period_of_its_runs(
    another_result: Write, tmp_path: Path
) -> None:
    folder, runs = another_result(), [FinishedRun(name, name, {}, {}) for name in ("a", "b")]
    for run in runs:
        shutil.copytree(folder, tmp_path / "runs" / run.name)
    period = ("Period", "Tue 24 May 2016 00:00 to Tue 24 May 2016 01:00")
    intervals = ("Intervals", "4 of 15 min")
    assert setting_of(tmp_path, runs) == [("Network", "two-houses"), period, intervals]
    file = tmp_path / "runs" / "b" / "scenario.yaml"
    scenario = yaml.safe_load(file.read_text(encoding="utf-8"))
    scenario["grid"]["network"] = "grids/other"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    assert setting_of(tmp_path, runs) == [
        ("Network", "two-houses · other (by run)"), period, intervals,
    ]  # fmt: skip


@pytest.mark.parametrize(("step_s", "is_shown"), [(900, False), (21_600, True)])
def test_a_charge_that_would_cover_the_dso_is_no_headline_of_an_hour(
    another_result: Write, step_s: int, is_shown: bool
) -> None:
    folder = another_result()
    file = folder / "scenario.yaml"
    scenario = yaml.safe_load(file.read_text(encoding="utf-8"))
    scenario["time"]["step_s"] = step_s
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    results = Results(folder)
    indicators = compute_indicators(results)
    titles = [tile.title for tile in money_part(results, indicators).tiles]
    assert ("Network charge that would cover the DSO" in titles) == is_shown
    assert "Network charge that would cover the DSO in this run" in dict(indicators.rows())
