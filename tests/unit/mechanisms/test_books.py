"""The books beside the ledger: a hand-worked interval agrees, any other figure stops the run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cosim.mechanisms.local_market.books import Arrival, LedgerBalances, MarketBooks, Terms

from cosim.errors import ReconciliationError
from cosim.mechanisms.flexibility_market.model import FlexibilitySettlement
from cosim.mechanisms.local_market.orders import Order, Settlement
from cosim.mechanisms.local_market.trades import Trade

INTERVAL = 7
NAMES = ("buyer", "seller")
TERMS = Terms(
    retail_price_ueur_per_kwh=300_000,
    feed_in_price_ueur_per_kwh=80_000,
    penalty_ueur_per_kwh=600_000,
    silent_estimate_wh=2_000,
)
ORDERS = (Order("buyer", False, 1_000, 250_000), Order("seller", True, 1_000, 150_000))
ARRIVALS = tuple(Arrival(order) for order in ORDERS)
DELIVERED = np.array([-1_500, 700])
# buyer: 1 kWh at 0.20, half a kWh at 0.30 from the supplier; seller: 0.3 kWh short, at 0.30
SETTLED = {
    "buyer": Settlement(-1_000, -1_500, -200_000, -150_000, False),
    "seller": Settlement(1_000, 700, 200_000, -90_000, False),
}
OPENING = LedgerBalances(
    total_supply_ueur=6_000_000,
    tokens_ueur={
        "buyer": 0,
        "seller": 0,
        "issuer": 0,
        "LocalMarket": 3_000_000,
        "FlexibilityMarket": 3_000_000,
    },
    local_market_ueur={"buyer": 1_000_000, "seller": 1_000_000, "supplier": 1_000_000, "DSO": 0},
    flexibility_ueur={"buyer": 500_000, "seller": 500_000, "supplier": 0, "DSO": 2_000_000},
)
CLOSING = replace(
    OPENING,
    local_market_ueur={"buyer": 650_000, "seller": 1_110_000, "supplier": 1_240_000, "DSO": 0},
    flexibility_ueur={"buyer": 500_000, "seller": 600_000, "supplier": 0, "DSO": 1_900_000},
)
# 500 Wh less than the baseline of 1 200 Wh, all of the award, at 0.20
PAID = FlexibilitySettlement(500, 100_000, 0)


@pytest.fixture
def books():
    books = MarketBooks(NAMES, TERMS)
    books.open(OPENING)
    return books


def trade(books, price=200_000, volume=1_000, **fills):
    fills = {"buyer": 1_000, "seller": 1_000} | fills
    return books.trade(INTERVAL, ARRIVALS, (price, price), volume, fills)


def flexibility(books):
    assert books.flexibility.open_request(INTERVAL, False, 1_000, 500_000) == 1
    books.flexibility.offer(1, "seller", 800, 200_000, 1_200)
    books.flexibility.award(1, ["seller"], [500])


def settle(books, settlements=SETTLED, reported=DELIVERED, estimated=(False, False)):
    books.settle(INTERVAL, DELIVERED, np.asarray(reported), estimated, settlements)


def play(books, closing=CLOSING):
    trade(books)
    flexibility(books)
    settle(books)
    books.settle_request(INTERVAL, 1, {"seller": PAID})
    books.close(INTERVAL, closing)


def refused(*accounts):
    return pytest.raises(ReconciliationError, match=f"interval {INTERVAL}, {', '.join(accounts)}:")


def test_a_hand_worked_interval_agrees_to_the_integer(books):
    assert trade(books) == (Trade("buyer", "seller", 1_000, 200_000, 200_000, 200_000, 200_000),)
    flexibility(books)
    settle(books)
    books.settle_request(INTERVAL, 1, {"seller": PAID})
    books.close(INTERVAL, CLOSING)
    assert {name: books.local.balance_of(name) for name in CLOSING.local_market_ueur} == dict(
        CLOSING.local_market_ueur
    )


def test_the_next_interval_starts_from_the_last_balances(books):
    play(books)
    books.check_money(INTERVAL + 1, CLOSING)
    with pytest.raises(ReconciliationError, match=f"interval {INTERVAL + 1}, "):
        books.check_money(INTERVAL + 1, OPENING)


@pytest.mark.parametrize(("price", "volume"), [(200_001, 1_000), (200_000, 999)])
def test_another_price_or_volume(books, price, volume):
    with pytest.raises(ReconciliationError, match=f"interval {INTERVAL}, .*clearing of the model"):
        trade(books, price, volume)


def test_another_fill_names_whose(books):
    with refused("seller"):
        trade(books, seller=999)


def test_a_fill_that_is_missing_counts_as_none(books):
    with refused("buyer"):
        books.trade(INTERVAL, ARRIVALS, (200_000, 200_000), 1_000, {"seller": 1_000})


def test_a_reading_that_is_not_what_was_delivered(books):
    trade(books)
    with refused("buyer"):
        settle(books, reported=[-1_499, 700])


@pytest.mark.parametrize(
    "wrong",
    [
        {"contracted_wh": 999},
        {"metered_wh": 701},
        {"trade_ueur": 200_001},
        {"supplier_ueur": -89_999},
        {"estimated": True},
    ],
)
def test_another_settlement_of_the_contract(books, wrong):
    trade(books)
    with refused("seller"):
        settle(books, SETTLED | {"seller": replace(SETTLED["seller"], **wrong)})


def test_a_settlement_that_is_missing(books):
    trade(books)
    with refused("seller"):
        settle(books, {"buyer": SETTLED["buyer"]})


def test_a_silent_meter_is_settled_by_the_agreed_estimate_and_no_other(books):
    trade(books)
    # 3 kWh short of the contract, at 0.30
    estimated = Settlement(1_000, -2_000, 200_000, -900_000, True)
    settle(books, SETTLED | {"seller": estimated}, [-1_500, -2_000], (False, True))
    other = MarketBooks(NAMES, TERMS)
    other.open(OPENING)
    trade(other)
    cheaper = Settlement(1_000, -1_000, 200_000, -600_000, True)
    with refused("seller"):
        settle(other, SETTLED | {"seller": cheaper}, [-1_500, -1_000], (False, True))


@pytest.mark.parametrize(
    "wrong", [{"delivered_wh": 499}, {"paid_ueur": 100_001}, {"penalty_ueur": 1}]
)
def test_another_settlement_of_flexibility(books, wrong):
    trade(books)
    flexibility(books)
    settle(books)
    with refused("seller"):
        books.settle_request(INTERVAL, 1, {"seller": replace(PAID, **wrong)})


def test_flexibility_that_the_contract_did_not_settle(books):
    trade(books)
    flexibility(books)
    settle(books)
    with refused("seller"):
        books.settle_request(INTERVAL, 1, {})


@pytest.mark.parametrize("market", ["local_market_ueur", "flexibility_ueur"])
def test_a_balance_that_the_books_do_not_know(books, market):
    moved = {**getattr(CLOSING, market)}
    moved["seller"] -= 1
    moved["buyer"] += 1
    with refused("buyer", "seller"):
        play(books, replace(CLOSING, **{market: moved}))


def test_a_token_issued_to_an_account_names_it(books):
    tokens = {**CLOSING.tokens_ueur, "seller": 1}
    with refused("seller"):
        play(books, replace(CLOSING, tokens_ueur=tokens, total_supply_ueur=6_000_001))


def test_a_token_issued_to_a_market(books):
    tokens = {**CLOSING.tokens_ueur, "LocalMarket": 3_000_001}
    with pytest.raises(ReconciliationError, match="instead of 6000000 µEUR, \\+1 µEUR"):
        play(books, replace(CLOSING, tokens_ueur=tokens, total_supply_ueur=6_000_001))


def test_a_token_issued_to_a_stranger(books):
    with refused("EuroToken"):
        play(books, replace(CLOSING, total_supply_ueur=6_000_001))


def test_a_token_that_moved_from_one_market_to_the_other(books):
    tokens = {**CLOSING.tokens_ueur, "LocalMarket": 2_999_999, "FlexibilityMarket": 3_000_001}
    with refused("LocalMarket"):
        play(books, replace(CLOSING, tokens_ueur=tokens))


def test_deposits_that_are_not_backed_by_tokens():
    tokens = {**OPENING.tokens_ueur, "issuer": 1, "LocalMarket": 2_999_999}
    with pytest.raises(ReconciliationError, match="interval -1, LocalMarket: holds 2999999"):
        MarketBooks(NAMES, TERMS).open(replace(OPENING, tokens_ueur=tokens))
