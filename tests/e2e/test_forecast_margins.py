"""docs/forecasts.md says what the study's runs give: one of them is played once more."""

from __future__ import annotations

import re
from pathlib import Path

from cosim.runs.experiment import run_scenario
from cosim.studies.study import load_study

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "scenarios" / "forecast_margins.yaml"
ROW = re.compile(r"^\| (\w+) \| (\d+) \| (\d+ → \d+ \| .*) \|$", re.M)
PAGE = {
    f"{model}_loading_margin_percent-{margin}": rest
    for model, margin, rest in ROW.findall((REPOSITORY / "docs/forecasts.md").read_text())
}


def test_the_page_has_every_run_of_the_study() -> None:
    study = load_study(FILE)
    assert [each.run for each in study.comparisons] == list(PAGE)
    assert [run.name for run in study.runs][:20] == list(PAGE)
    assert len(PAGE) == 20


def test_a_row_of_the_page(tmp_path: Path) -> None:
    name = "trained_loading_margin_percent-0"
    (run,) = (run for run in load_study(FILE).runs if run.name == name)
    i = run_scenario(run.scenario, FILE, tmp_path / "run", report=False).indicators
    minutes = [i.violations[stage]["any"]["minutes"] for stage in ("scheduled", "delivered")]
    row = (
        f"{minutes[0]:.0f} → {minutes[1]:.0f} | {i.highest_trafo_loading_percent:.1f} | "
        f"{i['flexibility_awarded_kwh']:.1f} | {i['flexibility_cost_eur']:.2f}"
    )
    assert row == PAGE[name]
    quality = i.forecast_quality["load"]["gate_closure"]
    assert quality["nrmse_all"] is not None
    assert 0.1 < quality["nrmse_all"] < 0.2
