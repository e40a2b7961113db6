"""docs/tariffs.md says what the study of tariffs gives: two of its runs are played again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cosim
from cosim.runs.experiment import run_scenario
from cosim.studies.study import load_study

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "scenarios" / "tariffs.yaml"
ROW = re.compile(
    r"^\| ((?:flat|time_of_use|network_time_of_use|local_share)(?:_at_peak)?) \| (.+) \|$", re.M
)
PAGE = dict(ROW.findall((REPOSITORY / "docs/tariffs.md").read_text()))


def page_row(result: cosim.Result) -> str:
    i = result.indicators
    money, costs = i["money_by_role_eur"], i["resource_cost_eur"]
    line = i["scheduled_highest_line_loading_percent"]
    return (
        f"{i['traded_kwh']:.1f} | {i['cost_eur']:.2f} | {money['supplier']:.2f} | "
        f"{money['dso']:.2f} | {money['state']:.2f} | {costs['wear'] + costs['discomfort']:.2f} | "
        f"{i['welfare_eur']:.2f} | {line:.1f}"
    )


def test_the_page_has_every_run_of_the_study() -> None:
    study = load_study(FILE)
    assert [run.name for run in study.runs if not run.name.startswith("no_market")] == list(PAGE)


@pytest.mark.parametrize("name", ["time_of_use_at_peak", "local_share"])
def test_a_row_of_the_page(tmp_path: Path, name: str) -> None:
    (run,) = (run for run in load_study(FILE).runs if run.name == name)
    run_scenario(run.scenario, FILE, tmp_path / "run", report=False)
    assert page_row(cosim.open_result(tmp_path / "run")) == PAGE[name]
