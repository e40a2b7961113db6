"""Section ``dso.baseline``: what a mistake in it is told, and what it becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.errors import ScenarioError
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
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
