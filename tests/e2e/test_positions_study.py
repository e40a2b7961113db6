"""docs/positions.md says what the study of positions gives: it is played once more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.studies.runner import run_study
from cosim.studies.study import load_study

REPOSITORY = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(financial|binding|responsive)` \| (.*) \|$", re.M)
PAGE = dict(ROW.findall((REPOSITORY / "docs/positions.md").read_text(encoding="utf-8")))
PAIR = ("schedule_differs_kwh", "delivery_differs_kwh")


@pytest.mark.usefixtures("without_reports", "grid_read_once")
def test_trades_move_power_where_positions_bind(tmp_path: Path) -> None:
    study = run_study(
        load_study(REPOSITORY / "scenarios" / "positions.yaml"), tmp_path / "out", jobs=1
    )
    assert study.as_expected
    found = {run.name: run.indicators for run in study.runs}
    differ = {(d.compared.run, d.quantity.key): d.difference for d in study.differences}
    assert list(PAGE) == ["financial", "binding", "responsive"]
    for name, row in PAGE.items():
        own, alone = found[name], found[f"no_market_{name}"]
        numbers = [own["traded_kwh"], *(differ[name, key] for key in PAIR)]
        part = "curtailed" if name == "financial" else "unserved"
        given_way = (one[f"{part}_injection_kwh"] for one in (alone, own))
        minutes = (one["violations.delivered.any.minutes"] for one in (alone, own))
        welfare = (one["welfare_eur"] for one in (alone, own))
        assert row == " | ".join(
            [
                *(f"{value:.1f}" for value in numbers),
                " → ".join(f"{value:.1f}" for value in given_way),
                " → ".join(f"{value:.0f}" for value in minutes),
                " → ".join(f"{value:.2f}" for value in welfare),
            ]
        )
