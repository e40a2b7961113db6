import numpy as np
import pytest

from cosim.devices.delivery import Devices

CONSUMER, PV_OWNER, BATTERY_OWNER, HEAT_PUMP_OWNER, EMPTY = range(5)
N = 5
STEP_H = 0.25


@pytest.fixture
def devices(population) -> Devices:
    return Devices(population)


def at(prosumer: int, value: int) -> np.ndarray:
    """A dispatch for one prosumer only. [Wh]"""
    dispatch = np.zeros(N, dtype=np.int64)
    dispatch[prosumer] = value
    return dispatch


NOTHING = np.zeros(N, dtype=np.int64)


def test_without_battery_or_activation_nature_takes_its_course(devices):
    delivery = devices.deliver(1, at(PV_OWNER, 100) + at(CONSUMER, -3), NOTHING, NOTHING)
    assert delivery.metered_wh[[CONSUMER, PV_OWNER, HEAT_PUMP_OWNER]].tolist() == [
        -1000,
        750,
        -1625,
    ]
    assert not delivery.parts["pv_curtailed_p_mw"].any()
    assert not delivery.owed_mwh.any()
    assert not delivery.parts["shed_p_mw"].any()
    assert delivery.q_inject_mvar == pytest.approx([-0.0004, 0, 0, -0.001, 0])


def test_battery_absorbs_the_forecast_error(devices):
    # natural net injection is 250 Wh, 300 Wh are nominated: 50 Wh are discharged
    delivery = devices.deliver(1, at(BATTERY_OWNER, 300), NOTHING, NOTHING)
    assert delivery.metered_wh[BATTERY_OWNER] == 300
    assert delivery.parts["battery_p_mw"][BATTERY_OWNER] == pytest.approx(-0.0002)
    assert devices.soc_mwh[BATTERY_OWNER] == pytest.approx(0.004 - 0.00005 / 0.8)


def test_battery_stops_at_its_rating(devices):
    delivery = devices.deliver(1, at(BATTERY_OWNER, -5000), NOTHING, NOTHING)
    assert delivery.parts["battery_p_mw"][BATTERY_OWNER] == pytest.approx(0.004)
    assert delivery.metered_wh[BATTERY_OWNER] == 250 - 1000
    assert delivery.parts["pv_curtailed_p_mw"][BATTERY_OWNER] == 0


def test_activation_downwards_charges_first_and_throttles_then(devices):
    nominated, activated = at(BATTERY_OWNER, 250), at(BATTERY_OWNER, -1100)
    delivery = devices.deliver(1, nominated, activated, NOTHING)
    assert delivery.metered_wh[BATTERY_OWNER] == -850
    assert delivery.parts["battery_p_mw"][BATTERY_OWNER] == pytest.approx(0.004)
    assert delivery.parts["pv_curtailed_p_mw"][BATTERY_OWNER] == pytest.approx(0.0004)


def test_activation_downwards_caps_pv_beyond_the_forecast(devices):
    # 600 Wh nominated, 100 Wh sold down; PV would make it 750
    delivery = devices.deliver(1, at(PV_OWNER, 600), at(PV_OWNER, -100), NOTHING)
    assert delivery.metered_wh[PV_OWNER] == 500
    assert delivery.parts["pv_curtailed_p_mw"][PV_OWNER] == pytest.approx(0.001)


def test_curtailment_throttles_pv_to_nothing_at_most(devices):
    delivery = devices.deliver(1, at(PV_OWNER, 750), NOTHING, at(PV_OWNER, 5000))
    assert delivery.parts["pv_p_mw"][PV_OWNER] == 0
    assert delivery.metered_wh[PV_OWNER] == -500


def test_activation_upwards_puts_off_consumption(devices):
    delivery = devices.deliver(1, at(HEAT_PUMP_OWNER, -1625), at(HEAT_PUMP_OWNER, 450), NOTHING)
    assert delivery.metered_wh[HEAT_PUMP_OWNER] == -1175
    assert devices.owed_mwh[HEAT_PUMP_OWNER] == pytest.approx(0.00045)
    # in proportion to power: 2 kW of EV and 2.5 kW of heat pump lose 1.8 kW together
    assert delivery.parts["ev_p_mw"][HEAT_PUMP_OWNER] == pytest.approx(0.0012)
    assert delivery.parts["heat_pump_p_mw"][HEAT_PUMP_OWNER] == pytest.approx(0.0015)
    assert delivery.q_inject_mvar[HEAT_PUMP_OWNER] == pytest.approx(-0.001 * 0.6)


def test_no_more_than_the_share_is_put_off_and_nothing_is_shed(devices):
    delivery = devices.deliver(1, at(HEAT_PUMP_OWNER, -1625), at(HEAT_PUMP_OWNER, 1600), NOTHING)
    assert delivery.owed_mwh[HEAT_PUMP_OWNER] == pytest.approx(0.00225 * STEP_H)
    assert delivery.parts["shed_p_mw"][HEAT_PUMP_OWNER] == 0


def test_owed_consumption_is_caught_up_by_itself(devices):
    devices.owed_mwh = np.array([0, 0, 0, 0.0009, 0])
    delivery = devices.deliver(1, NOTHING, NOTHING, NOTHING)
    consumed = sum(delivery.parts[part][HEAT_PUMP_OWNER] for part in ("ev_p_mw", "heat_pump_p_mw"))
    assert consumed - 0.0045 == pytest.approx(0.0036)
    assert devices.owed_mwh[HEAT_PUMP_OWNER] == pytest.approx(0.0)
    # by headroom: 8 kW of the EV charger, 2.5 kW of the heat pump
    assert delivery.parts["ev_p_mw"][HEAT_PUMP_OWNER] == pytest.approx(0.002 + 0.0036 * 8 / 10.5)
    assert delivery.parts["heat_pump_p_mw"][HEAT_PUMP_OWNER] == pytest.approx(
        0.0025 + 0.0036 * 2.5 / 10.5
    )


def test_catching_up_stops_at_the_rating_and_waits_when_activated(devices):
    devices.owed_mwh = np.array([0, 0, 0, 0.01, 0])
    devices.deliver(1, NOTHING, NOTHING, NOTHING)
    # 15 kW less 4.5 kW for a quarter of an hour
    assert devices.owed_mwh[HEAT_PUMP_OWNER] == pytest.approx(0.01 - 0.002625)
    before = devices.owed_mwh.copy()
    devices.deliver(1, NOTHING, at(HEAT_PUMP_OWNER, 1), NOTHING)
    np.testing.assert_array_equal(devices.owed_mwh, before)


def test_cut_consumption_is_put_off_then_shed_flexible_first(devices):
    delivery = devices.deliver(1, at(HEAT_PUMP_OWNER, -1625), NOTHING, at(HEAT_PUMP_OWNER, -1325))
    assert delivery.metered_wh[HEAT_PUMP_OWNER] == -300
    assert delivery.owed_mwh[HEAT_PUMP_OWNER] == pytest.approx(0.00225 * STEP_H)
    # 5.3 kW are cut: 2.25 put off, 2.25 of the devices and 0.8 of the load are lost
    assert delivery.parts["shed_p_mw"][HEAT_PUMP_OWNER] == pytest.approx(0.00305)
    assert delivery.parts["load_p_mw"][HEAT_PUMP_OWNER] == pytest.approx(0.0012)
    assert delivery.parts["ev_p_mw"][HEAT_PUMP_OWNER] == pytest.approx(0.0)
    assert devices.owed_mwh[HEAT_PUMP_OWNER] == pytest.approx(0.0005625)


def test_reactive_power_of_shed_load_is_gone(devices):
    delivery = devices.deliver(1, at(CONSUMER, -1000), NOTHING, at(CONSUMER, -250))
    assert delivery.q_inject_mvar[CONSUMER] == pytest.approx(-0.0003)


def test_external_power_replaces_resting_devices(devices):
    external = np.array([np.nan, 0.002, -0.001, -0.003, np.nan])
    owed = devices.owed_mwh = np.array([0, 0, 0, 0.0005, 0])
    soc = devices.soc_mwh.copy()
    delivery = devices.deliver(1, at(BATTERY_OWNER, 500), NOTHING, NOTHING, external)
    assert delivery.metered_wh.tolist() == [-1000, 500, -250, -750, 0]
    assert delivery.parts["pv_p_mw"][PV_OWNER] == 0.002
    assert delivery.parts["load_p_mw"][HEAT_PUMP_OWNER] == 0.003
    assert delivery.q_inject_mvar[HEAT_PUMP_OWNER] == 0
    np.testing.assert_array_equal(devices.soc_mwh, soc)
    np.testing.assert_array_equal(devices.owed_mwh, owed)
    np.testing.assert_array_equal(delivery.external_p_mw, external)


def test_state_can_be_restored(population):
    first, second = Devices(population), Devices(population)
    dispatch = at(BATTERY_OWNER, 800) + at(HEAT_PUMP_OWNER, -1625)
    first.deliver(1, dispatch, at(HEAT_PUMP_OWNER, 400), NOTHING)
    second.restore(first.state())
    owed = first.owed_mwh[HEAT_PUMP_OWNER]
    expected = first.deliver(2, dispatch, NOTHING, NOTHING)
    actual = second.deliver(2, dispatch, NOTHING, NOTHING)
    assert expected.owed_mwh[HEAT_PUMP_OWNER] < owed
    np.testing.assert_array_equal(actual.p_inject_mw, expected.p_inject_mw)
    np.testing.assert_array_equal(actual.soc_mwh, expected.soc_mwh)


def test_what_is_not_sold_is_stored_or_not_generated(devices):
    unserved = at(PV_OWNER, 500) + at(BATTERY_OWNER, 1100)
    nominated = at(PV_OWNER, 700) + at(BATTERY_OWNER, 250)
    delivery = devices.deliver(1, nominated, NOTHING, NOTHING, unserved_wh=unserved)
    # PV would make 750 Wh: the position is a cap, also beyond the forecast
    assert delivery.metered_wh[[PV_OWNER, BATTERY_OWNER]].tolist() == [200, -850]
    assert delivery.parts["battery_p_mw"][BATTERY_OWNER] == pytest.approx(0.004)


def test_what_is_not_bought_waits_and_is_never_shed(devices):
    unserved = at(HEAT_PUMP_OWNER, -5000) + at(CONSUMER, -5000)
    nominated = at(HEAT_PUMP_OWNER, -1625) + at(CONSUMER, -1000)
    delivery = devices.deliver(1, nominated, NOTHING, NOTHING, unserved_wh=unserved)
    assert not delivery.parts["shed_p_mw"].any()
    assert delivery.metered_wh[CONSUMER] == -1000
    waited_wh = delivery.metered_wh[HEAT_PUMP_OWNER] + 1625
    assert waited_wh > 0
    assert delivery.owed_mwh[HEAT_PUMP_OWNER] == pytest.approx(waited_wh / 1e6, abs=1e-6)
