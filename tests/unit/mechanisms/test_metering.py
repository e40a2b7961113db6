"""Meters that lie are believed exactly as far as they were declared to lie."""

from __future__ import annotations

import numpy as np
import pytest
from cosim.mechanisms.local_market.books import LedgerBalances, MarketBooks, Terms

from cosim.errors import ReconciliationError
from cosim.mechanisms.local_market.orders import Settlement
from cosim.mechanisms.metering.readings import FalseMeters, Meters

NAMES = ("liar", "neighbour")
TERMS = Terms(
    retail_price_ueur_per_kwh=300_000,
    feed_in_price_ueur_per_kwh=80_000,
    penalty_ueur_per_kwh=0,
    silent_estimate_wh=2_000,
)
DELIVERED = np.array([-1_001, -500])
LIAR = np.array([True, False])


def books(meters: Meters | None = None) -> MarketBooks:
    held = dict.fromkeys(("liar", "neighbour", "supplier"), 1_000_000)
    made = MarketBooks(NAMES, TERMS, meters=meters)
    made.open(
        LedgerBalances(
            3_000_000, {"LocalMarket": 3_000_000, "FlexibilityMarket": 0}, held | {"DSO": 0}, {}
        )
    )
    return made


def settle(meters: Meters | None, interval: int, *reported_wh: int) -> None:
    """Settle an interval in which nobody trades, as the contract would."""
    made = books(meters)
    made.trade(interval, (), (0, 0), 0, {})
    made.settle(
        interval,
        DELIVERED,
        np.array(reported_wh),
        [False, False],
        {
            name: Settlement(0, wh, 0, wh * 300, False)
            for name, wh in zip(NAMES, reported_wh, strict=True)
        },
    )


def test_a_declared_lie_is_settled() -> None:
    settle(FalseMeters(LIAR, range(2, 4), consumption_factor=0.5), 3, -500, -500)


@pytest.mark.parametrize(
    ("interval", "reported_wh", "wrong"),
    [
        (3, (-499, -500), "liar"),  # another lie than declared
        (3, (-501, -500), "liar"),
        (3, (-1_001, -500), "liar"),  # the truth, where a lie was declared
        (3, (-500, -250), "neighbour"),  # somebody else's
        (4, (-500, -500), "liar"),  # at another time
        (1, (-500, -500), "liar"),
    ],
)
def test_any_other_lie_stops_the_run(
    interval: int, reported_wh: tuple[int, int], wrong: str
) -> None:
    meters = FalseMeters(LIAR, range(2, 4), consumption_factor=0.5)
    with pytest.raises(ReconciliationError, match=f"reported energy.*{wrong}"):
        settle(meters, interval, *reported_wh)


def test_honest_meters_report_what_was_delivered() -> None:
    settle(None, 3, -1_001, -500)
    with pytest.raises(ReconciliationError, match=r"reported energy.*liar"):
        settle(None, 3, -1_000, -500)


def test_feed_in_and_consumption_have_factors_of_their_own() -> None:
    meters = FalseMeters(LIAR, range(1), consumption_factor=0.25, feed_in_factor=1.5)
    assert meters.reported_wh(0, np.array([-1_001, -7])).tolist() == [-250, -7]
    assert meters.reported_wh(0, np.array([1_001, 7])).tolist() == [1_501, 7]
    assert meters.reported_wh(1, np.array([1_001, 7])).tolist() == [1_001, 7]
