"""A battery neither makes nor loses energy beyond its efficiencies, and stays within its bounds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.devices.battery import Battery

share = st.floats(0, 1)
efficiency = st.floats(0.5, 1)
step_h = st.sampled_from([1 / 60, 0.25, 1.0])


def power_to_reach_mw(battery: Battery, soc_mwh, target_mwh, step_h):
    """Power that moves the stored energy to a target in one step, whatever the rating. [MW]"""
    stored_mw = (target_mwh - soc_mwh) / step_h
    return np.where(
        stored_mw > 0,
        stored_mw / battery.charge_efficiency,
        stored_mw * battery.discharge_efficiency,
    )


@st.composite
def battery(draw):
    capacity = draw(st.floats(1e-4, 1.0))
    soc_min = capacity * draw(st.floats(0, 0.5))
    return Battery(
        capacity_mwh=np.array([capacity]),
        soc_min_mwh=np.array([soc_min]),
        soc_initial_mwh=np.array([soc_min + draw(share) * (capacity - soc_min)]),
        p_max_mw=np.array([draw(st.floats(1e-4, 1.0))]),
        charge_efficiency=np.array([draw(efficiency)]),
        discharge_efficiency=np.array([draw(efficiency)]),
    )


@settings(deadline=None)
@given(battery(), st.lists(st.floats(-2, 2), min_size=1, max_size=30), step_h)
def test_energy_is_conserved_and_state_of_charge_bounded(batteries, requests, step_h):
    soc = batteries.soc_initial_mwh
    stored = released = 0.0
    for request in requests:
        power = batteries.limit_power_mw(soc, np.array([request]), step_h)
        assert abs(power[0]) <= batteries.p_max_mw[0]
        assert power[0] * request >= 0
        assert abs(power[0]) <= abs(request)
        soc = batteries.next_soc_mwh(soc, power, step_h)
        assert batteries.soc_min_mwh[0] <= soc[0] <= batteries.capacity_mwh[0]
        stored += max(power[0], 0.0) * step_h * batteries.charge_efficiency[0]
        released += max(-power[0], 0.0) * step_h / batteries.discharge_efficiency[0]
    balance = batteries.soc_initial_mwh[0] + stored - released
    np.testing.assert_allclose(soc[0], balance, rtol=1e-9, atol=1e-12)


@settings(deadline=None)
@given(battery(), share, step_h)
def test_limits_are_reached_exactly_and_not_exceeded(batteries, charge, step_h):
    soc = batteries.soc_min_mwh + charge * (batteries.capacity_mwh - batteries.soc_min_mwh)
    up = batteries.charge_limit_mw(soc, step_h)
    full = batteries.next_soc_mwh(soc, up, step_h)
    rated = up[0] >= batteries.p_max_mw[0]
    assert rated or np.isclose(full[0], batteries.capacity_mwh[0], rtol=1e-12)
    down = batteries.discharge_limit_mw(soc, step_h)
    empty = batteries.next_soc_mwh(soc, -down, step_h)
    rated = down[0] >= batteries.p_max_mw[0]
    assert rated or np.isclose(empty[0], batteries.soc_min_mwh[0], rtol=1e-9, atol=1e-15)


@settings(deadline=None)
@given(battery(), share, share, step_h)
def test_planning_is_the_inverse_of_a_step(batteries, first, second, step_h):
    span = batteries.capacity_mwh - batteries.soc_min_mwh
    soc = batteries.soc_min_mwh + first * span
    target = batteries.soc_min_mwh + second * span
    power = power_to_reach_mw(batteries, soc, target, step_h)
    reached = batteries.next_soc_mwh(soc, power, step_h)
    np.testing.assert_allclose(reached, target, rtol=1e-9, atol=1e-15)
