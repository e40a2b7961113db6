"""Bids and deliveries of dishonest prosumers; all others do as before."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.attacks.deviations import AgreedSales, SmallerPurchases, UndeliveredFlexibility
from cosim.messages import BidsMessage

WHO = np.array([True, True, False])
WHEN = range(2, 4)


@pytest.fixture
def bids() -> BidsMessage:
    prices = np.array([101, 100, 100])
    energies = np.array([1_001, 501, 301])
    return BidsMessage(
        interval=2,
        planned_wh=energies,
        firm_wh=energies,
        is_sell=np.array([True, False, True]),
        order_wh=energies,
        order_price_ueur_per_kwh=prices,
        sent_fraction=np.zeros(3),
        forecast_q_mvar=np.zeros(3),
        flex_down_wh=energies,
        flex_up_wh=energies,
        flex_down_price_ueur_per_kwh=prices,
        flex_down_price_if_sold_ueur_per_kwh=prices,
        flex_up_price_ueur_per_kwh=prices,
        curtailable_down_wh=energies,
        curtailable_up_wh=energies,
    )


def test_purchases_shrink_and_plans_do_not(bids: BidsMessage) -> None:
    changed = SmallerPurchases(WHO, WHEN, 0.5).bids(2, bids)
    assert changed.order_wh.tolist() == [1_001, 250, 301]
    assert changed.planned_wh is bids.planned_wh
    assert SmallerPurchases(WHO, WHEN, 0.5).bids(4, bids) is bids


def test_cheap_offers_are_not_delivered(bids: BidsMessage) -> None:
    deviation = UndeliveredFlexibility(WHO, WHEN, share=0.75, price_factor=0.5)
    potentials = deviation.bids(3, bids)
    assert potentials.flex_down_price_ueur_per_kwh.tolist() == [50, 50, 100]
    assert potentials.flex_down_price_if_sold_ueur_per_kwh.tolist() == [50, 50, 100]
    assert potentials.flex_up_price_ueur_per_kwh.tolist() == [50, 50, 100]
    assert potentials.flex_down_wh is bids.flex_down_wh
    activated_wh = np.array([-1_003, 1_003, -1_003])
    assert deviation.followed_wh(3, activated_wh).tolist() == [-250, 250, -1_003]
    assert deviation.followed_wh(1, activated_wh) is activated_wh


def test_sellers_raise_asks_or_withhold_energy(bids: BidsMessage) -> None:
    changed = AgreedSales(WHO, WHEN, price_ueur_per_kwh=150).bids(2, bids)
    assert changed.order_price_ueur_per_kwh.tolist() == [150, 100, 100]
    assert changed.order_wh.tolist() == bids.order_wh.tolist()
    dearer_already = AgreedSales(WHO, WHEN, price_ueur_per_kwh=90).bids(2, bids)
    assert dearer_already.order_price_ueur_per_kwh.tolist() == [101, 100, 100]
    withheld = AgreedSales(WHO, WHEN, withheld_share=0.5).bids(2, bids)
    assert withheld.order_wh.tolist() == [500, 501, 301]
    assert withheld.order_price_ueur_per_kwh.tolist() == [101, 100, 100]
