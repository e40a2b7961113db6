"""docs/instruments.md says what the study of principles of access gives: two rows played again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.studies.study import load_study

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "scenarios" / "curtailment.yaml"
ROW = re.compile(r"^\| (\w+) \| (\d+ → \d+ .*) \|$", re.M)
PAGE = dict(ROW.findall((REPOSITORY / "docs/instruments.md").read_text(encoding="utf-8")))


def test_the_page_has_every_run_of_the_study() -> None:
    assert [each.run for each in load_study(FILE).comparisons] == list(PAGE)


@pytest.mark.parametrize("name", ["pro_rata", "last_in_first_out"])
def test_a_row_of_the_page(tmp_path: Path, name: str, grid_read_once: None) -> None:
    (run,) = (run for run in load_study(FILE).runs if run.name == name)
    done = run_scenario(run.scenario, FILE, tmp_path / "run", report=False)
    i, schedules = done.indicators, Results(done.folder).frame("schedules")
    cut_wh = -schedules["curtailed_wh"].groupby(schedules["prosumer"].astype(str)).sum()
    before, after = (
        i.violations[stage]["over_voltage"]["minutes"] for stage in ("scheduled", "delivered")
    )
    money = i["money_by_role_eur"]
    assert PAGE[name] == (
        f"{before:.0f} → {after:.0f} | {cut_wh.sum() / 1000:.1f} | {(cut_wh > 0).sum()} | "
        f"{cut_wh.max() / 1000:.1f} | {money['with_generation']:.2f} | {money['dso']:.2f}"
    )
    assert i.violations["delivered"]["any"]["minutes"] == 0
