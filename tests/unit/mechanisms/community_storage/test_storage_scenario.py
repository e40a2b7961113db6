"""Section ``community_storage`` of a scenario, and what it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.errors import GridDataError, ScenarioError
from cosim.messages.agreements import SharedBattery
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario

FILE = Path(__file__).parents[4] / "scenarios" / "community_storage.yaml"
NAMES = ("roof", "flat", "cabin", "shared")


def shared_battery(built: Scenario, names: Sequence[str]) -> SharedBattery | None:
    """The battery that any mechanism of a scenario adds."""
    found = [each.shared_battery(built, names) for each in built.mechanisms()]
    return next((battery for battery in found if battery is not None), None)


def count_chosen(built: Scenario) -> int:
    """Mechanisms that not every run has."""
    return sum(not each.is_default for each in built.mechanisms())


def scenario(storage: dict[str, Any] | None, step_s: int = 900) -> dict[str, Any]:
    return {
        "name": "storage",
        "seed": 5,
        "time": {"start": "2016-05-24T00:00:00", "intervals": 1, "step_s": step_s},
        "grid": {"network": "1-LV-rural1--1-sw"},
        "community_storage": storage,
    }


def test_powers_become_energies_of_an_interval_and_shares_limits() -> None:
    storage = {
        "name": "shared", "capacity_kwh": 10, "p_max_kw": 4, "standby_kw": 0.06, "shares": 30,
        "members": {"roof": 20, "cabin": 7}, "charge_permille": 960,
    }  # fmt: skip
    shared = shared_battery(Scenario.model_validate(scenario(storage)), NAMES)
    assert shared is not None
    assert (shared.point, shared.capacity_wh, shared.power_wh) == (3, 10_000, 1_000)
    assert (shared.standby_wh, shared.charge_permille) == (15, 960)
    assert shared.capacity_of_wh.tolist() == [6_666, 0, 2_333, 0]
    assert shared.power_of_wh.tolist() == [666, 0, 233, 0]
    assert shared.is_used
    off = Scenario.model_validate(scenario(storage | {"nominations": "none"}))
    assert not shared_battery(off, NAMES).is_used  # type: ignore[union-attr]


def test_without_a_list_everybody_has_the_same() -> None:
    shared = shared_battery(
        Scenario.model_validate(scenario({"name": "shared", "shares": 101})), NAMES
    )
    assert shared is not None
    assert shared.capacity_of_wh.tolist() == [100_000 * 33 // 101] * 3 + [0]


def test_who_is_not_in_the_local_market_has_no_shares() -> None:
    outside = {"moves": [{"name": "flat", "interval": 0}]}
    data = scenario({"name": "shared", "shares": 100}) | {"name_registry": outside}
    shared = shared_battery(Scenario.model_validate(data), NAMES)
    assert shared is not None
    assert shared.power_of_wh.tolist() == [6_250, 0, 6_250, 0]
    data["community_storage"]["members"] = {"flat": 1}
    with pytest.raises(ScenarioError, match="'flat' is no connection point of a member"):
        shared_battery(Scenario.model_validate(data), NAMES)
    outside["moves"] = [{"name": "shared", "interval": 0}]
    with pytest.raises(ScenarioError, match="'shared' is not in the local market"):
        shared_battery(Scenario.model_validate(data), NAMES)


def test_the_section_is_optional() -> None:
    without = Scenario.model_validate(scenario(None))
    assert shared_battery(without, NAMES) is None
    assert count_chosen(without) == 0
    assert count_chosen(Scenario.model_validate(scenario({}))) == 1
    assert load_scenario(FILE).community_storage is not None


@pytest.mark.parametrize(
    ("storage", "says"),
    [
        ({"shares": 10, "members": {"roof": 6, "flat": 5}}, "members have 11 of 10 shares"),
        ({"charge_permille": 1_001}, "less than or equal to 1000"),
        ({"discharge_permille": 499}, "greater than or equal to 500"),
        ({"shares": 1_000_001}, "less than or equal to 1000000"),
        ({"members": {"roof": 0}}, "greater than 0"),
        ({"nominations": "some"}, "'own_balance' or 'none'"),
    ],
)
def test_bad_sections_are_refused(storage: dict[str, Any], says: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(scenario(storage)))
    with pytest.raises(ScenarioError, match=says) as caught:
        load_scenario(file)
    assert "community_storage" in str(caught.value)


@pytest.mark.parametrize(
    ("storage", "error", "says"),
    [
        ({"members": {"nobody": 3}}, ScenarioError, "'nobody' is no connection point of a member"),
        ({"members": {"community battery": 3}}, ScenarioError, "no connection point of a member"),
        ({"name": "LV1.101 Bus 1"}, GridDataError, "connection point 'LV1.101 Bus 1' already"),
        ({"shares": 12}, ScenarioError, "12 shares are not enough for 13 members"),
        ({"bus": "nowhere"}, GridDataError, "0 buses named 'nowhere'"),
    ],
)
def test_what_only_the_network_can_tell_names_the_file(
    storage: dict[str, Any], error: type[Exception], says: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.yaml"
    built = Scenario.model_validate(scenario(storage))
    with pytest.raises(error, match=says) as caught:
        run_scenario(built, file, tmp_path / "run", report=False)
    assert "bad.yaml" in str(caught.value)
    assert "community_storage" in str(caught.value)
    assert not (tmp_path / "run").exists()
