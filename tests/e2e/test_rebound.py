"""Violations that consumption causes which was put off before and is caught up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.grid import check_rebounds
from cosim.verify.population import RebuiltPopulation

SCENARIO = Scenario.model_validate(
    {
        "name": "rebound",
        "seed": 20160617,
        "time": {"start": "2016-06-17T17:00:00", "intervals": 16},
        "grid": {
            "network": "1-LV-rural3--2-sw",
            "reference_sample": 1,
            "limits": {"trafo_loading_percent": 35},
        },
        "prosumers": {
            "scaling": {"pv": 2, "ev": 3, "heat_pump": 3},
            "forecast": {"model": {"name": "nowcast"}},
            "deferral": {"price_responsive": True, "energy_max_kwh": 10},
        },
        "market": {"position": "binding"},
        "dso": {"procure": False},
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rebound") / "out"
    run_scenario(SCENARIO, out.with_suffix(".yaml"), out)
    return out


def test_a_violation_by_catching_up_alone_is_counted(folder: Path) -> None:
    results = Results(folder)
    rows = results.table("rebounds")
    alone = rows[~rows["violated_without"]]
    assert len(alone) >= 1
    indicators = results.manifest["indicators"]
    assert indicators["rebound_minutes"] == 15 * len(alone)
    # what was caught up is what was owed before and no longer is
    owed = results.table("prosumers").pivot(
        index="interval", columns="prosumer", values="deferred_mwh"
    )
    less = -owed.diff().clip(upper=0.0)
    for row in rows.itertuples():
        assert row.caught_up_mw == pytest.approx(4 * less.loc[row.interval].sum(), rel=1e-12)
    assert indicators["caught_up_kwh"] == pytest.approx(1e3 * less.to_numpy()[1:].sum())
    violated = results.table("grid_checks").query("violated and stage == 'delivered'")
    assert set(rows["interval"]) <= set(violated["interval"])
    assert "Violated by catching up alone" in (folder / "report.html").read_text(encoding="utf-8")


def test_verification_solves_it_again_and_finds_a_forged_row(folder: Path) -> None:
    rebuilt = RebuiltPopulation(Results(folder))
    assert check_rebounds(rebuilt, 1, 1).passed
    honest = rebuilt.results.table("rebounds")
    for forged in (
        honest.assign(violated_without=~honest["violated_without"]),
        honest.assign(caught_up_mw=honest["caught_up_mw"] * np.float64(1.001)),
        honest.iloc[1:],
        pd.concat([honest, honest.assign(interval=0)]),
    ):
        rebuilt.results._whole["rebounds"] = forged.reset_index(drop=True)
        assert not check_rebounds(rebuilt, 1, 1).passed
