"""What is wrong with a scenario is said by the fields of its file, and completely."""

from __future__ import annotations

from typing import Any

import pytest

from cosim.errors import ScenarioError
from cosim.runs.preparation import prepare_grid, prepare_prosumers
from cosim.scenario import Scenario, load_scenario

POINT = "LV1.101 Bus 3"


def refusal(**prosumers: Any) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        load_scenario("quickstart").replace(prosumers=prosumers)
    return caught.value


@pytest.mark.parametrize(
    ("battery", "field", "says"),
    [
        ({"capacity_kwh": -1}, "prosumers.named.0.battery.capacity_kwh", "greater than 0"),
        ({"capacity": 5}, "prosumers.named.0.battery.capacity", "did you mean 'capacity_kwh'?"),
        (5, "prosumers.named.0.battery", "is no section of fields (given: 5)"),
    ],
)
def test_a_union_is_named_by_the_fields_of_the_file(battery: Any, field: str, says: str) -> None:
    error = refusal(named=[{"connection_point": POINT, "battery": battery}])
    assert error.field == field
    assert says in str(error)
    assert "more problem" not in str(error)
    assert "NamedBattery" not in str(error)


def test_every_problem_is_listed() -> None:
    with pytest.raises(ScenarioError) as caught:
        Scenario(seed="x", grid={"network": "a", "foo": 1}, time={"start": "b", "intervals": 1})
    assert caught.value.field == "name"
    lines = caught.value.problem.splitlines()
    assert lines[0] == "missing (and 3 more problems)"
    assert [line.split(":")[0] for line in lines[1:]] == [
        "  also field seed",
        "  also field time.start",
        "  also field grid.foo",
    ]


def test_a_list_of_problems_has_the_nearest_names_too() -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario("quickstart").replace(
            timee={}, grid={"netwrk": "a"}, market={"retail_eur_per_kw": 1}
        )
    said = str(caught.value)
    for near in ("network", "time", "retail_eur_per_kwh"):
        assert said.count(f"did you mean '{near}'?") == 1
    with pytest.raises(ScenarioError, match="also field zzzzzz: unknown field; known fields"):
        load_scenario("quickstart").replace(seeed=1, zzzzzz=2)


@pytest.mark.parametrize(
    ("moves", "field", "problem"),
    [
        ([{"name": POINT, "interval": 99}], "name_registry.moves", f"{POINT} moves after interval"),
        ([{"name": POINT, "interval": 1}] * 2, "name_registry.moves", "name each connection point"),
        ([{"name": 3, "interval": 1}], "name_registry.moves.0.name", "Input should be a valid"),
    ],
)
def test_what_a_check_of_several_fields_finds_has_the_field_s_path(
    moves: list[dict[str, Any]], field: str, problem: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario("quickstart").replace(name_registry={"moves": moves})
    assert caught.value.field == field
    assert caught.value.problem.startswith(problem)


def test_options_of_a_named_strategy_are_named_as_its_own() -> None:
    strategy = {"name": "mark_up", "options": {"energy": 1}}
    scenario = load_scenario("quickstart").replace(
        time={"intervals": 2},
        prosumers={"named": [{"connection_point": POINT, "strategy": strategy}]},
    )
    with pytest.raises(ScenarioError, match="options of 'mark_up' do not fit") as caught:
        prepare_prosumers(scenario, prepare_grid(scenario))
    assert caught.value.field == f"prosumers.named ('{POINT}').strategy.options"


@pytest.mark.parametrize(
    ("section", "field"),
    [
        ({"ledger": {"fee_strategies": [{"tip_gwei": 1e300}]}}, "ledger.fee_strategies.0.tip_gwei"),
        ({"ledger": {"eur_per_eth": 1e300}}, "ledger.eur_per_eth"),
        ({"ledger": {"block_gas_limit": 2**70}}, "ledger.block_gas_limit"),
        ({"certificates": {"price_eur_per_mwh": 1e9}}, "certificates.price_eur_per_mwh"),
    ],
)
def test_amounts_that_no_contract_can_hold(section: dict[str, Any], field: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario("quickstart").replace(**section)
    assert caught.value.field == field


def test_a_word_that_fills_the_screen_is_shortened() -> None:
    error = refusal(strategies=[{"name": "x" * 5_000}])
    assert "x" * 59 + "… (5003 characters)" in str(error)
    assert len(str(error)) < 500
