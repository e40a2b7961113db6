"""Whatever is dispatched, energy balances and devices stay within their physics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.devices.battery import Battery, BatterySettings
from cosim.devices.deferral import DeferralSettings
from cosim.devices.delivery import Devices
from cosim.devices.ev import ElectricVehicles
from cosim.devices.heat_pump import HeatPumps
from cosim.devices.load import Load
from cosim.devices.population import Population
from cosim.devices.pv import Photovoltaics
from cosim.messages import PricesMessage
from cosim.prosumers.bidding import Bidders
from cosim.prosumers.elements import Element
from cosim.prosumers.forecasts import make_forecasts
from cosim.prosumers.population import build_population
from cosim.scenario.prosumers import (
    ForecastSettings,
    ProsumerSeeds,
    ProsumerSettings,
    StrategySettings,
    Tariff,
)

STEP_S = 900
STEP_H = 0.25
TARIFF = Tariff(300_000, 80_000)
seeds = st.integers(0, 2**32 - 1)
modes = st.sampled_from(["self_consumption", "arbitrage"])


def cleared_at(interval: int, price_ueur_per_kwh: int, n: int) -> PricesMessage:
    """Return prices of one market in which something was traded."""
    price, volume_wh = np.full(n, price_ueur_per_kwh), np.ones(n, dtype=np.int64)
    return PricesMessage(interval, price, volume_wh)


def parameters(mode: str = "self_consumption") -> ProsumerSettings:
    return ProsumerSettings(
        battery=BatterySettings(mode=mode, share_of_pv_owners=0.7, capacity_kwh=3.0),
        deferral=DeferralSettings(energy_max_kwh=1.0),
        forecast=ForecastSettings(model={"name": "perfect"}),
        strategies=(StrategySettings(name="zero_intelligence"),),
    )


def random_population(rng: np.random.Generator, mode: str = "self_consumption") -> Population:
    """A dozen prosumers, each with some of the devices, over six intervals."""
    names = [f"house-{i}" for i in range(12)]
    elements, profiles = [], {}
    for kind, share in (("load", 0.9), ("pv", 0.6), ("ev", 0.4), ("heat_pump", 0.4)):
        for v in range(3):
            profiles[f"{kind}{v}_p"] = rng.uniform(0, 1, 6) * (rng.random(6) < 0.8)
            profiles[f"{kind}{v}_q"] = rng.uniform(-0.3, 1, 6)
        for name in names:
            if rng.random() < share:
                profile = f"{kind}{rng.integers(3)}"
                elements.append(Element(name, kind, profile, rng.uniform(0, 0.02), 0.001))
    elements.append(Element(names[0], "load", "load0", 0.002, 0.0))
    seed = np.random.SeedSequence(int(rng.integers(2**32)))
    return build_population(elements, names, parameters(mode), profiles, STEP_S, seed)


def random_state(devices: Devices, rng: np.random.Generator) -> None:
    batteries, deferral = devices.population.of(Battery), devices.population.deferral
    level = rng.choice([0.0, 0.3, 0.999, 1.0], devices.population.n)
    devices.restore(
        {
            "soc_mwh": batteries.soc_min_mwh
            + level * (batteries.capacity_mwh - batteries.soc_min_mwh),
            "owed_mwh": deferral.energy_max_mwh * rng.choice([0.0, 0.4, 1.0], len(level)),
        }
    )


@settings(deadline=None)
@given(seeds)
def test_energy_balances_for_any_dispatch(seed):
    rng = np.random.default_rng(seed)
    people = random_population(rng)
    devices = Devices(people)
    random_state(devices, rng)
    batteries = people.of(Battery)
    for k in range(people.n_intervals):
        soc, owed = devices.soc_mwh, devices.owed_mwh
        nominated, activated, curtailed = (
            rng.integers(-6000, 6000, people.n) * (rng.random(people.n) < 0.7) for _ in range(3)
        )
        d = devices.deliver(k, nominated, activated, curtailed)
        # the meter reads what is fed in, to the last bit
        pv, load, ev, heat_pump, battery = (
            d.parts[f"{name}_p_mw"] for name in ("pv", "load", "ev", "heat_pump", "battery")
        )
        throttled, shed = d.parts["pv_curtailed_p_mw"], d.parts["shed_p_mw"]
        np.testing.assert_array_equal(d.p_inject_mw, pv - load - ev - heat_pump - battery)
        assert np.abs(d.metered_wh - d.p_inject_mw * 250_000).max() <= 0.5 + 1e-6
        # nothing appears or vanishes
        np.testing.assert_allclose(pv + throttled, people.of(Photovoltaics).p_mw[k])
        wanted = people.of(Load).p_mw[k] + people.deferral.p_mw[k]
        served = load + ev + heat_pump
        deferred = (devices.owed_mwh - owed) / STEP_H
        np.testing.assert_allclose(served + shed + deferred, wanted, rtol=1e-9, atol=1e-15)
        stored = np.where(
            battery > 0,
            battery * batteries.charge_efficiency,
            battery / batteries.discharge_efficiency,
        )
        np.testing.assert_allclose(devices.soc_mwh - soc, stored * STEP_H, rtol=1e-9, atol=1e-15)
        # and everything stays within its physics
        assert (devices.soc_mwh >= batteries.soc_min_mwh).all()
        assert (devices.soc_mwh <= batteries.capacity_mwh).all()
        for part in (pv, throttled, load, shed):
            assert part.min() >= 0
        assert min(ev.min(), heat_pump.min()) >= -1e-15
        assert (ev <= people.of(ElectricVehicles).rated_mw + 1e-15).all()
        assert (heat_pump <= people.of(HeatPumps).rated_mw + 1e-15).all()
        assert (devices.owed_mwh <= people.deferral.energy_max_mwh + 1e-15).all()
        # nobody is throttled, put off or shed who was not asked
        up, down = (activated > 0) | (curtailed < 0), (activated < 0) | (curtailed > 0)
        assert not throttled[~down].any()
        assert (deferred[~up] <= 0).all()
        assert not shed[curtailed >= 0].any()
        # the dispatch is a cap on the way down, and a floor when consumption is cut
        dispatched = nominated + activated - curtailed
        assert ((d.metered_wh <= dispatched) | (pv < 1e-15))[down].all()
        assert ((d.metered_wh >= dispatched) | (served < 1e-15))[curtailed < 0].all()


@settings(deadline=None)
@given(seeds, modes, st.floats(0, 1))
def test_potentials_are_delivered_when_forecasts_are_right(seed, mode, filled_share):
    rng = np.random.default_rng(seed)
    people = random_population(rng, mode)
    devices = Devices(people)
    random_state(devices, rng)
    bidders = Bidders(
        people,
        make_forecasts(people, parameters().forecast, ProsumerSeeds.spawn(seed).forecasts),
        parameters(mode),
        TARIFF,
        ProsumerSeeds.spawn(seed),
    )
    for k in range(people.n_intervals):
        last = cleared_at(k - 1, int(rng.integers(80_000, 300_000)), people.n)
        bids = bidders.bid(k, devices.soc_mwh, devices.owed_mwh, last)
        offered = bids
        filled = np.floor(bids.order_wh * filled_share)
        part = np.divide(filled, bids.order_wh, out=np.zeros(people.n), where=bids.order_wh > 0)
        nominated = np.rint(bids.firm_wh + (bids.planned_wh - bids.firm_wh) * part).astype(np.int64)
        direction = rng.integers(-1, 2, people.n)
        depth = rng.choice([0.5, 1.0], people.n)
        most = np.where(direction > 0, offered.flex_up_wh, offered.flex_down_wh)
        activated = direction * np.rint(depth * most).astype(np.int64)
        # either side may be curtailed instead
        cut = rng.random(people.n) < 0.3
        limit = np.where(direction > 0, offered.curtailable_up_wh, offered.curtailable_down_wh)
        curtailed = np.where(cut, -direction * np.rint(depth * limit).astype(np.int64), 0)
        activated = np.where(cut, 0, activated)
        delivery = devices.deliver(k, nominated, activated, curtailed)
        np.testing.assert_array_equal(delivery.metered_wh, nominated + activated - curtailed)


@settings(deadline=None)
@given(seeds, modes)
def test_potentials_and_prices_make_sense_together(seed, mode):
    rng = np.random.default_rng(seed)
    people = random_population(rng, mode)
    devices = Devices(people)
    random_state(devices, rng)
    bidders = Bidders(
        people,
        make_forecasts(
            people,
            ForecastSettings(
                model={"name": "nowcast", "options": {"persistence": 0.0, "noise": 0.3}}
            ),
            ProsumerSeeds.spawn(seed).forecasts,
        ),
        parameters(mode),
        TARIFF,
        ProsumerSeeds.spawn(seed),
    )
    bids = bidders.bid(0, devices.soc_mwh, devices.owed_mwh)
    blocks = bids.flexibility
    assert (blocks.energy_wh > 0).all()
    assert (blocks.price_ueur_per_kwh >= 0).all()
    # the supplier's spread is between them, but that nobody pays for being relieved
    spread = blocks.price_if_traded_ueur_per_kwh - blocks.price_ueur_per_kwh
    assert ((spread >= 0) & (spread <= 300_000 - 80_000)).all()
    assert (spread[blocks.price_ueur_per_kwh > 0] == 300_000 - 80_000).all()
    # who throttles loses the feed-in price, who puts off at least its comfort
    last = {
        (i, way): k
        for k, (i, way) in enumerate(
            zip(blocks.prosumer.tolist(), blocks.direction.tolist(), strict=True)
        )
    }
    for (i, way), k in last.items():
        if bidders.population.of(Battery).p_max_mw[i] == 0:
            assert blocks.price_ueur_per_kwh[k] == (80_000 if way < 0 else 50_000)
    assert (bids.order_wh == np.abs(bids.planned_wh)).all()
    in_budget = (bids.order_price_ueur_per_kwh >= 80_000) & (
        bids.order_price_ueur_per_kwh <= 300_000
    )
    assert (in_budget | (bids.order_wh == 0)).all()


@pytest.mark.parametrize("mode", ["self_consumption", "arbitrage"])
def test_a_run_resumed_from_its_state_is_the_same(mode):
    people = random_population(np.random.default_rng(1), mode)
    nowcast = ForecastSettings(model={"name": "nowcast"})
    forecasts = make_forecasts(people, nowcast, ProsumerSeeds.spawn(1).forecasts)

    def actors():
        seeds = ProsumerSeeds.spawn(1)
        return Bidders(people, forecasts, parameters(mode), TARIFF, seeds), Devices(people)

    def play(bidders, devices, intervals):
        readings = []
        for k in intervals:
            last = cleared_at(k - 1, 100_000 + 10_000 * k, people.n)
            bids = bidders.bid(k, devices.soc_mwh, devices.owed_mwh, last)
            up = bids.flex_up_wh if k == 2 else np.zeros_like(bids.order_wh)
            delivery = devices.deliver(k, bids.planned_wh, up, np.zeros_like(up))
            readings.append((bids.order_price_ueur_per_kwh, delivery.p_inject_mw))
        return readings

    whole = play(*actors(), range(6))
    bidders, devices = actors()
    play(bidders, devices, range(3))
    later_bidders, later_devices = actors()
    later_bidders.restore(bidders.state())
    later_devices.restore(devices.state())
    resumed = play(later_bidders, later_devices, range(3, 6))
    for (price, power), (other_price, other_power) in zip(whole[3:], resumed, strict=True):
        np.testing.assert_array_equal(other_price, price)
        np.testing.assert_array_equal(other_power, power)
