"""Orders: window, ranges, escrow. Clearing: once, after gate closure, fills and dust."""

import pytest
from market_world import (
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    OPERATOR,
    ORDER_LEAD_S,
    RETAIL,
    RICH,
    SUPPLIER,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert

MAX_ENERGY, MAX_PRICE = 2**32 - 1, 2**31 - 1


def test_buyer_locks_its_payment_rounded_up(world: MarketWorld) -> None:
    world.open_window(0)
    done = world.order("buyer", False, 3, 100_333)
    assert world.free("buyer") == RICH - 301  # 300.999
    assert world.locked("buyer") == 301
    assert world.market.get("orderOf", 0, address("buyer")) == (False, 100_333, 3, 0)
    assert world.market.get("ownerAt", 0, 0) == address("buyer")
    assert world.market.get("ownerAt", 0, 1) == bytes(20)
    placed = {
        "interval": 0,
        "account": address("buyer"),
        "is_sell": False,
        "energy_wh": 3,
        "price_ueur_per_kwh": 100_333,
    }
    assert done.events == [("OrderPlaced", placed)]


@pytest.mark.parametrize(
    ("price", "locked"), [(RETAIL - 100_333, 301), (RETAIL, 0), (RETAIL + 1, 0)]
)
def test_seller_locks_what_retail_costs_above_its_price(
    world: MarketWorld, price: int, locked: int
) -> None:
    world.open_window(0)
    world.order("seller", True, 3, price)
    assert world.locked("seller") == locked
    assert world.backed()


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (-ORDER_LEAD_S - 1, "local market: window not open"),
        (-ORDER_LEAD_S, None),
        (-GATE_CLOSURE_S - 1, None),
        (-GATE_CLOSURE_S, "local market: gate closed"),
    ],
)
def test_order_window(world: MarketWorld, time_s: int, text: str | None) -> None:
    world.at(FIRST_DELIVERY_S + time_s)
    if text is None:
        assert len(world.order("buyer", False, 1, 1).events) == 1
        return
    with pytest.raises(ContractRevert, match=text):
        world.order("buyer", False, 1, 1)


def test_interval_beyond_any_clock_is_just_far_away(world: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match="local market: window not open"):
        world.order("buyer", False, 1, 1, interval=2**256 - 1)
    with pytest.raises(ContractRevert, match="local market: gate open"):
        world.market.send("anyone", "clear", 2**256 - 1)
    with pytest.raises(ContractRevert, match="local market: not yet delivered"):
        world.report("buyer", 0, interval=2**256 - 1)


@pytest.mark.parametrize(
    ("energy", "price", "text"),
    [
        (0, 1, "local market: energy out of range"),
        (MAX_ENERGY + 1, 1, "local market: energy out of range"),
        (1, MAX_PRICE + 1, "local market: price out of range"),
        (MAX_ENERGY, MAX_PRICE, "local market: balance too low"),
    ],
)
def test_order_out_of_range(world: MarketWorld, energy: int, price: int, text: str) -> None:
    world.open_window(0)
    with pytest.raises(ContractRevert, match=text):
        world.order("buyer", False, energy, price)


def test_largest_orders_fit(world: MarketWorld) -> None:
    rich = MAX_ENERGY * MAX_PRICE
    world.fund("buyer", world.market, rich)
    world.open_window(0)
    world.order("buyer", False, MAX_ENERGY, MAX_PRICE)
    world.order("seller", True, MAX_ENERGY, MAX_PRICE)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    assert world.market.get("clearingOf", 0) == (True, MAX_PRICE, MAX_PRICE, MAX_ENERGY, 2)
    world.deliver(0)
    world.report("buyer", -MAX_ENERGY)
    world.report("seller", MAX_ENERGY)
    assert world.market.get("readingOf", 0, address("seller")) == (True, False, MAX_ENERGY)
    assert world.market.get("readingOf", 0, address("buyer")) == (True, False, -MAX_ENERGY)
    assert world.free("seller") == RICH + MAX_ENERGY * MAX_PRICE // 1_000
    assert world.backed()


def test_one_order_per_account_and_interval(world: MarketWorld) -> None:
    world.open_window(0)
    world.order("buyer", False, 1, 1)
    with pytest.raises(ContractRevert, match="local market: order exists"):
        world.order("buyer", True, 1, 1)


def test_only_members_order(world: MarketWorld) -> None:
    world.open_window(0)
    with pytest.raises(ContractRevert, match="local market: not a member"):
        world.order("stranger", False, 1, 1)
    world.meters.send(OPERATOR, "unregisterMeter", address("meter of buyer"))
    with pytest.raises(ContractRevert, match="local market: not a member"):
        world.order("buyer", False, 1, 1)


def test_book_holds_512_orders_and_clears_in_a_block() -> None:
    world = MarketWorld("revm")
    for k in range(513):
        world.market.send(f"a{k}", "join", address(world.register(f"a{k}")))
        if k % 2 == 0:
            world.fund(f"a{k}", world.market, 7 * RETAIL // 1_000)
        world.names[address(f"a{k}")] = f"a{k}"
    world.open_window(0)
    for k in range(512):
        world.order(f"a{k}", k % 2 == 1, 7, RETAIL)
    with pytest.raises(ContractRevert, match="local market: book full"):
        world.order("a512", False, 7, RETAIL)
    world.close_gate(0)
    done = world.market.send("anyone", "clear", 0)
    assert done.events[-1][1]["n_orders"] == 512
    assert world.market.get("clearingOf", 0) == (True, RETAIL, RETAIL, 256 * 7, 512)
    assert sum(name == "OrderFilled" for name, _ in done.events) == 512
    assert done.gas_used < 6_000_000
    assert world.backed()


def test_clearing_a_hundred_orders_costs_less_than_a_million_gas() -> None:
    world = MarketWorld("revm")
    for k in range(100):
        world.join(f"a{k}")
    world.open_window(0)
    for k in range(100):
        world.order(f"a{k}", k % 2 == 1, 500 + k * 37 % 400, 100_000 + k * 7_919 % 150_000)
    world.close_gate(0)
    done = world.market.send("anyone", "clear", 0)
    assert len(done.events) > 40
    assert done.gas_used < 1_000_000
    assert world.backed()


def test_clear_waits_for_gate_closure_and_happens_once(world: MarketWorld) -> None:
    world.at(FIRST_DELIVERY_S - GATE_CLOSURE_S - 1)
    with pytest.raises(ContractRevert, match="local market: gate open"):
        world.market.send("anyone", "clear", 0)
    world.close_gate(0)
    done = world.market.send("anyone", "clear", 0)
    empty = {
        "interval": 0,
        "buy_price_ueur_per_kwh": 0,
        "sell_price_ueur_per_kwh": 0,
        "volume_wh": 0,
        "n_orders": 0,
    }
    assert done.events == [("IntervalCleared", empty)]
    with pytest.raises(ContractRevert, match="local market: already cleared"):
        world.market.send("anyone", "clear", 0)


def test_no_crossing_is_a_normal_outcome(world: MarketWorld) -> None:
    world.open_window(0)
    world.order("buyer", False, 1_000, 100_000)
    world.order("seller", True, 1_000, 100_001)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    assert world.market.get("clearingOf", 0) == (True, 0, 0, 0, 2)
    assert world.market.get("orderOf", 0, address("buyer")) == (False, 100_000, 1_000, 0)
    assert world.locked("buyer") == 100_000


def test_pro_rata_at_the_margin_and_left_over_to_the_first(world: MarketWorld) -> None:
    world.open_window(0)
    world.order("seller", True, 11, 100_000)
    world.order("neighbour", False, 10, 200_000)
    world.order("buyer", False, 10, 200_000)
    world.close_gate(0)
    done = world.market.send("anyone", "clear", 0)
    assert done.events[:3] == [
        (
            "OrderFilled",
            {"interval": 0, "account": address("neighbour"), "is_sell": False, "energy_wh": 6},
        ),
        (
            "OrderFilled",
            {"interval": 0, "account": address("buyer"), "is_sell": False, "energy_wh": 5},
        ),
        (
            "OrderFilled",
            {"interval": 0, "account": address("seller"), "is_sell": True, "energy_wh": 11},
        ),
    ]
    assert world.market.get("clearingOf", 0) == (True, 150_000, 150_000, 11, 3)


def test_dust_goes_to_the_supplier(world: MarketWorld) -> None:
    before = world.free(SUPPLIER)
    world.open_window(0)
    world.order("seller", True, 3, 100_001)
    world.order("buyer", False, 3, 100_001)
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)  # 300.003: paid 301, earned 300
    assert world.free(SUPPLIER) - before == 1
    assert world.backed()


@pytest.mark.parametrize("rule", [3, 4, 5])
def test_price_takers_name_the_price_that_never_binds(rule: int) -> None:
    world = MarketWorld("revm", rule=rule)
    for account in ("buyer", "seller"):
        world.join(account)
    world.open_window(0)
    for is_sell, price in [(False, RETAIL - 1), (False, 0), (True, 1), (True, RETAIL)]:
        with pytest.raises(ContractRevert, match="local market: price is set by the rule"):
            world.order("buyer", is_sell, 1, price)
    world.order("buyer", False, 1, RETAIL)
    world.order("seller", True, 1, 0)
    assert world.locked("buyer") == world.locked("seller") == RETAIL // 1_000
    assert world.backed()
