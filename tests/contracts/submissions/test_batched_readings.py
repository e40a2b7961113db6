"""Batches of readings by the head end: what it passes over, and who else sends none."""

from __future__ import annotations

import pytest
from market_world import (
    FIRST_DELIVERY_S,
    HEAD_END,
    METERING_S,
    OPERATOR,
    STEP_S,
    MarketWorld,
    address,
)
from submissions_world import batched, passed_over, read

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.submission.client import CAUSES, reading_word

NUMBER = {text: number for number, text in CAUSES.items()}
MEMBERS = ("buyer", "seller", "neighbour")


def meter(name: str) -> str:
    return f"meter of {name}"


def traded() -> MarketWorld:
    """A market after delivery of an interval in which the seller sold to the buyer."""
    world = batched()
    world.open_window(0)
    world.order("buyer", False, 1_000, 200_000)
    world.order("seller", True, 800, 100_000)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    return world


def test_a_batch_does_what_its_readings_alone_would() -> None:
    readings = [("seller", 900), ("buyer", -1_100), ("neighbour", -70)]
    one, other = traded(), traded()
    by_batch = read(one, [(meter(name), net) for name, net in readings]).events
    by_each = [event for name, net in readings for event in other.report(name, net).events]
    assert by_batch == by_each
    assert sum(name == "IntervalSettled" for name, _ in by_batch) == 3
    for name in MEMBERS:
        assert one.free(name) == other.free(name)
    assert one.backed()


def test_nobody_but_the_head_end_sends_readings() -> None:
    world = traded()
    for sender in (meter("buyer"), OPERATOR, "buyer", "aggregator"):
        with pytest.raises(ContractRevert, match="submissions: not the head end"):
            read(world, [(meter("buyer"), 0)], sender=sender)
    words = [reading_word(address(meter("buyer")), 0)]
    for sender in (HEAD_END, meter("buyer")):
        with pytest.raises(ContractRevert, match="local market: not the submissions"):
            world.market.send(sender, "reportAll", 0, words)


def test_bad_entries_are_passed_over_with_the_cause_and_the_others_stand() -> None:
    world = traded()
    world.meters.send(OPERATOR, "unregisterMeter", address(meter("neighbour")))
    world.register("passer-by")  # has a meter and is no member
    done = read(
        world,
        [
            (meter("neighbour"), 1),
            (meter("passer-by"), 1),
            (meter("nobody"), 1),
            (meter("buyer"), -1_000),
            (meter("buyer"), 5_000),
            (meter("seller"), 800),
        ],
    )
    unknown, again = NUMBER["unknown meter"], NUMBER["already reported"]
    assert passed_over(done) == [
        (address(meter("neighbour")), unknown),
        (address(meter("passer-by")), unknown),
        (address(meter("nobody")), unknown),
        (address(meter("buyer")), again),
    ]
    assert world.market.get("readingOf", 0, address("buyer")) == (True, False, -1_000)
    assert world.market.get("readingOf", 0, address("seller")) == (True, False, 800)
    assert done.events[0] == (
        "ReadingPassedOver",
        {"interval": 0, "meter": address(meter("neighbour")), "cause": unknown},
    )
    # nobody is locked in by a reading that did not come
    world.end_metering(0)
    world.register("neighbour", meter("neighbour"))
    assert world.backed()


def test_a_meter_that_changed_hands_reports_for_nobody() -> None:
    world = traded()
    world.meters.send(OPERATOR, "unregisterMeter", address(meter("buyer")))
    world.register("buyer", meter("buyer"))
    done = read(world, [(meter("buyer"), -9), (meter("seller"), 800)])
    assert passed_over(done) == [(address(meter("buyer")), NUMBER["meter changed hands"])]


def test_who_joined_later_is_not_read_for_before() -> None:
    world = batched()
    world.deliver(0)
    world.join("newcomer")
    done = read(world, [(meter("newcomer"), -9), (meter("seller"), 3)])
    assert passed_over(done) == [(address(meter("newcomer")), NUMBER["not a member"])]


def test_the_least_word_is_out_of_range() -> None:
    world = traded()
    words = [reading_word(address(meter("buyer")), -(2**32))]
    done = world.submissions.send(HEAD_END, "sendReadings", 0, words)
    assert passed_over(done) == [(address(meter("buyer")), NUMBER["energy out of range"])]
    read(world, [(meter("buyer"), -(2**32 - 1))])
    assert world.market.get("readingOf", 0, address("buyer")) == (True, False, -(2**32 - 1))


def test_meters_may_report_what_the_head_end_leaves_out_and_not_what_it_sent() -> None:
    world = traded()
    read(world, [(meter("buyer"), -1_000)])
    world.report("seller", 800)
    with pytest.raises(ContractRevert, match="local market: already reported"):
        world.report("buyer", -1)


@pytest.mark.parametrize(
    ("after_s", "text"),
    [
        (-1, "local market: not yet delivered"),
        (0, None),
        (METERING_S, None),
        (METERING_S + 1, "local market: too late to report"),
    ],
)
def test_a_batch_keeps_to_the_metering_time(after_s: int, text: str | None) -> None:
    world = batched()
    world.at(FIRST_DELIVERY_S + STEP_S + after_s)
    if text is None:
        assert passed_over(read(world, [(meter("buyer"), -1)])) == []
        return
    with pytest.raises(ContractRevert, match=text):
        read(world, [(meter("buyer"), -1)])


def test_a_reading_before_its_claim_waits_for_it_in_a_batch_too() -> None:
    """A committed clearing whose fills nobody claimed: the batch notes the reading, and no more."""
    world = batched(form=2, challenge_s=300, clearing_bond=50_000)
    world.open_window(0)
    world.order("buyer", False, 1_000, 200_000)
    world.order("seller", True, 1_000, 100_000)
    world.close_gate(0)
    world.join("operator")
    world.market.send("operator", "commitClearing", 0, bytes(range(32)), 150_000, 150_000, 1_000)
    world.deliver(0)
    done = read(world, [(meter("buyer"), -1_000)])
    assert [name for name, _ in done.events] == ["MeterReported"]
    world.end_metering(0)
    settled = world.market.send("anyone", "settleSilent", 0, address("buyer"))
    assert "IntervalSettled" in [name for name, _ in settled.events]
