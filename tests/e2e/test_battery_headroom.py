"""docs/prosumers.md says what the study of batteries with headroom gives: it is played again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.runs.experiment import run_scenario
from cosim.studies.study import load_study
from cosim.verify.verification import CHECKED, verify

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "scenarios" / "battery_headroom.yaml"
ROW = re.compile(r"^\| (\w*(?:at_once|headroom)\w*) \| (.*) \|$", re.M)
PAGE = dict(ROW.findall((REPOSITORY / "docs/prosumers.md").read_text(encoding="utf-8")))
RUNS = {run.name: run for run in load_study(FILE).runs if not run.name.startswith("no_market")}


def test_the_page_has_every_run_of_the_study() -> None:
    assert list(PAGE) == list(RUNS)


@pytest.mark.parametrize("name", list(RUNS))
def test_a_row_of_the_page(tmp_path: Path, name: str) -> None:
    is_verified = name == "keep_headroom_with_adder"
    done = run_scenario(RUNS[name].scenario, FILE, tmp_path / "run", report=is_verified)
    i = done.indicators
    row = (
        f"{i['flexibility_awarded_kwh']:.1f} | {i['flexibility_throttled_kwh']:.1f} | "
        f"{i['flexibility_unthrottled_kwh']:.1f} | {i['flexibility_paid_eur']:.2f} | "
        f"{i.welfare_eur:.2f}"
    )
    assert row == PAGE[name]
    assert i["flexibility_throttled_kwh"] + i["flexibility_unthrottled_kwh"] == pytest.approx(
        i["flexibility_delivered_kwh"]
    )
    if is_verified:
        found = verify(tmp_path / "run", every=24, parts=CHECKED)
        assert found.passed, found.failed
