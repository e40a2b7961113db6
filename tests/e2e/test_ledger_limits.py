"""docs/ledger-limits.md says what the study's runs give: its corners are played once more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.runs.experiment import run_scenario
from cosim.studies.declaration import StudyRun
from cosim.studies.study import load_study

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "scenarios" / "ledger_limits.yaml"
ROW = re.compile(r"^\| (\d+) \| ([\d.]+) \| (\d+) \| (.*) \|$", re.M)
PAGE = {
    (int(time_s), round(1e6 * float(limit)), int(n)): rest
    for time_s, limit, n, rest in ROW.findall((REPOSITORY / "docs/ledger-limits.md").read_text())
}


def _played() -> list[StudyRun]:
    """Return the runs, without those that they are compared with."""
    study = load_study(FILE)
    names = {each.run for each in study.comparisons}
    return [run for run in study.runs if run.name in names]


def test_the_page_has_every_run_of_the_study() -> None:
    axes = [tuple(run.values.values()) for run in _played()]
    assert sorted(axes) == sorted(PAGE)
    assert len(axes) == 18


@pytest.mark.parametrize("corner", [(15, 30_000_000, 118), (60, 1_700_000, 118)])
def test_a_row_of_the_page(corner: tuple[int, int, int], tmp_path: Path) -> None:
    (run,) = (run for run in _played() if tuple(run.values.values()) == corner)
    i = run_scenario(run.scenario, FILE, tmp_path / "run", report=False).indicators
    minutes = [i.violations[stage]["any"]["minutes"] for stage in ("scheduled", "delivered")]
    assert i.mean_cost_eur is not None
    assert i.highest_vm_pu is not None
    row = (
        f"{minutes[0]:.0f} → {minutes[1]:.0f} | {i['flexibility_awarded_kwh']:.1f} | "
        f"{i['orders']['late']} of {sum(i['orders'].values())} | {i['trade_surplus_eur']:.2f} | "
        f"{i.highest_vm_pu:.4f} | {i.mean_cost_eur:.2f}"
    )
    assert row == PAGE[corner]
