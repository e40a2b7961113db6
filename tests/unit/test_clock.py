"""Delivery clock: ledger times of an interval."""

from datetime import UTC, datetime

from cosim.clock import DeliveryClock


def _clock(**changes):
    values = {
        "start": datetime(2016, 5, 24),
        "step_s": 900,
        "n_intervals": 96,
        "order_lead_s": 600,
        "gate_closure_s": 180,
        "metering_s": 240,
        "block_time_s": 12,
    }
    return DeliveryClock(**(values | changes))


def test_naive_start_is_utc():
    assert _clock().start_s == 1_464_048_000
    assert _clock(start=datetime(2016, 5, 24, tzinfo=UTC)).start_s == 1_464_048_000


def test_window_gate_and_delivery_follow_each_other():
    clock = _clock()
    assert clock.window_opens_s(4) == 1_464_048_000 + 3600 - 600
    assert clock.gate_closes_s(4) == 1_464_048_000 + 3600 - 180
    assert clock.delivery_start_s(4) == 1_464_048_000 + 3600
    assert clock.wall_time(4) == datetime(2016, 5, 24, 1, 0)


def test_next_window_opens_after_the_last_meters_reported():
    clock = _clock()
    metering_of_3_ends = clock.delivery_start_s(4) + clock.metering_s
    assert clock.window_opens_s(5) >= metering_of_3_ends
