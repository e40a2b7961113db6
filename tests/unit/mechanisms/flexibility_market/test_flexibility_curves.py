"""Curves of blocks: amounts by block, and which blocks a prosumer offers for its position."""

from __future__ import annotations

import numpy as np
import pytest
from deployed import bids_of
from hypothesis import given
from hypothesis import strategies as st

from cosim.dso.instruments.flexibility_market import _net_out
from cosim.dso.procurement import Offers, cheapest_first
from cosim.mechanisms.flexibility_market.curves import (
    Block,
    by_block,
    earned_ueur,
    settled_by_block,
    total_wh,
)
from cosim.mechanisms.flexibility_market.offering import bonds_ueur, offered
from cosim.mechanisms.play import Schedules
from cosim.messages import BidsMessage, BlocksMessage
from cosim.units import amount_due_ueur

CAP = 600_000
CURVE = (Block(100, 80_000), Block(200, 333_333), Block(300, 500_000))
curves = st.lists(
    st.builds(Block, st.integers(1, 10**6), st.integers(0, 2**31 - 1)), min_size=1, max_size=4
).map(lambda blocks: sorted(blocks, key=lambda block: block.price_ueur_per_kwh))


@pytest.mark.parametrize(
    ("energy", "parts", "earned"),
    [
        (0, [0, 0, 0], 0),
        (99, [99, 0, 0], 7_920),
        (101, [100, 1, 0], 8_333),
        (600, [100, 200, 300], 8_000 + 66_666 + 150_000),
    ],
)
def test_the_cheapest_blocks_come_first(energy: int, parts: list[int], earned: int) -> None:
    assert by_block(CURVE, energy) == parts
    assert earned_ueur(CURVE, energy) == earned


@given(curves, st.data())
def test_blocks_add_up_to_the_offer(blocks: list[Block], data: st.DataObject) -> None:
    awarded = data.draw(st.integers(0, total_wh(blocks)))
    delivered = data.draw(st.integers(0, awarded))
    penalty = data.draw(st.integers(0, 10**6))
    # what is fined beyond the award, as in USEF's settlement
    due = amount_due_ueur(awarded - delivered + data.draw(st.integers(0, 9)), penalty)
    rows = settled_by_block(blocks, awarded, delivered, penalty, due)
    sums = [sum(column) for column in zip(*rows, strict=True)]
    assert sums == [awarded, delivered, earned_ueur(blocks, delivered), due]
    for row, block in zip(rows, blocks, strict=True):
        assert 0 <= row.delivered_wh <= row.awarded_wh <= block.energy_wh
        assert row.paid_ueur >= 0
        assert row.penalty_ueur >= 0
        # of a block's own amount, rounding leaves less than one of the smallest unit
        assert abs(row.paid_ueur - row.delivered_wh * block.price_ueur_per_kwh / 1_000) < 1.001


def bids(
    *rows: tuple[int, int, int, int, int], n: int = 1, withheld: tuple[int, ...] | None = None
) -> BidsMessage:
    """Bids with blocks: prosumer, direction, energy, price, price if traded."""
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    columns.insert(3, np.zeros_like(columns[0]) if withheld is None else np.array(withheld))
    given = bids_of(0, n)
    return BidsMessage(**{**vars(given), "flexibility": BlocksMessage(*columns)})


def schedules(
    contracted: int, nominated: int, activated: int = 0, curtailed: int = 0, unserved: int = 0
) -> Schedules:
    values = (contracted, nominated, activated, curtailed, unserved)
    return Schedules(*(np.array([value]) for value in values))


PV = (0, -1, 1_000, 80_000, 300_000)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        # all injected and nothing sold: the supplier would take it
        (schedules(0, 1_200), [(1_000, 80_000)]),
        # one Wh sold reprices nothing but what reaches into the sold part
        (schedules(1, 1_200), [(1_000, 80_000)]),
        (schedules(300, 1_200), [(900, 80_000), (100, 300_000)]),
        (schedules(1_200, 1_200), [(1_000, 300_000)]),
        # beyond the injection it is drawn from the supplier
        (schedules(0, 400), [(400, 80_000), (600, 300_000)]),
        (schedules(0, -50), [(1_000, 300_000)]),
        # more bought than is needed goes to the supplier too
        (schedules(-500, -200), [(300, 80_000), (700, 300_000)]),
        # earlier requests took the cheapest
        (schedules(300, 1_200, -850), [(50, 80_000), (100, 300_000)]),
        (schedules(300, 1_200, -950), [(50, 300_000)]),
        # orders to the supplier that the grid does not carry are held back already
        (schedules(300, 1_200, unserved=700), [(200, 80_000), (100, 300_000)]),
        # the other way, or cut already
        (schedules(0, 1_200, 10), None),
        (schedules(0, 1_200, 0, 10), None),
    ],
)
def test_what_is_lowered_costs_what_it_replaces(
    position: Schedules, expected: list[tuple[int, int]] | None
) -> None:
    offers = offered(-1, bids(PV), position, CAP)
    assert offers == ({} if expected is None else {0: tuple(Block(*one) for one in expected)})


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        # all bought from the supplier: nothing is lost but comfort
        (schedules(0, -800), [(500, 50_000)]),
        # bought in the market, it is sold to the supplier for less
        (schedules(-800, -800), [(500, 270_000)]),
        (schedules(-500, -800), [(300, 50_000), (200, 270_000)]),
        (schedules(-500, -800, 310), [(190, 270_000)]),
        (schedules(-500, -800, unserved=-300), [(200, 270_000)]),
    ],
)
def test_what_is_raised_costs_what_it_replaces(
    position: Schedules, expected: list[tuple[int, int]]
) -> None:
    offers = offered(1, bids((0, 1, 500, 50_000, 270_000)), position, CAP)
    assert offers == {0: tuple(Block(*one) for one in expected)}


def test_blocks_are_offered_in_the_order_in_which_they_are_used() -> None:
    # the first device is the dearer one: no later block is offered for less
    position = schedules(150, 400)
    battery, pv = (0, -1, 100, 110_000, 330_000), (0, -1, 500, 80_000, 300_000)
    offers = offered(-1, bids(battery, pv), position, CAP)
    assert offers[0] == (Block(250, 110_000), Block(350, 300_000))
    offers = offered(-1, bids(pv, battery), position, CAP)
    assert offers[0] == (Block(250, 80_000), Block(250, 300_000), Block(100, 330_000))


def test_what_is_withheld_is_offered_to_nobody() -> None:
    rows = ((0, -1, 100, 110_000, 330_000), (0, -1, 500, 120_000, 300_000))
    offers = offered(-1, bids(*rows, withheld=(100, 200)), schedules(0, 200), CAP)
    assert offers[0] == (Block(200, 120_000), Block(100, 300_000))
    # what holds back unserved orders is physical: it may be what is withheld
    held_back = schedules(0, 700, unserved=250)
    offers = offered(-1, bids(*rows, withheld=(100, 200)), held_back, CAP)
    assert offers[0] == (Block(300, 120_000),)


def test_nobody_offers_above_the_cap_and_few_blocks_are_enough() -> None:
    position = schedules(0, 10_000)
    rows = [(0, -1, 10, 1_000 * (k + 1), 999_999) for k in range(6)]
    offers = offered(-1, bids(*rows), position, 5_000)
    assert offers[0] == (Block(10, 1_000), Block(10, 2_000), Block(10, 3_000), Block(20, 5_000))
    assert bonds_ueur(offers, 600_000) == {0: 50 * 600}


def test_awards_are_moved_to_the_cheapest_blocks() -> None:
    # providers 4 (two blocks), 2 (one), and 4 upwards (two)
    offers = Offers(
        prosumer=np.array([4, 4, 2, 4, 4]),
        direction=np.array([-1, -1, -1, 1, 1]),
        energy_mw=np.array([3.0, 5.0, 2.0, 1.0, 1.0]),
        price=np.array([1.0, 2.0, 1.5, 1.0, 2.0]),
    )
    moved = cheapest_first(offers, np.array([2.0, 2.0, 1.0, 0.0, 1.0]))
    assert moved.tolist() == [3.0, 1.0, 1.0, 1.0, 0.0]


def test_both_directions_of_a_provider_cancel_from_the_dearest_block_down() -> None:
    awarded = np.array([30, 20, 40, 7])
    _net_out(awarded, np.array([1, 1, 1, 2]), np.array([-1, -1, 1, -1]))
    assert awarded.tolist() == [10, 0, 0, 7]
    awarded = np.array([30, 20, 15, 10])
    _net_out(awarded, np.array([1, 1, 1, 1]), np.array([-1, -1, 1, 1]))
    assert awarded.tolist() == [25, 0, 0, 0]
