"""Devices of another package: one class each, and nothing of cosim changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from installed_plugins import cosim_cli, install, python

from cosim.grid.catalogue import open_grid
from cosim.results.schemas import all_tables
from cosim.scenario import Scenario

SOURCE = '''
from cosim.devices.deferral import Deferrable
from cosim.devices.device import DeviceColumn
from cosim.devices.profiled import Consumer, Generator
from cosim.devices.storage import Storage


class RunOfRiver(Generator):
    """Run-of-river turbines."""

    kind = "run_of_river"
    title = "run-of-river turbines"
    columns = (
        DeviceColumn("run_of_river_p_mw", "MW", "generation of turbines", "generation"),
        DeviceColumn("run_of_river_curtailed_p_mw", "MW", "water spilled, as power"),
    )
    cost_ueur_per_kwh = 1_000


class Pumps(Consumer):
    """Irrigation."""

    kind = "pump"
    title = "pumps"
    columns = (DeviceColumn("pump_p_mw", "MW", "pumps", "consumption"),)
    is_curtailable = False


class ColdStores(Deferrable):
    """Cold stores."""

    kind = "cold_store"
    title = "cold stores"
    columns = (DeviceColumn("cold_store_p_mw", "MW", "cold stores", "consumption"),)


class Flywheels(Storage):
    """Flywheels."""

    kind = "flywheel"
    title = "flywheels"
    columns = (
        DeviceColumn("flywheel_p_mw", "MW", "flywheel, charging positive", "storage"),
        DeviceColumn("flywheel_soc_mwh", "MWh", "energy in it at the interval's end"),
    )
    one_way_efficiency = 0.9
'''
CLASSES = {
    "run_of_river": "RunOfRiver", "pump": "Pumps", "cold_store": "ColdStores",
    "flywheel": "Flywheels",
}  # fmt: skip
NEW = (
    "run_of_river_p_mw", "run_of_river_curtailed_p_mw", "pump_p_mw", "cold_store_p_mw",
    "flywheel_p_mw", "flywheel_soc_mwh",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    points = {kind: f"cosim_more_devices:{name}" for kind, name in CLASSES.items()}
    folder = tmp_path_factory.mktemp("site")
    return install(folder, "cosim_more_devices", SOURCE, {"cosim.devices": points})


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart's grid with a turbine, and one of everything else at another point."""
    folder = tmp_path_factory.mktemp("grids") / "river"
    shutil.copytree(open_grid("1-LV-rural1--1-sw").folder, folder)
    elements = pd.read_csv(folder / "elements.csv")
    points = list(dict.fromkeys(elements.connection_point))
    rows = [
        (points[6], "turbine", "run_of_river", "L2-A", 0.2, 0.02, 0.0),
        (points[3], "pump", "pump", "L2-A", 0.01, 0.0, 0.0),
        (points[3], "cold store", "cold_store", "H0-A", 0.02, 0.0, 0.0),
        (points[3], "flywheel", "flywheel", "", 0.005, 0.0, 0.002),
    ]
    more = pd.DataFrame(rows, columns=elements.columns)
    pd.concat([elements, more]).to_csv(folder / "elements.csv", index=False)
    return folder


def written(scenario: Scenario, file: Path, **prosumers: object) -> Path:
    data = scenario.model_dump(mode="json")
    data["prosumers"] |= prosumers
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def played(
    site: Path, grid: Path, short_scenario: object, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Three intervals around noon, when the transformer is overloaded."""
    folder = tmp_path_factory.mktemp("played")
    scenario = short_scenario(intervals=3, grid={"network": str(grid)})  # type: ignore[operator]
    scaling = scenario.prosumers.scaling.model_dump() | {"run_of_river": 1.5}
    file = written(scenario, folder / "river.yaml", scaling=scaling)
    done = cosim_cli(["run", file, "--out", folder / "result"], site)
    assert done.returncode == 0, done.stderr
    return folder / "result"


def test_columns_of_new_devices_follow_those_of_every_result(played: Path) -> None:
    names = pq.read_schema(played / "tables" / "prosumers.parquet").names
    shipped = [column.name for column in all_tables()["prosumers"].columns]
    assert names[: len(shipped)] == shipped
    assert sorted(names[len(shipped) :]) == sorted(NEW)


def test_new_devices_act_and_the_net_injection_is_the_sum(played: Path) -> None:
    table = pd.read_parquet(played / "tables" / "prosumers.parquet")
    net = table.pv_p_mw - table.load_p_mw - table.ev_p_mw - table.heat_pump_p_mw
    net = net - table.battery_p_mw
    own = table.run_of_river_p_mw - table.cold_store_p_mw - table.pump_p_mw - table.flywheel_p_mw
    np.testing.assert_allclose(table.p_inject_mw, net + own, atol=1e-15)
    totals = table[list(NEW)].abs().sum()
    assert (totals.drop("flywheel_soc_mwh") > 0).all()
    # the scenario scales the turbine: 1.5 times 200 kW times the profile, spilled or fed in
    turbine = table[table.run_of_river_p_mw + table.run_of_river_curtailed_p_mw > 0]
    assert turbine.prosumer.nunique() == 1
    profile = pd.read_parquet(open_grid("1-LV-rural1--1-sw").profiles_file).set_index("time")
    noon = profile["L2-A_p"]["2016-05-24 11:00":"2016-05-24 11:30"].to_numpy()
    whole = (turbine.run_of_river_p_mw + turbine.run_of_river_curtailed_p_mw).to_numpy()
    np.testing.assert_allclose(whole, 1.5 * 0.2 * noon)


def test_a_flywheel_loses_what_its_efficiency_says(played: Path) -> None:
    table = pd.read_parquet(played / "tables" / "prosumers.parquet")
    own = table[table.prosumer == table.prosumer[table.flywheel_p_mw != 0].iloc[0]]
    power, energy = own.flywheel_p_mw.to_numpy(), own.flywheel_soc_mwh.to_numpy()
    stored = np.where(power > 0, power * 0.9, power / 0.9) * 0.25
    np.testing.assert_allclose(np.diff(energy, prepend=0.0), stored, atol=1e-12)
    assert energy.max() <= 0.002


def test_such_a_result_is_verified(played: Path, site: Path) -> None:
    verified = cosim_cli(["verify", played], site)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "plug-in" not in verified.stdout


def test_plug_ins_that_differ_from_the_author_s_are_named(
    played: Path, site: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(played, tmp_path / "result")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    stated = manifest["environment"]["plug_ins"]
    assert {one["name"] for one in stated} == set(CLASSES)
    one = next(one for one in stated if one["name"] == "pump")
    one["sha256"] = "0" * 64
    stated.append(one | {"name": "kiln"})
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    told = cosim_cli(["verify", folder, "--only", "files"], site)
    assert told.returncode == 0, told.stdout + told.stderr
    named = [line for line in told.stdout.splitlines() if line.startswith("inputs: plug-in")]
    assert len(named) == 2
    assert "kiln" in named[0]
    assert named[0].endswith("here is none")
    assert "pump" in named[1]
    assert "SHA-256 0000000000000000, here is version" in named[1]


def test_without_the_package_a_result_is_not_read(played: Path) -> None:
    verified = cosim_cli(["verify", played])
    assert verified.returncode == 2, verified.stdout
    assert "has columns of devices that are not installed: cold_store_p_mw" in verified.stderr
    assert "install the packages" in verified.stderr


def test_frames_and_indicators_have_the_new_devices(
    site: Path, grid: Path, short_scenario: object, tmp_path: Path
) -> None:
    # nothing is relieved, or the turbine would be the first to be throttled
    scenario = short_scenario(  # type: ignore[operator]
        intervals=1, grid={"network": str(grid)}, dso={"procure": False}
    )
    played = tmp_path / "result"
    done = cosim_cli(["run", written(scenario, tmp_path / "x.yaml"), "--out", played], site)
    assert done.returncode == 0, done.stderr
    ask = (
        "import cosim, json, sys; result = cosim.open_result(sys.argv[1]); print(json.dumps(["
        "list(result.frame('prosumers')), result.indicators['generation_kwh']]))"
    )
    done = python(["-c", ask, played], site)
    assert done.returncode == 0, done.stderr
    columns, generation_kwh = json.loads(done.stdout)
    assert set(NEW) < set(columns)
    table = pd.read_parquet(played / "tables" / "prosumers.parquet")
    turbine_kwh = table.run_of_river_p_mw.sum() * 250
    assert turbine_kwh > 1.0
    assert generation_kwh == pytest.approx(table.pv_p_mw.sum() * 250 + turbine_kwh)


def test_without_the_package_the_kind_is_unknown(
    grid: Path, short_scenario: object, tmp_path: Path
) -> None:
    scenario = short_scenario(intervals=2, grid={"network": str(grid)})  # type: ignore[operator]
    done = cosim_cli(["run", written(scenario, tmp_path / "x.yaml"), "--out", tmp_path / "out"])
    assert done.returncode == 2
    assert "unknown kinds: cold_store, flywheel, pump, run_of_river" in done.stderr
    assert (
        "one of biomass, chp, ev, generator, heat_pump, hydro, load, pv, storage, wind"
        in done.stderr
    )


def test_a_factor_of_an_unknown_kind_is_refused_with_the_nearest_one(
    site: Path, short_scenario: object, tmp_path: Path
) -> None:
    scenario = short_scenario(intervals=2)  # type: ignore[operator]
    file = written(scenario, tmp_path / "x.yaml", scaling={"run_of_rivers": 2.0})
    done = cosim_cli(["run", file, "--out", tmp_path / "out"], site)
    assert done.returncode == 2
    assert "prosumers.scaling.run_of_rivers: unknown field" in done.stderr
    assert "did you mean 'run_of_river'?" in done.stderr


def test_an_installed_device_changes_no_result_without_it(
    site: Path, short_scenario: object, tmp_path: Path
) -> None:
    file = written(short_scenario(intervals=2), tmp_path / "x.yaml")  # type: ignore[operator]
    for name, sites in (("with", [site]), ("without", [])):
        done = cosim_cli(["run", file, "--out", tmp_path / name], *sites)
        assert done.returncode == 0, done.stderr
    tables = (Path("tables") / f"{name}.parquet" for name in all_tables())
    compared = [Path("scenario.yaml"), *tables]
    for part in compared:
        assert (tmp_path / "with" / part).read_bytes() == (tmp_path / "without" / part).read_bytes()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('"MW", "generation of', '"", "generation of'), "'run_of_river_p_mw' without a unit"),
        (('"run_of_river_p_mw"', '"river_p_mw"'), "does not begin with run_of_river_"),
        (('turbines", "generation"', 'turbines", "consumption"'), "columns of the roles"),
        (('kind = "run_of_river"', 'kind = "river"'), "which is no name of an entry point"),
        (("class RunOfRiver(Generator)", "class RunOfRiver"), "is no subclass of"),
        (("cost_ueur_per_kwh = 1_000", "is_default = True"), "is for devices of cosim"),
    ],
)
def test_a_wrong_declaration_names_package_and_entry_point(
    change: tuple[str, str], problem: str, short_scenario: object, tmp_path: Path
) -> None:
    assert change[0] in SOURCE
    points = {"run_of_river": "cosim_wrong_device:RunOfRiver"}
    source = SOURCE.replace(*change)
    site = install(tmp_path / "site", "cosim_wrong_device", source, {"cosim.devices": points})
    file = written(short_scenario(intervals=2), tmp_path / "x.yaml")  # type: ignore[operator]
    done = cosim_cli(["run", file, "--out", tmp_path / "out"], site)
    assert done.returncode == 2, done.stderr
    assert "plug-in of package cosim_wrong_device (cosim.devices: run_of_river" in done.stderr
    assert problem in done.stderr
    assert "remedy: " in done.stderr
    assert not (tmp_path / "out").exists()
