"""Stored energy is worth its next expected use; headroom is kept where it costs nothing."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from cosim.devices.battery import Battery
from cosim.prosumers.day_ahead import DayAhead, expected_mw
from cosim.prosumers.planning import SURE, plan_storages, put_off_charging_mw
from cosim.prosumers.retail_planning import RetailView
from cosim.prosumers.stored_value import first_bounds, stored_value
from cosim.scenario.tariff import Tariff, Tariffs

TARIFF = Tariffs.constant(Tariff(300_000, 80_000))
RETAIL, FEED_IN, WEAR = 300_000.0, 80_000.0, 30_000.0
STEP_H = 1.0


def battery(n: int = 1, **changes: object) -> Battery:
    """Batteries of 10 kWh and 4 kW, of which 1 kWh stays; 90 % and 80 % one way."""

    def full(value: float) -> np.ndarray:
        return np.full(n, value)

    given = {
        "capacity_mwh": full(0.010),
        "soc_min_mwh": full(0.001),
        "soc_initial_mwh": full(0.005),
        "p_max_mw": full(0.004),
        "charge_efficiency": full(0.9),
        "discharge_efficiency": full(0.8),
    }
    return Battery(**given | changes)


def coming(*net_kw: float) -> np.ndarray:
    return np.array(net_kw, dtype=np.float64)[:, None] / 1_000


@pytest.mark.parametrize(
    ("soc_kwh", "net_kw", "empties"),
    [
        (5.0, (3, 3, -9), False),  # 5.4 kWh stored are more than the 5 that have room
        (5.0, (3, 2, -9, -9), True),  # 4.5 are less, and the evening empties it
        (5.0, (9, 9, -9), False),  # no more than the rating is stored
        (5.0, (9, -9, -9), True),
        (1.0, (-1, 9, 9, 9), True),  # it is empty already, and the next interval wants some
        (1.0, (9, 9, 9), False),
        (10.0, (-1, 9), False),  # it is full, but is used before, and then full again
        (10.0, (-9, -9, -9), True),
        (10.0, (1,), False),
        (5.0, (0, 1, -1), False),  # neither in a day
    ],
)
def test_what_the_storage_reaches_first(
    soc_kwh: float, net_kw: tuple[float, ...], empties: bool
) -> None:
    soc = np.array([soc_kwh / 1_000])
    full, empty = first_bounds(battery(), soc, coming(*net_kw), STEP_H)
    assert (empty < full).tolist() == [empties]


def test_value_of_energy_in_a_storage_that_becomes_full() -> None:
    value = stored_value(battery(), np.array([0.005]), coming(4, 4, -9), STEP_H, TARIFF)
    # charged now instead of later: what was charged later is fed in
    assert value.charging_ueur_per_kwh == pytest.approx([-FEED_IN])
    # charged again: 1 / 0.72 kWh less are fed in, and both powers wear
    again = FEED_IN / 0.72 + WEAR * (1 + 1 / 0.72)
    assert value.discharging_ueur_per_kwh == pytest.approx([again])


def test_value_of_energy_in_a_storage_that_becomes_empty() -> None:
    value = stored_value(battery(), np.array([0.005]), coming(1, -9), STEP_H, TARIFF)
    # 0.72 kWh are not bought in the evening, for the wear of both
    assert value.charging_ueur_per_kwh == pytest.approx([WEAR * 1.72 - 0.72 * RETAIL])
    # a kWh that is discharged now is bought then
    assert value.discharging_ueur_per_kwh == pytest.approx([RETAIL])


def test_later_energy_counts_at_the_prices_of_its_time() -> None:
    none = np.zeros(3, dtype=np.int64)
    day = Tariffs(np.array([200_000, 300_000, 400_000]), np.array([10, 20, 30]) * 1_000, none, none)
    evening = stored_value(battery(), np.array([0.005]), coming(0, 0, -9), STEP_H, day)
    assert evening.charging_ueur_per_kwh == pytest.approx([WEAR * 1.72 - 0.72 * 400_000])
    assert evening.discharging_ueur_per_kwh == pytest.approx([400_000])
    noon = stored_value(battery(), np.array([0.005]), coming(4, 4, -9), STEP_H, day)
    assert noon.charging_ueur_per_kwh == pytest.approx([-20_000])
    assert noon.discharging_ueur_per_kwh == pytest.approx([20_000 / 0.72 + WEAR * (1 + 1 / 0.72)])
    # nothing within the day: as if it became full, at the next prices; and past the run's end
    assert stored_value(
        battery(), np.array([0.005]), coming(0, 0, 0), STEP_H, day
    ).charging_ueur_per_kwh == pytest.approx([-10_000])
    assert stored_value(
        battery(), np.array([0.005]), coming(0, 0, -9), STEP_H, day.after(1, 9)
    ).discharging_ueur_per_kwh == pytest.approx([400_000])
    assert day.after(2, 9).retail.tolist() == [400_000]


def test_storages_that_wear_out_are_dearer_than_throttling() -> None:
    worn = battery(wear_ueur_per_kwh=150_000)
    value = stored_value(worn, np.array([0.005]), coming(1, -9), STEP_H, TARIFF)
    assert value.charging_ueur_per_kwh[0] > 0


def test_the_coming_day_is_known_from_the_day_before() -> None:
    # a run of two days of six intervals, from the second of a day on
    net = np.arange(12.0)[:, None]
    ahead = DayAhead.of(net, datetime(2016, 5, 24, 4, 0), 4 * 3600)
    assert (ahead.first_slot, ahead.slots) == (1, 6)
    # of this day to its end; then as this day at the same time, as far as the run has it
    assert ahead.coming_mw(0)[:, 0].tolist() == [1, 2, 3, 4, 0, 0]
    assert ahead.coming_mw(4)[:, 0].tolist() == [0, 0, 1, 2, 3, 4]
    assert ahead.coming_mw(5)[:, 0].tolist() == [6, 7, 8, 9, 10, 5]
    assert ahead.coming_mw(11)[:, 0].tolist() == [0, 0, 0, 0, 0, 11]


def test_no_forecast_of_a_later_day_is_looked_at() -> None:
    net = np.random.default_rng(1).random((24, 2))
    ahead = DayAhead.of(net, datetime(2016, 5, 24), 4 * 3600)
    for k in range(18):
        end = (k // 6 + 1) * 6
        changed = net.copy()
        changed[end:] += 1.0
        other = DayAhead.of(changed, datetime(2016, 5, 24), 4 * 3600)
        np.testing.assert_array_equal(other.coming_mw(k), ahead.coming_mw(k))


def test_what_no_forecast_says_was_reported_before_or_is_nothing() -> None:
    nan = np.nan
    found = expected_mw(np.array([[1.0, nan, nan]]), np.array([[5.0, 2.0, nan]]))
    assert found.tolist() == [[1.0, 2.0, 0.0]]


PRICES = np.array([100.0, 90.0, 100.0, 110.0, 50.0])


def put_off(soc_kwh: float, p_kw: float, *net_kw: float, prices: np.ndarray = PRICES) -> float:
    """How much less is charged now. [kW]"""
    soc, power = np.array([soc_kwh / 1_000]), np.array([p_kw / 1_000])
    found = put_off_charging_mw(battery(), soc, power, STEP_H, prices, coming(*net_kw))
    return float(found[0]) * 1_000


def test_charging_waits_for_surplus_that_is_worth_less() -> None:
    # room for 9 / 0.9 = 10 kWh; the next two intervals and the fourth are no dearer: 12 kW · SURE
    assert put_off(1.0, 3.0, 4, 4, 0, 4) == pytest.approx(3.0 - (10 - 12 * SURE))
    # a full rating is all that each gives; one that is dearer does not count
    assert put_off(1.0, 3.0, 9, 9, 9, 9) == pytest.approx(3.0 - (10 - 12 * SURE))
    assert put_off(1.0, 3.0, 9, 9, 9, 0) == 0.0
    # little room is left: nothing needs to be charged now
    assert put_off(8.0, 3.0, 4, 4, 0, 4) == 3.0
    # what is discharging is left alone
    assert put_off(8.0, -3.0, 4, 4, 0, 4) == 0.0


def test_charging_does_not_wait_until_the_energy_is_needed() -> None:
    # the third interval uses up what is stored: the surplus after it is too late
    assert put_off(5.0, 3.0, 0, -4, 4, 4) == 0.0
    # of 6 kWh it takes 5 through the losses of discharging, so 1 above the least is left
    assert put_off(7.0, 3.0, 0, -4, 0, 4) == pytest.approx(3.0 - (3 / 0.9 - 4 * SURE))


def test_at_the_cheapest_time_all_is_charged() -> None:
    assert put_off(5.0, 3.0, 9, 9, 9, 9, prices=np.array([10.0, 20.0, 20.0, 20.0, 20.0])) == 0.0


def test_only_who_keeps_headroom_waits() -> None:
    net_mw = np.array([0.003])

    def planned(keeps: bool) -> float:
        (plan,) = plan_storages(
            [battery(keeps_headroom=keeps)],
            [np.array([0.008])],
            net_mw,
            STEP_H,
            lambda: PRICES,
            RetailView(RETAIL),
            lambda: coming(4, 4, 4, 4),
        )
        assert plan.firm_p_mw is plan.planned_p_mw
        return float(plan.firm_p_mw[0])

    assert planned(False) == pytest.approx(2.0 / 0.9 / 1_000)
    assert planned(True) == 0.0
