"""McAfee's rule on chain: published outcomes, on both engines, on chain and verified."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cosim.mechanisms.local_market.clearing import clear, ranking
from cosim.mechanisms.local_market.client import pack_ranking
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule

sys.path.insert(0, str(Path(__file__).parents[2] / "contracts"))
from market_world import SUPPLIER, MarketWorld, address

CASES = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))
SCALE, UNIT_WH = 100_000, 1_000


@pytest.mark.parametrize("engine", ["revm", "py-evm"])
@pytest.mark.parametrize("form", [ClearingForm.ON_CHAIN, ClearingForm.VERIFIED])
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("_")])
def test_contract_by_mcafee_s_rule(name: str, form: ClearingForm, engine: str) -> None:
    case = CASES[name]
    orders = [
        Order(f"{side[:-1]}-{k}", side == "asks", quantity * UNIT_WH, price * SCALE)
        for side in ("asks", "bids")
        for k, (quantity, price) in enumerate(case[side])
    ]
    world = MarketWorld(engine, rule=PricingRule.MCAFEE.number, form=form.number)
    for order in orders:
        world.join(order.account)
    world.open_window(0)
    for order in orders:
        world.order(order.account, order.is_sell, order.energy_wh, order.price_ueur_per_kwh)
    world.close_gate(0)
    before = world.free(SUPPLIER)
    expected = case["mcafee"]
    result = (
        int(expected["buyer_pays"] * SCALE),
        int(expected["seller_gets"] * SCALE),
        expected["volume"] * UNIT_WH,
    )
    if form is ClearingForm.ON_CHAIN:
        world.market.send("anyone", "clear", 0)
    else:
        world.market.send("anyone", "clearVerified", 0, pack_ranking(ranking(orders)), *result)
    assert world.market.get("clearingOf", 0) == (True, *result, len(orders))
    model = clear(orders, PricingRule.MCAFEE)
    fills = [world.market.get("orderOf", 0, address(order.account))[3] for order in orders]
    assert tuple(fills) == model.fills_wh
    assert world.free(SUPPLIER) - before == (result[0] - result[1]) * expected["volume"]
    assert world.backed()
