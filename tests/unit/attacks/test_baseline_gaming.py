"""Nominations and offers of phantom injection, and of what is only planned; others as before."""

from __future__ import annotations

import numpy as np
import pytest
from test_deviations import WHEN, WHO, bids  # noqa: F401  (a fixture)

from cosim.attacks.baseline_gaming import IncDec, PhantomBaseline
from cosim.messages import BidsMessage


def blocks(bids: BidsMessage) -> list[tuple[int, int, int, int]]:  # noqa: F811
    found = bids.flexibility
    return list(
        zip(
            found.prosumer.tolist(),
            found.direction.tolist(),
            found.energy_wh.tolist(),
            found.price_ueur_per_kwh.tolist(),
            strict=True,
        )
    )


def test_phantom_nominates_and_offers_what_is_not_there(bids: BidsMessage) -> None:  # noqa: F811
    attack = PhantomBaseline(WHO, WHEN, 10_000, 79_000)
    changed = attack.bids(2, bids)
    assert changed.firm_wh.tolist() == changed.planned_wh.tolist() == [11_001, 10_501, 301]
    assert blocks(changed) == [(0, -1, 10_000, 79_000), (1, -1, 10_000, 79_000), *blocks(bids)]
    assert changed.order_wh is bids.order_wh
    assert changed.curtailable_down_wh is bids.curtailable_down_wh
    assert attack.bids(4, bids) is bids


def test_phantom_claims_no_more_than_its_range_takes(bids: BidsMessage) -> None:  # noqa: F811
    attack = PhantomBaseline(WHO, WHEN, 10_000, 79_000, np.array([1_100, 400, 9_999]))
    changed = attack.bids(2, bids)
    # the second is beyond its range already
    assert changed.firm_wh.tolist() == [1_100, 501, 301]
    assert blocks(changed) == [(0, -1, 99, 79_000), *blocks(bids)]


@pytest.mark.parametrize(("share", "raised"), [(1.0, 40), (0.5, 20)])
def test_inc_dec_plans_what_it_offers_to_undo(
    bids: BidsMessage,  # noqa: F811
    share: float,
    raised: int,
) -> None:
    changed = IncDec(WHO, WHEN, share, 79_000).bids(2, bids)
    assert changed.firm_wh.tolist() == [1_001 + raised, 501, 301]
    own = blocks(bids)
    # what it raised already it cannot raise once more
    left = [*own[:3], (0, 1, 40 - raised, 31)]
    assert blocks(changed) == [(0, -1, raised, 79_000), *left]
    assert changed.curtailable_down_wh.tolist() == [1_001 + raised, 501, 301]
    assert changed.curtailable_up_wh.tolist() == [1_001 - raised, 501, 301]
    assert changed.order_wh is bids.order_wh


def test_inc_dec_may_sell_it_first(bids: BidsMessage) -> None:  # noqa: F811
    changed = IncDec(WHO, WHEN, 1.0, 79_000, sells=True).bids(2, bids)
    assert changed.order_wh.tolist() == [1_041, 501, 301]
    assert changed.is_sell.tolist() == [True, False, True]
    buyer = np.array([False, True, False])
    given = bids.flexibility
    up_of_buyer = type(given)(*(np.array([one]) for one in (1, 1, 800, 0, 5, 5)))
    buys = type(bids)(**{**vars(bids), "flexibility": up_of_buyer})
    changed = IncDec(buyer, WHEN, 1.0, 79_000, sells=True).bids(2, buys)
    # it bought 501 and raises by 800: it sells the difference
    assert changed.order_wh.tolist() == [1_001, 299, 301]
    assert changed.is_sell.tolist() == [True, True, True]
