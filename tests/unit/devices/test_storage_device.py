import numpy as np
import pytest

from cosim.devices.battery import Battery, BatterySettings
from cosim.devices.device import Equipment
from cosim.devices.pv import Photovoltaics

STEP_H = 0.25


def power_to_reach_mw(battery: Battery, soc_mwh, target_mwh, step_h):
    """Power that moves the stored energy to a target in one step, whatever the rating. [MW]"""
    stored_mw = (target_mwh - soc_mwh) / step_h
    return np.where(
        stored_mw > 0,
        stored_mw / battery.charge_efficiency,
        stored_mw * battery.discharge_efficiency,
    )


def batteries(n: int = 1) -> Battery:
    """8 kWh, 4 kW, 90 % in, 80 % out, at least 0.8 kWh."""
    return Battery(
        capacity_mwh=np.full(n, 0.008),
        soc_min_mwh=np.full(n, 0.0008),
        soc_initial_mwh=np.full(n, 0.004),
        p_max_mw=np.full(n, 0.004),
        charge_efficiency=np.full(n, 0.9),
        discharge_efficiency=np.full(n, 0.8),
    )


def test_limits_in_the_middle_are_the_rating():
    soc = np.array([0.004])
    assert batteries().charge_limit_mw(soc, STEP_H) == pytest.approx([0.004])
    assert batteries().discharge_limit_mw(soc, STEP_H) == pytest.approx([0.004])


def test_limits_near_the_ends_are_what_fits():
    # room of 0.09 kWh takes 0.1 kWh from the grid: 0.4 kW over a quarter of an hour
    assert batteries().charge_limit_mw(np.array([0.00791]), STEP_H) == pytest.approx([0.0004])
    # 0.1 kWh above the minimum gives 0.08 kWh to the grid: 0.32 kW
    assert batteries().discharge_limit_mw(np.array([0.0009]), STEP_H) == pytest.approx([0.00032])


def test_step_loses_what_the_efficiencies_say():
    soc = np.array([0.004, 0.004, 0.004])
    power = np.array([0.004, -0.004, 0.0])
    reached = batteries(3).next_soc_mwh(soc, power, STEP_H)
    assert reached == pytest.approx([0.004 + 0.0009, 0.004 - 0.00125, 0.004])


def test_power_to_reach_is_the_inverse_of_a_step():
    soc, target = np.array([0.004, 0.004]), np.array([0.0047, 0.0031])
    power = power_to_reach_mw(batteries(2), soc, target, STEP_H)
    assert power[0] > 0 > power[1]
    assert batteries(2).next_soc_mwh(soc, power, STEP_H) == pytest.approx(target)


def test_no_battery_has_no_power():
    none = Battery(*(np.zeros(1) for _ in range(4)), np.full(1, 0.9), np.full(1, 0.9))
    assert none.limit_power_mw(np.zeros(1), np.array([0.004]), STEP_H) == [0.0]
    assert none.limit_power_mw(np.zeros(1), np.array([-0.004]), STEP_H) == [0.0]


def test_round_trip_efficiency():
    assert batteries().round_trip_efficiency == pytest.approx([0.72])


def test_batteries_of_the_network_have_its_sizes_with_and_without_pv():
    n, none = 4, np.zeros((0, 4))
    there = np.array([True, True, False, True])
    pv = Photovoltaics(none, none, np.array([0.01, 0.0, 0.01, 0.0]))
    made = Battery.build(
        Equipment(
            p_mw=none,
            q_mvar=none,
            rated_mw=np.array([0.05, 0.02, 0.0, 0.0]),
            capacity_mwh=np.array([0.2, 0.04, 0.0, 0.01]),
            is_there=there,
            settings=BatterySettings(size="network", p_max_kw=3.0, soc_min=0.1),
            seed=np.random.SeedSequence(1),
            before={"pv": pv},
        )
    )
    assert made.capacity_mwh.tolist() == [0.2, 0.04, 0.0, 0.01]
    assert made.p_max_mw.tolist() == [0.05, 0.02, 0.0, 0.003]
    assert made.soc_min_mwh == pytest.approx([0.02, 0.004, 0.0, 0.001])
    assert len(made.soc_initial_mwh) == n
