"""Meters that lie are believed exactly as far as they were declared to lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from deployed import Markets, deployed, readings_of, scenario_of

from cosim.attacks.false_meters import FalseMeters
from cosim.errors import ReconciliationError
from cosim.mechanisms.metering.readings import Meters

NAMES = ("liar", "neighbour")
DELIVERED = np.array([-1_001, -500])
LIAR = np.array([True, False])
FALSE = FalseMeters(LIAR, range(2, 4), consumption_factor=0.5)


def settle(meters: Meters | None, interval: int, *reported_wh: int) -> list[int]:
    """Settle an interval in which nobody trades, and meters report what is given. [Wh]"""
    scenario = scenario_of(intervals=5)
    markets = Markets(deployed(scenario, NAMES, n_mechanisms=0, readings=meters), scenario)
    none = np.zeros(2, dtype=np.int64)
    markets.trade(interval, none > 0, none, none, np.zeros(2))
    reporting = markets.market._reporting
    honest = reporting.send

    def report(k: int, metered_wh: Any) -> Any:
        return honest(k, np.array(reported_wh) if reported_wh else metered_wh)

    reporting.send = report  # type: ignore[method-assign]
    statement, _ = markets.settle_readings(interval, readings_of(interval, DELIVERED))
    assert statement.supplier_ueur.tolist() == (300 * statement.metered_wh).tolist()
    return list(statement.metered_wh.tolist())


def test_a_declared_lie_is_reported_and_settled() -> None:
    assert settle(FALSE, 3) == [-500, -500]
    assert settle(FALSE, 3, -500, -500) == [-500, -500]


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
    with pytest.raises(ReconciliationError, match=f"reported energy.*{wrong}"):
        settle(FALSE, interval, *reported_wh)


def test_honest_meters_report_what_was_delivered() -> None:
    assert settle(None, 3) == DELIVERED.tolist()
    with pytest.raises(ReconciliationError, match=r"reported energy.*liar"):
        settle(None, 3, -1_000, -500)


def test_feed_in_and_consumption_have_factors_of_their_own() -> None:
    meters = FalseMeters(LIAR, range(1), consumption_factor=0.25, feed_in_factor=1.5)
    assert meters.reported_wh(0, np.array([-1_001, -7])).tolist() == [-250, -7]
    assert meters.reported_wh(0, np.array([1_001, 7])).tolist() == [1_501, 7]
    assert meters.reported_wh(1, np.array([1_001, 7])).tolist() == [1_001, 7]
