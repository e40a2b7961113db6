"""Counterfactuals of a scenario, and the runs that they become in a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.errors import ScenarioError
from cosim.scenario import Scenario
from cosim.studies.counterfactuals import COUNTERFACTUALS, without
from cosim.studies.declaration import Compared, Study
from cosim.studies.study import load_study

SCENARIOS = Path(__file__).parents[3] / "scenarios"

BASE: dict[str, Any] = {
    "name": "base",
    "seed": 1,
    "time": {"start": "2016-05-24T00:00:00", "intervals": 2},
    "grid": {"network": "1-LV-rural1--1-sw"},
    "prosumers": {"battery": {"capacity_kwh": 4}},
}


def load(
    tmp_path: Path,
    against: tuple[str, ...] | None = None,
    base: dict[str, Any] | None = None,
    **section: Any,
) -> Study:
    file = tmp_path / "base.yaml"
    fields = BASE | (base or {}) | ({"study": section} if section else {})
    file.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
    return load_study(file, compare=against)


def test_each_leaves_out_what_its_name_says() -> None:
    base = Scenario(**BASE)
    alone, no_flexibility, no_relief = (without(base, name) for name in COUNTERFACTUALS)
    assert [share.name for share in alone.prosumers.strategies] == ["supplier_only"]
    assert alone.dso.instruments == no_flexibility.dso.instruments == ("curtailment",)
    assert no_flexibility.prosumers == base.prosumers
    assert not no_relief.dso.procure
    for other in (alone, no_flexibility, no_relief):
        assert (other.seed, other.time, other.grid) == (base.seed, base.time, base.grid)
        assert other.prosumers.battery == base.prosumers.battery


def test_instruments_that_do_not_buy_stay() -> None:
    own = ({"kind": "flexibility_market"}, "curtailment")
    base = Scenario(**BASE, dso={"instruments": own})
    assert without(base, "no_market").dso.instruments == ("curtailment",)


def test_a_scenario_alone_is_compared_with_every_counterfactual(tmp_path: Path) -> None:
    found = load(tmp_path, against=tuple(COUNTERFACTUALS))
    assert [run.name for run in found.runs] == ["as_given", *COUNTERFACTUALS]
    assert [run.scenario.name for run in found.runs][1] == "base.no_market"
    assert found.comparisons == tuple(Compared("as_given", name, name) for name in COUNTERFACTUALS)


def test_what_is_kept_with_the_results_is_a_study_again(tmp_path: Path) -> None:
    found = load(tmp_path, against=("no_relief",))
    (tmp_path / "again.yaml").write_text(found.text, encoding="utf-8")
    again = load_study(tmp_path / "again.yaml")
    assert [run.scenario for run in again.runs] == [run.scenario for run in found.runs]
    assert again.comparisons == found.comparisons


def test_variants_and_axes_each_have_their_own(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        variants={"small": {}, "large": {"prosumers.battery.capacity_kwh": 9}},
        axes={"grid.limits.vm_max_pu": [1.05, 1.1]},
        compare=["no_market"],
    )
    names = [run.name for run in found.runs]
    assert names[4] == "no_market_small_vm_max_pu-1.05"
    assert [run.variant for run in found.runs][4:] == [
        "no_market_small", "no_market_small", "no_market_large", "no_market_large",
    ]  # fmt: skip
    assert len(found.comparisons) == 4


def test_equal_counterfactuals_are_played_once(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        variants={
            "truthful": {},
            "random": {"prosumers.strategies": [{"name": "zero_intelligence"}]},
            "bare": {"dso.procure": False},
        },
        compare=["no_market", "no_relief"],
    )
    assert [run.name for run in found.runs] == [
        "truthful", "random", "bare",
        "no_market_truthful", "no_relief_random", "no_market_bare",
    ]  # fmt: skip
    against = {(each.run, each.counterfactual): each.against for each in found.comparisons}
    assert against["random", "no_market"] == "no_market_truthful"
    assert against["truthful", "no_relief"] == "bare"
    assert against["bare", "no_relief"] == "bare"


def test_variants_that_are_compared_can_be_named(tmp_path: Path) -> None:
    variants: dict[str, Any] = {"honest": {}, "bare": {"dso.procure": False}, "other": {"seed": 2}}
    found = load(
        tmp_path, variants=variants, compare=["no_market"], compare_variants=["bare", "honest"]
    )
    assert [run.name for run in found.runs][3:] == ["no_market_honest", "no_market_bare"]
    assert [each.run for each in found.comparisons] == ["honest", "bare"]
    every = load(tmp_path, ("no_market",), variants=variants, compare_variants=["bare"])
    assert [each.run for each in every.comparisons] == list(variants)
    with pytest.raises(ScenarioError, match=r"compare_variants.0: 'onest' is no variant"):
        load(tmp_path, variants=variants, compare=["no_market"], compare_variants=["onest"])


def test_every_shipped_study_plays_the_run_without_the_market() -> None:
    for file in sorted(SCENARIOS.rglob("*.yaml")):
        if "study" in yaml.safe_load(file.read_text(encoding="utf-8")):
            played = {each.counterfactual for each in load_study(file).comparisons}
            assert "no_market" in played, file.name


def test_counterfactuals_may_be_expected_of(tmp_path: Path) -> None:
    found = load(
        tmp_path, compare=["no_market"], expect=["as_given.welfare_eur >= no_market.welfare_eur"]
    )
    assert len(found.expectations) == 1


@pytest.mark.parametrize(
    ("section", "field", "says"),
    [
        ({"compare": ["no_marked"]}, "study.compare.0", "no_market"),
        (
            {"compare": ["no_market"], "variants": {"a": {}, "no_market_a": {"seed": 2}}},
            "study.compare",
            "both be named 'no_market_a'",
        ),
    ],
)
def test_mistakes_name_the_field(
    tmp_path: Path, section: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, **section)
    assert caught.value.field == field
    assert says in str(caught.value)
    assert caught.value.remedy


def test_the_central_optimum_is_no_run_and_needs_our_devices(tmp_path: Path) -> None:
    found = load(tmp_path, against=("no_market", "central_optimum"))
    assert [run.name for run in found.runs] == ["as_given", "no_market"]
    assert [run.name for run in found.measured] == ["as_given"]
    foreign = {"name": "Theirs", "python": "theirs:Simulator", "model": "Grid", "replaces": "grid"}
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, against=("central_optimum",), base={"simulators": [foreign]})
    assert caught.value.field == "simulators"
    assert "no_market" in str(caught.value)
