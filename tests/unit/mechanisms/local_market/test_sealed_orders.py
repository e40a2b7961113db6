"""Sealed orders in the model: deposit, reveal, refusals, and what is lost by staying silent."""

import pytest

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH, MAX_PRICE_UEUR_PER_KWH, Order
from cosim.mechanisms.local_market.pricing import PricingRule
from cosim.mechanisms.local_market.terms import MarketTerms

RETAIL, FEED_IN, DEPOSIT = 300_000, 80_000, 5_000
ANN, BOB = bytes([1]) * 32, bytes([2]) * 32


def sealed_market(rule: PricingRule = PricingRule.MIDPOINT) -> LocalMarketModel:
    """A market of sealed orders in which ann and bob have 1 EUR each."""
    terms = MarketTerms(RETAIL, FEED_IN, 2_000, rule, reveal_s=60, sealed_deposit_ueur=DEPOSIT)
    market = LocalMarketModel("supplier", terms)
    for account in ("ann", "bob"):
        market.deposit(account, 1_000_000)
    return market


@pytest.fixture
def market() -> LocalMarketModel:
    """Ann and bob have sealed an order."""
    market = sealed_market()
    market.commit_order(0, "ann", ANN)
    market.commit_order(0, "bob", BOB)
    return market


def test_a_deposit_stands_for_the_escrow_until_revealed(market: LocalMarketModel) -> None:
    assert market.balance_of("ann") == 995_000
    assert market.locked_of(0, "ann") == DEPOSIT
    assert market.book(0) == (None, None)
    ask = Order("ann", True, 1_000, 200_000)
    market.reveal_order(0, ask, ANN)
    assert market.balance_of("ann") == 900_000
    assert market.locked_of(0, "ann") == 100_000
    assert market.book(0) == (ask, None)
    assert market.orders(0) == (ask,)


def test_ties_follow_the_order_of_commitments(market: LocalMarketModel) -> None:
    market.deposit("eve", 1_000_000)
    market.commit_order(0, "eve", bytes(32))
    market.reveal_order(0, Order("eve", False, 1, 200_000), bytes(32))
    market.reveal_order(0, Order("bob", False, 1, 200_000), BOB)
    market.reveal_order(0, Order("ann", True, 1, 100_000), ANN)
    assert market.clear(0).fills_wh == (1, 1, 0)
    assert market.filled_wh_of(0, "bob") == 1
    assert market.filled_wh_of(0, "eve") == 0


def test_never_revealed_costs_the_deposit(market: LocalMarketModel) -> None:
    market.reveal_order(0, Order("bob", False, 1_000, 200_000), BOB)
    assert market.clear(0).fills_wh == (0, 0)
    assert market.locked_of(0, "ann") == DEPOSIT
    settlement = market.report(0, "ann", 0)
    assert (settlement.contracted_wh, settlement.trade_ueur) == (0, 0)
    assert market.locked_of(0, "ann") == 0
    assert market.balance_of("ann") == 995_000
    assert market.balance_of("supplier") == DEPOSIT
    assert market.filled_wh_of(0, "ann") == 0


def test_a_lost_deposit_pays_what_the_supplier_owes(market: LocalMarketModel) -> None:
    market.clear(0)
    market.report(0, "ann", 100)  # earns 8 000 µEUR of a supplier that has only the deposit
    assert market.balance_of("ann") == 995_000 + DEPOSIT
    assert market.claim_of("ann") == 8_000 - DEPOSIT


@pytest.mark.parametrize(
    ("order", "commitment", "text"),
    [
        (Order("eve", False, 1, 1), ANN, "no sealed order"),
        (Order("ann", False, 1, 1), BOB, "not what was sealed"),
        (Order("ann", False, 0, 1), ANN, "energy out of range"),
        (Order("ann", False, MAX_ENERGY_WH + 1, 1), ANN, "energy out of range"),
        (Order("ann", False, 1, MAX_PRICE_UEUR_PER_KWH + 1), ANN, "price out of range"),
        (Order("ann", False, 1_000, 1_000_001), ANN, "balance too low"),
    ],
)
def test_reveals_refused(
    market: LocalMarketModel, order: Order, commitment: bytes, text: str
) -> None:
    with pytest.raises(ContractRevert) as refused:
        market.reveal_order(0, order, commitment)
    assert refused.value.text == f"local market: {text}"
    assert market.book(0) == (None, None)
    assert market.balance_of("ann") == 995_000


def test_the_deposit_helps_to_pay_the_escrow(market: LocalMarketModel) -> None:
    market.reveal_order(0, Order("ann", False, 1_000, 1_000_000), ANN)
    assert market.balance_of("ann") == 0


def test_revealing_twice(market: LocalMarketModel) -> None:
    order = Order("ann", False, 1, 1)
    market.reveal_order(0, order, ANN)
    with pytest.raises(ContractRevert, match="already revealed"):
        market.reveal_order(0, order, ANN)


def test_commitments_refused(market: LocalMarketModel) -> None:
    with pytest.raises(ContractRevert, match="order exists"):
        market.commit_order(0, "ann", BOB)
    market.deposit("eve", DEPOSIT - 1)
    with pytest.raises(ContractRevert, match="balance too low"):
        market.commit_order(0, "eve", BOB)
    with pytest.raises(ContractRevert, match="orders are sealed"):
        market.place_order(0, Order("eve", False, 1, 1))


def test_a_book_can_be_full_of_commitments() -> None:
    market = sealed_market()
    for k in range(513):
        market.deposit(f"a{k}", DEPOSIT)
    for k in range(512):
        market.commit_order(0, f"a{k}", ANN)
    with pytest.raises(ContractRevert, match="book full"):
        market.commit_order(0, "a512", ANN)


def test_an_open_market_takes_no_sealed_orders() -> None:
    market = LocalMarketModel("supplier", MarketTerms(RETAIL, FEED_IN, 0))
    market.deposit("ann", 1_000_000)
    with pytest.raises(ContractRevert, match="orders are open"):
        market.commit_order(0, "ann", ANN)
    market.place_order(0, Order("ann", False, 1, 1))
    with pytest.raises(ContractRevert, match="no sealed order"):
        market.reveal_order(0, Order("ann", False, 1, 1), ANN)


def test_price_takers_orders_open_and_sealed() -> None:
    sealed = sealed_market(PricingRule.MID_MARKET_RATE)
    sealed.commit_order(0, "ann", ANN)
    with pytest.raises(ContractRevert, match="price is set by the rule"):
        sealed.reveal_order(0, Order("ann", True, 1, 1), ANN)
    sealed.reveal_order(0, Order("ann", True, 1, 0), ANN)
    opened = LocalMarketModel("supplier", MarketTerms(RETAIL, FEED_IN, 0, PricingRule.BILL_SHARING))
    opened.deposit("ann", 1_000_000)
    with pytest.raises(ContractRevert, match="price is set by the rule"):
        opened.place_order(0, Order("ann", False, 1, RETAIL - 1))
    opened.place_order(0, Order("ann", False, 1, RETAIL))
    assert len(opened.orders(0)) == 1


def test_an_unsettled_commitment_is_not_forgotten(market: LocalMarketModel) -> None:
    market.clear(0)
    market.report(0, "bob", 0)
    with pytest.raises(ValueError, match="interval 0 is not settled for ann"):
        market.forget(0)
    market.settle_silent(0, "ann")
    market.forget(0)
    assert market.locked_total_ueur() == 0
