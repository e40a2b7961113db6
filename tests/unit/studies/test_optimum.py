"""The central optimum: cases known by hand, AC check and gap, and played runs that it bounds."""

from __future__ import annotations

import copy
import shutil
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandapower
import pandas as pd
import pytest

from cosim.devices.battery import BatterySettings
from cosim.devices.deferral import DeferralSettings
from cosim.errors import UserError
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.limits import Limits
from cosim.grid.reading import read_network
from cosim.grid.tap_control import add_controllers
from cosim.prosumers.elements import Element
from cosim.prosumers.population import build_population
from cosim.resources import folder
from cosim.scenario import Scenario
from cosim.scenario.prosumers import ProsumerSettings
from cosim.studies.declaration import AS_GIVEN, StudyRun
from cosim.studies.optimum import Optimum, central_optimum, optimise
from cosim.studies.optimum_plant import TOLERANCE_PERCENT, Plant, injections
from cosim.studies.optimum_programme import Programme
from cosim.studies.yardstick import Measured, measure

HOUR_S = 3_600
FOREIGN = {"name": "Theirs", "python": "theirs:Simulator", "model": "Grid", "replaces": "grid"}


def line(limit_kw: float) -> Any:
    """One connection point behind a line that loses nothing to speak of and carries so much."""
    net = pandapower.create_empty_network()
    for name in ("upstream", "home"):
        pandapower.create_bus(net, 0.4, name=name)
    pandapower.create_ext_grid(net, 0)
    pandapower.create_line_from_parameters(
        net, 0, 1, 0.01, r_ohm_per_km=1e-3, x_ohm_per_km=1e-3, c_nf_per_km=0.0,
        max_i_ka=limit_kw / (sqrt(3) * 400.0),
    )  # fmt: skip
    pandapower.create_sgen(net, 1, 0.0)
    return net


def solved(
    limit_kw: float,
    wholesale: float | list[float],
    profiles: dict[str, list[float]],
    elements: tuple[Element, ...],
    capacity_kwh: float = 5.0,
    efficiency: float = 1.0,
    voll: float = 10.0,
    soc_end: float | None = None,
) -> tuple[Optimum, Programme]:
    settings = ProsumerSettings(
        battery=BatterySettings(
            share_of_pv_owners=1.0, capacity_kwh=capacity_kwh, p_max_kw=10.0, soc_initial=0.0,
            soc_min=0.0, charge_efficiency=efficiency, discharge_efficiency=efficiency,
            soc_end=soc_end,
        ),
        deferral=DeferralSettings(share_of_power=0.5, energy_max_kwh=4.0),
    )  # fmt: skip
    population = build_population(
        elements,
        ("home",),
        settings,
        {name: np.array(values) for name, values in profiles.items()},
        HOUR_S,
        np.random.SeedSequence(1),
    )
    prices = np.broadcast_to(wholesale, len(next(iter(profiles.values())))).astype(float)
    programme = Programme(population, prices, voll, 1.0)
    plant = Plant(FixedPointEngine(line(limit_kw)), Limits(), *injections(population))
    return optimise(programme, plant, prices, 1.0, 12), programme


PV_AND_LOAD = (
    Element("home", "load", "load", 0.004, 0.0),
    Element("home", "pv", "sun", 0.010, 0.0),
)
SUN_THEN_LOAD = {"load_p": [0.0, 1.0], "load_q": [0.0, 0.0], "sun_p": [1.0, 0.0]}


def test_what_the_line_cannot_carry_is_stored_where_that_pays() -> None:
    # 6 kW leave at 0.10 EUR/kWh, 4 kWh are stored and serve the load: 0.03 of wear each way
    found, _ = solved(6.0, 0.10, SUN_THEN_LOAD, PV_AND_LOAD)
    assert found.cost_eur == pytest.approx(-0.6 + 4 * 0.06, abs=1e-3)
    assert found.within_limits
    assert found.gap_eur <= 1e-4
    assert found.p_inject_mw[:, 0] == pytest.approx([0.006, 0.0], abs=1e-5)
    assert found.stocks_kwh[0][:, 0] == pytest.approx([4.0, 0.0], abs=1e-2)


def test_it_is_throttled_where_wear_costs_more_than_energy() -> None:
    found, _ = solved(6.0, 0.05, SUN_THEN_LOAD, PV_AND_LOAD)
    assert found.cost_eur == pytest.approx(-0.3 + 0.2, abs=1e-3)
    assert found.stocks_kwh[0].max() == pytest.approx(0.0, abs=1e-6)


def test_efficiencies_cost_what_they_lose() -> None:
    # of 4 kWh at the bus 3.2 are stored and 2.56 come back
    found, _ = solved(6.0, 0.10, SUN_THEN_LOAD, PV_AND_LOAD, efficiency=0.8)
    served = 4 * 0.64
    expected = -0.6 + (4 - served) * 0.10 + (4 + served) * 0.03
    assert found.cost_eur == pytest.approx(expected, abs=1e-3)


def test_without_a_limit_nothing_is_done() -> None:
    found, _ = solved(100.0, 0.10, SUN_THEN_LOAD, PV_AND_LOAD)
    assert found.cost_eur == pytest.approx(-1.0 + 0.4, abs=1e-3)
    assert found.p_inject_mw[:, 0] == pytest.approx([0.010, -0.004], abs=1e-9)


def test_energy_is_kept_for_a_dearer_hour() -> None:
    # 5 of 10 kWh are stored at 0.05 and serve the load of 4 at 0.20 EUR/kWh, 1 is sold then
    found, _ = solved(100.0, [0.05, 0.20], SUN_THEN_LOAD, PV_AND_LOAD)
    assert found.cost_eur == pytest.approx(-5 * 0.05 - 1 * 0.20 + 10 * 0.03, abs=1e-3)
    assert found.p_inject_mw[:, 0] == pytest.approx([0.005, 0.001], abs=1e-5)


def test_a_wanted_end_is_kept_and_closed_like_a_run() -> None:
    # 3 of 5 kWh stay: sold at the mean price less their wear, as any that is left over
    found, _ = solved(100.0, [0.05, 0.20], SUN_THEN_LOAD, PV_AND_LOAD, soc_end=0.6)
    assert found.stocks_kwh[0][-1] == pytest.approx([3.0], abs=1e-6)
    assert found.missed_kwh == pytest.approx(0.0, abs=1e-6)
    expected = -5 * 0.05 + 2 * 0.20 + (5 + 2) * 0.03 - 3 * (0.125 - 0.03)
    assert found.cost_eur == pytest.approx(expected, abs=1e-3)
    assert found.gap_eur < 1e-3


@pytest.mark.parametrize(("share", "missed_kwh"), [(0.02, 0.0), (1.0, 50 - 2 * 10 * 0.8)])
def test_an_end_beyond_the_rating_is_missed_by_what_it_lacks(
    share: float, missed_kwh: float
) -> None:
    """Two hours at 10 kW and an efficiency of 0.8; costs count no weight for what is missed."""
    found, _ = solved(
        100.0, 0.10, SUN_THEN_LOAD, PV_AND_LOAD, capacity_kwh=50.0, efficiency=0.8, soc_end=share
    )
    stored_kwh = 50 * share - missed_kwh
    assert found.missed_kwh == pytest.approx(missed_kwh, abs=1e-6)
    assert found.stocks_kwh[0][-1] == pytest.approx([stored_kwh], abs=1e-6)
    charged_kwh = stored_kwh / 0.8
    expected = (4 - 10 + charged_kwh) * 0.10 + charged_kwh * 0.03 - stored_kwh * 0.8 * 0.07
    assert found.cost_eur == pytest.approx(expected, abs=1e-3)


def test_no_consumption_is_cut_for_a_wanted_end() -> None:
    """The line carries the load and nothing more."""
    elements = (*PV_AND_LOAD[:1], Element("home", "pv", "dark", 0.010, 0.0))
    profiles = {"load_p": [1.0, 1.0], "load_q": [0.0, 0.0], "dark_p": [0.0, 0.0]}
    found, _ = solved(4.0, 0.10, profiles, elements, soc_end=0.6)
    assert found.p_inject_mw[:, 0] == pytest.approx([-0.004, -0.004], abs=2e-6)
    assert found.missed_kwh == pytest.approx(3.0, abs=2e-3)
    assert found.within_limits


def test_negative_prices_are_refused() -> None:
    prices = {"wholesale_eur_per_kwh": {"eur_per_kwh": [0.05, -0.01]}}
    with pytest.raises(UserError, match="is negative in interval 1") as caught:
        central_optimum(scenario(valuation=prices))
    assert caught.value.field == "valuation.wholesale_eur_per_kwh"


def test_what_cannot_be_served_is_cut_at_the_value_of_lost_load() -> None:
    elements = (Element("home", "load", "load", 0.004, 0.0),)
    found, _ = solved(3.0, 0.10, {"load_p": [1.0, 0.5], "load_q": [0.0, 0.0]}, elements)
    assert found.cost_eur == pytest.approx(1 * 10.0 + 5 * 0.10, abs=2e-2)
    assert found.within_limits


def test_consumption_is_put_off_before_it_is_cut() -> None:
    # half of 4 kW may wait; the second hour has room to catch up 1 kWh
    elements = (Element("home", "heat_pump", "heat", 0.004, 0.0),)
    found, _ = solved(3.0, 0.10, {"heat_p": [1.0, 0.25], "heat_q": [0.0, 0.0]}, elements)
    assert found.cost_eur == pytest.approx(5 * 0.10 + 1 * 0.05, abs=1e-3)
    assert found.p_inject_mw[:, 0] == pytest.approx([-0.003, -0.002], abs=1e-5)


def test_what_cannot_wait_of_a_heat_pump_is_cut() -> None:
    # of 4 kW 1 kW is served, half waits (and is owed at the end), the rest is lost
    elements = (Element("home", "heat_pump", "heat", 0.004, 0.0),)
    found, _ = solved(1.0, 0.10, {"heat_p": [1.0], "heat_q": [0.0]}, elements)
    assert found.within_limits
    assert found.cost_eur == pytest.approx(1 * 0.10 + 2 * (0.05 + 0.10) + 1 * 10.0, abs=2e-2)


def test_a_limit_that_cannot_be_kept_is_said_to_be_exceeded() -> None:
    # reactive power alone, of which nothing can be cut
    elements = (Element("home", "load", "load", 0.004, 0.002),)
    found, _ = solved(1.0, 0.10, {"load_p": [0.0], "load_q": [1.0]}, elements)
    assert not found.within_limits
    assert found.excess_percent == pytest.approx(100.0, abs=0.1)


def scenario(**changes: Any) -> Scenario:
    fields: dict[str, Any] = {
        "name": "noon",
        "seed": 20160524,
        "time": {"start": "2016-05-24T11:00:00", "intervals": 2},
        "grid": {"network": "1-LV-rural1--1-sw", "reference_sample": 1},
    }
    return Scenario(**fields | changes)


def test_the_network_is_used_up_to_its_limit_by_ac() -> None:
    found = central_optimum(scenario())
    assert found.within_limits
    assert 0 <= found.gap_eur < 0.01
    # the transformer of 160 kVA is the limit: import is its rating, less reactive power
    assert -80.0 < found.import_kwh < -75.0
    again = central_optimum(scenario())
    assert again.cost_eur == found.cost_eur
    assert np.array_equal(again.p_inject_mw, found.p_inject_mw)


def test_devices_of_others_are_refused() -> None:
    joined = scenario(simulators=[FOREIGN])
    with pytest.raises(UserError) as caught:
        central_optimum(joined)
    assert caught.value.field == "simulators"


def test_a_run_is_measured_in_words_and_numbers() -> None:
    run = StudyRun(AS_GIVEN, AS_GIVEN, {}, scenario())
    own = {"welfare_eur": 4.0, "imported_kwh": -60.0, "violations.delivered.any.minutes": 15.0}
    (one,) = measure([run], {AS_GIVEN: own})
    assert isinstance(one, Measured)
    assert f"{one.welfare_eur:.2f}" in one.sentence()
    assert "violates limits in 15" in one.sentence()
    welfare, imported = one.differences()
    assert welfare.difference == pytest.approx(4.0 - one.welfare_eur)
    assert imported.difference == pytest.approx(-60.0 - one.imported_kwh)
    assert measure([run], {}) == ()


def test_taps_follow_their_controllers_in_the_optimum(tmp_path: Path) -> None:
    """pandapower's own controllers, interval by interval, give its taps, import and limits.

    The voltage above falls, so that the controller moves; the first position is the file's.
    """
    grid = tmp_path / "controlled"
    shutil.copytree(folder("grids") / "1-LV-rural1--1-sw", grid)
    net = read_network(grid / "network.json")
    net.trafo[["tap_min", "tap_max", "tap_step_percent"]] = [-8, 8, 1.0]
    net["tap_control"] = pd.DataFrame(
        {"trafo": net.trafo.index, "side": "lv", "vm_lower_pu": 0.995, "vm_upper_pu": 1.015}
    )
    pandapower.to_json(net, str(grid / "network.json"))
    times = pd.date_range("2016-05-24T11:00", periods=3, freq="15min")
    vm_pu = [1.0, 0.97, 0.94]
    pd.DataFrame({"time": times, "vm_pu": vm_pu}).to_csv(tmp_path / "above.csv", index=False)
    fields: dict[str, Any] = scenario().model_dump(mode="json", exclude_unset=True)
    fields["time"]["intervals"] = 3
    fields["grid"] |= {"network": "controlled", "slack_voltage": {"file": "above.csv"}}
    found = central_optimum(Scenario.of(fields, tmp_path / "scenario.yaml"))
    assert found.within_limits
    assert found.gap_eur < 0.01
    assert len(set(found.tap_pos[:, 0].tolist())) > 1
    import_mw, controlled = 0.0, copy.deepcopy(net)
    add_controllers(controlled)
    for t, vm in enumerate(vm_pu):
        controlled.ext_grid["vm_pu"] = vm
        controlled.sgen["p_mw"], controlled.sgen["q_mvar"] = (
            found.p_inject_mw[t], found.q_inject_mvar[t]
        )  # fmt: skip
        pandapower.runpp(controlled, run_control=True, numba=False, tolerance_mva=1e-9)
        assert controlled.trafo.tap_pos.iloc[0] == found.tap_pos[t, 0]
        assert controlled.res_trafo.loading_percent.max() <= 100.0 + TOLERANCE_PERCENT
        import_mw += float(controlled.res_ext_grid.p_mw.iloc[0])
    assert import_mw * 250.0 == pytest.approx(found.import_kwh, abs=1e-4)


def test_the_slack_voltage_is_that_of_each_interval(tmp_path: Path) -> None:
    """The transformer carries so much current: 5 % more voltage takes 5 % more energy out."""
    (tmp_path / "above.csv").write_text("time,vm_pu\n2016-05-24T11:00,1.0\n2016-05-24T11:15,1.05\n")
    fields = scenario().model_dump(mode="json", exclude_unset=True)
    fields["grid"]["slack_voltage"] = {"file": "above.csv"}
    found = central_optimum(Scenario.of(fields, tmp_path / "scenario.yaml"))
    assert found.within_limits
    low, high = (
        central_optimum(scenario(grid=fields["grid"] | {"slack_voltage": {"vm_pu": vm_pu}}))
        for vm_pu in (1.0, 1.05)
    )
    out_mw = found.p_inject_mw.sum(axis=1)
    expected = [low.p_inject_mw[0].sum(), high.p_inject_mw[1].sum()]
    assert out_mw == pytest.approx(expected, rel=5e-4)
    assert out_mw[1] / out_mw[0] == pytest.approx(1.05, rel=2e-3)
    assert found.import_kwh == pytest.approx((low.import_kwh + high.import_kwh) / 2, rel=5e-4)
