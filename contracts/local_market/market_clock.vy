# pragma version 0.4.3
"""
@title Clock of the local market
@license Apache-2.0
@notice When what may happen in an interval.
@dev With start = first_delivery + k * step: orders in [start - order lead, start - gate closure);
     sealed ones are revealed in the reveal window from then on; clearing after that, so early that
     nothing of it can change once delivery has ended; readings in
     [start + step, start + step + metering]. Who has not cleared by then has not traded.
@custom:units time in s
"""

import refusals

MAX_INTERVAL: constant(uint256) = 2**64  # any later one is as far away
MAX_LEAD_S: constant(uint256) = 2**63  # so that no order is for one that is

FIRST_DELIVERY_S: public(immutable(uint256))
STEP_S: public(immutable(uint256))
ORDER_LEAD_S: public(immutable(uint256))
GATE_CLOSURE_S: public(immutable(uint256))
METERING_S: public(immutable(uint256))
REVEAL_S: public(immutable(uint256))
CHALLENGE_S: public(immutable(uint256))
RING: public(immutable(uint256))  # intervals after which slots are used again


@deploy
def __init__(
    first_delivery_s: uint256,
    step_s: uint256,
    order_lead_s: uint256,
    gate_closure_s: uint256,
    metering_s: uint256,
    reveal_s: uint256,
    challenge_s: uint256,
    ring: uint256,
):
    assert 0 < step_s and step_s <= MAX_INTERVAL, "local market: step out of range"
    assert gate_closure_s < order_lead_s, "local market: no order window"
    assert order_lead_s <= MAX_LEAD_S, "local market: order window too long"
    assert reveal_s == 0 or reveal_s < gate_closure_s, "local market: reveal window too long"
    # who commits to a clearing at once is in time
    assert (
        challenge_s == 0 or reveal_s + challenge_s < gate_closure_s + step_s
    ), "local market: challenge window too long"
    # when an interval's slots are used again, all that it promised has had a step to be settled
    assert ring == 0 or (
        ring <= MAX_INTERVAL and ring * step_s >= order_lead_s + 2 * step_s + metering_s
    ), "local market: ring too short"
    FIRST_DELIVERY_S = first_delivery_s
    STEP_S = step_s
    ORDER_LEAD_S = order_lead_s
    GATE_CLOSURE_S = gate_closure_s
    METERING_S = metering_s
    REVEAL_S = reveal_s
    CHALLENGE_S = challenge_s
    RING = ring if ring != 0 else MAX_INTERVAL


@external
@view
def deliveryStartOf(interval: uint256) -> uint256:
    """
    @return Start of delivery as a Unix time
    @custom:units s
    """
    return self._delivery_start_s(interval)


@external
@view
def reportDeadlineOf(interval: uint256) -> uint256:
    """
    @return Last second at which a meter may report the interval, as a Unix time
    @custom:units s
    """
    return self._report_deadline_s(interval)


@internal
@view
def _delivery_start_s(interval: uint256) -> uint256:
    return FIRST_DELIVERY_S + min(interval, MAX_INTERVAL) * STEP_S


@internal
@view
def _report_deadline_s(interval: uint256) -> uint256:
    return self._delivery_start_s(interval) + STEP_S + METERING_S


@internal
@view
def _notice_s() -> uint256:
    """
    @dev How long the supplier says ahead that it takes or lends money. Whoever orders before that
         orders for an interval that starts within the order lead, is delivered a step later and
         metered within the metering time. Who did not report or claim is settled by anybody after
         that, for which there is a step more: only then the notice is over.
    """
    return ORDER_LEAD_S + 2 * STEP_S + METERING_S


@internal
@view
def _require_order_window(interval: uint256):
    start_s: uint256 = self._delivery_start_s(interval)
    refusals._require(block.timestamp + ORDER_LEAD_S >= start_s, "window not open")
    refusals._require(block.timestamp + GATE_CLOSURE_S < start_s, "gate closed")


@internal
@view
def _require_reveal_window(interval: uint256):
    start_s: uint256 = self._delivery_start_s(interval)
    ahead_s: uint256 = block.timestamp + GATE_CLOSURE_S
    refusals._require(
        ahead_s >= start_s and ahead_s < start_s + REVEAL_S, "not in the reveal window"
    )


@internal
@view
def _require_clearing_window(interval: uint256, challenge_s: uint256):
    """
    @dev All orders are known, and what is cleared now can be challenged before delivery ends.
    """
    start_s: uint256 = self._delivery_start_s(interval)
    ahead_s: uint256 = block.timestamp + GATE_CLOSURE_S
    refusals._require(ahead_s >= start_s, "gate open")
    refusals._require(ahead_s >= start_s + REVEAL_S, "orders may be revealed")
    refusals._require(block.timestamp + challenge_s < start_s + STEP_S, "too late to clear")
