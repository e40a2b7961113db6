"""Plans by the supplier's prices: charge when cheap, keep for dear hours, wait for cheaper ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cosim.devices.battery import Battery
from cosim.prosumers.planning import plan_arbitrage, plan_deferral
from cosim.prosumers.price_forecast import PriceForecast, prior_prices
from cosim.prosumers.retail_planning import RetailView, firm_power_mw, retail_view
from cosim.prosumers.strategies import BidContext, StrategySetup, Truthful, ZeroIntelligence
from cosim.scenario.tariff import Tariff, Tariffs

H = 0.25
CHEAP, MIDDLE, DEAR = 150_000.0, 250_000.0, 400_000.0


def battery(stored: float = 0.004, n: int = 1, wear: int = 0) -> tuple[Battery, np.ndarray]:
    """Of 8 kWh and 4 kW, with losses of a tenth."""
    made = Battery(
        capacity_mwh=np.full(n, 0.008),
        soc_min_mwh=np.zeros(n),
        soc_initial_mwh=np.full(n, stored),
        p_max_mw=np.full(n, 0.004),
        charge_efficiency=np.full(n, 1.0),
        discharge_efficiency=np.full(n, 0.9),
        wear_ueur_per_kwh=wear,
    )
    return made, np.full(n, stored)


def firm(ahead: list[float], net_mw: float, stored: float = 0.004, wear: int = 0) -> float:
    made, soc = battery(stored, wear=wear)
    return float(firm_power_mw(made, soc, np.array([net_mw]), H, np.array(ahead))[0])


def test_it_charges_from_the_supplier_when_that_is_cheap() -> None:
    assert firm([CHEAP, *[MIDDLE] * 8, *[DEAR] * 4], -0.001) == pytest.approx(0.004)
    # full, there is nothing to charge; the deficit is still kept for later
    assert firm([CHEAP, *[MIDDLE] * 8, *[DEAR] * 4], -0.001, stored=0.008) == 0.0


def test_it_waits_for_intervals_that_are_cheaper_still() -> None:
    """4 kWh are missing, four intervals of 1 kWh: the fifth cheapest is not needed."""
    rising = [CHEAP + k for k in range(5)]
    assert firm([rising[4], *rising[:4], DEAR], -0.001) == 0.0
    assert firm([rising[3], *rising[:3], rising[4], DEAR], -0.001) == pytest.approx(0.004)


def test_it_does_not_charge_where_losses_and_wear_eat_the_gain() -> None:
    # 0.9 * 0.25 - 0.15 = 0.075 EUR/kWh are left for wear, which comes twice: 0.9 w + w
    ahead = [CHEAP, *[MIDDLE] * 5]
    assert firm(ahead, -0.001, wear=39_000) == pytest.approx(0.004)
    assert firm(ahead, -0.001, wear=40_000) == 0.0


def test_what_is_stored_is_kept_for_the_dearest_intervals() -> None:
    """1 kWh lasts four intervals of 0.25 kWh, less losses; there are four dear ones ahead."""
    ahead = [MIDDLE, *[CHEAP] * 8, *[DEAR] * 4]
    assert firm(ahead, -0.001, stored=0.001) == 0.0
    assert firm([DEAR, *[CHEAP] * 8, *[DEAR] * 3], -0.001, stored=0.001) == pytest.approx(-0.001)
    # 2 kWh last for eight, so that middle prices are served as well
    assert firm(ahead, -0.001, stored=0.002) == pytest.approx(-0.001)


def test_a_surplus_is_stored_at_any_price() -> None:
    for now in (CHEAP, MIDDLE, DEAR):
        assert firm([now, CHEAP, DEAR], 0.002, stored=0.0) >= 0.002


def test_fixed_prices_change_nothing() -> None:
    made, soc = battery()
    ahead, net = np.array([CHEAP, MIDDLE, DEAR, DEAR]), np.array([-0.001])
    fixed = plan_arbitrage(made, soc, net, H, ahead)
    same = plan_arbitrage(made, soc, net, H, ahead, RetailView(300_000))
    np.testing.assert_array_equal(fixed.firm_p_mw, same.firm_p_mw)
    np.testing.assert_array_equal(fixed.buy_below_ueur_per_kwh, same.buy_below_ueur_per_kwh)
    np.testing.assert_array_equal(firm([MIDDLE] * 5, -0.001), [-0.001])


def test_arbitrage_pays_less_where_purchases_are_charged() -> None:
    made, soc = battery()
    ahead, net = np.array([CHEAP, MIDDLE, DEAR, DEAR]), np.array([-0.001])
    plain, charged = (
        plan_arbitrage(made, soc, net, H, ahead, RetailView(300_000, charge))
        for charge in (0.0, 50_000.0)
    )
    gap = plain.buy_below_ueur_per_kwh - charged.buy_below_ueur_per_kwh
    np.testing.assert_allclose(gap, 50_000)
    np.testing.assert_array_equal(plain.sell_above_ueur_per_kwh, charged.sell_above_ueur_per_kwh)


def test_consumption_waits_for_a_cheaper_tariff() -> None:
    put_off, net = np.array([0.002]), np.array([-0.003])
    waits = plan_deferral(put_off, net, np.array([DEAR, CHEAP]), 4, 50_000, DEAR, 60_000)
    np.testing.assert_allclose(waits.firm_p_mw, [-0.002])
    # worth the cheaper energy and the discomfort, less what the purchase is charged
    np.testing.assert_allclose(waits.buy_below_ueur_per_kwh, [CHEAP + 50_000 - 60_000])
    stays = plan_deferral(put_off, net, np.array([CHEAP, DEAR]), 4, 50_000, CHEAP, 60_000)
    np.testing.assert_allclose(stays.firm_p_mw, [0.0])
    np.testing.assert_allclose(stays.buy_below_ueur_per_kwh, [CHEAP - 60_000])


def changing() -> Tariffs:
    """Four slots a day, twice: cheap, middle, dear, middle; network charge half paid locally."""
    day = [CHEAP, MIDDLE, DEAR, MIDDLE]
    retail = np.array(day * 2, dtype=np.int64)
    return Tariffs(
        retail,
        np.full(8, 50_000),
        np.full(8, 40_000),
        np.zeros(8, dtype=np.int64),
        local_network_ppm=500_000,
    )


def test_the_view_holds_prices_and_charges_of_the_coming_day() -> None:
    view = retail_view(changing(), 5, 4)
    assert (view.now_ueur_per_kwh, view.local_charge_ueur_per_kwh) == (MIDDLE, 20_000)
    assert view.local_limit_ueur_per_kwh == 230_000
    assert view.ahead_ueur_per_kwh is not None
    assert view.ahead_ueur_per_kwh.tolist() == [MIDDLE, DEAR, MIDDLE]  # the run ends
    assert view.cost_ahead(np.array([1.0, 2.0, 3.0])).tolist() == [20_001, 20_002, 20_003]
    fixed = retail_view(Tariffs.constant(Tariff(300_000, 80_000)), 5, 4)
    assert (fixed.ahead_ueur_per_kwh, fixed.charge_ahead_ueur_per_kwh) == (None, None)


def test_the_forecast_remembers_the_place_between_the_prices() -> None:
    """A quarter of the way from feed-in to the local limit; other days have other limits."""
    tariffs = changing()
    tariffs = replace(tariffs, retail=np.concatenate([tariffs.retail[:4], tariffs.retail[4:] * 2]))
    prior = prior_prices(np.ones(8), np.zeros(8), tariffs)
    assert prior.tolist() == tariffs.local_limit.tolist()
    forecast = PriceForecast(prior, 21_600, tariffs=tariffs)
    span = tariffs.local_limit - tariffs.feed_in
    forecast.update(1, int(50_000 + span[1] // 4))
    assert forecast.expected(5) == pytest.approx(50_000 + span[5] / 4)
    assert forecast.coming_day(4)[1] == pytest.approx(50_000 + span[5] / 4)
    assert forecast.coming_day(4)[0] == prior[4]


def bids(strategy: type[Truthful] | type[ZeroIntelligence], tariff: Tariff | None) -> np.ndarray:
    setup = StrategySetup(("a", "b"), 900, Tariff(300_000, 80_000), np.random.default_rng(1))
    nothing = np.zeros(2, dtype=np.int64)
    context = BidContext(
        interval=3,
        is_sell=np.array([True, False]),
        energy_wh=np.array([100, 100]),
        battery_wh=nothing,
        battery_price_ueur_per_kwh=nothing,
        expected_price_ueur_per_kwh=100_000.0,
        last_price_ueur_per_kwh=None,
        rng=np.random.default_rng(2),
        tariff=tariff,
    )
    return strategy(setup).bid(context).price_ueur_per_kwh


@pytest.mark.parametrize("strategy", [Truthful, ZeroIntelligence])
def test_bids_stay_between_the_interval_s_prices(strategy) -> None:
    """A band of 20 000 far off the first interval's, above which buying locally costs more."""
    tariff = Tariff(600_000, 500_000, 80_000, 0, 80_000, 0)
    for price in bids(strategy, tariff):
        assert 500_000 <= price <= 520_000
    before, same = bids(strategy, None), bids(strategy, Tariff(300_000, 80_000))
    np.testing.assert_array_equal(before, same)
