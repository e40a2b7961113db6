"""A campaign file: which runs it stands for, their hashes, and what a mistake is told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.campaigns.campaign import load_campaign
from cosim.campaigns.declaration import Campaign
from cosim.errors import ScenarioError
from cosim.resources import folder as resource_folder
from cosim.runs import input_hash as hashing
from cosim.runs.input_hash import code_identity, input_hash, named_files
from cosim.scenario import Scenario, load_scenario
from cosim.scenario.loading import find_scenario
from cosim.seeds import replication_seed

BASE: dict[str, Any] = {
    "name": "base",
    "seed": 1,
    "time": {"start": "2016-05-24T11:00:00", "intervals": 1},
    "grid": {"network": "1-LV-rural1--1-sw"},
}


def campaign(tmp_path: Path, base: dict[str, Any] | None = None, **section: Any) -> Campaign:
    file = tmp_path / "base.yaml"
    file.write_text(yaml.safe_dump({**BASE, **(base or {}), "campaign": section}, sort_keys=False))
    return load_campaign(file)


def mistake(tmp_path: Path, base: dict[str, Any] | None = None, **section: Any) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        campaign(tmp_path, base, **section)
    assert caught.value.file == str(tmp_path / "base.yaml")
    assert caught.value.remedy
    return caught.value


def scenario(tmp_path: Path, **fields: Any) -> Scenario:
    file = tmp_path / "scenario.yaml"
    file.write_text(yaml.safe_dump({**BASE, **fields}))
    return load_scenario(file)


def test_points_are_scenarios_with_their_fields_put_in(tmp_path: Path) -> None:
    found = campaign(
        tmp_path,
        vary={
            "prosumers.scaling.pv": [1, 2.5],
            "dso": {"choices": {"off": {"dso.procure": False}, "on": None}},
        },
        seeds=2,
    )
    assert found.parameters == ("prosumers.scaling.pv", "dso")
    assert len(found.runs) == 8
    last = found.runs[-1]
    assert (last.point, last.number) == (3, 2)
    assert last.values == {"prosumers.scaling.pv": 2.5, "dso": "on"}
    assert last.scenario.prosumers.scaling.pv == 2.5
    assert last.scenario.seed == replication_seed(1, 2)
    assert not found.runs[0].scenario.dso.procure
    assert last.scenario.dso.procure
    assert {run.scenario.name for run in found.runs} == {
        f"base.{run.hash[:12]}" for run in found.runs
    }
    assert len(found.distinct) == 8


def test_what_nothing_tells_apart_is_one_run(tmp_path: Path) -> None:
    found = campaign(
        tmp_path, vary={"x": {"choices": {"default": None, "the same": {"dso.procure": True}}}}
    )
    assert len(found.runs) == 2
    # a default that is written out is no other input
    assert len(found.distinct) == 1


def test_a_design_list_has_the_points_that_stand_there(tmp_path: Path) -> None:
    found = campaign(tmp_path, design="list", rows=[{"seed": 3}, {"prosumers.scaling.ev": 2}])
    assert [run.scenario.seed for run in found.runs] == [3, 1]
    assert found.runs[1].scenario.prosumers.scaling.ev == 2
    assert found.parameters == ("seed", "prosumers.scaling.ev")


def test_a_study_is_a_campaign_of_its_runs(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    section = {"variants": {"a": {}, "b": {"seed": 2}}, "axes": {"prosumers.scaling.pv": [1, 2]}}
    file.write_text(yaml.safe_dump({**BASE, "study": section}))
    found = load_campaign(file)
    assert [tuple(run.values.values()) for run in found.runs] == [
        ("a", 1), ("a", 2), ("b", 1), ("b", 2),
    ]  # fmt: skip
    assert found.parameters == ("variant", "prosumers.scaling.pv")


def test_a_campaign_is_no_scenario_and_the_other_way_round(tmp_path: Path) -> None:
    campaign(tmp_path, vary={"seed": [1, 2]})
    with pytest.raises(ScenarioError, match="is a campaign of many runs") as caught:
        load_scenario(tmp_path / "base.yaml")
    assert caught.value.field == "campaign"
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(BASE))
    with pytest.raises(ScenarioError, match="there is nothing to sweep"):
        load_campaign(tmp_path / "plain.yaml")


@pytest.mark.parametrize(
    ("section", "field", "says"),
    [
        ({"vary": {"prosumers.scaling.pw": [1]}}, "prosumers.scaling.pw", "did you mean 'pv'"),
        ({"vary": {"prosumer.scaling.pv": [1]}}, "prosumer", "did you mean 'prosumers'"),
        (
            {"vary": {"prosumers.scaling.pw": [1]}, "skip_impossible": True},
            "prosumers.scaling.pw",
            "unknown field",
        ),
        ({"vary": {"prosumers.scaling.pv": [1, -1]}}, "prosumers.scaling.pv", "point 1 "),
        ({"vary": {"name": ["a"]}}, "campaign.vary.name", "cannot change 'name'"),
        ({"vary": {"seed": [1]}, "seeds": 2}, "campaign.seeds", "a seed of its own"),
        (
            {"vary": {"a": {"choices": {"x": {"dso.procured": False}}}}},
            "dso.procured",
            "point 0 (a x): unknown field",
        ),
        (
            {"vary": {"seed": [1]}, "indicators": ["welfare_euro"]},
            "campaign.indicators.0",
            "welfare_eur",
        ),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    tmp_path: Path, section: dict[str, Any], field: str, says: str
) -> None:
    error = mistake(tmp_path, **section)
    assert error.field == field
    assert says in str(error)


def test_impossible_points_are_left_out_if_asked(tmp_path: Path) -> None:
    found = campaign(tmp_path, vary={"prosumers.scaling.pv": [1, -1]}, skip_impossible=True)
    assert len(found.runs) == 1
    assert [one.values for one in found.impossible] == [{"prosumers.scaling.pv": -1}]
    error = mistake(tmp_path, vary={"prosumers.scaling.pv": [-2, -1]}, skip_impossible=True)
    assert "no point is a scenario" in str(error)


def test_the_hash_changes_with_every_field_but_name_and_description(tmp_path: Path) -> None:
    own = scenario(tmp_path)
    first = input_hash(own)
    assert len(first) == 32
    assert input_hash(own.replace(name="other", description="words")) == first
    changes: list[dict[str, Any]] = [
        {"seed": 2},
        {"time": {"intervals": 2}},
        {"prosumers": {"scaling": {"pv": 1.0000001}}},
        {"market": {"pricing": "mcafee"}},
        {"dso": {"procure": False}},
        {"ledger": {"confirmations": 2}},
        {"valuation": {"wholesale_eur_per_kwh": 0.08}},
    ]
    found = {input_hash(own.replace(**change)) for change in changes}
    assert len(found | {first}) == len(changes) + 1


def test_the_hash_changes_with_the_content_of_grid_and_files(tmp_path: Path) -> None:
    shutil.copytree(resource_folder("grids") / BASE["grid"]["network"], tmp_path / "grid")
    prices = tmp_path / "prices.csv"
    prices.write_text("time,eur_per_kwh\n2016-05-24T11:00:00,0.1\n")
    own = scenario(
        tmp_path,
        grid={"network": "grid"},
        valuation={
            "wholesale_eur_per_kwh": {
                "file": "prices.csv",
                "column": "eur_per_kwh",
                "unit": "EUR/kWh",
            }
        },
    )
    assert named_files(own) == {"prices.csv": prices}
    first = input_hash(own)
    assert input_hash(own) == first
    prices.write_text("time,eur_per_kwh\n2016-05-24T11:00:00,0.25\n")
    second = input_hash(own)
    points = tmp_path / "grid" / "connection_points.csv"
    points.write_text(points.read_text() + "\n")
    third = input_hash(own)
    assert len({first, second, third}) == 3
    # what tells about a grid is no input
    (tmp_path / "grid" / "SOURCE.md").write_text("# other words\n")
    assert input_hash(own) == third


def test_the_hash_changes_with_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = scenario(tmp_path)
    first, identity = input_hash(own), code_identity()
    assert identity["versions"]["cosim"]
    assert len(identity["code"]) == 64
    for other in (
        identity | {"code": "0" * 64},
        identity | {"versions": identity["versions"] | {"numpy": "1.0"}},
    ):
        monkeypatch.setattr(hashing, "code_identity", lambda other=other: other)
        assert input_hash(own) != first


def test_the_shipped_campaign_is_sound() -> None:
    found = load_campaign(find_scenario("hosting"))
    assert len(found.runs) == len(found.distinct) == 300
    assert found.parameters == ("prosumers.pv_share", "market", "instrument", "forecast")
    assert {run.scenario.prosumers.pv_share for run in found.runs} == {0.2, 0.4, 0.6, 0.8, 1.0}


@pytest.mark.parametrize(
    "fields", [{"dso.procure": False}, {"dso": {"procure": False}}, {"dso.procure.deep": 1}]
)
def test_two_factors_do_not_set_the_same_field(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Whichever came last would win, and the table would call the run after both."""
    vary = {"dso.procure": [True, False], "relief": {"choices": {"none": fields, "market": {}}}}
    told = mistake(tmp_path, vary=vary)
    assert told.field == "campaign.vary.relief"
    assert "'dso.procure' sets dso.procure" in told.problem
