"""A result with somebody else's devices: what does not follow from the scenario is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from forgery import hash_again, rewrite, with_other_cell

from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.verification import verify

POINT = "LV1.101 Bus 14"


@pytest.fixture
def fed_result(short_scenario: Callable[..., Scenario], tmp_path: Path) -> Path:
    """A run in which mosaik-csv feeds one prosumer."""
    file = tmp_path / "load.csv"
    rows = "2016-05-24 11:00:00,0.0031\n2016-05-24 11:15:00,0.0102\n2016-05-24 11:30:00,0.002\n"
    file.write_text(f"Household\nDate,P\n{rows}")
    household = {
        "name": "household",
        "python": "mosaik_csv:CSV",
        "params": {
            "sim_start": "2016-05-24 11:00:00",
            "datafile": str(file),
            "date_format": "%Y-%m-%d %H:%M:%S",
        },
        "model": "Household",
        "feeds": [{"attribute": "P", "to_entity": POINT, "to_attribute": "P_load[MW]"}],
    }
    folder = tmp_path / "result"
    scenario = short_scenario(2, simulators=[household])
    run_scenario(scenario, tmp_path / "s.yaml", folder, trust=True)
    return folder


def test_devices_of_others_are_not_played_again_but_their_sums_count(fed_result: Path) -> None:
    done = verify(fed_result)
    assert done.failed == []
    devices = next(check for check in done.checks if check.name == "devices")
    reason = "the scenario has simulators of its own: household"
    assert devices.notes == [f"only sums are checked: {reason}"]
    checks = next(check for check in done.checks if check.name == "grid checks")
    assert f"schedules are not solved again: {reason}" in checks.notes
    path = fed_result / "tables" / "prosumers.parquet"
    rewrite(path, with_other_cell(pq.read_table(path), "load_p_mw", 1))
    hash_again(fed_result)
    assert verify(fed_result, parts=("files", "grid")).failed == ["devices"]
