"""Community pricing by order book and supplier gives the prices of the published formulae.

The contract knows no community price: it trades what it can at the price of its rule and leaves the
rest to the supplier. What each member pays on average is then the published price.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Order, Settlement
from cosim.mechanisms.local_market.pricing import PricingRule, taker_price_ueur_per_kwh
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.units import ueur_from_eur, wh_from_kwh

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text(encoding="utf-8"))
RETAIL = ueur_from_eur(EXPECTED["retail_buy"])
FEED_IN = ueur_from_eur(EXPECTED["feed_in"])
RULES = {
    "mmr": PricingRule.MID_MARKET_RATE,
    "sdr": PricingRule.SUPPLY_DEMAND_RATIO,
    "bill_sharing": PricingRule.BILL_SHARING,
}
ROWS = [(row, column) for row in EXPECTED["rows"] for column in RULES]
IDS = [f"{column} {row['community_production']}" for row, column in ROWS]
# members of unequal size, in this order of arrival
SHARES = {"consumer": (0.5, 0.3, 0.2), "producer": (0.4, 0.6)}
# half a unit of the sixth decimal as printed, and 1 µEUR of rounding twice on the smallest member
TOLERANCE_UEUR_PER_KWH = 0.5 + 2 / (0.4 * 2)


def members(row: dict[str, float]) -> list[Order]:
    """Everybody's whole consumption or production, as price takers' orders."""
    totals = {
        "consumer": EXPECTED["community_consumption"],
        "producer": row["community_production"],
    }
    return [
        Order(
            f"{kind} {k}",
            kind == "producer",
            wh_from_kwh(share * totals[kind]),
            taker_price_ueur_per_kwh(kind == "producer", RETAIL),
        )
        for kind, shares in SHARES.items()
        for k, share in enumerate(shares)
    ]


def settled(orders: list[Order], rule: PricingRule) -> tuple[list[Settlement], LocalMarketModel]:
    """One interval in which everybody does what it ordered."""
    market = LocalMarketModel("supplier", MarketTerms(RETAIL, FEED_IN, 0, rule))
    market.deposit("supplier", ueur_from_eur(10))
    settlements = []
    for order in orders:
        market.deposit(order.account, ueur_from_eur(10))
        market.place_order(0, order)
    market.clear(0)
    for order in orders:
        net_wh = order.energy_wh if order.is_sell else -order.energy_wh
        settlements.append(market.report(0, order.account, net_wh))
    return settlements, market


@pytest.mark.parametrize(("row", "column"), ROWS, ids=IDS)
def test_every_member_pays_the_published_price(row: dict[str, float], column: str) -> None:
    orders = members(row)
    settlements, market = settled(orders, RULES[column])
    buy, sell = row[column]
    for order, settlement in zip(orders, settlements, strict=True):
        received = market.balance_of(order.account) - ueur_from_eur(10)
        assert received == settlement.trade_ueur + settlement.supplier_ueur
        price = received / order.energy_wh * 1_000
        published = sell if order.is_sell else -buy
        assert price == pytest.approx(published * 1e6, abs=TOLERANCE_UEUR_PER_KWH)


@pytest.mark.parametrize(("row", "column"), ROWS, ids=IDS)
def test_bills_add_up_to_the_bill_at_the_connection(row: dict[str, float], column: str) -> None:
    orders = members(row)
    settlements, market = settled(orders, RULES[column])
    net_kwh = row["community_production"] - EXPECTED["community_consumption"]
    at_connection = ueur_from_eur(net_kwh * EXPECTED["feed_in" if net_kwh > 0 else "retail_buy"])
    bills = sum(s.trade_ueur + s.supplier_ueur for s in settlements)
    # who pays rounds up and who is paid rounds down, once to the market and once to the supplier
    assert 0 <= at_connection - bills <= 2 * len(orders)
    assert market.balance_of("supplier") - ueur_from_eur(10) == -bills


def test_the_price_inside_lies_between_the_supplier_s_prices_but_for_bill_sharing() -> None:
    for row in EXPECTED["rows"]:
        for column, rule in RULES.items():
            clearing = settled(members(row), rule)[1].clearing(0)
            assert clearing is not None
            lowest = 0 if rule is PricingRule.BILL_SHARING else FEED_IN
            assert lowest <= clearing.price_ueur_per_kwh <= RETAIL, column
            assert clearing.surplus_ueur <= 2 * len(clearing.fills_wh)


def test_the_page_on_pricing_shows_these_prices() -> None:
    page = (Path(__file__).parents[3] / "docs" / "pricing.md").read_text(encoding="utf-8")
    for row in EXPECTED["rows"]:
        cells = [" / ".join(f"{price:g}" for price in row[column]) for column in RULES]
        assert f"| {row['community_production']} | {' | '.join(cells)} |" in page
