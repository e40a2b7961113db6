"""Runs with several seeds, from the study file to their names, scenarios and comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.errors import ScenarioError
from cosim.seeds import replication_seed
from cosim.studies.declaration import Compared, Replication, Study
from cosim.studies.study import load_study

BASE: dict[str, Any] = {
    "name": "base",
    "seed": 7,
    "time": {"start": "2016-05-24T00:00:00", "intervals": 2},
    "grid": {"network": "1-LV-rural1--1-sw"},
}


def study(tmp_path: Path, compare: tuple[str, ...] | None = None, **section: Any) -> Study:
    file = tmp_path / "base.yaml"
    file.write_text(yaml.safe_dump({**BASE, "study": section}, sort_keys=False), encoding="utf-8")
    return load_study(file, compare=compare)


def mistake(tmp_path: Path, **section: Any) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        study(tmp_path, **section)
    assert caught.value.remedy
    return caught.value


def test_the_first_seed_is_the_scenarios_own_and_others_depend_on_their_number() -> None:
    seeds = [replication_seed(7, number) for number in range(1, 6)]
    assert seeds[0] == 7
    # as they were first drawn: results with these seeds are published
    assert seeds[1:3] == [4839996834028202, 4489062485247665]
    assert len({*seeds, *(replication_seed(8, number) for number in range(1, 6))}) == 10
    assert all(0 <= seed < 2**53 for seed in seeds[1:])
    assert replication_seed(2**63 - 1, 1) == 2**63 - 1
    with pytest.raises(ValueError, match="counted from 1"):
        replication_seed(7, 0)


def test_every_variant_is_played_with_the_same_seeds(tmp_path: Path) -> None:
    found = study(tmp_path, seeds=3, variants={"bare": {"dso.procure": False}, "relieved": {}})
    assert [run.name for run in found.runs] == [
        "bare_seed-1", "bare_seed-2", "bare_seed-3",
        "relieved_seed-1", "relieved_seed-2", "relieved_seed-3",
    ]  # fmt: skip
    seeds = [run.scenario.seed for run in found.runs]
    assert seeds[:3] == seeds[3:] == [replication_seed(7, number) for number in (1, 2, 3)]
    assert found.runs[4].scenario.name == "base.relieved_seed-2"
    assert found.runs[4].replication == Replication("relieved", 2, seeds[1])
    assert [run.scenario.dso.procure for run in found.runs] == [False] * 3 + [True] * 3
    only_the_seed = found.runs[4].scenario.replace(seed=7, name="base.relieved_seed-1")
    assert only_the_seed == found.runs[3].scenario


def test_more_seeds_only_add_runs(tmp_path: Path) -> None:
    section: dict[str, Any] = {"variants": {"a": {}}, "axes": {"prosumers.scaling.pv": [1, 2]}}
    few, many = (study(tmp_path, seeds=n, **section) for n in (2, 4))
    by_name = {run.name: run.scenario for run in many.runs}
    assert len(by_name) == 8
    assert all(by_name[run.name] == run.scenario for run in few.runs)


def test_one_seed_changes_nothing(tmp_path: Path) -> None:
    one, none = study(tmp_path, seeds=1, variants={"a": {}}), study(tmp_path, variants={"a": {}})
    assert one.runs == none.runs
    assert (one.runs[0].name, one.runs[0].point, one.runs[0].replication) == ("a", "a", None)


def test_a_scenario_alone_can_have_several_seeds(tmp_path: Path) -> None:
    found = study(tmp_path, seeds=2)
    assert [run.name for run in found.runs] == ["as_given_seed-1", "as_given_seed-2"]


def test_axes_alone_have_no_variant(tmp_path: Path) -> None:
    found = study(tmp_path, seeds=2, axes={"prosumers.scaling.pv": [1, 2]})
    assert [(run.name, run.variant) for run in found.runs] == [
        ("pv-1_seed-1", ""), ("pv-1_seed-2", ""), ("pv-2_seed-1", ""), ("pv-2_seed-2", ""),
    ]  # fmt: skip


def test_counterfactuals_are_compared_seed_by_seed(tmp_path: Path) -> None:
    found = study(tmp_path, seeds=2, compare=("no_relief", "central_optimum"))
    assert [run.name for run in found.runs] == [
        "as_given_seed-1", "as_given_seed-2", "no_relief_seed-1", "no_relief_seed-2",
    ]  # fmt: skip
    assert found.comparisons == (
        Compared("as_given_seed-1", "no_relief", "no_relief_seed-1"),
        Compared("as_given_seed-2", "no_relief", "no_relief_seed-2"),
    )
    assert found.runs[1].scenario.seed == found.runs[3].scenario.seed != 7
    assert [run.name for run in found.measured] == ["as_given_seed-1", "as_given_seed-2"]


def test_expectations_name_means_and_runs(tmp_path: Path) -> None:
    found = study(
        tmp_path,
        seeds=2,
        variants={"a": {}, "b": {}},
        expect=["a.cost_eur < b.cost_eur", "a_seed-2.cost_eur == a.cost_eur"],
    )
    names = [[ref.run for ref in each.references] for each in found.expectations]
    assert names == [["a", "b"], ["a_seed-2", "a"]]
    error = mistake(tmp_path, seeds=2, variants={"a": {}}, expect=["a_seed-3.cost_eur < 1"])
    assert "unknown run 'a_seed-3'" in error.problem


@pytest.mark.parametrize(
    ("section", "field", "says"),
    [
        ({"seeds": 0, "variants": {"a": {}}}, "study.seeds", "greater than or equal to 1"),
        ({"seeds": 2.5, "variants": {"a": {}}}, "study.seeds", "integer"),
        ({"seeds": True, "variants": {"a": {}}}, "study.seeds", "integer"),
        ({"seeds": [1, 2], "variants": {"a": {}}}, "study.seeds", "integer"),
        ({"seeds": 1}, "study", "nothing to compare"),
        ({"seeds": 2, "variants": {"a": {}, "b": {"seed": 8}}}, "study.seeds", "run 'b'"),
        ({"seeds": 2, "axes": {"seed": [7, 8]}}, "study.seeds", "run 'seed-7'"),
        ({"seeds": 2, "axes": {"seed": [7]}}, "study.seeds", "run 'seed-7'"),
        ({"seeds": 2, "variants": {"a": {}, "a_seed-2": {}}}, "study.seeds", "both be named"),
    ],
)
def test_mistakes_name_field_and_run(
    tmp_path: Path, section: dict[str, Any], field: str, says: str
) -> None:
    error = mistake(tmp_path, **section)
    assert error.field == field
    assert says in str(error)
