"""Slots of past intervals are used again, and never while anything of theirs is open."""

from __future__ import annotations

import pytest
from local_market_world import BOND, CHALLENGE_S, DEPOSIT, commit, opened, reveal, three
from market_world import (
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    HEAD_END,
    METERING_S,
    ORDER_LEAD_S,
    RICH,
    STEP_S,
    SUPPLIER,
    MarketWorld,
    address,
)
from submissions_world import batched, passed_over, read, send

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.client import pack_ranking
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import ClearingForm

RING = 3
"""The shortest of these times: order lead, two steps and the metering time."""

NEVER = 2**64
NOTHING = (False, 0, 0, 0)
IN_USE = "local market: slot is in use"
SLOT_IN_USE = 14
BID, ASK = (False, 1_000, 200_000), (True, 1_000, 100_000)


def n_slots(world: MarketWorld) -> int:
    """Storage slots of market and settlement that hold anything."""
    contracts = {world.market.address, world.market.settlement.address}
    return sum(len(slots) for where, *_, slots in world.engine.accounts() if where in contracts)


def trade(world: MarketWorld, interval: int) -> list[int]:
    """Order, clear and read a whole interval of three members; gas of each transaction."""
    gas = []
    world.open_window(interval)
    for account, (is_sell, energy_wh, price) in (
        ("buyer", BID),
        ("seller", ASK),
        ("neighbour", BID),
    ):
        gas.append(world.order(account, is_sell, energy_wh + interval, price, interval).gas_used)
    world.close_gate(interval)
    world.market.send("anyone", "clear", interval)
    world.deliver(interval)
    for account, net_wh in (("buyer", -900), ("seller", 1_100), ("neighbour", -500)):
        gas.append(world.report(account, net_wh, interval).gas_used)
    return gas


def settle(world: MarketWorld, account: str, interval: int = 0) -> None:
    """Settle an account without a reading, by anybody."""
    world.market.send("anyone", "settleSilent", interval, address(account))


def test_a_ring_holds_what_an_interval_takes_and_a_step_to_settle_it(world: MarketWorld) -> None:
    assert world.market.get("RING") == NEVER
    needed_s = ORDER_LEAD_S + 2 * STEP_S + METERING_S
    for ring, step_s in ((RING - 1, STEP_S), (1, needed_s // 2), (2, STEP_S), (NEVER + 1, STEP_S)):
        with pytest.raises(ContractRevert, match="local market: ring too short"):
            world.deploy_market(ring=ring, step_s=step_s)
    assert world.deploy_market(ring=RING).get("RING") == RING
    assert world.deploy_market(ring=NEVER).get("RING") == NEVER
    with pytest.raises(ContractRevert, match="local market: order window too long"):
        world.deploy_market(order_lead_s=2**63 + 1)
    assert world.deploy_market(order_lead_s=2**63).get("ORDER_LEAD_S") == 2**63


def test_state_is_flat_from_the_first_lap_on_but_for_a_word_an_interval() -> None:
    counts = {}
    for ring in (0, RING):
        world = opened(ring=ring)
        before = n_slots(world)
        counts[ring] = [(trade(world, k), n_slots(world) - before)[1] for k in range(3 * RING)]
        assert world.backed(range(3 * RING))
    # three orders, three positions and a clearing an interval; the supplier's gains have a slot
    first = [7 * (k + 1) for k in range(RING)]
    assert counts[0] == [7 * (k + 1) for k in range(3 * RING)]
    assert counts[RING] == first + [7 * RING + k + 1 for k in range(2 * RING)]


def test_an_order_in_a_used_slot_spares_two_new_slots() -> None:
    world = opened(ring=RING)
    first = trade(world, 1)
    saved = [a - b for a, b in zip(first, trade(world, 1 + RING), strict=True)]
    assert saved[:3] == 3 * [2 * 17_100 - 12]  # less a look at what was there


def test_a_reading_without_an_order_spares_one_new_slot() -> None:
    world = opened(ring=RING)
    gas = []
    for interval in (1, 1 + RING):
        world.deliver(interval)
        gas.append(world.report("buyer", -100, interval).gas_used)
    assert gas[0] - gas[1] == 17_100


def test_money_and_energy_are_those_of_a_market_without_a_ring() -> None:
    told = []
    for ring in (0, RING):
        world = opened(ring=ring)
        for interval in range(RING + 2):
            trade(world, interval)
        told.append([world.market.told, world.market.settlement.told])
        told[-1].append([world.free(name) for name in sorted(world.names.values())])
    assert told[0] == told[1]


def test_who_is_not_settled_cannot_use_the_slot_again_and_stops_nobody_else() -> None:
    world = opened(ring=RING)
    world.open_window(0)
    for account, order in (("buyer", BID), ("seller", ASK)):
        world.order(account, *order)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    world.report("seller", 1_000)
    world.open_window(RING)
    with pytest.raises(ContractRevert, match=IN_USE):
        world.order("buyer", *BID, interval=RING)
    held = world.locked("buyer")
    assert held == 200_000 - 150_000
    # its place in the order of arrival goes to another, and its promise stands
    world.order("seller", *ASK, interval=RING)
    world.order("neighbour", *BID, interval=RING)
    assert world.market.get("orderOf", 0, address("buyer")) == (False, 200_000, 1_000, 1_000)
    assert world.locked("buyer") == held
    assert world.market.get("orderOf", 0, address("seller")) == NOTHING
    settle(world, "buyer")
    assert world.locked("buyer") == 0
    world.order("buyer", *BID, interval=RING)
    assert [world.market.get("ownerAt", RING, k) for k in range(4)] == [
        *map(address, ("seller", "neighbour", "buyer")),
        bytes(20),
    ]
    assert world.backed(range(RING + 1))


def test_a_reading_does_not_take_the_place_of_an_order_that_is_not_settled() -> None:
    world = opened(ring=RING)
    world.open_window(0)
    world.order("buyer", *BID)
    world.deliver(RING)
    before = world.engine.storage_root(world.market.address)
    with pytest.raises(ContractRevert, match=IN_USE):
        world.report("buyer", -1_000, RING)
    assert world.engine.storage_root(world.market.address) == before
    world.end_metering(RING)
    with pytest.raises(ContractRevert, match=IN_USE):
        settle(world, "buyer", RING)
    settle(world, "buyer")
    settle(world, "buyer", RING)
    assert world.market.get("readingOf", RING, address("buyer")) == (True, True, -2_000)
    assert world.backed(range(RING + 1))


def test_a_past_interval_takes_nothing_any_more() -> None:
    """Of who did not order, the estimate is lost once the slot has another interval's reading."""
    world = opened(ring=RING)
    trade(world, 0)
    world.deliver(1)
    trade(world, RING)
    for account in ("buyer", "neighbour"):
        with pytest.raises(ContractRevert, match=IN_USE):
            settle(world, account)
    # in interval 1 nobody ordered or reported, and nobody has yet in the one that shares its slots
    settle(world, "buyer", 1)
    trade(world, 1 + RING)
    with pytest.raises(ContractRevert, match=IN_USE):
        settle(world, "neighbour", 1)
    assert world.market.get("readingOf", 1, address("buyer")) == (False, False, 0)
    assert world.backed(range(RING + 2))


@pytest.mark.parametrize("form", [ClearingForm.ON_CHAIN, ClearingForm.VERIFIED])
def test_what_is_left_in_the_order_of_arrival_is_not_cleared(form: ClearingForm) -> None:
    world = opened(ring=RING, form=form)
    world.open_window(0)
    for account in ("buyer", "seller", "neighbour"):
        world.order(account, account == "seller", 1_000, 150_000)
    world.end_metering(0)
    for account in ("buyer", "seller", "neighbour"):
        settle(world, account)
    world.open_window(RING)
    world.order("neighbour", False, 100, 150_000, RING)
    world.order("seller", True, 100, 150_000, RING)
    world.close_gate(RING)
    if form is ClearingForm.VERIFIED:
        with pytest.raises(ContractRevert, match="ranking not in merit order"):
            world.market.send(
                "anyone", "clearVerified", RING, pack_ranking([2, 1]), 150_000, 150_000, 100
            )
        ranking = pack_ranking([0, 1])
        world.market.send("anyone", "clearVerified", RING, ranking, 150_000, 150_000, 100)
    else:
        world.market.send("anyone", "clear", RING)
    assert world.market.get("clearingOf", RING) == (True, 150_000, 150_000, 100, 2)
    assert world.market.get("ownerAt", RING, 2) == bytes(20)
    assert world.backed(range(RING + 1))


def test_a_committed_clearing_outlives_its_slots() -> None:
    """Nobody claims, challenges or asks for the bond before the slots are used again."""
    world, case = opened(ring=RING, form=ClearingForm.COMMITTED), three()
    case.place(world)
    case.commit(world)
    world.deliver(0)
    for order in case.orders:
        world.report(order.account, 0)
    world.open_window(RING)
    for order in case.orders:
        with pytest.raises(ContractRevert, match=IN_USE):
            world.order(order.account, order.is_sell, 5, 150_000, RING)
        with pytest.raises(ContractRevert, match="local market: too late to claim"):
            case.claim(world, case.orders.index(order))
        settle(world, order.account)
        world.order(order.account, order.is_sell, 5, 150_000, RING)
    with pytest.raises(ContractRevert, match="local market: too late to challenge"):
        world.market.send("watcher", "challengeClearing", 0, case.ranking)
    assert world.market.get("bondOf", 0) == BOND
    world.market.send("anyone", "releaseBond", 0)
    assert world.free("operator") == RICH
    assert world.backed(range(RING + 1))


def test_a_wrong_root_is_overturned_in_a_used_slot() -> None:
    world, case = opened(ring=RING, form=ClearingForm.COMMITTED), three()
    world.open_window(0)
    for account in ("neighbour", "buyer", "seller"):
        world.order(account, account == "seller", 7, 150_000)
    world.end_metering(0)
    for account in ("neighbour", "buyer", "seller"):
        settle(world, account)
    world.open_window(RING)
    for order in case.orders:
        world.order(order.account, order.is_sell, order.energy_wh, order.price_ueur_per_kwh, RING)
    world.close_gate(RING)
    world.market.send("operator", "commitClearing", RING, bytes(32), *case.result)
    done = world.market.send("watcher", "challengeClearing", RING, case.ranking)
    assert done.events[0][0] == "ClearingOverturned"
    world.names[address("watcher")] = "watcher"
    fills = [world.market.get("orderOf", RING, address(o.account))[3] for o in case.orders]
    assert fills == list(case.clearing.fills_wh)
    world.at(FIRST_DELIVERY_S + RING * STEP_S - GATE_CLOSURE_S + CHALLENGE_S + 1)
    assert world.backed(range(RING + 1))


def test_a_sealed_order_that_nobody_reveals_keeps_its_slot_until_its_deposit_is_settled() -> None:
    world = opened(ring=RING, sealed=True)
    order = Order("buyer", False, 1_000, 200_000)
    world.open_window(0)
    commit(world, order)
    supplier = world.free(SUPPLIER)
    world.open_window(RING)
    with pytest.raises(ContractRevert, match=IN_USE):
        commit(world, order, RING)
    commit(world, order._replace(account="neighbour"), RING)
    assert world.market.get("isSealed", 0, address("buyer"))
    assert world.locked("buyer") == DEPOSIT
    world.close_gate(RING)
    with pytest.raises(ContractRevert, match="local market: no sealed order"):
        reveal(world, order, RING)
    settle(world, "buyer")
    assert world.free(SUPPLIER) - supplier == DEPOSIT + 600_000  # of 2 kWh that are estimated
    reveal(world, order._replace(account="neighbour"), RING)
    assert world.market.get("orderOf", RING, address("neighbour")) == (False, 200_000, 1_000, 0)
    assert world.backed(range(RING + 1))


def test_in_a_batch_who_is_not_settled_is_passed_over() -> None:
    world = batched(ring=RING)
    world.open_window(0)
    world.order("buyer", *BID)
    world.open_window(RING)
    done = send(world, [("buyer", BID), ("seller", ASK), ("neighbour", BID)], interval=RING)
    assert passed_over(done) == [(address("buyer"), SLOT_IN_USE)]
    assert world.market.get("clearingOf", RING)[4] == 2
    world.deliver(RING)
    readings = [(f"meter of {name}", 0) for name in ("buyer", "seller", "neighbour")]
    done = read(world, readings, HEAD_END, RING)
    assert passed_over(done) == [(address("meter of buyer"), SLOT_IN_USE)]
    assert world.market.get("readingOf", RING, address("neighbour")) == (True, False, 0)
    settle(world, "buyer")
    assert passed_over(read(world, readings[:1], HEAD_END, RING)) == []
    assert world.backed(range(RING + 1))
