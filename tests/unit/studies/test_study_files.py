"""A study file: which runs it stands for, and what a mistake is told."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.errors import ScenarioError
from cosim.studies.study import Study, axis_labels, load_study

ROOT = Path(__file__).parents[3]
SHIPPED = [
    path
    for path in sorted((ROOT / "scenarios").rglob("*.yaml"))
    if "study" in yaml.safe_load(path.read_text(encoding="utf-8"))
]
BASE: dict[str, Any] = {
    "name": "base",
    "description": "what is varied",
    "seed": 1,
    "time": {"start": "2016-05-24T00:00:00", "intervals": 2},
    "grid": {"network": "1-LV-rural1--1-sw"},
    "market": {"gate_closure_s": 300},
    "dso": {"max_rounds": 1},
    "prosumers": {
        "strategies": [
            {"name": "truthful", "share": 0.8},
            {"name": "zero_intelligence", "share": 0.2},
        ]
    },
}


def study(tmp_path: Path, base: dict[str, Any] | None = None, **section: Any) -> Study:
    file = tmp_path / "base.yaml"
    file.write_text(yaml.safe_dump({**BASE, **(base or {}), "study": section}, sort_keys=False))
    return load_study(file)


def mistake(tmp_path: Path, base: dict[str, Any] | None = None, **section: Any) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        study(tmp_path, base, **section)
    assert caught.value.file == str(tmp_path / "base.yaml")
    assert caught.value.remedy
    return caught.value


def test_variants_are_merged_into_the_base(tmp_path: Path) -> None:
    found = study(
        tmp_path,
        variants={
            "as_it_is": None,
            "nested": {"prosumers": {"battery": {"capacity_kwh": 4}}, "seed": 2},
            "dotted": {"prosumers.battery.p_max_kw": 7, "prosumers": {"scaling": {"pv": 3}}},
        },
    )
    assert [run.name for run in found.runs] == ["as_it_is", "nested", "dotted"]
    assert [run.scenario.name for run in found.runs] == [
        "base.as_it_is", "base.nested", "base.dotted",
    ]  # fmt: skip
    base, nested, dotted = (run.scenario for run in found.runs)
    assert base.prosumers.battery.capacity_kwh == 8
    assert (nested.prosumers.battery.capacity_kwh, nested.seed) == (4, 2)
    assert nested.prosumers.strategies == base.prosumers.strategies
    assert dotted.prosumers.battery.p_max_kw == 7
    assert dotted.prosumers.battery.capacity_kwh == 8
    assert dotted.prosumers.scaling.pv == 3
    assert dotted.dso.max_rounds == 1


def test_lists_are_replaced_and_a_place_in_one_can_be_named(tmp_path: Path) -> None:
    found = study(
        tmp_path,
        variants={
            "one": {"prosumers.strategies": [{"name": "truthful", "share": 1}]},
            "places": {"prosumers.strategies.0.share": 0.5, "prosumers.strategies.1.share": 0.5},
        },
    )
    one, places = (run.scenario.prosumers.strategies for run in found.runs)
    assert [s.share for s in one] == [1.0]
    assert [(s.name, s.share) for s in places] == [("truthful", 0.5), ("zero_intelligence", 0.5)]


def test_axes_are_multiplied_the_last_fastest(tmp_path: Path) -> None:
    found = study(
        tmp_path,
        variants={"a": {}, "b": {"seed": 2}},
        axes={"ledger.block_time_s": [12, 30], "prosumers.scaling.pv": [1, 2.5]},
    )
    assert [run.name for run in found.runs[:4]] == [
        "a_block_time_s-12_pv-1",
        "a_block_time_s-12_pv-2.5",
        "a_block_time_s-30_pv-1",
        "a_block_time_s-30_pv-2.5",
    ]
    last = found.runs[-1]
    assert (last.variant, last.values) == (
        "b", {"ledger.block_time_s": 30, "prosumers.scaling.pv": 2.5},
    )  # fmt: skip
    assert last.scenario.ledger.block_time_s == 30
    assert last.scenario.prosumers.scaling.pv == 2.5
    assert last.scenario.seed == 2
    assert len(found.runs) == 8


def test_axes_with_mappings_and_words(tmp_path: Path) -> None:
    found = study(
        tmp_path,
        axes={
            "ledger": [{"block_time_s": 12}, {"block_time_s": 30, "block_gas_limit": 9_000_000}],
            "market.pricing": ["midpoint", "pay_as_bid"],
        },
    )
    assert [run.name for run in found.runs] == [
        "ledger-1_pricing-midpoint", "ledger-1_pricing-pay-as-bid",
        "ledger-2_pricing-midpoint", "ledger-2_pricing-pay-as-bid",
    ]  # fmt: skip
    assert found.runs[3].scenario.ledger.block_gas_limit == 9_000_000
    assert found.runs[3].scenario.market.pricing == "pay_as_bid"


def test_times_on_an_axis(tmp_path: Path) -> None:
    starts = [datetime(2016, 5, 24, 11), datetime(2016, 5, 24, 18, 30)]
    found = study(tmp_path, axes={"time.start": [start.isoformat() for start in starts]})
    assert [run.name for run in found.runs] == [
        "start-2016-05-24T11-00-00", "start-2016-05-24T18-30-00",
    ]  # fmt: skip
    assert [run.scenario.time.start for run in found.runs] == starts
    assert found.runs[0].values == {"time.start": "2016-05-24T11:00:00"}


def test_axes_with_the_same_last_word_are_told_apart() -> None:
    assert axis_labels(("first.share", "second.share", "ledger.block_time_s")) == {
        "first.share": "first_share",
        "second.share": "second_share",
        "ledger.block_time_s": "block_time_s",
    }


def test_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    file = tmp_path / "base.yaml"
    section = {"variants": {"a": {"ledger.engine": "revm"}}}
    file.write_text(yaml.safe_dump({**BASE, "study": section}))
    found = load_study(file, {"ledger.engine": "py-evm"})
    assert found.runs[0].scenario.ledger.engine == "py-evm"


def test_an_impossible_combination_is_an_error_or_listed(tmp_path: Path) -> None:
    axes = {"ledger.block_time_s": [12, 60], "dso.max_rounds": [1, 4]}
    error = mistake(tmp_path, axes=axes)
    assert "run 'block_time_s-60_max_rounds-4'" in error.problem
    assert "blocks of 60 s" in error.problem
    found = study(tmp_path, axes=axes, skip_impossible=True)
    assert [run.name for run in found.runs] == [
        "block_time_s-12_max_rounds-1", "block_time_s-12_max_rounds-4",
        "block_time_s-60_max_rounds-1",
    ]  # fmt: skip
    (left_out,) = found.impossible
    assert left_out.name == "block_time_s-60_max_rounds-4"
    assert "blocks of 60 s" in left_out.reason


@pytest.mark.parametrize(
    ("section", "field", "says"),
    [
        ({}, "study", "nothing to compare"),
        ({"variant": {"a": {}}}, "study.variant", "did you mean 'variants'"),
        ({"variants": {"a b": {}}}, "study.variants.a b", "letters, digits"),
        ({"variants": {"a": {"prosumers.batery.p_max_kw": 1}}}, "prosumers.batery",
         "did you mean 'battery'"),
        ({"variants": {"a": {"market": {"retail_eur_per_kwh": -1}}}}, "market.retail_eur_per_kwh",
         "run 'a'"),
        ({"variants": {"a": {"name": "other"}}}, "study.variants.a", "cannot change 'name'"),
        ({"variants": {"a": {"study.expect": []}}}, "study.variants.a", "cannot change"),
        ({"variants": {"a": {"prosumers.strategies.7.share": 1}}}, "study.variants.a",
         "no place in a list of 2"),
        ({"axes": {"ledger.block_time_s": []}}, "study.axes.ledger.block_time_s", "at least 1"),
        ({"axes": {"ledger.block_time_s": [12, 12]}}, "study.axes", "two runs would be named"),
        ({"axes": {"ledger.block_times": [12]}}, "ledger.block_times",
         "did you mean 'block_time_s'"),
        ({"variants": {"a": {}}, "expect": ["a.cost_eur <"]}, "study.expect.0", "is empty"),
        ({"variants": {"a": {}}, "expect": ["a.cost_eur < b.cost_eur"]}, "study.expect.0",
         "unknown run 'b'"),
        ({"variants": {"a": {}}, "expect": ["0 < a.wellfare_eur"]}, "study.expect.0",
         "did you mean 'welfare_eur'"),
        ({"axes": {"ledger.block_time_s": [60], "dso.max_rounds": [4]}, "skip_impossible": True},
         "study.axes", "no combination is a scenario"),
        ({"axes": {"ledger.block_time_s": [12, 60], "dso.max_rounds": [4]},
          "skip_impossible": True, "expect": ["block_time_s-60_max_rounds-4.cost_eur > 0"]},
         "study.expect.0", "is impossible"),
    ],
)  # fmt: skip
def test_mistakes_name_the_field_and_the_run(
    tmp_path: Path, section: dict[str, Any], field: str, says: str
) -> None:
    error = mistake(tmp_path, **section)
    assert error.field == field
    assert says in str(error)


def test_a_mistake_of_the_base_is_named_too(tmp_path: Path) -> None:
    error = mistake(tmp_path, {"sede": 3}, variants={"a": {}})
    assert error.field == "sede"
    assert "did you mean 'seed'" in str(error)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_study_can_be_run_and_expects_something(file: Path) -> None:
    found = load_study(file)
    assert found.name == file.stem
    assert len(found.runs) >= 2
    assert found.settings.expectation
    assert found.expectations


def test_there_is_a_shipped_study() -> None:
    assert "ledger_limits" in [file.stem for file in SHIPPED]
