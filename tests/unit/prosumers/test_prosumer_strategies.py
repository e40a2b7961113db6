from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from cosim.errors import ScenarioError
from cosim.prosumers.strategies import (
    BidContext,
    LimitOrders,
    StrategySetup,
    Truthful,
    ZeroIntelligence,
    check_orders,
    make_strategy,
)
from cosim.scenario.prosumers import StrategySettings
from cosim.seeds import assign_shares

N = 6


@pytest.fixture
def setup(tariff) -> StrategySetup:
    return StrategySetup(
        tuple(f"house-{i}" for i in range(N)), 900, tariff, np.random.default_rng(2)
    )


@pytest.fixture
def context() -> BidContext:
    """Sellers and buyers take turns; nothing of it is battery energy."""
    return BidContext(
        interval=3,
        is_sell=np.arange(N) % 2 == 0,
        energy_wh=np.full(N, 1000),
        battery_wh=np.zeros(N, dtype=np.int64),
        battery_price_ueur_per_kwh=np.zeros(N, dtype=np.int64),
        expected_price_ueur_per_kwh=190_000.0,
        last_price_ueur_per_kwh=None,
        rng=np.random.default_rng(0),
    )


def test_truthful_values_lie_near_the_alternative_and_stay(setup, context):
    strategy = Truthful(setup, preference=0.25)
    orders = strategy.bid(context)
    spread = 300_000 - 80_000
    asks, bids = orders.price_ueur_per_kwh[::2], orders.price_ueur_per_kwh[1::2]
    assert ((asks >= 80_000) & (asks <= 80_000 + 0.25 * spread)).all()
    assert ((bids <= 300_000) & (bids >= 300_000 - 0.25 * spread)).all()
    assert len(np.unique(asks)) == len(asks)
    np.testing.assert_array_equal(orders.energy_wh, context.energy_wh)
    again = strategy.bid(replace(context, interval=4, rng=np.random.default_rng(1)))
    np.testing.assert_array_equal(again.price_ueur_per_kwh, orders.price_ueur_per_kwh)


def test_truthful_without_preference_bids_the_suppliers_prices(setup, context):
    price = Truthful(setup, preference=0.0).bid(context).price_ueur_per_kwh
    assert price.tolist() == [80_000, 300_000] * 3


def test_truthful_mixes_in_the_break_even_of_battery_energy(setup, context):
    traded = replace(
        context,
        energy_wh=np.full(N, 3),
        battery_wh=np.full(N, 1),
        battery_price_ueur_per_kwh=np.where(context.is_sell, 180_001, 200_000),
    )
    price = Truthful(setup, preference=0.0).bid(traded).price_ueur_per_kwh
    # a third of the energy at break-even; asks are rounded up, bids down
    assert price[0] == 113_334  # (2 * 80 000 + 180 001) / 3 = 113 333.67
    assert price[1] == 266_666  # (2 * 300 000 + 200 000) / 3 = 266 666.67


def test_truthful_never_bids_worse_than_the_supplier(setup, context):
    battery = replace(
        context,
        battery_wh=context.energy_wh,
        battery_price_ueur_per_kwh=np.where(context.is_sell, 400_000, 50_000),
    )
    price = Truthful(setup).bid(battery).price_ueur_per_kwh
    assert price.tolist() == [300_000, 80_000] * 3


def test_truthful_refuses_a_preference_that_would_cross(setup):
    with pytest.raises(ScenarioError, match=r"preference is 0\.6"):
        Truthful(setup, preference=0.6)


def test_zero_intelligence_is_uniform_between_feed_in_and_retail(tariff):
    many = 20_000
    setup = StrategySetup(tuple(map(str, range(many))), 900, tariff, np.random.default_rng(0))
    context = BidContext(
        interval=0,
        is_sell=np.arange(many) % 2 == 0,
        energy_wh=np.ones(many, dtype=np.int64),
        battery_wh=np.zeros(many, dtype=np.int64),
        battery_price_ueur_per_kwh=np.zeros(many, dtype=np.int64),
        expected_price_ueur_per_kwh=0.0,
        last_price_ueur_per_kwh=None,
        rng=np.random.default_rng(0),
    )
    price = ZeroIntelligence(setup).bid(context).price_ueur_per_kwh
    assert price.dtype == np.int64
    assert 80_000 <= price.min() < 80_200
    assert 299_800 < price.max() <= 300_000
    deciles = np.quantile(price, np.arange(0.1, 1.0, 0.1))
    np.testing.assert_allclose(deciles, 80_000 + 22_000 * np.arange(1, 10), atol=2_500)


def test_unknown_strategy_lists_the_known_ones():
    with pytest.raises(
        ValidationError,
        match="unknown strategy 'trutful'; there are mark_up, q_learning, roth_erev, supplier_only",
    ):
        StrategySettings(name="trutful")


def test_unknown_option_lists_the_options(setup):
    with pytest.raises(ScenarioError, match="'greed'") as caught:
        make_strategy(StrategySettings(options={"greed": 1}), setup)
    assert "its options: preference" in caught.value.remedy


@pytest.mark.parametrize(
    ("n", "shares", "counts"),
    [(10, [0.5, 0.5], [5, 5]), (10, [0.34, 0.33, 0.33], [4, 3, 3]), (7, [0.1, 0.9], [1, 6])],
)
def test_shares_are_exact_by_largest_remainder(n, shares, counts):
    assigned = assign_shares(n, shares, np.random.default_rng(0))
    assert np.bincount(assigned, minlength=len(shares)).tolist() == counts


@pytest.mark.parametrize(
    ("energy", "price", "problem"),
    [
        (np.full(N, 1000.0), np.full(N, 1), "energy_wh is no array of integers"),
        (np.full(N, 1000), [1] * N, "price_ueur_per_kwh is no array"),
        (np.full(N, 1000), np.full(N - 1, 1), r"price_ueur_per_kwh has shape \(5,\)"),
        (np.full(N, 1001), np.full(N, 1), "not between 0"),
        (np.full(N, -1), np.full(N, 1), "not between 0"),
        (np.full(N, 1000), np.full(N, -1), "price is negative"),
        (np.full(N, 1000), np.full(N, 2**31), "31 bits"),
    ],
)
def test_orders_that_a_contract_could_not_take(context, energy, price, problem):
    with pytest.raises(ScenarioError, match=problem) as caught:
        check_orders("odd", context, LimitOrders(energy, price))
    assert "strategy 'odd' in interval 3" in str(caught.value)
