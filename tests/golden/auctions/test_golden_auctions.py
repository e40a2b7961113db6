"""Order books with known results, cleared by the contract on both engines and by the model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from clearing_welfare import largest_volume_wh, largest_welfare_ueur, welfare_ueur

from cosim.mechanisms.local_market.clearing import Clearing, clear
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import PricingRule

sys.path.insert(0, str(Path(__file__).parents[2] / "contracts"))
from market_world import MarketWorld, address

CASES = {
    name: case
    for name, case in json.loads((Path(__file__).parent / "cases.json").read_text()).items()
    if not name.startswith("_")
}
RUNS = [(name, int(scale)) for name, case in CASES.items() for scale in case["prices_by_scale"]]
UNIT_WH = 1_000


def orders_of(case: dict[str, Any], scale: int) -> list[Order]:
    """Bids in order of arrival, then asks."""
    return [
        Order(f"{side[:-1]}-{k}", side == "asks", quantity * UNIT_WH, price * scale)
        for side in ("bids", "asks")
        for k, (quantity, price) in enumerate(case[side])
    ]


def check(case: dict[str, Any], scale: int, orders: list[Order], clearing: Clearing) -> None:
    """Compare a clearing with the published figures."""
    assert clearing.volume_wh == case["volume"] * UNIT_WH
    assert clearing.price_ueur_per_kwh == case["prices_by_scale"][str(scale)]
    assert welfare_ueur(orders, clearing.fills_wh) == case["welfare"] * scale
    served = [
        order.price_ueur_per_kwh // scale
        for order, fill in zip(orders, clearing.fills_wh, strict=True)
        if fill and not order.is_sell
    ]
    assert sorted(served, reverse=True) == case["buyers_served"]


@pytest.mark.parametrize(("name", "scale"), RUNS)
def test_model(name: str, scale: int) -> None:
    orders = orders_of(CASES[name], scale)
    check(CASES[name], scale, orders, clear(orders))


@pytest.mark.parametrize("scale", [1_000, 1_000_000])
@pytest.mark.parametrize("name", CASES)
def test_model_by_mcafee_s_rule(name: str, scale: int) -> None:
    expected = CASES[name]["mcafee"]
    clearing = clear(orders_of(CASES[name], scale), PricingRule.MCAFEE)
    assert clearing.volume_wh == expected["volume"] * UNIT_WH
    assert clearing.buy_price_ueur_per_kwh == expected["buyer_pays"] * scale
    assert clearing.sell_price_ueur_per_kwh == expected["seller_gets"] * scale


def test_model_serves_the_right_buyers_at_their_own_prices() -> None:
    orders = orders_of(CASES["sort_regression"], 1)
    clearing = clear(orders, PricingRule.PAY_AS_BID)
    assert clearing.fills_wh == (0, UNIT_WH, UNIT_WH, 2 * UNIT_WH)
    assert clearing.surplus_ueur == 30 + 20 - 2 * 15


def test_most_that_pairs_could_trade() -> None:
    case = CASES["pymarket_set_0"]
    orders = orders_of(case, 1)
    assert largest_volume_wh(orders) == case["largest_volume"] * UNIT_WH
    assert largest_welfare_ueur(orders) == case["welfare"]


@pytest.mark.parametrize("engine", ["revm", "py-evm"])
@pytest.mark.parametrize(("name", "scale"), RUNS)
def test_contract(name: str, scale: int, engine: str) -> None:
    orders = orders_of(CASES[name], scale)
    world = MarketWorld(engine)
    for order in orders:
        world.join(order.account)
    world.open_window(0)
    for order in orders:
        world.order(order.account, order.is_sell, order.energy_wh, order.price_ueur_per_kwh)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    _, price, sell_price, volume_wh, n_orders = world.market.get("clearingOf", 0)
    assert sell_price == price
    assert n_orders == len(orders)
    fills = tuple(world.market.get("orderOf", 0, address(o.account))[3] for o in orders)
    check(CASES[name], scale, orders, Clearing(price, price, volume_wh, fills, 0))
