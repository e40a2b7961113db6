"""Section ``name_registry`` of a scenario, and what it becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.errors import ScenarioError
from cosim.mechanisms.membership import members
from cosim.scenario import Scenario, load_scenario

FILE = Path(__file__).parents[4] / "scenarios" / "name_registry.yaml"


def count_chosen(built: Scenario) -> int:
    """Mechanisms that not every run has."""
    return sum(not each.is_default for each in built.mechanisms())


def scenario(name_registry: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "name": "names",
        "seed": 5,
        "time": {"start": "2016-05-24T00:00:00", "intervals": 8},
        "grid": {"network": "1-LV-rural1--1-sw"},
        "name_registry": name_registry,
    }


def test_who_moves_is_no_member() -> None:
    moves = [{"name": "b", "interval": 3}, {"name": "d", "interval": 7}]
    built = Scenario.model_validate(scenario({"moves": moves}))
    assert members(built, ["a", "b", "c", "d"]) == (True, False, True, False)
    assert count_chosen(built) == 1
    with pytest.raises(ScenarioError, match="'d' is no connection point") as caught:
        members(built, ["a", "b", "c"])
    assert caught.value.field == "name_registry.moves.1.name"
    with pytest.raises(ScenarioError, match="did you mean 'bb'"):
        members(built, ["a", "bb", "c"])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"registration_fee_eur": 0}, "greater than 0"),
        ({"update_fee_eur": 1.0}, "must be below registration_fee_eur"),
        ({"account_eur": 0.5}, "does not pay for a name"),
        ({"min_commitment_age_s": 0}, "greater than 0"),
        ({"max_commitment_age_s": 60}, "min_commitment_age_s .60. must be below"),
        ({"moves": [{"name": "a", "interval": 8}]}, "the run has only 8"),
        ({"moves": [{"name": "a", "interval": 1}] * 2}, "name each connection point once"),
        ({"moves": [{"point": "a", "interval": 1}]}, "name_registry.moves"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(yaml.safe_dump(scenario(settings)))
    with pytest.raises(ScenarioError, match=says):
        load_scenario(file)


def test_the_scenario_that_comes_with_cosim() -> None:
    settings = load_scenario(FILE).name_registry
    assert settings is not None
    assert [move.interval for move in settings.moves] == [38, 67]
    assert count_chosen(Scenario.model_validate(scenario(None))) == 0
