"""Section ``certificates`` of a scenario, and what it becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.errors import ScenarioError
from cosim.mechanisms.green_certificates.terms import certificate_terms
from cosim.scenario import Scenario, load_scenario

FILE = Path(__file__).parents[4] / "scenarios" / "green_certificates.yaml"


def count_chosen(built: Scenario) -> int:
    """Mechanisms that not every run has."""
    return sum(not each.is_default for each in built.mechanisms())


def scenario(certificates: dict[str, Any] | None, **time: Any) -> dict[str, Any]:
    return {
        "name": "certificates",
        "seed": 5,
        "time": {"start": "2016-05-24T00:00:00"} | time,
        "grid": {"network": "1-LV-rural1--1-sw"},
        "certificates": certificates,
    }


def test_prices_become_integers_and_shares_become_prosumers() -> None:
    buyers = [
        {"share": 0.3, "limit_eur_per_mwh": 8.25},
        {"share": 0.2, "limit_eur_per_mwh": 0.0},
    ]
    built = Scenario.model_validate(
        scenario({"price_eur_per_mwh": 4.75, "buyers": buyers, "account_eur": 2.5})
    )
    assert built.certificates is not None
    terms = certificate_terms(built, built.certificates, (True,) * 10)
    assert terms.price_ueur_per_kwh == 4_750
    assert terms.deposit_ueur == 2_500_000
    limits = terms.limits_ueur_per_kwh
    assert [limits.count(limit) for limit in (8_250, 0, None)] == [3, 2, 5]
    assert certificate_terms(built, built.certificates, (True,) * 10) == terms
    other = built.model_copy(update={"seed": 6})
    assert certificate_terms(other, built.certificates, (True,) * 10) != terms
    joined = (True, False) * 5
    fewer = certificate_terms(built, built.certificates, joined).limits_ueur_per_kwh
    assert fewer == tuple(k if j else None for k, j in zip(limits, joined, strict=True))


def test_everybody_or_nobody_may_buy() -> None:
    everybody = [{"share": 0.7}, {"share": 0.3, "limit_eur_per_mwh": 6.0}]
    for buyers, missing in ((everybody, 0), ([], 10)):
        built = Scenario.model_validate(scenario({"buyers": buyers}))
        assert built.certificates is not None
        terms = certificate_terms(built, built.certificates, (True,) * 10)
        assert terms.limits_ueur_per_kwh.count(None) == missing


@pytest.mark.parametrize(
    ("certificates", "time", "says"),
    [
        ({"buyers": [{"share": 0.7}, {"share": 0.4}]}, {}, "add up to 1.1, more than 1"),
        ({"price_eur_per_mwh": -1}, {}, "greater than or equal to 0"),
        ({"price_eur_per_mwh": 1e9}, {}, "less than or equal to 1000000"),
        ({"price_eur_per_kwh": 1}, {}, "did you mean 'price_eur_per_mwh'"),
        ({}, {"step_s": 1_000}, "must divide the hour"),
        ({}, {"start": "2016-05-24T00:05:00"}, "whole number of steps of 900 s"),
    ],
)
def test_mistakes_are_told(
    tmp_path: Path, certificates: dict[str, Any], time: dict[str, Any], says: str
) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(yaml.safe_dump(scenario(certificates, **time)))
    with pytest.raises(ScenarioError, match=says):
        load_scenario(file)


def test_without_the_section_there_are_none() -> None:
    assert load_scenario(FILE).certificates is not None
    without = Scenario.model_validate(scenario(None, start="2016-05-24T00:05:00"))
    assert count_chosen(without) == 0
    assert count_chosen(load_scenario(FILE)) == 1
