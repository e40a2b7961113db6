"""Nominations of members to a shared battery, and its place in the population and in the bids."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.devices.battery import Battery
from cosim.devices.load import Load
from cosim.devices.population import Population
from cosim.mechanisms.community_storage.model import credited_wh, debited_wh
from cosim.messages import BidsMessage
from cosim.messages.agreements import SharedBattery
from cosim.messages.extras import StorageNominations
from cosim.prosumers.bidding import Bidders
from cosim.prosumers.community_battery import nominate_wh, with_shared_battery
from cosim.prosumers.forecasts import make_forecasts
from cosim.scenario.prosumers import (
    ForecastSettings,
    ProsumerSeeds,
    ProsumerSettings,
    Tariff,
)
from cosim.units import IntArray

SHARED = SharedBattery(
    point=4,  # where nothing else stands
    capacity_wh=10_000,
    power_wh=2_500,
    charge_permille=950,
    discharge_permille=930,
    standby_wh=25,
    capacity_of_wh=np.array([1_000, 4_000, 0, 5_000, 0]),
    power_of_wh=np.array([250, 1_000, 0, 1_250, 0]),
)


@pytest.mark.parametrize(
    ("planned", "account", "nominated"),
    [
        (100, 0, 100),  # all the surplus
        (900, 0, 250),  # what the share charges
        (100, 950, 52),  # what fits: 49.4 Wh in the account
        (100, 995, 0),  # 5 Wh are not worth a nomination
        (9, 0, 0),
        (10, 0, 10),
        (0, 500, 0),
        (-100, 500, -100),  # all the deficit
        (-900, 500, -250),
        (-100, 40, -37),  # what is there: 39.8 Wh of the account
        (-100, 0, 0),
    ],
)
def test_own_surplus_is_stored_and_own_deficit_taken_out(
    planned: int, account: int, nominated: int
) -> None:
    plans, accounts = np.zeros(5, dtype=np.int64), np.zeros(5, dtype=np.int64)
    plans[0], accounts[0] = planned, account
    assert nominate_wh(SHARED, plans, plans, accounts).tolist() == [nominated, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("firm", "planned", "nominated"),
    [(200, 100, 100), (100, 200, 100), (200, -50, 0), (-50, -200, -50), (-200, 30, 0)],
)
def test_what_depends_on_the_order_is_not_nominated(
    firm: int, planned: int, nominated: int
) -> None:
    plans = (np.array([firm, 0, 0, 0, 0]), np.array([planned, 0, 0, 0, 0]))
    wanted = nominate_wh(SHARED, *plans, np.array([500, 0, 0, 0, 0]))
    assert wanted.tolist() == [nominated, 0, 0, 0, 0]


def test_nominations_are_what_the_contract_accepts() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        plans = rng.integers(-3_000, 3_000, 5)
        accounts = rng.integers(0, SHARED.capacity_of_wh + 1)
        wanted = nominate_wh(SHARED, plans, plans, accounts)
        for i, energy in enumerate(wanted.tolist()):
            assert abs(energy) <= SHARED.power_of_wh[i]
            if energy > 0:
                after = accounts[i] + credited_wh(energy, 950)
                assert after <= SHARED.capacity_of_wh[i]
            elif energy < 0:
                assert debited_wh(-energy, 930) <= accounts[i]


def test_a_battery_that_is_off_gets_nothing() -> None:
    off = SharedBattery(*(getattr(SHARED, f) for f in SHARED.__slots__[:-1]), is_used=False)
    plans = np.array([100, -100, 0, 5_000, 0])
    assert nominate_wh(off, plans, plans, np.full(5, 900)).tolist() == [0] * 5


def test_population_gets_an_empty_battery_and_its_standby(population: Population) -> None:
    shared = with_shared_battery(population, SHARED)
    assert np.allclose(shared.of(Load).p_mw[:, 4], 100e-6)  # 25 Wh in a quarter of an hour
    assert np.array_equal(shared.of(Load).p_mw[:, :4], population.of(Load).p_mw[:, :4])
    batteries = shared.of(Battery)
    assert batteries.capacity_mwh[4] == 0.01
    assert batteries.p_max_mw[4] == 0.01
    assert batteries.soc_initial_mwh[4] == batteries.soc_min_mwh[4] == 0.0
    assert (batteries.charge_efficiency[4], batteries.discharge_efficiency[4]) == (0.95, 0.93)
    assert np.array_equal(batteries.p_max_mw[:4], population.of(Battery).p_max_mw[:4])
    assert population.of(Battery).capacity_mwh[4] == 0.0


def stored(bids: BidsMessage) -> IntArray:
    """Nominations to the shared battery. [Wh]"""
    nominations = bids.extras.of(StorageNominations)
    assert nominations is not None
    return nominations.energy_wh


def bidders(population: Population, tariff: Tariff, shared: SharedBattery | None) -> Bidders:
    seeds = ProsumerSeeds.spawn(5)
    if shared is not None:
        population = with_shared_battery(population, shared)
    forecasts = make_forecasts(
        population,
        ForecastSettings(model={"name": "nowcast", "options": {"noise": 0.0}}),
        seeds.forecasts,
    )
    return Bidders(population, forecasts, ProsumerSettings(), tariff, seeds, shared=shared)


def test_orders_are_for_what_is_left(population: Population, tariff: Tariff) -> None:
    soc, owed = population.of(Battery).soc_initial_mwh, np.zeros(5)
    without = bidders(population, tariff, None).bid(2, soc, owed)
    assert stored(without).tolist() == [0] * 5
    shared = bidders(population, tariff, SHARED)
    accounts = np.array([200, 0, 0, 0, 0])
    bids = shared.bid(2, soc, owed, storage_wh=accounts)
    assert bids.planned_wh[:4].tolist() == without.planned_wh[:4].tolist()
    assert stored(bids)[0] == -186  # 200 Wh at 930 permille
    assert stored(bids)[1] == min(without.planned_wh[1], 1_000)
    assert stored(bids)[1] > 0
    assert stored(bids)[[2, 4]].tolist() == [0, 0]
    signed = np.where(bids.is_sell, bids.order_wh, -bids.order_wh)
    assert signed[:4].tolist() == (bids.planned_wh - stored(bids))[:4].tolist()


def test_at_the_battery_nobody_orders_or_offers(population: Population, tariff: Tariff) -> None:
    soc = np.array([0.0, 0.0, 0.004, 0.0, 0.005])
    bids = bidders(population, tariff, SHARED).bid(2, soc, np.zeros(5))
    assert bids.order_wh[4] == bids.order_price_ueur_per_kwh[4] == 0
    assert bids.planned_wh[4] == -25  # its energy manager does not discharge for standby
    for name in ("flex_up_wh", "flex_down_wh", "curtailable_up_wh", "curtailable_down_wh"):
        assert getattr(bids, name)[4] == 0
    assert bids.flex_up_wh[2] > 0
