"""Bills, debts, prices, proceeds: nobody's money can be taken, blocked or lost to rounding."""

from dataclasses import replace

import pytest
from market_world import address
from supply_world import DEPOSIT, SUPPLIER, TERMS, TOKENS, SupplyWorld, meter_of

from cosim.errors import ContractRevert
from cosim.evm.abi import pack
from cosim.mechanisms.supply_contract.model import SupplyContractModel
from cosim.mechanisms.supply_contract.terms import MAX_CHANGES, MAX_PERIODS_BEHIND

PRICE = TERMS.price_ueur_per_kwh
BIG = 10**15


def refuses(cause: str):  # type: ignore[no-untyped-def]
    """Expect a refusal with exactly this cause."""
    return pytest.raises(ContractRevert, match=f"^Supplier.*: supplier: {cause}$")


def word(value: str | int | bytes) -> bytes:
    """A name's address, or a number, as 32 bytes."""
    return pack(address(value) if isinstance(value, str) else value)


def settle(world: SupplyWorld, account: str, period: int, energy_wh: int | None) -> dict[str, int]:
    """Declare, unless silent, and pay; the event of the payment."""
    world.end(period)
    if energy_wh is not None:
        world.declare(account, period, energy_wh)
    world.ask_payment(period)
    return dict(world.pay(account, period).events[-1][1])


@pytest.mark.parametrize(
    ("energy_wh", "bill"),
    [(0, 0), (1, 301), (999, 299_701), (1_000, 300_001), (1_001, 300_302), (4_999, 1_499_705)],
)
def test_bill_is_rounded_up(world: SupplyWorld, energy_wh: int, bill: int) -> None:
    world.subscribe("ann", 1)
    event = settle(world, "ann", 0, energy_wh)
    assert event == {
        "period": 0,
        "customer": address("ann"),
        "meter": address(meter_of("ann")),
        "energy_wh": energy_wh,
        "bill_ueur": bill,
        "paid_ueur": bill,
    }
    assert world.state("ann").deposit_ueur == DEPOSIT - bill
    world.end_payment(0)
    world.finalize(0)
    world.send("anyone", "withdrawProceeds")
    assert world.tokens(SUPPLIER) == bill
    assert world.held() == DEPOSIT - bill


def test_silent_meter_is_billed_the_estimate(world: SupplyWorld) -> None:
    world.subscribe("ann")
    event = settle(world, "ann", 0, None)
    assert event["energy_wh"] == TERMS.silent_estimate_wh
    assert event["bill_ueur"] == 600_002


def test_rest_is_the_deposit_of_the_next_period(world: SupplyWorld) -> None:
    world.subscribe("ann", 2)
    settle(world, "ann", 0, 1_000)
    settle(world, "ann", 1, 2_000)
    assert world.state("ann").deposit_ueur == DEPOSIT - 300_001 - 600_002


def test_bill_above_the_deposit_becomes_a_debt(world: SupplyWorld) -> None:
    world.subscribe("ann")
    event = settle(world, "ann", 0, 6_000)
    assert (event["bill_ueur"], event["paid_ueur"]) == (1_800_006, DEPOSIT)
    state = world.state("ann")
    assert (state.deposit_ueur, state.debt_ueur) == (0, 300_006)
    settle(world, "ann", 1, 1_000)
    assert world.state("ann").debt_ueur == 600_007
    world.send("ann", "topUp", address(meter_of("ann")), 600_000)
    state = world.state("ann")
    assert (state.deposit_ueur, state.debt_ueur) == (0, 7)
    world.send("ann", "topUp", address(meter_of("ann")), 1_000)
    state = world.state("ann")
    assert (state.deposit_ueur, state.debt_ueur) == (993, 0)
    # what repaid the debt is the supplier's at once
    assert world.contract.get("accountsOf") == (DEPOSIT + 600_007, 0, 1)
    assert world.held() == world.owed("ann")


def test_debt_outlives_the_subscription(world: SupplyWorld) -> None:
    world.subscribe("ann", 1)
    settle(world, "ann", 0, 6_000)
    assert world.state("ann").debt_ueur == 300_006
    with refuses("deposit out of range"):  # nothing is left of it for the deposit
        world.subscribe("ann", 1, deposit=TERMS.least_deposit_ueur + 300_005)
    world.subscribe("ann", 1, deposit=TERMS.least_deposit_ueur + 300_006)
    state = world.state("ann")
    assert (state.deposit_ueur, state.debt_ueur) == (TERMS.least_deposit_ueur, 0)


def test_deposit_has_a_range(world: SupplyWorld) -> None:
    for amount in (0, TERMS.least_deposit_ueur - 1, 2**64, 2**255, 2**256 - 1):
        with refuses("deposit out of range"):
            world.subscribe("ann", deposit=amount)
    world.subscribe("ann", deposit=TERMS.least_deposit_ueur)
    for amount in (2**64 - TERMS.least_deposit_ueur, 2**64, 2**256 - 1):
        with refuses("deposit out of range"):
            world.send("ann", "topUp", address(meter_of("ann")), amount)
    with pytest.raises(ContractRevert, match="euro token: balance too low"):
        world.send("ann", "topUp", address(meter_of("ann")), TOKENS)
    assert world.held() == TERMS.least_deposit_ueur


def test_what_an_earlier_subscription_left_counts(world: SupplyWorld) -> None:
    world.subscribe("ann", 1)
    settle(world, "ann", 0, 1_000)
    world.subscribe("ann", 1, deposit=0)
    assert world.state("ann").deposit_ueur == DEPOSIT - 300_001
    assert world.held() == world.owed("ann")


# --- price ------------------------------------------------------------------------------------


def test_price_of_a_period_is_known_before_it(world: SupplyWorld) -> None:
    world.goto(TERMS.opens_at(2) - 1)
    done = world.send(SUPPLIER, "setPrice", 2, 400_000)
    assert done.events == [("PriceSet", {"period": 2, "price_ueur_per_kwh": 400_000})]
    world.send(SUPPLIER, "setPrice", 2, 410_000)  # still may
    world.goto(TERMS.opens_at(2))
    with refuses("price is fixed"):
        world.send(SUPPLIER, "setPrice", 2, 420_000)
    world.send(SUPPLIER, "setPrice", 4, 0)
    with refuses("price is fixed"):  # prices are set in the order of the periods
        world.send(SUPPLIER, "setPrice", 3, 1)
    prices = [world.contract.get("priceOf", period) for period in range(6)]
    assert prices == [PRICE, PRICE, 410_000, 410_000, 0, 0]


def test_price_is_the_suppliers_below_the_cap(world: SupplyWorld) -> None:
    with refuses("not the supplier"):
        world.send("ann", "setPrice", 1, 1)
    with refuses("price above the cap"):
        world.send(SUPPLIER, "setPrice", 1, TERMS.price_cap_ueur_per_kwh + 1)
    for period in (2**24 - 1, 2**24, 2**256 - 1):
        with refuses("price is fixed"):
            world.send(SUPPLIER, "setPrice", period, 1)
    with refuses("price is fixed"):  # subscription for period 0 is open
        world.send(SUPPLIER, "setPrice", 0, 1)
    world.send(SUPPLIER, "setPrice", 2**24 - 2, TERMS.price_cap_ueur_per_kwh)
    assert world.contract.get("priceOf", 2**24 - 2) == TERMS.price_cap_ueur_per_kwh


def test_price_before_subscription_opens(world: SupplyWorld) -> None:
    world.goto(TERMS.opens_at(0) - 1)
    world.send(SUPPLIER, "setPrice", 0, 111_000)
    assert world.contract.get("priceOf", 0) == 111_000


def test_late_bills_find_the_price_of_their_period(world: SupplyWorld) -> None:
    world.subscribe("ann")
    for period, price in ((1, 100_000), (2, 200_000), (4, 400_000)):
        world.send(SUPPLIER, "setPrice", period, price)
    world.end_payment(5)
    bills = [world.pay("ann", period, "anyone").events[-1][1]["bill_ueur"] for period in range(6)]
    assert bills == [2 * p for p in (PRICE, 100_000, 200_000, 200_000, 400_000, 400_000)]


@pytest.mark.parametrize("after", [MAX_CHANGES - 1, MAX_CHANGES])
def test_price_lapses_with_too_many_after_it(world: SupplyWorld, after: int) -> None:
    model = SupplyContractModel(TERMS)
    for period in range(1, after + 1):
        world.send(SUPPLIER, "setPrice", period, period)
        model.set_price(world.block, True, period, period)
    periods = [*range(5), after - 1, after, after + 1]
    prices = [world.contract.get("priceOf", period) for period in periods]
    assert prices == [model.price_of(period) for period in periods]
    assert prices[0] == (PRICE if after < MAX_CHANGES else 0)
    assert prices[1] == 1


@pytest.mark.parametrize("ahead", [True, False])
def test_bills_are_bounded_however_many_prices_there_are(world: SupplyWorld, ahead: bool) -> None:
    """Prices set ahead, or after a bill that nobody paid: no deposit is stuck behind them."""
    world.subscribe("ann", 1)
    n = 4_000  # 2 243 gas each would be 9 million
    for k in range(1, n + 1):
        if not ahead:
            world.start(k)
        world.send(SUPPLIER, "setPrice", k + (0 if ahead else 1), k % 500_001)
    world.end_payment(n if not ahead else 0)
    done = world.pay("ann", 0, "anyone")
    assert done.gas_used < 640_000
    assert done.events[-1][1]["bill_ueur"] == 0  # lapsed: it is the supplier's loss
    before = world.tokens("ann")
    world.send("ann", "withdraw", address(meter_of("ann")))
    assert world.tokens("ann") == before + DEPOSIT


def test_a_declaration_of_the_most_unpaid_periods_fits_into_a_block(world: SupplyWorld) -> None:
    world.subscribe("ann")
    for k in range(1, 1_000):
        world.send(SUPPLIER, "setPrice", k, k)
    world.end(MAX_PERIODS_BEHIND)
    done = world.declare("ann", MAX_PERIODS_BEHIND, 700)
    assert [name for name, _ in done.events].count("PeriodPaid") == MAX_PERIODS_BEHIND
    assert done.gas_used < 6_000_000


# --- nobody can block anybody -----------------------------------------------------------------


def test_declaration_bills_what_nobody_paid_for(world: SupplyWorld) -> None:
    world.subscribe("ann")
    world.end(0)
    world.declare("ann", 0, 500)
    world.end(2)  # nobody paid for 0, the meter was silent for 1
    done = world.declare("ann", 2, 700)
    bills = [
        (event["period"], event["energy_wh"]) for name, event in done.events if name == "PeriodPaid"
    ]
    assert bills == [(0, 500), (1, TERMS.silent_estimate_wh)]
    assert world.state("ann").declared_wh == 700


def test_declaration_bills_up_to_64_periods_by_the_way(world: SupplyWorld) -> None:
    world.subscribe("ann")
    world.end(65)
    with refuses("not subscribed"):
        world.declare("ann", 65, 1)
    world.pay("ann", 0, "anyone")
    done = world.declare("ann", 65, 1)
    assert sum(name == "PeriodPaid" for name, _ in done.events) == 64
    assert world.state("ann").next_period == 65


def test_supplier_cannot_touch_deposits(world: SupplyWorld) -> None:
    world.subscribe("ann")
    world.send(SUPPLIER, "withdrawProceeds")
    assert world.tokens(SUPPLIER) == 0
    with refuses("not your bill yet"):
        world.ask_payment(0)
        world.pay("ann", 0, SUPPLIER)
    assert world.held() == DEPOSIT


def test_customer_leaves_a_dead_contract(world: SupplyWorld) -> None:
    """With a registry that forgot the meter, and a supplier that never comes back."""
    world.subscribe("ann")
    world.start(0)
    world.unregister("ann")
    world.unsubscribe("ann")
    world.ask_payment(0)
    world.pay("ann", 0)
    before = world.tokens("ann")
    world.send("ann", "withdraw", address(meter_of("ann")))
    assert world.tokens("ann") - before == DEPOSIT - 600_002


def test_proceeds_go_to_the_supplier_only(world: SupplyWorld) -> None:
    world.subscribe("ann", 1)
    settle(world, "ann", 0, 1_000)
    world.end_payment(0)
    world.finalize(0)
    before = world.tokens("bob")
    done = world.send("bob", "withdrawProceeds")
    assert done.events[0] == ("ProceedsWithdrawn", {"amount_ueur": 300_001})
    assert (world.tokens(SUPPLIER), world.tokens("bob") - before) == (300_001, 0)
    assert world.contract.get("accountsOf") == (0, 0, 1)


# --- the token --------------------------------------------------------------------------------


def test_token_that_refuses() -> None:
    world = SupplyWorld("revm", token="RefusingToken")
    world.register("ann")
    world.open()
    world.subscribe("ann")
    world.unsubscribe("ann")
    world.token.send("anyone", "refuse")
    with refuses("token transfer failed"):
        world.send("ann", "topUp", address(meter_of("ann")), 1)
    with refuses("token transfer failed"):
        world.send("ann", "withdraw", address(meter_of("ann")))
    assert world.state("ann").deposit_ueur == DEPOSIT


GUARDED = {
    "subscribeUser": ("second meter", 1, DEPOSIT),
    "topUp": ("first meter", 5, 0),
    "withdraw": ("first meter", 0, 0),
    "withdrawProceeds": (0, 0, 0),
}
UNGUARDED = {
    "unsubscribeUser": ("token", "first meter", 0),
    "paymentPeriod": (0, "token", "first meter"),
    "finalize": (0, 0, 0),
}


@pytest.mark.parametrize("function", [*GUARDED, *UNGUARDED])
def test_token_that_calls_back(function: str) -> None:
    """A token that is a customer: no call back moves money twice, and those that move any fail."""
    world = SupplyWorld("revm", token="CallingToken")
    token, contract = world.token, world.contract
    own = token.address
    for meter in ("first meter", "second meter"):
        world.meters.send("metering_operator", "registerMeter", address(meter), own)
    world.open()

    def call(name: str, *values: str | int) -> list[int | bytes]:
        selector = int.from_bytes(contract.artifact.selectors[name], "big")
        return [selector, *(word(own if v == "token" else v) for v in values)]

    token.send("anyone", "act", contract.address, *call("subscribeUser", "first meter", 0, DEPOSIT))
    world.end_payment(0)
    arguments = {**GUARDED, **UNGUARDED}[function]
    token.send("anyone", "arm", *call(function, *arguments))
    # tokens move, and the token calls back
    token.send("anyone", "act", contract.address, *call("topUp", "first meter", 1_000, 0))
    assert token.get("called_back")
    assert token.get("succeeded") == (function in UNGUARDED)
    state = contract.get("subscriptionOf", own, address("first meter"))
    second = contract.get("subscriptionOf", own, address("second meter"))
    proceeds, takings, _ = contract.get("accountsOf")
    assert (state & (2**64 - 1)) + proceeds + takings == DEPOSIT + 1_000
    assert second == 0
    if function == "paymentPeriod":
        assert (state >> 144) & (2**24 - 1) == 1
    elif function == "finalize":
        assert contract.get("accountsOf")[2] == 1
    elif function == "unsubscribeUser":
        assert (state >> 168) & (2**24 - 1) == 2


# --- limits -----------------------------------------------------------------------------------


def test_largest_values_fit() -> None:
    """Largest energy at the largest price, period after period, next to other fields."""
    top = 2**31 - 1
    terms = replace(
        TERMS,
        price_ueur_per_kwh=top,
        price_cap_ueur_per_kwh=top,
        silent_estimate_wh=2**32 - 2,
        least_deposit_ueur=2**64 - 1,
    )
    world = SupplyWorld("revm", terms)
    world.settle_in("ann", 2**200)
    world.open()
    with refuses("deposit out of range"):
        world.subscribe("ann", deposit=2**64 - 2)
    world.subscribe("ann", deposit=2**64 - 1)
    bill = -(-(2**32 - 2) * top // 1_000)
    settle(world, "ann", 0, 2**32 - 2)
    settle(world, "ann", 1, None)
    state = world.state("ann")
    assert (state.deposit_ueur, state.debt_ueur) == (2**64 - 1 - 2 * bill, 0)
    paid = 2
    while world.state("ann").debt_ueur == 0:
        world.end_payment(paid)
        world.pay("ann", paid)
        paid += 1
    state = world.state("ann")
    assert state.debt_ueur == paid * bill - (2**64 - 1)
    assert (state.next_period, state.end_period, state.declared_wh) == (paid, 2**24 - 1, None)
    assert world.held() == world.owed("ann") == 2**64 - 1


def test_last_period_of_all() -> None:
    """Beyond 2**24 - 2 there are no periods: nobody can subscribe into them, all get out."""
    world = SupplyWorld("revm")
    world.settle_in("ann")
    last = 2**24 - 2
    world.goto(TERMS.starts_at(last) - 1)
    world.subscribe("ann")
    assert (world.state("ann").next_period, world.state("ann").end_period) == (last, last + 1)
    world.goto(TERMS.starts_at(last + 40))
    world.settle_in("bob")
    world.subscribe("bob")  # for no period at all
    assert (world.state("bob").next_period, world.state("bob").end_period) == (last + 1, last + 1)
    world.send("bob", "withdraw", address(meter_of("bob")))
    world.pay("ann", last)
    world.send("ann", "withdraw", address(meter_of("ann")))
    world.finalize(last)
    with refuses("payments not over"):
        world.finalize(last + 1)
    world.send("anyone", "withdrawProceeds")
    assert world.held() == 0
    assert world.tokens(SUPPLIER) == 600_002


# --- deployment -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"period_blocks": 9}, "phases do not fit"),
        ({"declaration_blocks": 0}, "phases do not fit"),
        ({"payment_blocks": 0}, "phases do not fit"),
        ({"declaration_blocks": 2**256 - 1}, "phases do not fit"),
        ({"payment_blocks": 16}, "phases do not fit"),
        ({"subscription_blocks": 0}, "no time to subscribe"),
        ({"subscription_blocks": 100}, "no time to subscribe"),
        ({"subscription_blocks": 2**256 - 1}, "no time to subscribe"),
        ({"first_block": 10}, "no time to subscribe"),
        ({"first_block": 2**38}, "terms out of range"),
        ({"period_blocks": 2**38}, "terms out of range"),
        ({"price_ueur_per_kwh": 500_001}, "terms out of range"),
        ({"price_cap_ueur_per_kwh": 2**31}, "terms out of range"),
        ({"silent_estimate_wh": 2**32 - 1}, "terms out of range"),
        ({"least_deposit_ueur": 2**64}, "terms out of range"),
        ({"least_deposit_ueur": 0}, "terms out of range"),
        ({"credit_limit_ueur": 2**64}, "terms out of range"),
    ],
)
def test_deployment_refuses(change: dict[str, int], cause: str) -> None:
    with refuses(cause):
        SupplyWorld("revm", replace(TERMS, **change))


def test_deployment_at_the_last_moment_and_the_largest_numbers() -> None:
    SupplyWorld("revm", replace(TERMS, subscription_blocks=99))
    far = replace(
        TERMS,
        first_block=2**38 - 1,
        period_blocks=2**38 - 1,
        declaration_blocks=2**37,
        payment_blocks=2**37 - 1,
    )
    world = SupplyWorld("revm", far)
    world.settle_in("ann")
    world.open()
    world.subscribe("ann", 1)
    world.end_payment(0)
    world.pay("ann", 0)
    assert world.state("ann").deposit_ueur == DEPOSIT - 600_002
