"""Scenario ``year``, and the command that plays it; no test does."""

from __future__ import annotations

from pathlib import Path

import yaml

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def test_the_year_is_congested_feeder_for_longer() -> None:
    year, days = (
        yaml.safe_load((SCENARIOS / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("year", "congested_feeder")
    )
    assert year["time"] == {
        "start": days["time"]["start"].replace(month=1, day=1),
        "intervals": 366 * 96,
    }
    assert year["market"] == {"ring_intervals": 96}
    own = {"name", "description", "time", "market"}
    assert {k: v for k, v in year.items() if k not in own} == {
        k: v for k, v in days.items() if k not in own
    }
