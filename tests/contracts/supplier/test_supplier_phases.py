"""Who may do what in which block: subscription, declaration, payment, finalisation, exit."""

import pytest
from market_world import address
from supply_world import DEPOSIT, SUPPLIER, TERMS, SupplyWorld, meter_of

from cosim.errors import ContractRevert
from cosim.mechanisms.supply_contract.model import Subscription

ROLLING = 2**24 - 1


def refuses(cause: str):  # type: ignore[no-untyped-def]
    """Expect a refusal with exactly this cause."""
    return pytest.raises(ContractRevert, match=f"^Supplier.*: supplier: {cause}$")


# --- subscription -----------------------------------------------------------------------------


def test_subscription_opens_before_the_first_period(world: SupplyWorld) -> None:
    world.goto(TERMS.opens_at(0) - 1)
    with refuses("not open yet"):
        world.subscribe("ann")
    world.goto(TERMS.opens_at(0))
    done = world.subscribe("ann", 3)
    assert done.events == [
        (
            "SubscriptionChanged",
            {
                "customer": address("ann"),
                "meter": address(meter_of("ann")),
                "deposit_ueur": DEPOSIT,
                "debt_ueur": 0,
                "next_period": 0,
                "end_period": 3,
            },
        )
    ]
    assert world.held() == DEPOSIT


@pytest.mark.parametrize(
    ("block", "first"),
    [(99, 0), (100, 1), (119, 1), (120, 2), (139, 2)],
)
def test_subscription_starts_with_the_next_period(
    world: SupplyWorld, block: int, first: int
) -> None:
    world.goto(block)
    world.subscribe("ann", 2)
    assert (world.state("ann").next_period, world.state("ann").end_period) == (first, first + 2)


@pytest.mark.parametrize(
    ("n_periods", "end"),
    [
        (0, ROLLING),
        (1, 2),
        (ROLLING - 2, ROLLING - 1),
        (ROLLING - 1, ROLLING),
        (ROLLING, ROLLING),
        (ROLLING + 1, ROLLING),
        (2**256 - 1, ROLLING),
    ],
)
def test_number_of_periods(world: SupplyWorld, n_periods: int, end: int) -> None:
    world.start(0)
    world.subscribe("ann", n_periods)
    assert world.state("ann").end_period == end


def test_meter_must_be_the_callers(world: SupplyWorld) -> None:
    with refuses("not your meter"):
        world.send("bob", "subscribeUser", address(meter_of("ann")), 0, DEPOSIT)
    world.unregister("ann")
    with refuses("not your meter"):
        world.subscribe("ann")
    with refuses("not your meter"):
        world.send("ann", "subscribeUser", bytes(20), 0, DEPOSIT)


def test_meter_serves_one_subscription(world: SupplyWorld) -> None:
    world.subscribe("ann", 1)
    with refuses("meter in use"):
        world.subscribe("ann", 1)
    world.end_payment(0)
    with refuses("meter in use"):  # over, but its last bill is not paid
        world.subscribe("ann", 1)
    world.pay("ann", 0)
    world.subscribe("ann", 1)
    assert world.state("ann").next_period == 2


def test_a_customer_may_have_several_meters(world: SupplyWorld) -> None:
    world.register("ann", "second meter of ann")
    world.subscribe("ann", 1)
    world.send("ann", "subscribeUser", address("second meter of ann"), 1, DEPOSIT)
    world.end(0)
    world.declare("ann", 0, 100)
    world.send("second meter of ann", "declarePeriod", 0, 200)
    assert world.state("ann").declared_wh == 100
    assert world.held() == 2 * DEPOSIT


def test_who_moves_in_can_subscribe_whoever_moved_out(world: SupplyWorld) -> None:
    world.subscribe("ann")
    world.unregister("ann")
    world.meters.send(
        "metering_operator", "registerMeter", address(meter_of("ann")), address("bob")
    )
    world.send("bob", "subscribeUser", address(meter_of("ann")), 1, DEPOSIT)
    world.end(0)
    world.declare("ann", 0, 400)  # the meter, now bob's
    assert world.state("ann").declared_wh is None
    bobs = world.contract.get("subscriptionOf", address("bob"), address(meter_of("ann")))
    assert bobs >> 192 == 401


def hand_on(world: SupplyWorld, new: str) -> None:
    """Let the metering operator bind ann's meter to another customer."""
    world.unregister("ann")
    world.meters.send("metering_operator", "registerMeter", address(meter_of("ann")), address(new))


def subscription(world: SupplyWorld, account: str) -> Subscription:
    """Subscription of an account with ann's meter."""
    word = world.contract.get("subscriptionOf", address(account), address(meter_of("ann")))
    return Subscription.unpacked(word)


def test_a_meter_declares_a_period_for_one_customer(world: SupplyWorld) -> None:
    """Handed on and back within a declaration phase, it would have declared it twice."""
    world.subscribe("ann")
    hand_on(world, "bob")
    world.send("bob", "subscribeUser", address(meter_of("ann")), 0, DEPOSIT)
    world.end(0)
    world.declare("ann", 0, 400)
    hand_on(world, "ann")
    with refuses("not subscribed"):
        world.declare("ann", 0, 400)
    assert (subscription(world, "bob").declared_wh, world.state("ann").declared_wh) == (400, None)


def test_the_tenants_time_is_not_billed_to_who_gets_the_meter_back(world: SupplyWorld) -> None:
    """From ann to bob and back: no period is billed to both."""
    meter = address(meter_of("ann"))
    world.subscribe("ann")
    world.start(0)
    hand_on(world, "bob")
    done = world.send("bob", "subscribeUser", meter, 0, DEPOSIT)
    assert [name for name, _ in done.events].count("SubscriptionChanged") == 2
    assert (world.state("ann").end_period, subscription(world, "bob").next_period) == (1, 1)
    world.end(0)
    with refuses("not subscribed"):  # bob's meter, and the period was ann's
        world.declare("ann", 0, 400)
    world.end_payment(0)
    world.pay("ann", 0, "anyone")
    world.start(2)
    hand_on(world, "ann")
    world.subscribe("ann")
    assert subscription(world, "bob").end_period == world.state("ann").next_period == 3
    world.end_payment(2)
    for period in (1, 2):
        with refuses("no bill due"):
            world.pay("ann", period, "anyone")
        world.send("anyone", "paymentPeriod", period, address("bob"), meter)
    world.end_payment(3)
    with refuses("no bill due"):
        world.send("anyone", "paymentPeriod", 3, address("bob"), meter)
    world.send("bob", "withdraw", meter)
    assert world.held() == world.owed("ann")


# --- declaration ------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [119, 125, 139])
def test_declaration_has_its_phase(world: SupplyWorld, block: int) -> None:
    world.subscribe("ann")
    world.goto(block)
    with refuses("not declaration phase"):
        world.declare("ann", 0, 100)


@pytest.mark.parametrize("block", [120, 124])
def test_meter_declares_once(world: SupplyWorld, block: int) -> None:
    world.subscribe("ann")
    world.goto(block)
    done = world.declare("ann", 0, 0)
    assert done.events == [
        (
            "PeriodDeclared",
            {
                "period": 0,
                "customer": address("ann"),
                "meter": address(meter_of("ann")),
                "energy_wh": 0,
            },
        )
    ]
    with refuses("already declared"):
        world.declare("ann", 0, 100)
    assert world.state("ann").declared_wh == 0


def test_nobody_but_the_meter_declares(world: SupplyWorld) -> None:
    world.subscribe("ann")
    world.end(0)
    for sender in ("ann", "supplier", meter_of("bob"), "anyone"):
        with refuses("not subscribed"):
            world.send(sender, "declarePeriod", 0, 100)
    world.unregister("ann")
    with refuses("not subscribed"):
        world.declare("ann", 0, 100)


def test_declaration_is_for_a_period_of_the_subscription(world: SupplyWorld) -> None:
    world.start(0)
    world.subscribe("ann", 1)  # period 1 only
    world.end(0)
    with refuses("not subscribed"):
        world.declare("ann", 0, 100)
    world.end(1)
    world.declare("ann", 1, 100)
    world.ask_payment(1)
    world.pay("ann", 1)
    world.end(2)
    with refuses("not subscribed"):
        world.declare("ann", 2, 100)


def test_replayed_and_future_declarations(world: SupplyWorld) -> None:
    world.subscribe("ann")
    world.end(0)
    world.declare("ann", 0, 100)
    with refuses("not declaration phase"):
        world.declare("ann", 1, 100)
    world.end(1)
    with refuses("not declaration phase"):
        world.declare("ann", 0, 100)
    for far in (2**24 - 1, 2**24, 2**255, 2**256 - 1):
        with refuses("not declaration phase"):
            world.declare("ann", far, 100)


def test_declared_energy_has_a_range(world: SupplyWorld) -> None:
    world.subscribe("ann")
    world.end(0)
    for energy in (2**32 - 1, 2**32, 2**256 - 1):
        with refuses("energy out of range"):
            world.declare("ann", 0, energy)
    world.declare("ann", 0, 2**32 - 2)
    assert world.state("ann").declared_wh == 2**32 - 2


# --- payment ----------------------------------------------------------------------------------


def test_payment_has_its_phase(world: SupplyWorld) -> None:
    world.subscribe("ann")
    world.goto(TERMS.payment_at(0) - 1)
    with refuses("not payment phase"):
        world.pay("ann", 0)
    world.goto(TERMS.payment_at(0))
    world.pay("ann", 0)
    with refuses("no bill due"):
        world.pay("ann", 0)
    with refuses("not payment phase"):
        world.pay("ann", 2**256 - 1)


def test_nobody_pays_for_a_customer_before_the_phase_is_over(world: SupplyWorld) -> None:
    world.subscribe("ann")
    world.goto(TERMS.over_at(0) - 1)
    for sender in ("supplier", "bob", meter_of("ann")):
        with refuses("not your bill yet"):
            world.pay("ann", 0, sender)
    world.goto(TERMS.over_at(0))
    world.pay("ann", 0, "anyone")
    assert world.state("ann").next_period == 1


def test_bills_come_period_by_period(world: SupplyWorld) -> None:
    world.subscribe("ann", 2)
    with refuses("not payment phase"):
        world.pay("ann", 0)
    world.end_payment(2)
    with refuses("no bill due"):
        world.pay("ann", 1)
    world.pay("ann", 0)
    world.pay("ann", 1)
    with refuses("no bill due"):  # after the last period
        world.pay("ann", 2)
    with refuses("no bill due"):  # nobody
        world.pay("bob", 0)


# --- finalisation -----------------------------------------------------------------------------


def test_finalisation_waits_for_the_payment_phase_and_for_nobody(world: SupplyWorld) -> None:
    world.subscribe("ann")
    world.subscribe("bob")
    world.ask_payment(0)
    world.pay("ann", 0)
    bill = -(-2_000 * TERMS.price_ueur_per_kwh // 1_000)
    world.goto(TERMS.over_at(0) - 1)
    with refuses("payments not over"):
        world.finalize(0)
    world.goto(TERMS.over_at(0))
    done = world.finalize(0)  # though bob did not pay
    assert done.events == [("PeriodFinalized", {"period": 0, "paid_ueur": bill})]
    with refuses("already final"):
        world.finalize(0)
    assert world.contract.get("accountsOf") == (bill, 0, 1)
    world.pay("bob", 0, "anyone")
    assert world.contract.get("accountsOf") == (2 * bill, 0, 1)
    with refuses("payments not over"):
        world.finalize(2**256 - 1)


def test_a_payment_makes_earlier_periods_final(world: SupplyWorld) -> None:
    world.subscribe("ann", 2)
    world.ask_payment(0)
    world.pay("ann", 0)
    world.ask_payment(1)
    bill = -(-2_000 * TERMS.price_ueur_per_kwh // 1_000)
    done = world.pay("ann", 1)
    assert done.events[0] == ("PeriodFinalized", {"period": 0, "paid_ueur": bill})
    assert world.contract.get("accountsOf") == (bill, bill, 1)
    with refuses("already final"):
        world.finalize(0)


# --- exit -------------------------------------------------------------------------------------


def in_debt(world: SupplyWorld, debt: int) -> None:
    """Let ann owe so much for period 0; it is the payment phase of that period."""
    price = TERMS.price_ueur_per_kwh
    world.subscribe("ann")
    world.end(0)
    world.declare("ann", 0, (DEPOSIT + debt) * 1_000 // price + 1)
    world.ask_payment(0)
    world.pay("ann", 0)
    owed = world.state("ann").debt_ueur
    if owed > debt:
        world.send("ann", "topUp", address(meter_of("ann")), owed - debt)
    assert world.state("ann").debt_ueur == debt


def test_supplier_ends_with_notice_who_owes_too_much(world: SupplyWorld) -> None:
    in_debt(world, TERMS.credit_limit_ueur + 1)
    for sender in ("bob", "anyone", meter_of("ann")):
        with refuses("not yours to end"):
            world.unsubscribe("ann", sender)
    world.goto(TERMS.opens_at(2))  # the price of period 2 is fixed: ann is supplied in it
    world.unsubscribe("ann", SUPPLIER)
    assert world.state("ann").end_period == 3
    with refuses("nothing to end"):
        world.unsubscribe("ann", SUPPLIER)
    with refuses("meter in use"):
        world.subscribe("ann")
    world.end_payment(2)
    world.pay("ann", 1)
    world.pay("ann", 2)
    debt = world.state("ann").debt_ueur
    world.end_payment(3)
    with refuses("no bill due"):
        world.pay("ann", 3)
    with refuses("deposit out of range"):  # who owes cannot subscribe
        world.subscribe("ann", deposit=debt + TERMS.least_deposit_ueur - 1)
    world.subscribe("ann", deposit=debt + TERMS.least_deposit_ueur)
    assert (world.state("ann").debt_ueur, world.state("ann").deposit_ueur) == (0, 1_000_000)


def test_supplier_ends_nothing_up_to_the_credit_limit(world: SupplyWorld) -> None:
    world.subscribe("bob")
    in_debt(world, TERMS.credit_limit_ueur)
    for account in ("ann", "bob"):
        with refuses("not yours to end"):
            world.unsubscribe(account, SUPPLIER)


def test_exit_before_the_first_period_is_at_once(world: SupplyWorld) -> None:
    world.subscribe("ann")
    before = world.tokens("ann")
    world.unsubscribe("ann")
    with refuses("nothing to end"):
        world.unsubscribe("ann")
    world.send("ann", "withdraw", address(meter_of("ann")))
    assert world.tokens("ann") - before == DEPOSIT
    assert world.held() == 0
    world.subscribe("ann")  # and back


@pytest.mark.parametrize(("block", "end"), [(99, 0), (100, 1), (119, 1), (120, 2)])
def test_exit_is_from_the_next_period_on(world: SupplyWorld, block: int, end: int) -> None:
    world.subscribe("ann")
    world.goto(block)
    world.unsubscribe("ann")
    assert world.state("ann").end_period == end


def test_exit_cannot_prolong(world: SupplyWorld) -> None:
    world.subscribe("ann", 1)
    world.start(0)
    with refuses("nothing to end"):
        world.unsubscribe("ann")
    with refuses("nothing to end"):
        world.unsubscribe("bob")
    assert world.state("ann").end_period == 1


def test_deposit_stays_until_the_last_bill(world: SupplyWorld) -> None:
    world.subscribe("ann", 1)
    with refuses("bills to come"):
        world.send("ann", "withdraw", address(meter_of("ann")))
    world.end(0)
    with refuses("bills to come"):
        world.send("ann", "withdraw", address(meter_of("ann")))
    world.declare("ann", 0, 1_000)
    world.ask_payment(0)
    world.pay("ann", 0)
    before = world.tokens("ann")
    world.send("ann", "withdraw", address(meter_of("ann")))
    assert world.tokens("ann") - before == DEPOSIT - TERMS.price_ueur_per_kwh
    assert world.state("ann").deposit_ueur == 0
