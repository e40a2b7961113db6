"""Bids and deliveries of dishonest prosumers; all others do as before."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.attacks.deviations import AgreedSales, SmallerPurchases, UndeliveredFlexibility
from cosim.messages import BidsMessage, BlocksMessage

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
        curtailable_down_wh=energies,
        curtailable_up_wh=energies,
        flexibility=BlocksMessage(
            prosumer=np.array([0, 1, 2, 0]),
            direction=np.array([-1, -1, -1, 1]),
            energy_wh=np.array([10, 20, 30, 40]),
            price_ueur_per_kwh=np.array([100, 100, 100, 31]),
            price_if_traded_ueur_per_kwh=np.array([300, 301, 302, 303]),
        ),
    )


def test_purchases_shrink_and_plans_do_not(bids: BidsMessage) -> None:
    changed = SmallerPurchases(WHO, WHEN, 0.5).bids(2, bids)
    assert changed.order_wh.tolist() == [1_001, 250, 301]
    assert changed.planned_wh is bids.planned_wh
    assert SmallerPurchases(WHO, WHEN, 0.5).bids(4, bids) is bids


def test_cheap_offers_are_not_delivered(bids: BidsMessage) -> None:
    deviation = UndeliveredFlexibility(WHO, WHEN, share=0.75, price_factor=0.5)
    potentials = deviation.bids(3, bids)
    blocks = potentials.flexibility
    assert blocks.price_ueur_per_kwh.tolist() == [50, 50, 100, 15]
    assert blocks.price_if_traded_ueur_per_kwh.tolist() == [150, 150, 302, 151]
    assert blocks.energy_wh is bids.flexibility.energy_wh
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
