"""The models on their own: refusals, forgetting what is settled."""

import pytest

from cosim.errors import ContractRevert
from cosim.mechanisms.flexibility_market.curves import Block
from cosim.mechanisms.flexibility_market.model import FlexibilityMarketModel, delivered_wh
from cosim.mechanisms.local_market.model import LocalMarketModel, settle_reading
from cosim.mechanisms.local_market.orders import (
    MAX_ENERGY_WH,
    MAX_PRICE_UEUR_PER_KWH,
    Order,
    Reading,
)
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.scenario.tariff import Tariff

RETAIL, FEED_IN = 300_000, 80_000


@pytest.fixture
def market() -> LocalMarketModel:
    """A market in which ann and bob have 1 EUR each."""
    market = LocalMarketModel("supplier", MarketTerms(RETAIL, FEED_IN, 2_000))
    for account in ("ann", "bob"):
        market.deposit(account, 1_000_000)
    return market


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (Order("ann", False, 0, 1), "energy out of range"),
        (Order("ann", False, MAX_ENERGY_WH + 1, 1), "energy out of range"),
        (Order("ann", False, 1, MAX_PRICE_UEUR_PER_KWH + 1), "price out of range"),
        (Order("ann", False, 1_000, 1_000_001), "balance too low"),
    ],
)
def test_orders_refused(market: LocalMarketModel, order: Order, text: str) -> None:
    with pytest.raises(ContractRevert) as refused:
        market.place_order(0, order)
    assert refused.value.text == f"local market: {text}"
    assert market.orders(0) == ()


def test_full_book(market: LocalMarketModel) -> None:
    for k in range(512):
        market.place_order(0, Order(f"a{k}", False, 1, 0))
    with pytest.raises(ContractRevert, match="book full"):
        market.place_order(0, Order("a512", False, 1, 0))


def test_reading_out_of_range(market: LocalMarketModel) -> None:
    market.clear(0)
    with pytest.raises(ContractRevert, match="energy out of range"):
        market.report(0, "ann", MAX_ENERGY_WH + 1)


def test_an_interval_from_order_to_payment(market: LocalMarketModel) -> None:
    market.place_order(3, Order("ann", True, 1_000, 200_000))
    market.place_order(3, Order("bob", False, 1_000, 200_000))
    assert (market.locked_of(3, "ann"), market.locked_of(3, "bob")) == (100_000, 200_000)
    assert market.locked_total_ueur() == 300_000
    market.clear(3)
    assert (market.locked_of(3, "ann"), market.locked_of(3, "bob")) == (300_000, 0)
    sold = market.report(3, "ann", 900)
    assert (sold.contracted_wh, sold.residual_wh) == (1_000, -100)
    assert (sold.trade_ueur, sold.supplier_ueur) == (200_000, -30_000)
    bought = market.settle_silent(3, "bob")
    assert bought.estimated
    assert (bought.trade_ueur, bought.supplier_ueur) == (-200_000, -300_000)
    assert market.balance_of("ann") == 1_170_000
    assert market.balance_of("bob") == 500_000
    assert market.balance_of("supplier") == 330_000


def test_settlement_without_an_order_is_all_residual() -> None:
    settlement = settle_reading(None, 0, 0, Reading(-1), Tariff(RETAIL + 1, FEED_IN))
    assert (settlement.contracted_wh, settlement.trade_ueur) == (0, 0)
    assert settlement.supplier_ueur == -301  # who pays rounds up


def test_only_settled_intervals_are_forgotten(market: LocalMarketModel) -> None:
    market.place_order(0, Order("ann", False, 10, 1_000))
    market.clear(0)
    with pytest.raises(ValueError, match="interval 0 is not settled for ann"):
        market.forget(0)
    market.report(0, "ann", 0)
    balance = market.balance_of("ann")
    market.forget(0)
    assert market.clearing(0) is None
    assert market.balance_of("ann") == balance == 1_000_000


@pytest.mark.parametrize(
    ("is_up", "net", "baseline", "earlier", "awarded", "expected"),
    [
        (True, 150, 100, 0, 80, 50),
        (True, 250, 100, 0, 80, 80),
        (True, 50, 100, 0, 80, 0),
        (False, 50, 100, 0, 80, 50),
        (False, 150, 100, 0, 80, 0),
        (False, -100, 100, 150, 80, 50),
        (False, 0, 100, 150, 80, 0),
    ],
)
def test_delivery(
    is_up: bool, net: int, baseline: int, earlier: int, awarded: int, expected: int
) -> None:
    assert delivered_wh(is_up, net, baseline, earlier, awarded) == expected


def test_flexibility_is_forgotten_when_nothing_is_locked() -> None:
    market = FlexibilityMarketModel("dso", 600_000)
    market.deposit("dso", 1_000_000)
    market.deposit("ann", 1_000_000)
    request = market.open_request(7, True, 1_000, 400_000)
    market.offer(request, "ann", 0, [Block(500, 400_000)])
    market.award(request, ["ann"], [500])
    market.close_request(request)
    with pytest.raises(ValueError, match="money is locked in requests \\[1\\]"):
        market.forget(7)
    market.settle(request, ["ann"], {"ann": Reading(500)})
    market.forget(7)
    assert market.offer_of(request, "ann") is None
    with pytest.raises(ContractRevert, match="no such request"):
        market.request(request)
    assert market.balance_of("ann") == 1_200_000
    assert market.open_request(8, True, 1, 1) == 2  # numbers go on
