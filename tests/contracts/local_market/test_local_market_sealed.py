"""Sealed orders: committed to in the order window, shown after it, or their deposit is lost."""

import pytest
from local_market_world import (
    DEPOSIT,
    REVEAL_S,
    SALT,
    commit,
    opened,
    reveal,
    seal,
)
from market_world import (
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    OPERATOR,
    RETAIL,
    RICH,
    SILENT_ESTIMATE_WH,
    SUPPLIER,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import PricingRule

BID = Order("buyer", False, 1_000, 200_001)
ASK = Order("seller", True, 1_000, 100_000)


@pytest.fixture
def sealed() -> MarketWorld:
    """The order window of interval 0 is open, for sealed orders."""
    world = opened("py-evm", sealed=True)
    world.open_window(0)
    return world


def test_commitment_shows_nothing_and_locks_the_deposit(sealed: MarketWorld) -> None:
    done = commit(sealed, BID)
    shown = {"interval": 0, "account": address("buyer"), "commitment": seal(BID)}
    assert done.events == [("OrderCommitted", shown)]
    assert sealed.free("buyer") == RICH - DEPOSIT
    assert sealed.locked("buyer") == DEPOSIT
    assert sealed.market.get("orderOf", 0, address("buyer")) == (False, 0, 0, 0)
    assert sealed.market.get("isSealed", 0, address("buyer"))
    assert not sealed.market.get("isSealed", 0, address("seller"))
    assert sealed.market.get("ownerAt", 0, 0) == bytes(20)
    assert sealed.market.get("clearingOf", 0) == (False, 0, 0, 0, 1)
    assert sealed.backed()


def test_reveal_gives_the_deposit_back_and_locks_the_escrow(sealed: MarketWorld) -> None:
    commit(sealed, BID)
    sealed.close_gate(0)
    done = reveal(sealed, BID)
    placed = {
        "interval": 0,
        "account": address("buyer"),
        "is_sell": False,
        "energy_wh": 1_000,
        "price_ueur_per_kwh": 200_001,
    }
    assert done.events == [("OrderPlaced", placed)]
    assert sealed.locked("buyer") == 200_001
    assert sealed.free("buyer") == RICH - 200_001
    assert not sealed.market.get("isSealed", 0, address("buyer"))
    assert sealed.market.get("ownerAt", 0, 0) == address("buyer")
    assert sealed.backed()


def test_markets_are_open_or_sealed(sealed: MarketWorld, world: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match="local market: orders are sealed"):
        sealed.order("buyer", False, 1, 1)
    world.open_window(0)
    with pytest.raises(ContractRevert, match="local market: orders are open"):
        commit(world, BID)
    world.close_gate(0)
    with pytest.raises(ContractRevert, match="local market: not in the reveal window"):
        reveal(world, BID)


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (-GATE_CLOSURE_S - 1, "local market: not in the reveal window"),
        (-GATE_CLOSURE_S, None),
        (-GATE_CLOSURE_S + REVEAL_S - 1, None),
        (-GATE_CLOSURE_S + REVEAL_S, "local market: not in the reveal window"),
    ],
)
def test_reveal_window(sealed: MarketWorld, time_s: int, text: str | None) -> None:
    commit(sealed, BID)
    sealed.at(FIRST_DELIVERY_S + time_s)
    if text is None:
        assert len(reveal(sealed, BID).events) == 1
        return
    with pytest.raises(ContractRevert, match=text):
        reveal(sealed, BID)
    assert sealed.market.get("isSealed", 0, address("buyer"))


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(-601, "local market: window not open"), (-180, "local market: gate closed")],
)
def test_commitments_keep_the_order_window(sealed: MarketWorld, time_s: int, text: str) -> None:
    sealed.at(FIRST_DELIVERY_S + time_s)
    with pytest.raises(ContractRevert, match=text):
        commit(sealed, BID)


def test_commitment_needs_membership_money_and_no_other_order(sealed: MarketWorld) -> None:
    commit(sealed, BID)
    with pytest.raises(ContractRevert, match="local market: order exists"):
        commit(sealed, BID)
    sealed.market.send("seller", "withdraw", RICH - DEPOSIT + 1)
    with pytest.raises(ContractRevert, match="local market: balance too low"):
        commit(sealed, ASK)
    sealed.meters.send(OPERATOR, "unregisterMeter", address("meter of neighbour"))
    with pytest.raises(ContractRevert, match="local market: not a member"):
        commit(sealed, Order("neighbour", False, 1, 1))


@pytest.mark.parametrize(
    ("shown", "salt"),
    [
        (Order("buyer", False, 1_001, 200_001), SALT),
        (Order("buyer", False, 1_000, 200_000), SALT),
        (Order("buyer", True, 1_000, 200_001), SALT),
        (BID, bytes(32)),
    ],
)
def test_only_what_was_sealed_can_be_shown(sealed: MarketWorld, shown: Order, salt: bytes) -> None:
    commit(sealed, BID)
    sealed.close_gate(0)
    with pytest.raises(ContractRevert, match="local market: not what was sealed"):
        reveal(sealed, shown, salt=salt)
    assert sealed.locked("buyer") == DEPOSIT


def test_commitment_of_another_account_or_interval_is_worth_nothing(sealed: MarketWorld) -> None:
    sealed.market.send("neighbour", "commitOrder", 0, seal(BID))  # copied
    sealed.market.send("buyer", "commitOrder", 0, seal(BID, interval=1))
    sealed.close_gate(0)
    for thief in ("neighbour", "buyer"):
        order = Order(thief, BID.is_sell, BID.energy_wh, BID.price_ueur_per_kwh)
        with pytest.raises(ContractRevert, match="local market: not what was sealed"):
            reveal(sealed, order)


def test_nothing_to_reveal(sealed: MarketWorld) -> None:
    sealed.close_gate(0)
    with pytest.raises(ContractRevert, match="local market: no sealed order"):
        reveal(sealed, BID)


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (Order("buyer", False, 0, 1), "local market: energy out of range"),
        (Order("buyer", False, 2**32, 1), "local market: energy out of range"),
        (Order("buyer", False, 1, 2**31), "local market: price out of range"),
        (Order("buyer", False, 2**32 - 1, 2**31 - 1), "local market: balance too low"),
    ],
)
def test_sealed_nonsense_stays_sealed(sealed: MarketWorld, order: Order, text: str) -> None:
    commit(sealed, order)
    sealed.close_gate(0)
    with pytest.raises(ContractRevert, match=text):
        reveal(sealed, order)
    assert sealed.locked("buyer") == DEPOSIT


def test_deposit_pays_for_the_escrow(sealed: MarketWorld) -> None:
    order = Order("buyer", False, 1_000, DEPOSIT)
    sealed.market.send("buyer", "withdraw", RICH - DEPOSIT)
    commit(sealed, order)
    sealed.close_gate(0)
    reveal(sealed, order)
    assert (sealed.free("buyer"), sealed.locked("buyer")) == (0, DEPOSIT)


def test_sealed_price_taker_must_say_so() -> None:
    world = opened(sealed=True, rule=PricingRule.MID_MARKET_RATE)
    world.open_window(0)
    orders = [Order("buyer", False, 5, RETAIL - 1), Order("seller", True, 5, 0)]
    for order in orders:
        commit(world, order)
    world.close_gate(0)
    with pytest.raises(ContractRevert, match="local market: price is set by the rule"):
        reveal(world, orders[0])
    reveal(world, orders[1])


def test_clearing_waits_for_the_reveal_window(sealed: MarketWorld) -> None:
    commit(sealed, BID)
    sealed.at(FIRST_DELIVERY_S - GATE_CLOSURE_S - 1)
    with pytest.raises(ContractRevert, match="local market: gate open"):
        sealed.market.send("anyone", "clear", 0)
    sealed.at(FIRST_DELIVERY_S - GATE_CLOSURE_S + REVEAL_S - 1)
    with pytest.raises(ContractRevert, match="local market: orders may be revealed"):
        sealed.market.send("anyone", "clear", 0)
    sealed.at(FIRST_DELIVERY_S - GATE_CLOSURE_S + REVEAL_S)
    sealed.market.send("anyone", "clear", 0)


def test_who_does_not_reveal_loses_the_deposit_to_the_supplier(sealed: MarketWorld) -> None:
    late = Order("neighbour", False, 1_000, 250_000)  # would have been first in merit order
    for order in (late, BID, ASK):
        commit(sealed, order)
    sealed.close_gate(0)
    reveal(sealed, ASK)
    reveal(sealed, BID)
    sealed.at(FIRST_DELIVERY_S)
    done = sealed.market.send("anyone", "clear", 0)
    assert done.events[-1][1]["n_orders"] == 3
    assert sealed.market.get("orderOf", 0, address("buyer"))[3] == 1_000
    assert sealed.market.get("clearingOf", 0) == (True, 150_000, 150_000, 1_000, 3)
    assert sealed.locked("neighbour") == DEPOSIT
    assert sealed.backed()

    supplier = sealed.free(SUPPLIER)
    sealed.deliver(0)
    done = sealed.report("neighbour", 0)
    lost = {"interval": 0, "account": address("neighbour"), "amount_ueur": DEPOSIT}
    assert done.events[0] == ("DepositForfeited", lost)
    assert sealed.free("neighbour") == RICH - DEPOSIT
    assert sealed.locked("neighbour") == 0
    assert sealed.free(SUPPLIER) == supplier + DEPOSIT
    assert sealed.backed()


def test_deposit_is_lost_at_a_silent_settlement_too(sealed: MarketWorld) -> None:
    commit(sealed, BID)
    sealed.at(FIRST_DELIVERY_S)
    sealed.market.send("anyone", "clear", 0)
    sealed.end_metering(0)
    sealed.market.send("anyone", "settleSilent", 0, address("buyer"))
    estimate = SILENT_ESTIMATE_WH * RETAIL // 1_000
    assert sealed.free("buyer") == RICH - DEPOSIT - estimate
    assert sealed.free(SUPPLIER) == RICH + DEPOSIT + estimate
    assert sealed.backed()
