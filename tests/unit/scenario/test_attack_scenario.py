"""Section ``attack`` of a scenario: what a mistake in it is told, and who its parties are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from cosim.attacks.attackers import can_raise
from cosim.attacks.deviations import Deviation
from cosim.attacks.preparation import attacked_blocks, prepare_attack
from cosim.errors import ScenarioError
from cosim.mechanisms.local_market.interference import LedgerAttack
from cosim.mechanisms.metering.readings import Meters
from cosim.runs.preparation import prepare_grid, prepare_prosumers
from cosim.scenario import Scenario, load_scenario
from cosim.scenario.attack import Parties, parties

NAMES = ("a", "b", "c")


def scenario(attack: dict[str, Any] | None, **sections: Any) -> dict[str, Any]:
    return {
        "name": "attacked",
        "seed": 5,
        "time": {"start": "2016-05-24T00:00:00", "intervals": 8},
        "grid": {"network": "1-LV-rural1--1-sw"},
        "attack": attack,
        **sections,
    }


def build(attack: dict[str, Any] | None, **sections: Any) -> Scenario:
    return Scenario.model_validate(scenario(attack, **sections))


@pytest.mark.parametrize(
    ("attack", "says"),
    [
        ({"kind": "spam", "tip_gwie": 3}, "field attack.tip_gwie: unknown field.*'tip_gwei'"),
        ({"kind": "spma"}, "field attack.kind: unknown kind.*known kinds: meter_under_report"),
        ({"blocks": 3}, "field attack.kind: kind is missing.*spam"),
        ({"kind": "spam", "blocks": 0}, "field attack.blocks.*greater than 0"),
        ({"kind": "spam", "until_interval": 8}, "attack.until_interval is 8; the run has only 8"),
        ({"kind": "spam", "from_interval": 8}, "attack.from_interval is 8; the run has only 8"),
        ({"kind": "spam", "from_interval": 3, "until_interval": 2}, "must not be before"),
        ({"kind": "silent_meter", "meters": []}, "field attack.meters.*at least 1"),
        ({"kind": "silent_meter", "meters": ["a", "a"]}, "attack.meters: name each"),
        ({"kind": "collusion", "sellers": ["a"]}, "nothing is agreed on"),
        ({"kind": "meter_under_report", "meters": ["a"], "factor": 1.1}, "attack.factor"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, attack: dict[str, Any], says: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(yaml.safe_dump(scenario(attack)))
    with pytest.raises(ScenarioError, match=f"(?s){says}"):
        load_scenario(file)


def deployment(*members: bool) -> Any:
    prosumers = tuple(SimpleNamespace(name=name, address=name.encode()) for name in NAMES)
    return SimpleNamespace(prosumers=prosumers, members=members)


def refused(attack: dict[str, Any], **sections: Any) -> ScenarioError:
    """Refusal of an attack, before there is a ledger."""
    own = build(attack, **sections)
    with pytest.raises(ScenarioError) as found:
        prepare_prosumers(own, prepare_grid(own))
    return found.value


def test_who_is_named_must_trade() -> None:
    attack = {"kind": "flexibility_default", "prosumers": ["LV1.101 Bus 3", "d"]}
    error = refused(attack)
    assert error.field == "attack.prosumers"
    assert error.problem == "'d' is no connection point"
    three = {"participants": 3}
    silent = {"kind": "silent_meter", "meters": [f"LV1.101 Bus {k}" for k in range(2, 8)]}
    error = refused(silent, prosumers=three)
    assert error.field == "attack.meters"
    assert error.problem.endswith("is not in the local market")
    assert error.remedy == "name somebody who trades there"


def test_inc_dec_needs_something_to_plan_with() -> None:
    # of 13 households one has neither PV with a battery nor consumption that can wait
    error = refused({"kind": "inc_dec", "prosumers": ["LV1.101 Bus 6", "LV1.101 Bus 10"]})
    assert error.field == "attack.prosumers"
    assert error.problem.startswith("'LV1.101 Bus 10' has neither a storage nor consumption")
    assert error.remedy is not None
    assert "LV1.101 Bus 6," in error.remedy
    nobody = {"battery": {"share_of_pv_owners": 0}, "deferral": {"share_of_power": 0}}
    error = refused({"kind": "inc_dec", "prosumers": ["LV1.101 Bus 7"]}, prosumers=nobody)
    assert error.remedy == (
        "nobody has one: raise prosumers.battery.share_of_pv_owners, or name a battery"
    )


def test_who_can_plan_with_a_named_battery_is_let_in() -> None:
    named = {"connection_point": "LV1.101 Bus 10", "battery": {"capacity_kwh": 5, "p_max_kw": 2}}
    own = build({"kind": "inc_dec", "prosumers": ["LV1.101 Bus 10"]}, prosumers={"named": [named]})
    population, _ = prepare_prosumers(own, prepare_grid(own))
    able = dict(zip(population.names, can_raise(population).tolist(), strict=True))
    assert able["LV1.101 Bus 10"]


def test_without_the_section_everybody_is_honest() -> None:
    attack = prepare_attack(build(None), deployment(True, True, True))
    kinds = [type(part) for part in (attack.deviation, attack.meters, attack.ledger)]
    assert kinds == [Deviation, Meters, LedgerAttack]


def test_an_attack_that_is_not_active_is_in_no_interval() -> None:
    times = {"from_interval": 2, "until_interval": 5}
    settings = build({"kind": "spam", **times}).attack
    assert settings is not None
    assert list(settings.intervals(8)) == [2, 3, 4, 5]
    resting = build({"kind": "spam", "active": False, **times}).attack
    assert resting is not None
    assert list(resting.intervals(8)) == []


@pytest.mark.parametrize(
    ("attack", "attackers", "victims"),
    [
        ({"kind": "meter_under_report", "meters": ["b"]}, ("b",), ()),
        ({"kind": "flexibility_default", "prosumers": ["b"]}, ("b",), ()),
        ({"kind": "spam"}, (), NAMES),
        ({"kind": "front_running", "attacker": "b"}, ("b",), ("a", "c")),
        ({"kind": "collusion", "sellers": ["b", "c"], "withheld_share": 0.1}, ("b", "c"), ("a",)),
        ({"kind": "reorganisation"}, (), NAMES),
        ({"kind": "reorganisation", "victims": ["c"]}, (), ("c",)),
        ({"kind": "censorship", "prosumers": ["c"]}, (), ("c",)),
    ],
)
def test_parties(
    attack: dict[str, Any], attackers: tuple[str, ...], victims: tuple[str, ...]
) -> None:
    settings = build(attack).attack
    assert settings is not None
    assert parties(settings, NAMES) == Parties(attackers, victims)


def test_only_a_chain_without_finality_can_be_rewritten() -> None:
    attack = {"kind": "reorganisation", "depth_blocks": 7}
    stake = {"ledger": {"consensus": "proof_of_stake"}}
    assert attacked_blocks(build(attack, **stake)) == 7
    assert attacked_blocks(build(attack | {"active": False}, **stake)) == 0
    assert attacked_blocks(build(attack)) == 0
    assert attacked_blocks(build({"kind": "reorganisation"}, **stake)) == 100
    assert attacked_blocks(build({"kind": "spam"}, **stake)) == 0
