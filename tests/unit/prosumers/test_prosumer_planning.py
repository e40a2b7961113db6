from dataclasses import replace

import numpy as np
import pytest

from cosim.devices.battery import Battery
from cosim.prosumers.planning import (
    StoragePlan,
    joint_plan,
    plan_arbitrage,
    plan_deferral,
    plan_self_consumption,
    plan_storages,
)
from cosim.prosumers.potentials import lowering
from cosim.prosumers.price_forecast import PriceForecast, prior_prices
from cosim.prosumers.retail_planning import RetailView

STEP_H = 0.25
#: A day of four prices, cheapest first: quartiles 137 500 and 212 500.
DAY = np.array([100_000.0, 150_000.0, 200_000.0, 250_000.0])


def batteries(n: int) -> Battery:
    return Battery(
        capacity_mwh=np.full(n, 0.008),
        soc_min_mwh=np.zeros(n),
        soc_initial_mwh=np.full(n, 0.004),
        p_max_mw=np.full(n, 0.004),
        charge_efficiency=np.full(n, 1.0),
        discharge_efficiency=np.full(n, 0.9),
    )


def test_self_consumption_stores_surplus_and_covers_deficit():
    net = np.array([0.003, -0.002, 0.010, -0.010])
    plan = plan_self_consumption(batteries(4), np.full(4, 0.004), net, STEP_H, 300_000)
    np.testing.assert_allclose(plan.planned_p_mw, [0.003, -0.002, 0.004, -0.004])
    np.testing.assert_array_equal(plan.firm_p_mw, plan.planned_p_mw)


def plan(order: list[int], net_mw: float, wear: int = 0):
    battery = replace(batteries(1), wear_ueur_per_kwh=wear)
    return plan_arbitrage(battery, np.array([0.004]), np.array([net_mw]), STEP_H, DAY[order])


def test_arbitrage_charges_when_cheap_beyond_the_surplus():
    cheap = plan([0, 1, 2, 3], 0.001)
    assert cheap.firm_p_mw == pytest.approx([0.001])
    assert cheap.planned_p_mw == pytest.approx([0.004])
    assert cheap.buy_below_ueur_per_kwh == pytest.approx([0.9 * 212_500])


def test_arbitrage_discharges_when_dear_beyond_the_deficit():
    dear = plan([3, 0, 1, 2], -0.001)
    assert dear.firm_p_mw == pytest.approx([-0.001])
    assert dear.planned_p_mw == pytest.approx([-0.004])
    assert dear.sell_above_ueur_per_kwh == pytest.approx([137_500 / 0.9])


def test_arbitrage_rests_in_between():
    middle = plan([1, 2, 3, 0], -0.001)
    np.testing.assert_array_equal(middle.planned_p_mw, middle.firm_p_mw)


def test_arbitrage_rests_when_the_spread_does_not_pay_for_wear():
    # buying breaks even below 0.9 * (212 500 - w) - w: 96 250 at w = 50 000, under today's 100 000
    resting = plan([0, 1, 2, 3], 0.001, wear=50_000)
    assert resting.buy_below_ueur_per_kwh == pytest.approx([96_250])
    np.testing.assert_array_equal(resting.planned_p_mw, resting.firm_p_mw)
    still = plan([0, 1, 2, 3], 0.001, wear=48_000)
    assert still.planned_p_mw == pytest.approx([0.004])


def test_a_second_storage_takes_what_the_first_leaves():
    plans = plan_storages(
        (batteries(1), batteries(1)),
        [np.array([0.004])] * 2,
        np.array([0.006]),
        STEP_H,
        lambda: DAY,
        RetailView(300_000),
    )
    assert [plan.firm_p_mw[0] for plan in plans] == pytest.approx([0.004, 0.002])
    assert joint_plan(plans).planned_p_mw == pytest.approx([0.006])


def test_joint_prices_are_the_strictest_of_those_that_trade():
    def trading(planned: list[float], buy: float, sell: float) -> StoragePlan:
        return StoragePlan(np.zeros(3), np.array(planned), np.full(3, buy), np.full(3, sell))

    # both trade, the second one, neither
    first, second = trading([1, 0, 0], 100.0, 300.0), trading([1, 1, 0], 90.0, 310.0)
    joint = joint_plan([first, second])
    np.testing.assert_array_equal(joint.buy_below_ueur_per_kwh, [90.0, 90.0, 100.0])
    np.testing.assert_array_equal(joint.sell_above_ueur_per_kwh, [310.0, 310.0, 300.0])
    np.testing.assert_array_equal(joint.planned_p_mw, [2, 1, 0])


def test_throttling_asks_for_its_cost(tariff):
    for cost in (0, 1_500):
        (found,) = lowering(np.array([0.01]), np.array([cost]), (), tariff, STEP_H)
        assert found.price_ueur_per_kwh == 80_000 + cost
        assert found.price_if_traded_ueur_per_kwh == 300_000 + cost


def test_prior_lies_between_feed_in_and_retail_by_the_balance(tariff):
    prices = prior_prices(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.0, 3.0, 5.0, 0.0]), tariff)
    np.testing.assert_allclose(prices, [300_000, 135_000, 80_000, 300_000])


def test_price_forecast_learns_by_time_of_day():
    forecast = PriceForecast(np.full(20, 300_000.0), step_s=6 * 3600, days=2)
    assert forecast.slots == 4
    forecast.update(1, 100_000)
    assert forecast.expected(5) == 100_000
    assert forecast.expected(4) == 300_000
    forecast.update(5, 200_000)
    assert forecast.expected(9) == 150_000
    forecast.update(9, 220_000)  # the first day is forgotten
    assert forecast.expected(13) == 210_000
    np.testing.assert_array_equal(forecast.coming_day(12), [300_000, 210_000, 300_000, 300_000])
    np.testing.assert_array_equal(forecast.coming_day(17), [210_000, 300_000, 300_000])


def test_price_forecast_can_be_restored():
    forecast = PriceForecast(np.full(20, 300_000.0), step_s=6 * 3600)
    forecast.update(1, 100_000)
    other = PriceForecast(np.full(20, 300_000.0), step_s=6 * 3600)
    other.restore(forecast.state())
    other.update(5, 200_000)
    assert other.expected(9) == 150_000
    assert forecast.expected(9) == 100_000


def waiting(now_to_come: list[float], net_mw: float, wait: int = 2, discomfort: float = 50_000.0):
    return plan_deferral(
        np.array([0.002]),
        np.array([net_mw]),
        np.array(now_to_come, dtype=float),
        wait,
        discomfort,
        300_000,
    )


def test_consumption_waits_for_a_price_that_pays_for_the_discomfort():
    plan = waiting([300_000, 250_000, 200_000], -0.003)
    # worth 0.20 + 0.05 EUR/kWh: bought locally below that, and else put off
    assert plan.buy_below_ueur_per_kwh == pytest.approx([250_000])
    assert plan.planned_p_mw.tolist() == [0.0]
    assert plan.firm_p_mw.tolist() == [-0.002]


@pytest.mark.parametrize(
    ("prices", "net_mw", "held_mw"),
    [
        ([300_000, 250_000, 260_000], -0.003, 0.0),  # 0.25 + 0.05: no cheaper than the supplier
        ([300_000, 300_000, 300_000, 100_000], -0.003, 0.0),  # cheap only after the wait
        ([300_000], -0.003, 0.0),  # the run ends: nothing is put off beyond it
        ([300_000, 100_000], -0.001, 0.001),  # no more than what is bought
        ([300_000, 100_000], 0.001, 0.0),  # who feeds in has no reason to wait
    ],
)
def test_consumption_that_does_not_wait(prices, net_mw, held_mw):
    assert waiting(prices, net_mw).firm_p_mw == pytest.approx([-held_mw])
