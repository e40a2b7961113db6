"""What a published on-chain double auction did wrong, one test a defect, and its relatives.

The published contract sorted bids so that one moved a place, reverted when nothing crossed or
reported a price without a trade, matched sealed bids by the order of their reveal, let them be
revealed twice, gave energy to whoever's meter stayed silent, and could not bill more than the
deposit.
"""

import pytest
from local_market_world import CHALLENGE_S, DEPOSIT, Cleared, commit, opened, reveal
from market_world import (
    FEED_IN,
    FIRST_DELIVERY_S,
    OPERATOR,
    RETAIL,
    RICH,
    SILENT_ESTIMATE_WH,
    SUPPLIER,
    address,
)

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import AUCTION_FORMS, ClearingForm, PricingRule

MAX_ENERGY, MAX_PRICE = 2**32 - 1, 2**31 - 1


@pytest.mark.parametrize("form", AUCTION_FORMS)
def test_sort_that_moves_a_bid_one_place(form: ClearingForm) -> None:
    """Vector ``sort_regression``: bids at 10, 20 and 30 for one unit each, an ask of 3 at 15."""
    world = opened(form=form, members=("ten", "twenty", "thirty", "seller"))
    case = Cleared.of(
        [
            Order("ten", False, 1_000, 10_000),
            Order("twenty", False, 1_000, 20_000),
            Order("thirty", False, 1_000, 30_000),
            Order("seller", True, 3_000, 15_000),
        ]
    )
    case.place(world)
    if form is ClearingForm.ON_CHAIN:
        world.market.send("anyone", "clear", 0)
    elif form is ClearingForm.VERIFIED:
        world.market.send("anyone", "clearVerified", 0, case.ranking, *case.result)
    else:
        case.commit(world, bytes(32))
        world.market.send("anyone", "challengeClearing", 0, case.ranking)
    assert world.market.get("clearingOf", 0) == (True, 17_500, 17_500, 2_000, 4)
    fills = [world.market.get("orderOf", 0, address(o.account))[3] for o in case.orders]
    assert fills == [0, 1_000, 1_000, 2_000]


@pytest.mark.parametrize("rule", list(PricingRule)[:3])
def test_no_crossing_neither_reverts_nor_prices(rule: PricingRule) -> None:
    world = opened(rule=rule)
    Cleared.of([Order("buyer", False, 1_000, 99_999), Order("seller", True, 1_000, 100_000)]).place(
        world
    )
    done = world.market.send("anyone", "clear", 0)
    assert done.gas_used < 36_000
    assert world.market.get("clearingOf", 0) == (True, 0, 0, 0, 2)
    world.deliver(0)
    world.report("buyer", -1_000)
    world.report("seller", 1_000)
    assert world.free("buyer") == RICH - RETAIL
    assert world.free("seller") == RICH + FEED_IN
    assert world.backed()


@pytest.mark.parametrize("rule", PricingRule)
@pytest.mark.parametrize("sells", [False, True])
def test_one_side_alone_has_no_price(rule: PricingRule, sells: bool) -> None:
    world = opened(rule=rule)
    price = 0 if sells else RETAIL
    Cleared.of([Order(name, sells, 700, price) for name in ("buyer", "seller")], rule).place(world)
    world.market.send("anyone", "clear", 0)
    assert world.market.get("clearingOf", 0) == (True, 0, 0, 0, 2)


def test_mcafee_pair_that_sets_the_price_alone_does_not_trade() -> None:
    world = opened(rule=PricingRule.MCAFEE)
    Cleared.of(
        [Order("buyer", False, 1_000, 200_000), Order("seller", True, 1_000, 100_000)]
    ).place(world)
    world.market.send("anyone", "clear", 0)
    assert world.market.get("clearingOf", 0) == (True, 0, 0, 0, 2)
    assert world.locked("buyer") == 200_000


def test_reveal_order_does_not_decide_ties() -> None:
    """Of two equal bids the one that was committed first gets the odd Wh."""
    world = opened(sealed=True)
    world.open_window(0)
    first = Order("neighbour", False, 10, 200_000)
    second = Order("buyer", False, 10, 200_000)
    ask = Order("seller", True, 11, 100_000)
    for order in (first, second, ask):
        commit(world, order)
    world.close_gate(0)
    for order in (ask, second, first):
        reveal(world, order)
    world.start(0)
    world.market.send("anyone", "clear", 0)
    assert world.market.get("orderOf", 0, address("neighbour"))[3] == 6
    assert world.market.get("orderOf", 0, address("buyer"))[3] == 5


def test_double_reveal() -> None:
    world = opened(sealed=True)
    world.open_window(0)
    order = Order("buyer", False, 10, 200_000)
    commit(world, order)
    world.close_gate(0)
    reveal(world, order)
    free = world.free("buyer")
    with pytest.raises(ContractRevert, match="local market: already revealed"):
        reveal(world, order)
    assert world.free("buyer") == free
    assert world.backed()


def test_silent_meter_pays_for_the_estimate() -> None:
    world = opened()
    case = Cleared.of([Order("buyer", False, 500, 200_000), Order("seller", True, 500, 200_000)])
    case.place(world)
    world.market.send("anyone", "clear", 0)
    world.end_metering(0)
    with pytest.raises(ContractRevert, match="local market: too late to report"):
        world.report("buyer", 0)
    world.market.send("anyone", "settleSilent", 0, address("buyer"))
    rest = (SILENT_ESTIMATE_WH - 500) * RETAIL // 1_000
    assert world.free("buyer") == RICH - 100_000 - rest


def test_bill_above_the_deposit_is_owed() -> None:
    world = opened()
    case = Cleared.of([Order("buyer", False, 500, 200_000), Order("seller", True, 500, 200_000)])
    case.place(world)
    world.market.send("anyone", "clear", 0)
    world.market.send("buyer", "withdraw", RICH - 100_000)
    world.deliver(0)
    world.report("buyer", -MAX_ENERGY)
    bill = -(-(MAX_ENERGY - 500) * RETAIL // 1_000)
    assert world.free("buyer") == 0
    assert world.market.get("debtOf", address("buyer")) == bill
    world.report("seller", 500)  # nobody waits for it
    assert world.free("seller") == RICH + 100_000
    assert world.backed()


def test_debt_takes_a_released_bond() -> None:
    world = opened(form=ClearingForm.COMMITTED, sealed=True)
    world.open_window(0)
    orders = [Order("buyer", False, 5, 200_000), Order("seller", True, 5, 200_000)]
    for order in orders:
        commit(world, order)
    world.close_gate(0)
    for order in orders:
        reveal(world, order)
    world.start(0)
    case = Cleared.of(orders)
    world.market.send("buyer", "commitClearing", 0, case.tree.root, *case.result)
    bond = world.market.get("bondOf", 0)
    world.market.send("buyer", "withdraw", world.free("buyer"))
    world.deliver(0)
    case.claim(world, 0)
    world.end_metering(0)
    world.market.send("anyone", "settleSilent", 0, address("buyer"))
    owed = world.market.get("debtOf", address("buyer"))
    assert owed > bond
    world.market.send("anyone", "releaseBond", 0)
    assert world.free("buyer") == 0
    assert world.market.get("debtOf", address("buyer")) == owed - bond
    assert world.backed()


def test_debt_takes_what_a_revealed_order_leaves_of_its_deposit() -> None:
    world = opened(sealed=True)
    world.start(0)
    world.market.send("anyone", "clear", 0)
    order = Order("buyer", False, 50, 200_000)  # 10 000 in escrow
    world.open_window(2)
    commit(world, order, interval=2)
    world.market.send("buyer", "withdraw", world.free("buyer"))
    world.market.send("anyone", "settleSilent", 0, address("buyer"))
    owed = SILENT_ESTIMATE_WH * RETAIL // 1_000
    assert world.market.get("debtOf", address("buyer")) == owed
    world.close_gate(2)
    reveal(world, order, interval=2)
    assert world.market.get("debtOf", address("buyer")) == owed - (DEPOSIT - 10_000)
    assert world.free("buyer") == 0
    assert world.locked("buyer", 2) == 10_000
    assert world.backed(range(3))


# --- readings of the wrong meter, replayed, late ------------------------------------------------


def test_reading_of_another_interval_or_meter_settles_nothing_twice() -> None:
    world = opened()
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    world.report("buyer", -100)
    with pytest.raises(ContractRevert, match="local market: already reported"):
        world.report("buyer", -100)
    with pytest.raises(ContractRevert, match="local market: not yet delivered"):
        world.report("buyer", -100, interval=1)
    world.meters.send(OPERATOR, "unregisterMeter", address("meter of seller"))
    with pytest.raises(ContractRevert, match="local market: unknown meter"):
        world.report("seller", 100)
    assert world.free("buyer") == RICH - 30_000
    assert world.backed()


# --- integers and dust ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", AUCTION_FORMS)
@pytest.mark.parametrize("rule", list(PricingRule)[:3])
def test_largest_numbers_clear_and_settle(rule: PricingRule, form: ClearingForm) -> None:
    names = tuple(f"a{k}" for k in range(8))
    world = opened(rule=rule, form=form, members=names)
    for name in names:
        world.fund(name, world.market, MAX_ENERGY * MAX_PRICE)
    case = Cleared.of(
        [
            Order(name, k % 2 == 1, MAX_ENERGY, MAX_PRICE if k % 2 == 0 else k)
            for k, name in enumerate(names)
        ],
        rule,
    )
    case.place(world)
    if form is ClearingForm.ON_CHAIN:
        world.market.send("anyone", "clear", 0)
    elif form is ClearingForm.VERIFIED:
        world.market.send("anyone", "clearVerified", 0, case.ranking, *case.result)
    else:
        case.commit(world)
        world.at(FIRST_DELIVERY_S + CHALLENGE_S)
        for is_sell in (False, True):
            for index, order in enumerate(case.orders):
                if order.is_sell == is_sell:
                    case.claim(world, index)
    assert world.market.get("clearingOf", 0)[3] == case.clearing.volume_wh >= 3 * MAX_ENERGY
    fills = tuple(world.market.get("orderOf", 0, address(name))[3] for name in names)
    assert fills == case.clearing.fills_wh
    assert world.backed()
    world.deliver(0)
    for name, order, fill in zip(names, case.orders, fills, strict=True):
        world.report(name, fill if order.is_sell else -fill)
    assert world.backed()


@pytest.mark.parametrize("rule", PricingRule)
def test_rounding_never_loses_or_makes_money(rule: PricingRule) -> None:
    """Seven orders of 1 Wh at odd prices: every side's rounding ends with the supplier."""
    names = tuple(f"a{k}" for k in range(7))
    world = opened(rule=rule, members=names)
    orders = [
        Order(name, k > 3, 1, 100_003 + 7 * k if k < 4 else 100_001 - 5 * k)
        for k, name in enumerate(names)
    ]
    if rule.sets_price:
        orders = [Order(o.account, o.is_sell, 1, 0 if o.is_sell else RETAIL) for o in orders]
    case = Cleared.of(orders, rule)
    case.place(world)
    supplier = world.free(SUPPLIER)
    world.market.send("anyone", "clear", 0)
    assert world.free(SUPPLIER) - supplier == case.clearing.surplus_ueur >= 0
    world.deliver(0)
    for order, fill in zip(orders, case.clearing.fills_wh, strict=True):
        world.report(order.account, fill if order.is_sell else -fill)
    traded = sum(RICH - world.free(name) for name in names)
    assert traded == case.clearing.surplus_ueur
    assert world.backed()


def test_dust_orders_cost_their_sender_more_than_the_clearing() -> None:
    """Work is bounded: 512 orders at most, and each costs who places it far more than others."""
    names = tuple(f"a{k}" for k in range(60))
    world = opened(members=names)
    world.open_window(0)
    placed = [world.order(name, k % 2 == 1, 1, 200_000).gas_used for k, name in enumerate(names)]
    world.close_gate(0)
    cleared = world.market.send("anyone", "clear", 0).gas_used
    assert cleared / len(names) < 12_000 < 80_000 < min(placed)
