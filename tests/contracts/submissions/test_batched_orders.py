"""Batches of orders by an aggregator: whose it sends, what it passes over, what it may not."""

from __future__ import annotations

import pytest
from market_world import (
    AGGREGATOR,
    GENESIS_S,
    OPERATOR,
    RETAIL,
    RICH,
    SUPPLIER,
    address,
)
from submissions_world import appoint, batched, passed_over, send, words

from cosim.errors import ContractRevert
from cosim.evm.abi import pack_mixed
from cosim.evm.contracts import compile_contract
from cosim.mechanisms.local_market.submission.client import CAUSES, order_word

NUMBER = {text: number for number, text in CAUSES.items()}
BID, ASK = (False, 1_000, 200_001), (True, 1_500, 100_000)


def test_a_batch_does_what_its_orders_alone_would() -> None:
    """Same orders, one market by a batch and one by each: same events, money and clearing."""
    orders = [("neighbour", (False, 500, 200_001)), ("seller", ASK), ("buyer", BID)]
    one, other = batched(), batched()
    one.open_window(0)
    other.open_window(0)
    by_batch = send(one, orders).events
    by_each = [event for name, terms in orders for event in other.order(name, *terms).events]
    assert by_batch == by_each
    assert len(by_batch) == 3
    for world in (one, other):
        world.close_gate(0)
    cleared = [world.market.send("anyone", "clear", 0).events for world in (one, other)]
    assert cleared[0] == cleared[1]
    for name in ("buyer", "seller", "neighbour"):
        assert one.free(name) == other.free(name)
        assert one.locked(name) == other.locked(name) > 0
    assert one.backed()


def test_orders_stand_in_the_order_of_the_batch() -> None:
    """Who sends decides who comes first: at the margin the first to arrive gets the odd Wh."""
    fills = []
    for names in (("buyer", "neighbour"), ("neighbour", "buyer")):
        world = batched()
        world.open_window(0)
        send(
            world,
            [("seller", (True, 3, 100_000)), *((name, (False, 2, 200_000)) for name in names)],
        )
        world.close_gate(0)
        done = world.market.send("anyone", "clear", 0)
        filled = {e["account"]: e["energy_wh"] for n, e in done.events if n == "OrderFilled"}
        fills.append([filled[address(name)] for name in ("buyer", "neighbour")])
    assert fills == [[2, 1], [1, 2]]


def test_nobody_sends_for_who_did_not_appoint_it() -> None:
    world = batched()
    world.open_window(0)
    done = send(world, [("buyer", BID), ("seller", ASK)], sender="stranger")
    assert passed_over(done) == [(address("buyer"), 1), (address("seller"), 1)]
    assert world.market.get("clearingOf", 0)[4] == 0
    assert done.events[0] == (
        "EntryPassedOver",
        {
            "interval": 0,
            "sender": address("stranger"),
            "whose": address("buyer"),
            "cause": NUMBER["not authorised"],
        },
    )
    assert world.free("buyer") == RICH


def test_an_appointment_ends_at_once_and_never_binds() -> None:
    world = batched()
    limits = {"highest_bid_ueur_per_kwh": 7, "lowest_ask_ueur_per_kwh": 5}
    appointment = world.submissions.get("appointmentOf", address("buyer"))
    assert appointment == (address(AGGREGATOR), 2**31 - 1, 0)
    told = appoint(world, "buyer", bytes(20), 7, 5).events
    appointed = {"account": address("buyer"), "aggregator": bytes(20)} | limits
    assert told == [("AggregatorAppointed", appointed)]
    assert world.submissions.get("appointmentOf", address("buyer")) == (bytes(20), 7, 5)
    world.open_window(0)
    world.order("seller", *ASK)  # who appointed somebody orders all the same
    done = send(world, [("buyer", BID), ("seller", (True, 9, 9)), ("neighbour", BID)])
    assert passed_over(done) == [
        (address("buyer"), NUMBER["not authorised"]),
        (address("seller"), NUMBER["order exists"]),
    ]
    assert world.market.get("orderOf", 0, address("seller"))[2] == ASK[1]
    assert world.market.get("orderOf", 0, address("neighbour"))[2] == BID[1]


def test_the_zero_address_sends_nothing_for_who_appointed_nobody() -> None:
    world = batched()
    appoint(world, "buyer", bytes(20))
    world.open_window(0)
    packed = [order_word(address(name), *BID) for name in ("buyer", "stranger")]
    done = world.submissions.send(bytes(20), "sendOrders", 0, packed)
    causes = [(address(name), NUMBER["not authorised"]) for name in ("buyer", "stranger")]
    assert passed_over(done) == causes


def test_an_aggregator_keeps_to_the_limits_of_its_appointment() -> None:
    """With an accomplice who sells at any price it would take all that its member has."""
    world = batched()
    appoint(world, "buyer", highest_bid=200_000, lowest_ask=80_000)
    beyond = NUMBER["beyond the appointment"]
    for interval, order, cause in (
        (0, (False, 10, 200_001), beyond),
        (0, (False, 10, 2**31 - 1), beyond),
        (0, (True, 10, 79_999), beyond),
        (0, (False, 10, 200_000), None),
        (1, (True, 10, 80_000), None),
        (2, (True, 10, 2**31 - 1), None),
        (3, (False, 10, 0), None),
    ):
        world.open_window(interval)
        done = send(world, [("buyer", order)], interval=interval)
        assert passed_over(done) == ([(address("buyer"), cause)] if cause else [])
    world.open_window(4)
    world.order("buyer", False, 10, 200_001, 4)  # it orders by itself as it likes


@pytest.mark.parametrize("limits", [(2**31, 0), (0, 2**31)])
def test_limits_fit_their_fields(limits: tuple[int, int]) -> None:
    world = batched()
    with pytest.raises(ContractRevert, match="submissions: price out of range"):
        appoint(world, "buyer", address(AGGREGATOR), *limits)


def test_bad_entries_are_passed_over_with_the_cause_and_the_others_stand() -> None:
    world = batched()
    world.market.send("neighbour", "withdraw", RICH)
    appoint(world, "guest")
    world.open_window(0)
    entries = [
        ("guest", BID),
        ("seller", (True, 0, 100_000)),
        ("neighbour", BID),
        ("buyer", BID),
        ("buyer", (False, 7, 7)),
        ("seller", ASK),
    ]
    done = send(world, entries)
    assert passed_over(done) == [
        (address("guest"), NUMBER["not a member"]),
        (address("seller"), NUMBER["energy out of range"]),
        (address("neighbour"), NUMBER["balance too low"]),
        (address("buyer"), NUMBER["order exists"]),
    ]
    assert [world.market.get("ownerAt", 0, k) for k in range(3)] == [
        address("buyer"),
        address("seller"),
        bytes(20),
    ]
    assert world.market.get("orderOf", 0, address("buyer"))[2] == BID[1]
    assert world.backed()


def test_a_meter_that_became_invalid_stops_the_own_order_only() -> None:
    world = batched()
    world.meters.send(OPERATOR, "unregisterMeter", address("meter of seller"))
    world.open_window(0)
    done = send(world, [("seller", ASK), ("buyer", BID)])
    assert passed_over(done) == [(address("seller"), NUMBER["not a member"])]
    assert world.locked("buyer") > 0


def test_price_takers_are_held_to_the_rule() -> None:
    world = batched(rule=3)
    world.open_window(0)
    done = send(world, [("buyer", BID), ("seller", (True, 5, 0)), ("buyer", (False, 5, RETAIL))])
    assert passed_over(done) == [(address("buyer"), NUMBER["price is set by the rule"])]
    assert world.market.get("clearingOf", 0)[4] == 2


def test_what_the_supplier_lends_is_bounded_in_a_batch_too() -> None:
    world = batched(balance=0)
    for name, limit in (("buyer", 300), ("neighbour", 10**6)):
        world.market.send(SUPPLIER, "grantCredit", address(name), limit)
    world.at(GENESIS_S + 5_000)  # what it announced at the beginning is free
    world.market.send(SUPPLIER, "withdraw", RICH - 1_000)
    world.open_window(0)
    entries = [
        ("buyer", (False, 1_000, 301)),
        ("seller", (False, 1_000, 1)),
        ("buyer", (False, 1_000, 300)),
        ("neighbour", (False, 1_000, 701)),
        ("neighbour", (False, 1_000, 700)),
    ]
    done = send(world, entries)
    assert passed_over(done) == [
        (address("buyer"), NUMBER["credit limit reached"]),
        (address("seller"), NUMBER["balance too low"]),
        (address("neighbour"), NUMBER["supplier cannot lend"]),
    ]
    debts = [world.market.get("debtOf", address(name)) for name in ("buyer", "neighbour")]
    assert debts == [300, 700]
    assert world.free(SUPPLIER) == 0
    assert world.backed()


def test_a_full_book_passes_over_the_rest() -> None:
    names = [f"a{k}" for k in range(514)]
    world = batched(names)
    world.open_window(0)
    orders = [(name, (True, 7, RETAIL)) for name in names]
    for k in range(0, 512, 128):
        assert passed_over(send(world, orders[k : k + 128])) == []
    full = [(address(name), NUMBER["book full"]) for name in names[512:]]
    assert passed_over(send(world, orders[512:])) == full
    assert world.market.get("clearingOf", 0)[4] == 512


@pytest.mark.parametrize(
    ("when", "text"),
    [("before", "local market: window not open"), ("after", "local market: gate closed")],
)
def test_a_batch_keeps_to_the_order_window(when: str, text: str) -> None:
    world = batched()
    if when == "after":
        world.close_gate(0)
    with pytest.raises(ContractRevert, match=text):
        send(world, [("buyer", BID)])


def test_sealed_orders_come_in_no_batch() -> None:
    world = batched(reveal_s=60, sealed_deposit=30_000)
    world.open_window(0)
    with pytest.raises(ContractRevert, match="local market: orders are sealed"):
        send(world, [("buyer", BID)])


def test_only_the_submissions_place_orders_of_others() -> None:
    world = batched()
    world.open_window(0)
    for caller in (AGGREGATOR, "buyer", SUPPLIER, OPERATOR):
        with pytest.raises(ContractRevert, match="local market: not the submissions"):
            world.market.send(caller, "placeOrders", 0, words([("buyer", BID)]))


def test_submissions_refuse_a_market_that_names_others() -> None:
    world = batched()
    artifact = compile_contract("Submissions")
    with pytest.raises(ContractRevert, match="submissions: sent elsewhere"):
        type(world.submissions)(world.engine, artifact, world.market.address, bytes(20))


def test_bits_beyond_the_fields_of_a_word_say_nothing() -> None:
    world = batched()
    world.open_window(0)
    dirty = order_word(address("buyer"), *BID) | (1 << 255) | (3 << 192) | (1 << 234)
    world.submissions.send(AGGREGATOR, "sendOrders", 0, [dirty])
    clean = (BID[0], BID[2], BID[1], 0)
    assert world.market.get("orderOf", 0, address("buyer")) == clean
    assert not world.market.get("isSealed", 0, address("buyer"))


def test_gas_does_not_choose_whose_order_is_taken() -> None:
    """With any gas limit a batch is taken whole or refused whole: nothing runs out half-way."""
    world = batched()
    world.open_window(0)
    orders = [("seller", ASK), ("buyer", BID), ("neighbour", BID)]
    data = world.submissions.artifact.selectors["sendOrders"] + pack_mixed(0, words(orders))
    outcomes = []
    for gas in range(60_000, 400_000, 8_500):
        snapshot = world.engine.snapshot()
        to = world.submissions.address
        receipt = world.engine.transact(address(AGGREGATOR), to, data, gas)
        n_orders = world.market.get("clearingOf", 0)[4]
        outcomes.append((receipt.status, n_orders, len(receipt.logs)))
        world.engine.restore(snapshot)
    assert set(outcomes) == {(0, 0, 0), (1, 3, 3)}
    assert outcomes == sorted(outcomes)  # from some limit on it is enough
