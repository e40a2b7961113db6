"""The contract bills every member by the published prices, on both engines, and in every form."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cosim.mechanisms.local_market.clearing import clear, ranking
from cosim.mechanisms.local_market.client import pack_ranking
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import (
    AUCTION_FORMS,
    ClearingForm,
    PricingRule,
    taker_price_ueur_per_kwh,
)
from cosim.units import ueur_from_eur, wh_from_kwh

sys.path.insert(0, str(Path(__file__).parents[2] / "contracts"))
from market_world import SUPPLIER, MarketWorld, address

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text(encoding="utf-8"))
RETAIL = ueur_from_eur(EXPECTED["retail_buy"])
FEED_IN = ueur_from_eur(EXPECTED["feed_in"])
RULES = {
    "mmr": PricingRule.MID_MARKET_RATE,
    "sdr": PricingRule.SUPPLY_DEMAND_RATIO,
    "bill_sharing": PricingRule.BILL_SHARING,
}
FUNDS, CHALLENGE_S, BOND = ueur_from_eur(10), 60, 50_000


def members(row: dict[str, Any]) -> list[Order]:
    """Two consumers and two producers, as price takers."""
    consumption, production = EXPECTED["community_consumption"], row["community_production"]
    energies = (0.7 * consumption, 0.3 * consumption, 0.4 * production, 0.6 * production)
    return [
        Order(f"member {k}", k > 1, wh_from_kwh(kwh), taker_price_ueur_per_kwh(k > 1, RETAIL))
        for k, kwh in enumerate(energies)
    ]


def clear_by(
    world: MarketWorld, orders: list[Order], rule: PricingRule, form: ClearingForm
) -> None:
    """Clear interval 0 on chain, by a ranking, or by a root with claims."""
    expected = clear(
        orders, rule, retail_price_ueur_per_kwh=RETAIL, feed_in_price_ueur_per_kwh=FEED_IN
    )
    result = expected.buy_price_ueur_per_kwh, expected.sell_price_ueur_per_kwh, expected.volume_wh
    if form is ClearingForm.ON_CHAIN:
        world.market.send("anyone", "clear", 0)
    elif form is ClearingForm.VERIFIED:
        world.market.send("anyone", "clearVerified", 0, pack_ranking(ranking(orders)), *result)
    else:
        tree = FillTree(expected.fills_wh)
        world.market.send("anyone", "commitClearing", 0, tree.root, *result)
        world.start(0)
        for k, order in enumerate(orders):  # consumers come first: sellers are paid of the pot
            fill = expected.fills_wh[k]
            proof = list(tree.proof(k))
            world.market.send("anyone", "claimFill", 0, address(order.account), fill, proof)


@pytest.mark.parametrize(
    ("engine", "form"),
    [*(("revm", form) for form in AUCTION_FORMS), ("py-evm", ClearingForm.ON_CHAIN)],
)
@pytest.mark.parametrize("column", RULES)
@pytest.mark.parametrize("row", EXPECTED["rows"], ids=lambda row: row["community_production"])
def test_bills(row: dict[str, Any], column: str, engine: str, form: ClearingForm) -> None:
    rule = RULES[column]
    world = MarketWorld(
        engine,
        rule=rule.number,
        form=form.number,
        retail=RETAIL,
        feed_in=FEED_IN,
        challenge_s=CHALLENGE_S if form is ClearingForm.COMMITTED else 0,
        clearing_bond=BOND,
    )
    world.fund("anyone", world.market, BOND)
    orders = members(row)
    world.fund(SUPPLIER, world.market, FUNDS)
    for order in orders:
        world.join(order.account, FUNDS)
    world.open_window(0)
    for order in orders:
        world.order(order.account, order.is_sell, order.energy_wh, order.price_ueur_per_kwh)
    world.close_gate(0)
    clear_by(world, orders, rule, form)
    world.deliver(0)
    for order in orders:
        world.report(order.account, order.energy_wh if order.is_sell else -order.energy_wh)

    buy, sell = row[column]
    bills = 0
    for order in orders:
        received = world.free(order.account) - FUNDS
        bills -= received
        price = received / order.energy_wh * 1_000
        # half a unit of the sixth decimal as printed, and rounding by 1 µEUR twice
        tolerance = 0.5 + 2_000 / order.energy_wh
        assert price == pytest.approx((sell if order.is_sell else -buy) * 1e6, abs=tolerance)
    net_kwh = row["community_production"] - EXPECTED["community_consumption"]
    at_connection = ueur_from_eur(-net_kwh * (FEED_IN if net_kwh > 0 else RETAIL) / 1e6)
    assert 0 <= bills - at_connection <= 2 * len(orders)
    assert world.free(SUPPLIER) - FUNDS == bills
    assert world.backed()
