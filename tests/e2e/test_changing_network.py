"""Runs in which taps move and the voltage of the grid above changes, and their verification."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from cosim.cli import EXIT_USER, main
from cosim.errors import ScenarioError
from cosim.grid.reading import read_network
from cosim.grid.unmetered import drawn_metering
from cosim.resources import folder as resource_folder
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.runs.preparation import drawn_voltage, prepare_grid
from cosim.scenario import Scenario, load_scenario
from cosim.scenario.grid import SlackProcessSettings
from cosim.verify.grid import check_power_flows
from cosim.verify.population import RebuiltPopulation
from cosim.verify.power_flows import delivered_cases, solve_cases
from cosim.verify.verification import verify

SCENARIOS = Path(__file__).parents[2] / "scenarios"
GRID = "1-LV-rural1--1-sw"
START, INTERVALS = "2016-05-24T09:00:00", 12


@pytest.fixture(scope="module")
def controlled_grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart's grid, its transformer with finer steps and a controller."""
    grid = tmp_path_factory.mktemp("grids") / "controlled"
    shutil.copytree(resource_folder("grids") / GRID, grid)
    net = read_network(grid / "network.json")
    net.trafo[["tap_min", "tap_max", "tap_step_percent"]] = [-8, 8, 1.0]
    net["tap_control"] = pd.DataFrame(
        {"trafo": net.trafo.index, "side": "lv", "vm_lower_pu": 0.995, "vm_upper_pu": 1.015}
    )
    pp.to_json(net, str(grid / "network.json"))
    return grid


@pytest.fixture(scope="module")
def played(
    controlled_grid: Path,
    tmp_path_factory: pytest.TempPathFactory,
    short_scenario: Callable[..., Scenario],
) -> Path:
    """A run with a tap controller below a voltage that is drawn."""
    folder = tmp_path_factory.mktemp("changing")
    scenario = short_scenario(
        intervals=INTERVALS,
        start=START,
        grid={
            "network": str(controlled_grid),
            "slack_voltage": {"process": {"mean_pu": 1.01, "deviation_pu": 0.03}},
            "reference_sample": 3,
        },
    )
    (folder / "scenario.yaml").write_text(scenario.to_yaml())
    assert main(["run", str(folder / "scenario.yaml"), "--out", str(folder / "result")]) == 0
    return folder / "result"


def test_taps_are_those_of_pandapowers_controller_on_what_was_delivered(played: Path) -> None:
    """``runpp`` with pandapower's controller, from the recorded tables alone."""
    results = Results(played)
    taps = results.table("taps")
    assert taps["interval"].tolist() == list(range(INTERVALS))
    assert taps["tap_pos"].nunique() > 2
    net = results.network
    settings = results.scenario.grid.slack_voltage
    assert settings is not None
    buses = results.table("buses").set_index(["interval", "bus"])["vm_pu"]
    feeding = int(net.ext_grid.bus.iloc[0])
    pp.control.DiscreteTapControl(net, 0, 0.995, 1.015)
    for interval, rows in results.table("prosumers").groupby("interval"):
        net.sgen["p_mw"] = rows["p_inject_mw"].to_numpy()
        net.sgen["q_mvar"] = rows["q_inject_mvar"].to_numpy()
        net.ext_grid["vm_pu"] = buses[interval, feeding]
        pp.runpp(net, run_control=True, numba=False, tolerance_mva=1e-9)
        assert net.trafo.tap_pos.to_list() == taps[taps["interval"] == interval].tap_pos.to_list()
        np.testing.assert_allclose(buses[interval], net.res_bus.vm_pu, rtol=0, atol=1e-8)


def test_the_slack_voltage_is_the_scenarios_process(played: Path) -> None:
    results = Results(played)
    series = prepare_grid(results.scenario).slack_vm_pu
    buses = results.table("buses")
    feeding = int(results.network.ext_grid.bus.iloc[0])
    recorded = buses[buses["bus"] == feeding]["vm_pu"].to_numpy()
    np.testing.assert_allclose(recorded, series, rtol=0, atol=1e-12)
    assert recorded.std() > 0.005


def test_a_run_with_moving_taps_is_verified(played: Path) -> None:
    done = verify(played, every=1, parts=("files", "grid", "indicators"))
    assert [(check.name, check.mismatches[:2]) for check in done.checks if not check.passed] == []
    manifest = json.loads((played / "manifest.json").read_text())
    assert manifest["power_flow"]["largest_difference_vm_pu"] < 1e-8


def test_a_forged_tap_is_found(played: Path) -> None:
    rebuilt = RebuiltPopulation(Results(played))
    cases = delivered_cases(rebuilt, 1)
    states = solve_cases(rebuilt, cases, 1)
    assert check_power_flows(rebuilt, cases, states).passed
    taps = rebuilt.results.table("taps")
    for column in taps:
        before = taps.loc[5, column]
        taps.loc[5, column] += 1
        assert not check_power_flows(rebuilt, cases, states).passed
        taps.loc[5, column] = before
    assert check_power_flows(rebuilt, cases, states).passed


def test_a_foreign_grid_says_no_taps(
    controlled_grid: Path, short_scenario: Callable[..., Scenario]
) -> None:
    foreign = {"name": "other", "python": "other:Grid", "replaces": "grid", "model": "Grid"}
    scenario = short_scenario(grid={"network": str(controlled_grid)}, simulators=[foreign])
    with pytest.raises(ScenarioError, match="takes the place of the grid") as caught:
        prepare_grid(scenario)
    assert caught.value.field == "simulators"


def test_a_series_is_read_and_held(
    tmp_path: Path, short_scenario: Callable[..., Scenario], capsys: pytest.CaptureFixture[str]
) -> None:
    """Half-hourly values at 15 min; minutes of over-voltage follow them."""

    def run(rows: str, **more: Any) -> int:
        (tmp_path / "above.csv").write_text("time,vm_pu\n" + rows)
        grid = {"slack_voltage": {"file": "above.csv"}, "reference_sample": 4, **more}
        scenario = short_scenario(intervals=4, grid=grid)
        (tmp_path / "scenario.yaml").write_text(scenario.to_yaml())
        return main(
            ["run", str(tmp_path / "scenario.yaml"), "--out", str(tmp_path / "res"), "--force"]
        )

    assert run("2016-05-24T11:00,1.0\n2016-05-24T11:30,1.04\n") == 0
    results = Results(tmp_path / "res")
    buses = results.table("buses")
    feeding = int(results.network.ext_grid.bus.iloc[0])
    held = buses[buses["bus"] == feeding]["vm_pu"].to_numpy()
    np.testing.assert_allclose(held, [1.0, 1.0, 1.04, 1.04], rtol=0, atol=1e-12)
    done = verify(tmp_path / "res", parts=("files", "grid"))
    assert [check.name for check in done.checks if not check.passed] == []
    capsys.readouterr()
    for rows, words in (
        ("2016-05-24T11:00,1.0\n2016-05-24T11:15,1.0\n", "the profiles cover"),
        ("2016-05-24T11:00,1.0\n2016-05-24T11:30,104\n", "is 104 pu in interval 2"),
        ("2016-05-24T11:00,1.0\n2016-05-24T11:30,NaN\n", "line 3 is missing"),
    ):
        assert run(rows) == EXIT_USER
        said = capsys.readouterr().err
        assert words in said
        assert "above.csv" in said
        assert "remedy: " in said


def wrong_lines(net: Any) -> None:
    net.line[["r_ohm_per_km", "x_ohm_per_km"]] *= 1.5
    net.trafo[["vk_percent", "vkr_percent"]] *= 1.5


def wrong_tap(net: Any) -> None:
    net.trafo["tap_pos"] -= 1


@pytest.mark.parametrize(
    ("model", "spoil"),
    [({"impedance_factor": 1.5}, wrong_lines), ({"tap_offset": -1}, wrong_tap)],
)
def test_the_dso_checks_schedules_with_its_own_model(
    tmp_path: Path,
    short_scenario: Callable[..., Scenario],
    model: dict[str, Any],
    spoil: Callable[[Any], None],
) -> None:
    """Nominations solved with a network that was spoilt here, deliveries with the network."""
    scenario = short_scenario(intervals=2, grid={"dso_model": model}, dso={"procure": False})
    (tmp_path / "scenario.yaml").write_text(scenario.to_yaml())
    assert main(["run", str(tmp_path / "scenario.yaml"), "--out", str(tmp_path / "res")]) == 0
    results = Results(tmp_path / "res")
    rebuilt = RebuiltPopulation(results)
    assert rebuilt.forecast_q_mvar is not None
    plant, believed = results.network, copy.deepcopy(results.network)
    spoil(believed)
    checks = results.table("grid_checks")
    schedules = results.table("schedules")
    prosumers = results.table("prosumers")
    for interval in (0, 1):
        nominated = schedules[schedules["interval"] == interval]["nominated_wh"].to_numpy()
        own = prosumers[prosumers["interval"] == interval]
        for stage, net, p_mw, q_mvar in (
            ("scheduled", believed, nominated / 250_000, rebuilt.forecast_q_mvar[interval]),
            ("delivered", plant, own["p_inject_mw"], own["q_inject_mvar"]),
        ):
            net.sgen["p_mw"], net.sgen["q_mvar"] = np.asarray(p_mw), np.asarray(q_mvar)
            pp.runpp(net, numba=False, tolerance_mva=1e-9)
            rows = checks[(checks["interval"] == interval) & (checks["stage"] == stage)]
            recorded = rows[rows["element"] == "bus"].set_index("element_idx")["value"]
            expected = net.res_bus.vm_pu.loc[recorded.index]
            np.testing.assert_allclose(recorded, expected, rtol=0, atol=1e-8)
        assert np.abs(believed.res_bus.vm_pu - plant.res_bus.vm_pu).max() > 1e-3
    done = verify(tmp_path / "res", parts=("files", "grid"))
    assert [check.name for check in done.checks if not check.passed] == []


def test_flexibility_bought_with_a_wrong_model_is_verified(
    tmp_path: Path, short_scenario: Callable[..., Scenario]
) -> None:
    """A DSO that takes its transformer for half as stiff buys, and margins are solved again."""
    scenario = short_scenario(intervals=2, grid={"dso_model": {"impedance_factor": 1.5}})
    (tmp_path / "scenario.yaml").write_text(scenario.to_yaml())
    assert main(["run", str(tmp_path / "scenario.yaml"), "--out", str(tmp_path / "res")]) == 0
    assert len(Results(tmp_path / "res").table("margins")) > 0
    done = verify(tmp_path / "res", parts=("grid", "indicators"))
    assert [(c.name, c.mismatches[:2]) for c in done.checks if not c.passed] == []


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"market": {"position": "binding"}},
        {"community_storage": {"capacity_kwh": 60.0, "p_max_kw": 30.0}},
    ],
    ids=["financial", "binding", "shared_battery"],
)
def test_what_the_dso_does_not_meter_is_taken_for_the_mean(
    tmp_path: Path, short_scenario: Callable[..., Scenario], sections: dict[str, Any]
) -> None:
    """Half the points unseen: pandapower solves the first schedule with their mean; verified.

    What the DSO itself leaves unserved where positions bind it knows at every point. A shared
    battery is metered, whatever is drawn, and no part of the mean.
    """
    share = {"dso_model": {"unmetered_share": 0.5}}
    scenario = short_scenario(intervals=3, grid=share, **sections)
    (tmp_path / "scenario.yaml").write_text(scenario.to_yaml())
    assert main(["run", str(tmp_path / "scenario.yaml"), "--out", str(tmp_path / "res")]) == 0
    results = Results(tmp_path / "res")
    schedules, checks = results.table("schedules"), results.table("grid_checks")
    n = schedules["prosumer"].nunique()
    names = schedules["prosumer"][:n].tolist()
    shared = ["community battery"] if "community_storage" in sections else []
    half = drawn_metering(names, 0.5, scenario.seed, shared)
    assert half is not None
    unseen = half.unmetered
    assert unseen.sum() == round((n - len(shared)) / 2)
    seen = ~unseen & ~np.isin(names, shared)
    assert seen.sum() + unseen.sum() + len(shared) == n
    q_mvar = RebuiltPopulation(results).forecast_q_mvar[0].copy()
    wh = schedules[schedules["interval"] == 0]["nominated_wh"].to_numpy().copy()
    wh[unseen], q_mvar[unseen] = round(wh[seen].mean()), q_mvar[seen].mean()
    net = results.network
    net.sgen["p_mw"], net.sgen["q_mvar"] = wh / 250_000, q_mvar
    pp.runpp(net, numba=False, tolerance_mva=1e-9)
    rows = checks[(checks["interval"] == 0) & (checks["stage"] == "scheduled")]
    (loading,) = rows[rows["element"] == "trafo"]["value"]
    assert loading == pytest.approx(float(net.res_trafo.loading_percent.iloc[0]), abs=1e-5)
    done = verify(tmp_path / "res", parts=("files", "grid", "indicators"))
    assert [(c.name, c.mismatches[:2]) for c in done.checks if not c.passed] == []


def test_a_wrong_tap_needs_a_tap(
    controlled_grid: Path,
    tmp_path: Path,
    short_scenario: Callable[..., Scenario],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The only transformer has a controller, which says where its tap is."""
    grid = {"network": str(controlled_grid), "dso_model": {"tap_offset": 2}}
    (tmp_path / "scenario.yaml").write_text(short_scenario(intervals=2, grid=grid).to_yaml())
    out = tmp_path / "res"
    assert main(["run", str(tmp_path / "scenario.yaml"), "--out", str(out)]) == EXIT_USER
    assert "grid.dso_model.tap_offset" in capsys.readouterr().err
    assert not out.exists()


def test_taps_that_wait_are_verified(
    controlled_grid: Path, tmp_path: Path, short_scenario: Callable[..., Scenario]
) -> None:
    """Voltages leave their band at once, and taps stay for a half hour; then they move."""
    grid = {"network": str(controlled_grid), "tap_delay_s": 1800}
    scenario = short_scenario(intervals=5, grid=grid)
    (tmp_path / "scenario.yaml").write_text(scenario.to_yaml())
    assert main(["run", str(tmp_path / "scenario.yaml"), "--out", str(tmp_path / "res")]) == 0
    taps = Results(tmp_path / "res").table("taps").sort_values("interval")["tap_pos"].tolist()
    assert taps[0] == taps[1] != taps[2]
    done = verify(tmp_path / "res", parts=("files", "grid"))
    assert [(c.name, c.mismatches[:2]) for c in done.checks if not c.passed] == []
    (tmp_path / "res" / "scenario.yaml").write_text(
        scenario.replace(grid={"tap_delay_s": 0}).to_yaml()
    )
    assert not verify(tmp_path / "res", parts=("grid",)).passed


def test_minutes_of_over_voltage_turn_on_the_voltage_above(tmp_path: Path) -> None:
    """congested_feeder's first noon at 1.015 pu has 15 minutes of it by the nowcast's schedules."""
    data = load_scenario(SCENARIOS / "congested_feeder.yaml").model_dump(mode="json")
    data["time"]["intervals"] = 48
    data["grid"]["slack_voltage"] = {"vm_pu": 1.015}
    data["prosumers"]["forecast"]["model"] = {"name": "nowcast"}
    file = SCENARIOS / "congested_feeder.yaml"
    run_scenario(Scenario.model_validate(data), file, tmp_path / "res")
    checks = Results(tmp_path / "res").table("grid_checks")
    voltages = checks[(checks["element"] == "bus") & (checks["stage"] == "scheduled")]
    highest = voltages.groupby("interval")["value"].max()
    assert list(highest.index[highest > 1.1]) == [45]
    assert highest[45] == pytest.approx(1.10031, abs=5e-6)


def test_a_drawn_voltage_has_the_moments_that_it_is_given() -> None:
    settings = SlackProcessSettings(mean_pu=1.02, deviation_pu=0.01, autocorrelation=0.8)
    drawn = drawn_voltage(settings, 400_000, 900, np.random.default_rng(0)) - 1.02
    assert drawn.mean() == pytest.approx(0.0, abs=5e-4)
    assert drawn.std() == pytest.approx(0.01, rel=0.02)
    assert np.corrcoef(drawn[:-4], drawn[4:])[0, 1] == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("given", [{}, {"vm_pu": 1.0, "file": "a.csv"}])
def test_one_voltage_is_given(
    given: dict[str, Any], short_scenario: Callable[..., Scenario]
) -> None:
    with pytest.raises(ScenarioError, match="give one of vm_pu, file and process"):
        short_scenario(grid={"slack_voltage": given})
