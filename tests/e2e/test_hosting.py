"""The page of the hosting campaign reads its table, and the table is what the campaign gives."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from cosim.campaigns.campaign import load_campaign
from cosim.campaigns.sweep import sweep
from cosim.scenario.loading import find_scenario

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "results" / "reference" / "hosting.csv"


def test_the_page_prints_what_stands_there(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.S)
    monkeypatch.chdir(ROOT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "hosting.md", "exec"), {})
    lines = printed.getvalue().splitlines()
    assert len(lines) == 9
    words = page.replace(code, "")
    assert [line.removeprefix("    ") for line in words.splitlines() if " %: " in line] == lines


def test_a_row_of_the_table_is_what_the_campaign_gives(tmp_path: Path) -> None:
    campaign = load_campaign(find_scenario("hosting_day"))
    table = pd.read_csv(TABLE)
    assert len(table) == len(campaign.runs) == 45
    chosen = [
        run
        for run in campaign.runs
        if run.values == {"prosumers.pv_share": 0.4, "arrangement": "market"} and run.number == 2
    ]
    result = sweep(replace(campaign, runs=tuple(chosen)), tmp_path / "out", jobs=1)
    assert result.complete
    (found,) = result.table.to_dict("records")
    (row,) = table[
        (table["arrangement"] == "market")
        & (table["pv_share"] == 0.4)
        & (table["seed"] == found["seed"])
    ].to_dict("records")
    for name in ("generation_kwh", "curtailed_injection_kwh", "unserved_injection_kwh",
                 "flexibility_throttled_kwh", "welfare_eur"):  # fmt: skip
        assert found[name] == pytest.approx(row[name], rel=1e-6, abs=1e-6), name
    assert found["violations.delivered.any.minutes"] == row["violated_minutes"]
