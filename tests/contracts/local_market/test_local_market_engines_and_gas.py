"""One long sequence on both engines, and what clearing costs in whole transactions."""

from collections.abc import Callable

import pytest
from local_market_world import CHALLENGE_S, Cleared, commit, opened, reveal, three
from market_world import (
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    RETAIL,
    MarketWorld,
    Outcome,
    address,
)

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import AUCTION_FORMS, ClearingForm, PricingRule

Step = tuple[str, int, list[tuple[str, dict[str, object]]]]


class Sequence:
    """Plays calls and keeps what each of them did, or why it was refused."""

    def __init__(self, engine: str, form: ClearingForm, rule: PricingRule, sealed: bool) -> None:
        self.world = opened(engine, form=form, rule=rule, sealed=sealed)
        self.steps: list[Step | str] = []

    def __call__(self, call: Callable[[], Outcome]) -> None:
        try:
            done = call()
        except ContractRevert as error:
            self.steps.append(error.text)
        else:
            self.steps.append((done.output.hex(), done.gas_used, done.events))

    def state(self) -> tuple[list[Step | str], list[bytes]]:
        """Everything that happened, and the storage of market, settlement and token."""
        market, token = self.world.market, self.world.token
        contracts = (market, market.settlement, token)
        return self.steps, [self.world.engine.storage_root(c.address) for c in contracts]


def play(engine: str, form: ClearingForm, rule: PricingRule, sealed: bool) -> Sequence:
    """An interval from the first order to the last settlement, with every kind of refusal."""
    step = Sequence(engine, form, rule, sealed)
    world = step.world
    orders = three().orders
    if rule.sets_price:
        orders = [
            Order(o.account, o.is_sell, o.energy_wh, 0 if o.is_sell else RETAIL) for o in orders
        ]
    case = Cleared.of(orders, rule)
    world.open_window(0)
    for order in (*orders, orders[0]):
        step(lambda order=order: commit(world, order))
        fields = (order.is_sell, order.energy_wh, order.price_ueur_per_kwh)
        step(lambda order=order, fields=fields: world.order(order.account, *fields))
    world.close_gate(0)
    for order in reversed(orders):
        step(lambda order=order: reveal(world, order))
    world.start(0)
    send = world.market.send
    step(lambda: send("anyone", "clear", 0))
    step(lambda: send("anyone", "clearVerified", 0, case.ranking[:-1], *case.result))
    step(lambda: send("anyone", "clearVerified", 0, case.ranking, *case.result))
    step(lambda: case.commit(world))
    step(lambda: send("watcher", "challengeClearing", 0, case.ranking))
    world.at(FIRST_DELIVERY_S + CHALLENGE_S + 1)
    for index in (1, 0, 2, 1):
        step(lambda index=index: case.claim(world, index))
    step(lambda: send("anyone", "releaseBond", 0))
    world.deliver(0)
    step(lambda: world.report("buyer", -900))
    step(lambda: world.report("seller", 1_200))
    world.end_metering(0)
    for account in ("buyer", "neighbour", "stranger"):
        step(lambda account=account: send("x", "settleSilent", 0, address(account)))
    return step


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(
    ("form", "rule"),
    [
        (ClearingForm.ON_CHAIN, PricingRule.MCAFEE),
        (ClearingForm.ON_CHAIN, PricingRule.SUPPLY_DEMAND_RATIO),
        (ClearingForm.VERIFIED, PricingRule.PAY_AS_BID),
        (ClearingForm.COMMITTED, PricingRule.MIDPOINT),
    ],
)
def test_both_engines_do_the_same(form: ClearingForm, rule: PricingRule, sealed: bool) -> None:
    revm, py_evm = play("revm", form, rule, sealed), play("py-evm", form, rule, sealed)
    assert revm.state() == py_evm.state()
    done = [step for step in revm.steps if not isinstance(step, str)]
    refused = {step for step in revm.steps if isinstance(step, str)}
    assert len(done) >= 7
    assert len(refused) >= 5
    assert revm.world.backed()


# --- gas ----------------------------------------------------------------------------------------


def hundred(form: ClearingForm) -> tuple[MarketWorld, Cleared]:
    """Orders of a hundred members, of which about half are filled; the gate is closed."""
    names = tuple(f"a{k}" for k in range(100))
    world = opened(form=form, members=names)
    case = Cleared.of(
        [
            Order(name, k % 2 == 1, 500 + k * 37 % 400, 100_000 + k * 7_919 % 150_000)
            for k, name in enumerate(names)
        ]
    )
    assert 40 < sum(fill > 0 for fill in case.clearing.fills_wh) < 60
    case.place(world)
    return world, case


def test_clearing_on_chain_costs_less_than_900_kgas() -> None:
    world, _ = hundred(ClearingForm.ON_CHAIN)
    assert world.market.send("anyone", "clear", 0).gas_used < 900_000
    assert world.backed()


def test_verified_clearing_costs_less_than_600_kgas() -> None:
    world, case = hundred(ClearingForm.VERIFIED)
    done = world.market.send("anyone", "clearVerified", 0, case.ranking, *case.result)
    assert done.gas_used < 600_000
    assert world.backed()


def test_committed_clearing_costs_less_than_100_kgas_and_80_a_claim() -> None:
    world, case = hundred(ClearingForm.COMMITTED)
    assert case.commit(world).gas_used < 100_000
    world.at(FIRST_DELIVERY_S - GATE_CLOSURE_S + CHALLENGE_S + 1)
    claims = [
        case.claim(world, index).gas_used
        for is_sell in (False, True)
        for index, order in enumerate(case.orders)
        if order.is_sell == is_sell
    ]
    assert max(claims) < 80_000
    assert sum(claims) / len(claims) < 60_000
    assert world.market.get("potOf", 0) == 0
    assert world.backed()


def test_challenge_of_a_hundred_orders_costs_less_than_800_kgas() -> None:
    world, case = hundred(ClearingForm.COMMITTED)
    case.commit(world, bytes(32))
    done = world.market.send("watcher", "challengeClearing", 0, case.ranking)
    assert done.gas_used < 800_000


@pytest.mark.parametrize("form", AUCTION_FORMS)
@pytest.mark.parametrize("n", [2, 60])
def test_book_that_does_not_cross_costs_the_same_at_any_size(form: ClearingForm, n: int) -> None:
    names = tuple(f"a{k}" for k in range(n))
    world = opened(form=form, members=names)
    Cleared.of([Order(name, k % 2 == 1, 7, k % 2) for k, name in enumerate(names)]).place(world)
    call = {
        ClearingForm.ON_CHAIN: ("clear", 0),
        ClearingForm.VERIFIED: ("clearVerified", 0, [], 0, 0, 0),
        ClearingForm.COMMITTED: ("commitClearing", 0, bytes(32), 0, 0, 0),
    }[form]
    limit = 52_000 if form is ClearingForm.VERIFIED else 35_000
    assert world.market.send("anyone", *call).gas_used < limit


def test_code_leaves_room_in_both_contracts() -> None:
    """EIP-170: 24 576 bytes with the immutables behind the code; 1 000 are left for what comes."""
    world = opened()
    for contract in (world.market, world.market.settlement):
        assert 5_000 < len(world.engine.code(contract.address)) <= 24_576 - 1_000
