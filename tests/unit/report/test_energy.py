"""Power of a community whose table has columns of another package's devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from cosim.devices import catalogue
from cosim.devices.device import DeviceColumn
from cosim.devices.profiled import Consumer, Generator
from cosim.devices.storage import Storage
from cosim.report.energy import CommunityPower, community_power, energy_by_device
from cosim.report.grid_panel import device_chart, energy_chart
from cosim.report.indicators import Indicators
from cosim.results.reader import Results


class Turbines(Generator):
    kind = "turbine"
    title = "turbines"
    columns = (
        DeviceColumn("turbine_p_mw", "MW", "generation of turbines", "generation"),
        DeviceColumn("turbine_curtailed_p_mw", "MW", "water spilled"),
    )


class Pumps(Consumer):
    kind = "pump"
    title = "pumps"
    columns = (DeviceColumn("pump_p_mw", "MW", "pumps", "consumption"),)


class Flywheels(Storage):
    kind = "flywheel"
    title = "flywheels"
    columns = (
        DeviceColumn("flywheel_p_mw", "MW", "flywheels", "storage"),
        DeviceColumn("flywheel_soc_mwh", "MWh", "energy in them"),
    )


TABLE = pd.DataFrame(
    {
        "interval": [0, 0, 1, 1], "prosumer": ["mill", "flat", "mill", "flat"],
        "p_inject_mw": [0.003, -0.001, 0.002, -0.002],
        "load_p_mw": [0.0, 0.001, 0.0, 0.002], "pv_p_mw": [0.001, 0.0, 0.0, 0.0],
        "turbine_p_mw": [0.004, 0.0, 0.004, 0.0], "turbine_curtailed_p_mw": [0.1, 0.0, 0.0, 0.0],
        "pump_p_mw": [0.001, 0.0, 0.003, 0.0],
        "flywheel_p_mw": [0.001, 0.0, -0.001, 0.0], "flywheel_soc_mwh": [0.1, 0.0, 0.2, 0.0],
    }
)  # fmt: skip
"""Two intervals of an hour, without the batteries that come with cosim. [MW, MWh]"""


@pytest.fixture
def table(
    another_result: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Results]:
    kinds = (*catalogue.registered(), Turbines, Pumps, Flywheels)
    monkeypatch.setattr(catalogue, "registered", lambda: kinds)
    catalogue.net_columns.cache_clear()
    results = Results(another_result(), intervals=2)
    frame = results.frame
    monkeypatch.setattr(
        results, "frame", lambda name, *a, **k: TABLE if name == "prosumers" else frame(name, *a)
    )
    yield results
    catalogue.net_columns.cache_clear()


def test_devices_of_another_package_count(table: Results) -> None:
    power = community_power(table)
    assert power.generation_mw.tolist() == [0.005, 0.004]
    assert power.consumption_mw.tolist() == [0.002, 0.005]
    assert power.storage_mw.tolist() == [0.001, -0.001]
    assert power.self_consumption == pytest.approx((0.002 + 0.005) / 0.009)
    assert power.self_sufficiency == pytest.approx(1.0)


def test_what_batteries_held_at_the_start_is_nobody_s_generation() -> None:
    """A full battery covers a night; a little sun charges it, and is consumed once."""
    power = CommunityPower(
        generation_mw=np.array([0.0, 4.0, 3.0, 0.0]),
        consumption_mw=np.array([5.0, 1.0, 1.0, 3.0]),
        storage_mw=np.array([-5.0, 2.0, 0.0, -3.0]),
    )
    assert power.kept_mw.tolist() == [0.0, 3.0, 1.0, 0.0]
    assert power.self_consumption == pytest.approx(4 / 7)
    # of the last discharge 2 were charged from the sun
    assert power.covered_mw.tolist() == [0.0, 1.0, 1.0, 2.0]
    assert power.self_sufficiency == pytest.approx(4 / 10)


def test_what_is_charged_from_the_grid_is_no_generation_either() -> None:
    power = CommunityPower(
        generation_mw=np.array([1.0, 0.0]),
        consumption_mw=np.array([0.0, 4.0]),
        storage_mw=np.array([3.0, -3.0]),
    )
    assert power.self_consumption == 1.0
    assert power.self_sufficiency == pytest.approx(1 / 4)


def test_a_connection_point_is_left_out_with_all_its_devices(table: Results) -> None:
    power = community_power(table, without=["mill"])
    assert power.generation_mw.tolist() == [0.0, 0.0]
    assert power.consumption_mw.tolist() == [0.001, 0.002]


def test_the_chart_shows_them(table: Results) -> None:
    lines = {line.name: [*line.y[:2]] for line in energy_chart(table).figure.data}
    assert lines == {
        "generation [kW]": [5.0, 4.0],
        "consumption [kW]": [2.0, 5.0],
        "charging of storages [kW]": [1.0, -1.0],
        "net injection [kW]": [2.0, 0.0],
    }


def test_each_kind_of_device_has_its_energy(table: Results) -> None:
    found = energy_by_device(table)
    hours_kwh = table.step_h * 1_000  # of a MW over an interval
    expected = {
        "load": {"consumed": 0.003},
        "pv": {"generated": 0.001},
        "turbine": {"generated": 0.008},
        "pump": {"consumed": 0.004},
        "flywheel": {"charged": 0.001, "discharged": 0.001},
    }
    assert list(found) == list(expected)
    for kind, parts in expected.items():
        assert found[kind] == pytest.approx({k: v * hours_kwh for k, v in parts.items()})


def test_the_chart_of_devices_names_each(table: Results) -> None:
    indicators = SimpleNamespace(energy_by_device=energy_by_device(table))
    bars = device_chart(cast(Indicators, indicators)).figure.data
    shown = {bar.name: dict(zip(bar.y, bar.x, strict=True)) for bar in bars}
    assert shown["generated [kWh]"][Turbines.title] == round(0.008 * table.step_h * 1_000, 3)
    assert shown["consumed [kWh]"][Pumps.title] == round(-0.004 * table.step_h * 1_000, 3)
    assert shown["charged [kWh]"][Flywheels.title] < 0 < shown["discharged [kWh]"][Flywheels.title]
