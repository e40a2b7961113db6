"""docs/grids.md says what the study of the DSO's model gives: two of its runs are played again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.runs.experiment import run_scenario
from cosim.studies.study import load_study

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "scenarios" / "dso_model.yaml"
ROW = re.compile(r"^\| (\w+) \| (\d+ → \d+ \| [\d.]+ \| [\d.]+) \|$", re.M)
PAGE = dict(ROW.findall((REPOSITORY / "docs/grids.md").read_text()))


def test_the_page_has_every_run_of_the_study() -> None:
    assert [each.run for each in load_study(FILE).comparisons] == list(PAGE)
    assert len(PAGE) == 7


@pytest.mark.parametrize("name", ["right", "tap_low", "unmetered_half"])
def test_a_row_of_the_page(tmp_path: Path, name: str) -> None:
    (run,) = (run for run in load_study(FILE).runs if run.name == name)
    i = run_scenario(run.scenario, FILE, tmp_path / "run", report=False).indicators
    minutes = [
        i.violations[stage]["over_voltage"]["minutes"] for stage in ("scheduled", "delivered")
    ]
    row = (
        f"{minutes[0]:.0f} → {minutes[1]:.0f} | {i['flexibility_awarded_kwh']:.1f} | "
        f"{i['flexibility_cost_eur']:.2f}"
    )
    assert row == PAGE[name]
