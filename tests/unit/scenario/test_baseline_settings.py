"""Section ``dso.baseline``: what a mistake in it is told, and what it becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.errors import ScenarioError
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
from cosim.mechanisms.flexibility_market.calling import CallingTerms
from cosim.scenario import Scenario, load_scenario


def fields(baseline: Any, **sections: Any) -> dict[str, Any]:
    return {
        "name": "baselines",
        "seed": 5,
        "time": {"start": "2016-05-24T00:00:00", "intervals": 8},
        "grid": {"network": "1-LV-rural1--1-sw"},
        "dso": {"baseline": baseline},
        **sections,
    }


def terms(baseline: Any) -> BaselineTerms:
    return BaselineTerms.of(Scenario.model_validate(fields(baseline)).dso.baseline)


def test_kind_alone_or_with_its_fields() -> None:
    assert terms("nomination") == BaselineTerms()
    assert (
        terms("meter_before")
        == terms({"kind": "meter_before"})
        == BaselineTerms("meter_before", 16)
    )
    high = {"kind": "high_x_of_y", "x_days": 1, "y_days": 2, "look_back_days": 3}
    assert terms(high) == BaselineTerms("high_x_of_y", 3, 1, 2, 8, 4)
    assert [terms(kind).baseline for kind in ("bounded_nomination", "capacity_limit")] == [1, 4]


@pytest.mark.parametrize(
    ("baseline", "sections", "says"),
    [
        ("meter_after", {}, "field dso.baseline.kind"),
        ({"kind": "meter_before", "look_back_intervals": 97}, {}, "look_back_intervals"),
        ({"kind": "high_x_of_y", "x_days": 3, "y_days": 2}, {}, r"x_days \(3\) must not exceed"),
        ({"kind": "nomination", "look_back_intervals": 4}, {}, "is no field of nomination"),
        ({"kind": "capacity_limit", "x_days": 2}, {}, "x_days is no field of capacity_limit"),
        ({"calling_probability": 1}, {}, "field dso.baseline.calling_probability"),
        ({"calling_probability": 0.9999999}, {}, "field dso.baseline.calling_probability"),
        ({"calling_probability": 0}, {}, "field dso.baseline.calling_probability"),
        ({"uncalled_penalty_eur_per_kwh": 1}, {}, "give calling_probability, or leave it out"),
        (
            {"kind": "meter_before", "calling_probability": 0.5},
            {},
            "calling_probability is no field of meter_before",
        ),
        (
            {"calling_probability": 0.9999},
            {},
            r"would pay 5999.4 EUR/kWh, and the contract takes 2147.48 at most",
        ),
        (
            "high_x_of_y",
            {"time": {"start": "2016-05-24T00:00:00", "intervals": 8, "step_s": 1_000}},
            r"high_x_of_y needs .* time.step_s \(1000\) does not divide a day",
        ),
    ],
)
def test_mistakes_are_told(
    tmp_path: Path, baseline: Any, sections: dict[str, Any], says: str
) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(yaml.safe_dump(fields(baseline, **sections)))
    with pytest.raises(ScenarioError, match=f"(?s){says}"):
        load_scenario(file)


def test_calls_are_drawn_for_either_nomination_and_in_one_round() -> None:
    for kind in ("nomination", "bounded_nomination"):
        own = Scenario.model_validate(fields({"kind": kind, "calling_probability": 0.8}))
        cap = own.dso.price_cap_eur_per_kwh
        assert cap == 0.6
        assert CallingTerms.of(own.dso.baseline, 600_000) == CallingTerms(800_000, 2_400_000)
        (market, _) = own.dso.made_instruments()
        assert market.settings.max_rounds == 1
    given = {"calling_probability": 0.25, "uncalled_penalty_eur_per_kwh": 0.02}
    own = Scenario.model_validate(fields(given))
    assert CallingTerms.of(own.dso.baseline, 600_000) == CallingTerms(250_000, 20_000)
    usual = Scenario.model_validate(fields("nomination")).dso
    assert not CallingTerms.of(usual.baseline, 600_000).is_random
    assert usual.made_instruments()[0].settings.max_rounds == 3
