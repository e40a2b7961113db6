"""Batteries with a wanted state of charge at the end: reached, or a warning of what is missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import cosim
from cosim.errors import ScenarioError
from cosim.report.indicators import read_indicators
from cosim.results.reader import Results

FIELDS: dict[str, Any] = {
    "name": "ends",
    "seed": 20160524,
    "time": {"start": "2016-05-24T16:00:00", "intervals": 24},
    "grid": {"network": "1-LV-rural1--1-sw"},
    "dso": {"procure": False},
    "prosumers": {
        "battery": {"soc_end": 0.5},
        "named": [
            {
                "connection_point": "LV1.101 Bus 2",
                "battery": {"capacity_kwh": 6.0, "soc_end": 0.9},
            }
        ],
    },
}


def played(fields: dict[str, Any], out: Path) -> cosim.Result:
    return cosim.run(cosim.Scenario(**fields), out=out)


def test_batteries_end_where_they_should_and_others_as_ever(tmp_path: Path) -> None:
    result = played(FIELDS, tmp_path / "out")
    storages = result.frame("storages").set_index("prosumer")
    rows = result.frame("prosumers")
    last = rows[rows["interval"] == 23].set_index("prosumer")["soc_mwh"][storages.index]
    assert storages.loc["LV1.101 Bus 2", "wanted_mwh"] == pytest.approx(0.0054)
    others = storages.index.drop("LV1.101 Bus 2")
    assert storages.loc[others, "wanted_mwh"].to_numpy() == pytest.approx(0.004)
    # but for what was forecast wrongly in the last interval
    assert last.to_numpy() == pytest.approx(storages["wanted_mwh"].to_numpy(), abs=1e-4)
    stored = result.indicators["stored_kwh"]
    assert stored["start"] == pytest.approx(1e3 * storages["start_mwh"].sum())
    assert stored["end"] == pytest.approx(1e3 * last.sum())
    off = (last - storages["wanted_mwh"]).abs().sum()
    assert stored["missed"] == pytest.approx(1e3 * off)
    assert result.verify().passed


def test_an_end_out_of_reach_is_missed_with_a_warning(tmp_path: Path) -> None:
    battery = {"soc_initial": 0.05, "soc_end": 1.0}
    fields = FIELDS | {
        "time": {"start": "2016-05-24T20:00:00", "intervals": 4},
        "prosumers": {"battery": battery},
    }
    result = played(fields, tmp_path / "out")
    stored = result.indicators["stored_kwh"]
    # four intervals at 4 kW and an efficiency of 0.96: 3.84 kWh of 7.6 at most in each battery,
    # less by the load that was not foreseen
    least = len(result.frame("storages")) * (8 - 0.4 - 3.84)
    assert least <= stored["missed"] < 1.1 * least
    (text,) = read_indicators(Results(result.folder)).warnings()
    assert "away from the energy wanted of them (soc_end)" in text


def test_an_end_below_the_least_state_of_charge_is_refused() -> None:
    for prosumers, field in (
        ({"battery": {"soc_end": 0.01}}, "prosumers.battery"),
        (
            {"named": [{"connection_point": "LV1.101 Bus 2", "battery": {"soc_end": 0.0}}]},
            "prosumers.named",
        ),
    ):
        with pytest.raises(ScenarioError) as caught:
            cosim.Scenario(**(FIELDS | {"prosumers": prosumers}))
        assert caught.value.field == field
        assert "soc_end" in caught.value.problem
        assert caught.value.remedy
