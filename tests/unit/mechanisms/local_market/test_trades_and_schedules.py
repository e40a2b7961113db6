"""Pairing of fills, and schedules between firm and planned, by hand-worked cases."""

import numpy as np
import pytest

from cosim.mechanisms.local_market.clearing import clear, merit_order
from cosim.mechanisms.local_market.orders import Order, Settlement
from cosim.mechanisms.local_market.schedule import schedule_wh
from cosim.mechanisms.local_market.trades import Trade, pair_trades

BOOK = [
    Order("late buyer", False, 5, 90_000),
    Order("best buyer", False, 7, 100_000),
    Order("dear seller", True, 4, 50_000),
    Order("cheap seller", True, 6, 40_000),
]


def test_merit_order_breaks_ties_by_arrival() -> None:
    orders = [Order("a", True, 1, 5), Order("b", True, 1, 4), Order("c", True, 9, 5)]
    assert merit_order(orders, is_sell=True) == [1, 0, 2]
    assert merit_order(orders, is_sell=False) == []


def test_clearing_by_hand() -> None:
    clearing = clear(BOOK)
    assert clearing.price_ueur_per_kwh == 70_000
    assert clearing.volume_wh == 10
    assert clearing.fills_wh == (3, 7, 4, 6)
    assert clearing.surplus_ueur == 0
    assert clear(BOOK[:2]).fills_wh == (0, 0)


def test_dust_is_what_rounding_leaves() -> None:
    orders = [Order("b", False, 1, 1_500), Order("c", False, 1, 1_500), Order("s", True, 2, 1_500)]
    assert clear(orders).surplus_ueur == 2 + 2 - 3


def test_best_buyer_trades_with_cheapest_seller_first() -> None:
    assert pair_trades(BOOK, clear(BOOK)) == (
        Trade("best buyer", "cheap seller", 6, 70_000, 420, 70_000, 420),
        Trade("best buyer", "dear seller", 1, 70_000, 70, 70_000, 70),
        Trade("late buyer", "dear seller", 3, 70_000, 210, 70_000, 210),
    )


def test_amounts_of_a_buyer_add_up_in_spite_of_rounding() -> None:
    sellers = [Order(f"s{k}", True, 1, 100_333) for k in range(3)]
    orders = [Order("b", False, 3, 100_333), *sellers]
    amounts = [trade.amount_ueur for trade in pair_trades(orders, clear(orders))]
    assert amounts == [101, 100, 100]  # 300.999, rounded up


def test_schedule_follows_the_fill() -> None:
    schedule = schedule_wh(
        [0, 100, -50, 7], [1_000, -300, -50, 9], [250, 200, 0, 0], [1_000, 400, 9, 0]
    )
    assert schedule.tolist() == [250, -100, -50, 7]
    assert schedule.dtype == np.int64


@pytest.mark.parametrize(
    ("planned", "filled", "order", "expected"),
    [(1, 1, 2, 0), (3, 1, 2, 2), (-1, 1, 2, 0), (-3, 1, 2, -2), (2, 1, 3, 1), (-2, 1, 3, -1)],
)
def test_schedule_rounds_half_to_even(planned: int, filled: int, order: int, expected: int) -> None:
    assert schedule_wh([0], [planned], [filled], [order]).tolist() == [expected]


def test_schedule_of_large_energies_is_exact() -> None:
    big = 2**31 - 1
    assert schedule_wh([0], [big], [big - 1], [big]).tolist() == [big - 1]


@pytest.mark.parametrize(
    ("planned", "filled", "order", "text"),
    [(5, 3, 2, "between 0"), (5, -1, 2, "between 0"), (2**31, 1, 1, "must not exceed")],
)
def test_schedule_refuses_what_cannot_be(planned: int, filled: int, order: int, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        schedule_wh([0], [planned], [filled], [order])


def test_residual_is_metered_less_contracted() -> None:
    assert Settlement(-400, -450, 0, 0).residual_wh == -50
