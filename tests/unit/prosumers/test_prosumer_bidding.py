from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from cosim.devices.battery import Battery, BatterySettings
from cosim.devices.deferral import DeferralSettings
from cosim.devices.delivery import Devices
from cosim.messages import PricesMessage
from cosim.plugins import STRATEGIES
from cosim.prosumers.bidding import Bidders
from cosim.prosumers.forecasting.reports import Known
from cosim.prosumers.forecasts import make_forecasts
from cosim.prosumers.strategies import LimitOrders, Strategy
from cosim.scenario.prosumers import (
    ForecastSettings,
    ProsumerSeeds,
    StrategySettings,
)
from cosim.units import energy_wh_from_mw

SEEDS = ProsumerSeeds.spawn(11)
PERFECT = ForecastSettings(model={"name": "perfect"})
CONSUMER, PV_OWNER, BATTERY_OWNER, HEAT_PUMP_OWNER, EMPTY = range(5)


@pytest.fixture
def make_bidders(make_population, parameters, tariff):
    """Bidders whose forecasts are right; keyword arguments replace parameters."""

    def make(unworn=False, **changes):
        population = make_population(**changes)
        if unworn:
            battery = replace(population.of(Battery), wear_ueur_per_kwh=0)
            population = population.replaced(battery)
        return Bidders(
            population,
            make_forecasts(population, PERFECT, SEEDS.forecasts),
            parameters.model_copy(update=changes),
            tariff,
            SEEDS,
        )

    return make


def cleared_at(price_ueur_per_kwh, n=5):
    """Prices of an interval; nothing was traded at 0."""
    price = np.full(n, price_ueur_per_kwh)
    return PricesMessage(interval=0, price_ueur_per_kwh=price, volume_wh=np.minimum(price, 1))


def bid(bidders, interval, **arguments):
    population = bidders.population
    state = {"soc_mwh": population.of(Battery).soc_initial_mwh, "owed_mwh": np.zeros(population.n)}
    return bidders.bid(interval, **{**state, **arguments})


def blocks(bids, prosumer):
    """Direction, energy and both prices of a prosumer's blocks."""
    f = bids.flexibility
    own = f.prosumer == prosumer
    columns = (f.direction, f.energy_wh, f.price_ueur_per_kwh, f.price_if_traded_ueur_per_kwh)
    return list(zip(*(column[own].tolist() for column in columns), strict=True))


def forecast_wh(bidders, interval):
    """Expected net energy without battery and without catching up. [Wh]"""
    f = bidders.forecasts
    net_mw = f.generated_mw - f.consumed_mw - f.flexible_mw
    return energy_wh_from_mw(net_mw[interval], bidders.population.step_s)


def test_forecast_and_plan_of_an_interval(make_bidders):
    bidders = make_bidders()
    bids = bid(bidders, 1)
    # quarter hours of: -4 kW; 5 - 2 kW; 3 - 2 kW, stored; -2 - 2.5 - 2 kW; nothing
    assert forecast_wh(bidders, 1).tolist() == [-1000, 750, 250, -1625, 0]
    assert bids.planned_wh.tolist() == [-1000, 750, 0, -1625, 0]
    assert bids.firm_wh.tolist() == bids.planned_wh.tolist()
    assert bids.is_sell.tolist() == [False, True, False, False, False]
    assert bids.order_wh.tolist() == [1000, 750, 0, 1625, 0]
    assert ((bids.order_price_ueur_per_kwh > 0) == (bids.order_wh > 0)).all()
    assert bids.forecast_q_mvar == pytest.approx([-0.0004, 0, 0, -0.001, 0])


def test_owed_consumption_is_nominated_as_recovery(make_bidders):
    owed = np.array([0, 0, 0, 0.0005, 0])
    bidders = make_bidders()
    bids = bid(bidders, 1, owed_mwh=owed)
    assert forecast_wh(bidders, 1)[HEAT_PUMP_OWNER] == -1625
    assert bids.planned_wh[HEAT_PUMP_OWNER] == -1625 - 500


def test_potentials_of_pv(make_bidders):
    potentials = bid(make_bidders(), 1)
    # 5 kW of PV, less 1 Wh for rounding
    assert potentials.flex_down_wh[PV_OWNER] == 1249
    assert potentials.curtailable_down_wh[PV_OWNER] == 1249
    assert potentials.flex_up_wh[PV_OWNER] == 0
    # at the feed-in price as far as the supplier takes it, else it is replaced at retail
    assert blocks(potentials, PV_OWNER) == [(-1, 1249, 80_000, 300_000)]


def test_potentials_of_a_battery(make_bidders):
    potentials = bid(make_bidders(), 1)
    # it plans to charge 1 kW: 3 kW more, and 3 kW of PV; 1 kW less and 4 kW discharging
    assert potentials.flex_down_wh[BATTERY_OWNER] == 1499
    assert potentials.flex_up_wh[BATTERY_OWNER] == 1249
    assert potentials.curtailable_down_wh[BATTERY_OWNER] == 749
    # 2 kW of load, and the 1 kW of charging
    assert potentials.curtailable_up_wh[BATTERY_OWNER] == 749
    # the coming surplus fills it anyway: charging now saves feeding in less then, and discharging
    # now costs feeding in less then, through losses and with wear both ways
    again = 80_000 / 0.72 + 30_000 * (1 + 1 / 0.72)
    assert blocks(potentials, BATTERY_OWNER) == [
        (-1, 749, 0, 300_000 - 80_000),
        (-1, 750, 80_000, 300_000),
        (1, 1249, 0, int(np.ceil(again)) - 80_000),
    ]


def test_potentials_of_flexible_consumption(make_bidders):
    potentials = bid(make_bidders(), 1)
    # half of 4.5 kW; all consumption: 6.5 kW
    assert potentials.flex_up_wh[HEAT_PUMP_OWNER] == 561
    assert potentials.curtailable_up_wh[HEAT_PUMP_OWNER] == 1624
    # what the supplier would deliver is bought later instead, for nothing but the discomfort
    assert blocks(potentials, HEAT_PUMP_OWNER) == [(1, 561, 50_000, 50_000 + 220_000)]
    assert potentials.flex_down_wh[HEAT_PUMP_OWNER] == 0


def test_wear_and_discomfort_are_what_the_scenario_says(make_bidders):
    deferral = DeferralSettings(
        share_of_power=0.5, energy_max_kwh=1.0, discomfort_eur_per_kwh=0.123
    )
    bidders = make_bidders(battery=_battery(wear_eur_per_kwh=0.01), deferral=deferral)
    potentials = bid(bidders, 1)
    up_if_traded = blocks(potentials, BATTERY_OWNER)[2][3]
    again = 80_000 / 0.72 + 10_000 * (1 + 1 / 0.72)
    assert up_if_traded == int(np.ceil(again)) - 80_000
    assert blocks(potentials, HEAT_PUMP_OWNER) == [(1, 561, 123_000, 123_000 + 220_000)]


def test_owed_energy_limits_what_can_be_put_off(make_bidders):
    owed = np.array([0, 0, 0, 0.0009, 0])
    potentials = bid(make_bidders(), 1, owed_mwh=owed)
    # 100 Wh more may be owed, and the recovery of 900 Wh can wait
    assert potentials.flex_up_wh[HEAT_PUMP_OWNER] == 999


def test_arbitrage_is_planned_but_not_firm(make_bidders):
    bidders = make_bidders(unworn=True, battery=_battery(mode="arbitrage"))
    bidders.price_forecast.update(1, 300_000)
    bidders.price_forecast.update(2, 80_000)
    bids = bid(bidders, 1)
    # dear now: stop charging 1 kW, discharge 4 kW; 5 kW less load of 2 kW plus 3 kW of PV
    assert bids.firm_wh[BATTERY_OWNER] == 0
    assert bids.planned_wh[BATTERY_OWNER] == 1250
    # flexibility holds for both: nothing is left to discharge if the order clears
    assert bids.flex_up_wh[BATTERY_OWNER] == 0
    assert bids.flex_down_wh[BATTERY_OWNER] == 749 + 750
    # and what can be cut does not count on a discharge that may not be traded
    assert bids.curtailable_down_wh[BATTERY_OWNER] == 749


def test_price_of_the_last_interval_is_learnt(make_bidders):
    bidders = make_bidders()
    bid(bidders, 1, last=cleared_at(123_000))
    assert bidders.price_forecast.expected(0) == 123_000
    bid(bidders, 2, last=cleared_at(0))
    assert np.isnan(bidders.price_forecast.state()["history"][:, 1]).all()


def test_send_times_are_spread_over_the_window_and_repeatable(make_bidders):
    first, again = bid(make_bidders(), 1), bid(make_bidders(), 1)
    np.testing.assert_array_equal(first.sent_fraction, again.sent_fraction)
    assert len(np.unique(first.sent_fraction)) == 5
    assert ((first.sent_fraction >= 0) & (first.sent_fraction < 1)).all()
    assert not np.array_equal(bid(make_bidders(), 2).sent_fraction, first.sent_fraction)


def test_each_learns_the_price_of_its_own_market(make_population, parameters, tariff):
    population, market_of = make_population(), np.array([1, 0, 0, 1, 1])
    known = Known(datetime(2000, 1, 1), 0, 0, market_of=market_of)
    forecasts = make_forecasts(population, PERFECT, SEEDS.forecasts, known)
    for sums, mw in (
        (forecasts.community_demand_mw, forecasts.consumed_mw + forecasts.flexible_mw),
        (forecasts.community_supply_mw, forecasts.generated_mw),
    ):
        np.testing.assert_allclose(sums[:, 0], mw[:, [1, 2]].sum(axis=1))
        np.testing.assert_allclose(sums[:, 1], mw[:, [0, 3, 4]].sum(axis=1))
    bidders = Bidders(population, forecasts, parameters, tariff, SEEDS, market_of=market_of)
    prior = bidders.price_forecast.expected(1)
    assert prior[0] == prior[3] != prior[1] == prior[2]
    price = np.where(market_of == 1, 111_000, 222_000)
    bid(bidders, 1, last=PricesMessage(0, price, np.ones(5, dtype=np.int64)))
    assert bidders.price_forecast.expected(0).tolist() == price.tolist()
    bid(bidders, 2, last=PricesMessage(1, price, np.where(market_of == 1, 9, 0)))
    expected = np.where(market_of == 1, price, prior)
    assert bidders.price_forecast.expected(1).tolist() == expected.tolist()
    assert bidders.price_forecast.coming_day(1)[0].tolist() == expected.tolist()


def test_bids_do_not_depend_on_earlier_calls(make_bidders):
    mixed = (
        StrategySettings(name="truthful", share=0.4),
        StrategySettings(name="zero_intelligence", share=0.6),
    )
    whole, late = make_bidders(strategies=mixed), make_bidders(strategies=mixed)
    bid(whole, 0)
    bid(whole, 1, last=cleared_at(150_000))
    late.restore(whole.state())
    expected = bid(whole, 2, last=cleared_at(160_000))
    actual = bid(late, 2, last=cleared_at(160_000))
    np.testing.assert_array_equal(
        actual.order_price_ueur_per_kwh, expected.order_price_ueur_per_kwh
    )
    np.testing.assert_array_equal(
        late.price_forecast.state()["history"], whole.price_forecast.state()["history"]
    )


def test_external_prosumer_repeats_itself_and_controls_nothing(make_bidders):
    external = np.array([np.nan, np.nan, 0.0072, -0.0036, np.nan])
    owed = np.array([0, 0, 0, 0.0005, 0])
    bids = bid(make_bidders(), 1, external_p_mw=external, owed_mwh=owed)
    assert bids.planned_wh.tolist() == [-1000, 750, 1800, -900, 0]
    for name in ("flex_down_wh", "flex_up_wh", "curtailable_down_wh", "curtailable_up_wh"):
        values = getattr(bids, name)
        assert values[BATTERY_OWNER] == values[HEAT_PUMP_OWNER] == 0
    assert bids.flex_down_wh[PV_OWNER] == 1249


def test_strategies_see_only_their_followers_and_keep_state(make_bidders, monkeypatch):
    class Counting(Strategy):
        """Abstains, and counts its calls."""

        calls = np.zeros(1, dtype=np.int64)

        def bid(self, context):
            assert len(context.energy_wh) == len(self.setup.names)
            self.calls = self.calls + 1
            return LimitOrders(np.zeros_like(context.energy_wh), context.energy_wh)

        def state(self):
            return {"calls": self.calls}

        def restore(self, state):
            self.calls = state["calls"]

    monkeypatch.setitem(STRATEGIES._points, "counting", None)
    monkeypatch.setitem(STRATEGIES._loaded, "counting", Counting)
    shares = (
        StrategySettings(name="counting", share=0.6),
        StrategySettings(name="truthful", share=0.4),
    )
    bidders = make_bidders(strategies=shares)
    assert np.bincount(bidders.strategy_of).tolist() == [3, 2]
    bids = bid(bidders, 1)
    abstaining = bidders.strategy_of == 0
    assert not bids.order_wh[abstaining].any()
    assert not bids.order_price_ueur_per_kwh[abstaining].any()
    np.testing.assert_array_equal(bids.order_wh[~abstaining], np.abs(bids.planned_wh[~abstaining]))
    assert bidders.state()["strategy.0.calls"].tolist() == [1]
    other = make_bidders(strategies=shares)
    other.restore(bidders.state())
    bid(other, 2)
    assert other.state()["strategy.0.calls"].tolist() == [2]


def _battery(**changes):
    base = BatterySettings(
        charge_efficiency=0.9, discharge_efficiency=0.8, soc_min=0.1, share_of_pv_owners=0.5
    )
    return base.model_copy(update=changes)


def test_price_responsive_consumption_moves_with_the_price(make_bidders):
    deferral = DeferralSettings(share_of_power=0.5, energy_max_kwh=1.0, price_responsive=True)
    bidders = make_bidders(deferral=deferral)
    rigid = bid(make_bidders(), 1)
    for k, price in enumerate((300_000, 300_000, 60_000, 60_000)):
        bidders.price_forecast.update(k, price)
    bids = bid(bidders, 1)
    # half of the heat pump's 2.5 kW and of the EV's 2 kW in a quarter of an hour, bought or not
    assert bids.planned_wh[HEAT_PUMP_OWNER] == rigid.planned_wh[HEAT_PUMP_OWNER] == -1625
    put_off_wh = int((bids.firm_wh - rigid.firm_wh)[HEAT_PUMP_OWNER])
    assert put_off_wh == 563
    assert bids.order_price_ueur_per_kwh[HEAT_PUMP_OWNER] <= 300_000
    # it is no flexibility that could be sold as well
    assert bids.flex_up_wh[HEAT_PUMP_OWNER] == 0
    # unbought, it is not drawn; bought, it is
    nothing = np.zeros(5, dtype=np.int64)
    for nominated, expected in ((bids.firm_wh, -1625 + put_off_wh), (bids.planned_wh, -1625)):
        delivered = Devices(bidders.population).deliver(1, nominated, nothing, nothing)
        assert delivered.metered_wh[HEAT_PUMP_OWNER] == expected


def test_where_it_is_not_going_to_be_cheaper_it_draws_as_before(make_bidders):
    deferral = DeferralSettings(share_of_power=0.5, energy_max_kwh=1.0, price_responsive=True)
    bidders = make_bidders(deferral=deferral)
    for k in range(4):
        bidders.price_forecast.update(k, 300_000)
    assert bid(bidders, 1).firm_wh.tolist() == bid(make_bidders(), 1).firm_wh.tolist()
