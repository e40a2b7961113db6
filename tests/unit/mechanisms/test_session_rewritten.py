"""Sessions on a slow chain, and on one whose blocks are replaced before delivery."""

from __future__ import annotations

import numpy as np
import pytest
from test_session import FIRST, session_of, trade

from cosim.chain.consensus import BlockPlan, Regular


class Paused:
    """Regular blocks, but none between two times."""

    def __init__(self, from_s: int, to_s: int) -> None:
        self._from_s, self._to_s = from_s, to_s

    def following(self, timestamp_s: int) -> BlockPlan:
        later = timestamp_s + 12
        return BlockPlan(later if not self._from_s <= later < self._to_s else self._to_s)


ORDERS = [
    (False, 3_000, 250_000),
    (True, 2_000, 100_000),
    (True, 2_000, 150_000),
    (False, 1_000, 200_000),
]


def test_schedules_do_not_know_a_clearing_that_comes_after_delivery_began():
    session = session_of(4)
    closes, begins = session.clock.gate_closes_s(FIRST), session.clock.delivery_start_s(FIRST)
    session.chain.begin(Paused(closes + 1, begins + 24))
    book = trade(session, ORDERS)
    assert session.chain.now_s == begins + 24
    assert not book.in_time
    assert book.filled_wh.tolist() == [3_000, 2_000, 2_000, 1_000]
    assert book.scheduled_wh.tolist() == [0, 0, 0, 0]
    assert session.request(FIRST, -1, 1_000) is None  # too late for that, too


def test_schedules_know_a_clearing_in_time():
    session = session_of(4)
    book = trade(session, ORDERS)
    assert book.in_time
    assert book.scheduled_wh.tolist() == book.filled_wh.tolist()
    assert session.at_delivery(FIRST) is None


@pytest.fixture
def negotiated():
    """A session that can be reorganised, after orders, a request, offers and an award."""
    session = session_of(4)
    session.chain.begin(Regular(12), horizon_blocks=200)
    book = trade(session, ORDERS, sent=[0.1, 0.3, 0.5, 0.7])
    request = session.request(FIRST, -1, 1_000)
    session.offer(
        request,
        np.array([0, 500, 400, 0]),
        np.array([0, 100_000, 120_000, 0]),
        book.contracted_wh,
    )
    assert session.award(request, np.array([500, 300])) == [[0, 1]]
    return session, book


def sender(session, i):
    return session.deployment.prosumers[i].address


def test_an_order_that_is_left_behind_comes_too_late(negotiated):
    session, before = negotiated
    victim = sender(session, 1)
    session.chain.mine_until(session.clock.delivery_start_s(FIRST))
    session.chain.reorganise(session.chain.replaceable, lambda sent: sent.sender == victim)
    after = session.at_delivery(FIRST)
    assert before.status.tolist() == ["cleared", "cleared", "cleared", "cleared"]
    assert after.orders.status.tolist() == ["partial", "late", "cleared", "unmatched"]
    assert after.orders.reason[1] == "local market: gate closed"
    assert after.orders.filled_wh.tolist() == [2_000, 0, 2_000, 0]
    assert after.orders.arrived == (0, 2, 3)
    # its offer is gone as well, so the award of both was refused and brought nothing
    kinds = [(s.offer is not None, s.awarded_wh) for s in after.steps]
    assert kinds == [(False, None), (True, None)]
    assert after.steps[1].request.prosumers == [2]
    assert after.steps[1].request.awarded_wh == [0]
    assert after.schedules.contracted_wh.tolist() == [-2_000, 0, 2_000, 0]
    assert after.schedules.activated_wh.tolist() == [0, 0, 0, 0]


def test_awards_that_are_left_behind_are_not_activated(negotiated):
    session, before = negotiated
    dso = session.deployment.dso.address
    award = session.flexibility.client.artifact.selectors["award"]
    session.chain.mine_until(session.clock.delivery_start_s(FIRST))
    session.chain.reorganise(
        session.chain.replaceable, lambda sent: sent.sender == dso and sent.data[:4] == award
    )
    after = session.at_delivery(FIRST)
    assert after.orders.filled_wh.tolist() == before.filled_wh.tolist()
    assert [step.awarded_wh for step in after.steps] == [None, None, None]
    assert after.steps[0].request.awarded_wh == [0, 0]


def test_a_clearing_that_is_left_behind_is_sent_again(negotiated):
    session, before = negotiated
    operator = session.deployment.operator.address
    session.chain.mine_until(session.clock.delivery_start_s(FIRST))
    depth = session.chain.replaceable
    session.chain.refuse = lambda sent, proposer: sent.sender == operator
    session.chain.reorganise(depth, lambda sent: False)
    session.chain.refuse = None
    after = session.at_delivery(FIRST)
    assert after.orders.filled_wh.tolist() == before.filled_wh.tolist()
    assert not after.orders.in_time  # it was cleared after delivery began
    assert after.orders.scheduled_wh.tolist() == [0, 0, 0, 0]


def test_nothing_is_undone_behind_delivery(negotiated):
    session, _ = negotiated
    assert session.at_delivery(FIRST) is None
    assert session.chain.replaceable == 0
    _, rows = session.settle(FIRST, np.array([-3_000, 1_500, 1_700, -1_000]))
    assert rows["delivered_wh"] == [500, 300]
    assert session.chain.replaceable == 0
