"""One script for each actor who does all that it can to take what is not its own."""

from __future__ import annotations

import pytest
from certificates_world import CertificatesWorld
from flexibility_world import FlexibilityWorld, refusal
from market_world import DSO, ISSUER, OPERATOR, PENALTY, Contract, address
from registry_world import REGISTRATION_FEE, RICH, SECRET, RegistryWorld, account_word, word
from storage_world import OWNER, StorageWorld
from supply_world import DEPOSIT, SUPPLIER, TERMS, SupplyWorld, meter_of

from cosim.errors import ContractRevert
from cosim.evm.hashing import keccak
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
from cosim.mechanisms.flexibility_market.calling import CallingTerms, hash_chain
from cosim.mechanisms.supply_contract.model import Subscription

EUR = 1_000_000
Try = tuple[str, str, tuple[object, ...]]
"""Sender, function, arguments."""


def refused(contract: Contract, *tries: Try) -> list[str]:
    """Texts of what is refused; none of the calls may succeed."""
    return [_refused(contract, *one) for one in tries]


def _refused(contract: Contract, sender: str, function: str, arguments: tuple[object, ...]) -> str:
    root = contract.engine.storage_root(contract.address)
    with pytest.raises(ContractRevert) as error:
        contract.send(sender, function, *arguments)
    assert contract.engine.storage_root(contract.address) == root
    return error.value.text.split(": ")[-1]


def test_a_consumer_who_does_not_pay_costs_a_bounded_number_of_periods() -> None:
    """Deposits once, draws all it can, and tries to get its deposit out before the bill."""
    world = SupplyWorld("revm")
    for account in ("consumer", "neighbour"):
        world.settle_in(account)
    own = address(meter_of("consumer"))
    world.open()
    world.subscribe("consumer")
    world.subscribe("neighbour")
    world.start(0)
    world.unsubscribe("consumer")
    assert refused(
        world.contract,
        ("consumer", "withdraw", (own,)),
        ("consumer", "subscribeUser", (own, 0, 0)),
        ("consumer", "unsubscribeUser", (address("neighbour"), address(meter_of("neighbour")))),
        ("consumer", "setPrice", (3, 0)),
    ) == ["bills to come", "meter in use", "not yours to end", "not the supplier"]
    world.end_payment(0)
    world.pay("consumer", 0, "anyone")
    rest = world.state("consumer").deposit_ueur
    world.subscribe("consumer", deposit=TERMS.least_deposit_ueur - rest)
    for period in (2, 3, 4):  # draws 40 kWh each, for 12 EUR
        world.end(period)
        world.declare("consumer", period, 40_000)
        world.end_payment(period)
        world.pay("consumer", period, "anyone")
        if world.state("consumer").debt_ueur > TERMS.credit_limit_ueur:
            break
    world.unsubscribe("consumer", SUPPLIER)
    # one period above the deposit, and what was promised before the notice
    state = world.state("consumer")
    assert (period, state.next_period, state.end_period) == (2, 3, 5)
    world.end_payment(4)
    for period in (3, 4):
        world.pay("consumer", period, "anyone")
    assert world.send("consumer", "withdraw", own).events[0][1]["deposit_ueur"] == 0
    debt = world.state("consumer").debt_ueur
    assert (
        refused(
            world.contract,
            ("consumer", "subscribeUser", (own, 0, debt)),
            ("consumer", "topUp", (own, 2**64)),
        )
        == ["deposit out of range"] * 2
    )
    assert world.state("neighbour").deposit_ueur == DEPOSIT
    assert world.held() == world.owed("consumer", "neighbour")


def test_a_prosumer_gets_one_certificate_for_one_wh() -> None:
    """Its meter records for two customers, it retires what it did not consume, it sells twice."""
    world = CertificatesWorld("revm")
    meter = world.register("prosumer")
    for account in ("prosumer", "accomplice", "buyer"):
        world.fund(account, 10_000)
    world.deliver(0)
    world.record("prosumer", 500, 100)
    world.meters.send(OPERATOR, "unregisterMeter", address(meter))
    world.meters.send(OPERATOR, "registerMeter", address(meter), address("accomplice"))
    hour = world.certificates.get("hourOf", 0)
    world.send("prosumer", "offer", hour, 400, 1_000)
    assert refused(
        world.certificates,
        (meter, "record", (0, 500, 100)),
        (meter, "record", (1, 500, 100)),
        ("prosumer", "transfer", (hour, address("accomplice"), 101)),
        ("prosumer", "retire", (hour, 101)),
        ("accomplice", "cancelOffer", (1,)),
        ("prosumer", "withdraw", (10_001,)),
    ) == [
        "meter changed hands",
        "not yet delivered",
        "too few certificates",
        "too few certificates",
        "not your offer",
        "balance too low",
    ]
    world.send("buyer", "buy", 1, 400)
    world.send("prosumer", "retire", hour, 100)
    assert refused(world.certificates, ("prosumer", "cancelOffer", (1,))) == ["no such offer"]
    assert world.totals(hour) == (500, 100, 100)
    assert world.balances(hour)
    assert world.backed()


def test_a_prosumer_takes_no_more_out_of_the_battery_than_it_put_in() -> None:
    world = StorageWorld("revm")
    world.enter("prosumer", 10, EUR)
    world.enter("neighbour", 10, EUR)
    world.open_window(0)
    power = world.storage.get("limitsOf", address("prosumer"))[1]
    tries = (
        ("prosumer", "nominate", (0, -1)),
        ("prosumer", "nominate", (0, power + 1)),
        ("prosumer", "acceptShares", (address("neighbour"), 10, 0)),
        ("prosumer", "reportStorage", (0, 10**6)),
    )
    assert len(set(refused(world.storage, *tries))) == 4
    world.storage.send("prosumer", "nominate", 0, power)
    stored = world.energy("prosumer")
    assert stored < power
    tries = (
        ("prosumer", "nominate", (0, -stored)),
        ("prosumer", "offerShares", (address("accomplice"), 2**32, 0)),
    )
    assert refused(world.storage, *tries) == ["nomination exists", "shares out of range"]
    assert (world.energy("prosumer"), world.energy("neighbour")) == (stored, 0)
    assert world.storage_backed()


def test_a_battery_meter_handed_on_and_back_reports_once() -> None:
    world = StorageWorld("revm")
    world.enter("prosumer", 10, EUR)
    meter = address(f"meter of {OWNER}")
    world.deliver(0)
    world.report_storage(-100)
    world.meters.send(OPERATOR, "unregisterMeter", meter)
    world.meters.send(OPERATOR, "registerMeter", meter, address("prosumer"))
    tries = ((f"meter of {OWNER}", "reportStorage", (0, -100)),)
    assert refused(world.storage, *tries) == ["meter not registered"]
    world.meters.send(OPERATOR, "unregisterMeter", meter)
    world.meters.send(OPERATOR, "registerMeter", meter, address(OWNER))
    assert refused(world.storage, *tries) == ["already reported"]


def test_a_supplier_takes_bills_and_nothing_else() -> None:
    """Changes prices that are fixed, ends who owes nothing, pays early, takes deposits."""
    world = SupplyWorld("revm")
    world.settle_in("consumer")
    own, consumer = address(meter_of("consumer")), address("consumer")
    world.open()
    world.subscribe("consumer")
    world.start(0)
    assert refused(
        world.contract,
        (SUPPLIER, "setPrice", (0, 0)),
        (SUPPLIER, "setPrice", (2, TERMS.price_cap_ueur_per_kwh + 1)),
        (SUPPLIER, "unsubscribeUser", (consumer, own)),
        (SUPPLIER, "declarePeriod", (0, 10**6)),
        (SUPPLIER, "paymentPeriod", (0, consumer, own)),
        (SUPPLIER, "finalize", (0,)),
        (SUPPLIER, "subscribeUser", (own, 0, 0)),
    ) == [
        "price is fixed",
        "price above the cap",
        "not yours to end",
        "not declaration phase",
        "not payment phase",
        "payments not over",
        "not your meter",
    ]
    for period in range(2, 302):
        world.send(SUPPLIER, "setPrice", period, TERMS.price_cap_ueur_per_kwh - period % 2)
    world.send(SUPPLIER, "withdrawProceeds")
    assert world.tokens(SUPPLIER) == 0
    world.unsubscribe("consumer")
    world.end_payment(0)
    assert world.pay("consumer", 0).gas_used < 700_000
    world.send("consumer", "withdraw", own)
    world.send("anyone", "withdrawProceeds")
    # the price of period 0 has lapsed behind 300 others: what is billed at it is free
    assert (world.tokens(SUPPLIER), world.held()) == (0, 0)


LINKS = hash_chain(b"secret of the DSO", 3)


def test_a_dso_can_neither_choose_who_is_called_nor_take_back_what_it_promised() -> None:
    terms = CallingTerms(500_000, PENALTY, LINKS[-1])
    world = FlexibilityWorld(BaselineTerms("nomination"), calling=terms)
    sellers = ("anna", "ben", "carl", "dora")
    for account in (*sellers, DSO):
        world.fund(account, 10 * EUR)
    market = world.flexibility
    world.before(0)
    request = world.open(0, False, 20_000)  # 10 EUR of escrow
    for seller in sellers:
        world.offer(seller, request, 1_000, 79_000, 5_000)
    accounts = [address(seller) for seller in sellers]
    assert refused(
        market,
        (DSO, "withdraw", (1,)),
        (DSO, "closeRequest", (request,)),
        (DSO, "award", (request, accounts[:1], [1_000])),
        (DSO, "drawCalls", (0, LINKS[-2])),
    ) == ["balance too low", "delivery has not started", "not drawn yet", "offers are open"]
    market.send(DSO, "closeOffers", 0)
    assert refused(market, (DSO, "drawCalls", (0, LINKS[-2]))) == ["offers closed in this block"]
    world.before(0)
    forged = keccak(b"a link that calls whom I like")
    assert refused(
        market,
        (DSO, "drawCalls", (0, forged)),
        (DSO, "closeOffers", (0,)),
        ("eve", "offer", (request, 0, [1], [1])),
    ) == ["not the interval's link", "offers are closed", "offers are closed"]
    market.send(DSO, "drawCalls", 0, LINKS[-2])
    called = [seller for seller in sellers if market.get("isCalled", 0, address(seller))]
    left_out = [address(seller) for seller in sellers if seller not in called]
    assert refused(
        market,
        (DSO, "drawCalls", (0, LINKS[-2])),
        (DSO, "award", (request, left_out[:1], [1])),
        (DSO, "award", (request, [address(called[0])], [1_001])),
    ) == ["already drawn", "not called", "more than offered"]
    world.award(called[0], request, 1_000)
    world.read(0, called[0], 4_000)  # as nominated, less what was awarded
    world.after(0)
    world.settle(request, *sellers)
    market.send("anyone", "closeRequest", request)
    assert world.balance(called[0]) == 10 * EUR + 79_000
    assert refused(market, (DSO, "closeRequest", (request,))) == ["already closed"]
    for account in (*sellers, DSO):
        market.send(account, "withdraw", world.balance(account))
    assert world.token.get("balanceOf", market.address) == 0


def test_a_meter_operator_bills_no_period_twice_and_holds_no_deposit() -> None:
    """It binds one meter to three customers within a declaration phase, and then to nobody."""
    world = SupplyWorld("revm")
    meter, customers = address("meter"), ("ann", "bob", "cem")
    for account in customers:
        world.token.send(ISSUER, "mint", address(account), 10 * DEPOSIT)
        world.token.send(account, "approve", world.contract.address, 10 * DEPOSIT)
    world.open()

    def bind(account: str) -> None:
        if world.meters.get("isValid", meter):
            world.meters.send(OPERATOR, "unregisterMeter", meter)
        if account:
            world.meters.send(OPERATOR, "registerMeter", meter, address(account))

    for account in customers:
        bind(account)
        world.send(account, "subscribeUser", meter, 0, DEPOSIT)
    world.end(0)
    declared = []
    for account in customers:
        bind(account)
        text = refusal(world.send, "meter", "declarePeriod", 0, 1_000)
        declared += [account] if text is None else []
    assert declared == ["cem"]
    bind("")
    word_of = world.contract.get
    world.send("cem", "unsubscribeUser", address("cem"), meter)
    world.end_payment(1)
    for period in (0, 1):
        world.send("anyone", "paymentPeriod", period, address("cem"), meter)
    for account in customers:
        state = Subscription.unpacked(word_of("subscriptionOf", address(account), meter))
        assert state.next_period == state.end_period
        world.send(account, "withdraw", meter)
    price = TERMS.price_ueur_per_kwh
    assert world.held() == price + 2 * price  # what was declared, and one estimate of 2 kWh
    world.send("anyone", "withdrawProceeds")


def test_a_committer_of_names_pays_for_each_and_takes_none_out_of_a_reveal() -> None:
    """It copies what it sees, and reveals late, early, twice and without money."""
    world = RegistryWorld("revm")
    world.fund("tenant")
    world.fund("committer", REGISTRATION_FEE)
    name = word("flat-1")
    seen = world.commitment("tenant", name, account_word("tenant"))
    world.registry.send("tenant", "commitName", seen)
    world.registry.send("committer", "commitName", seen)
    world.wait()
    reveal = (name, account_word("tenant"), SECRET)
    own = (name, account_word("committer"), SECRET)
    world.registry.send("committer", "commitName", world.commitment("committer", *own[:2]))
    assert refused(
        world.registry, ("committer", "registerName", reveal), ("committer", "registerName", own)
    ) == ["not committed", "commitment too new"]
    world.registry.send("tenant", "registerName", *reveal)
    names = [(word(f"flat-{k}"), account_word("committer")) for k in (2, 3)]
    world.commit("committer", *names)
    assert refused(world.registry, ("committer", "registerName", own)) == ["name taken"]
    world.registry.send("committer", "registerName", *names[0], SECRET)
    tries = (("committer", "registerName", (*names[1], SECRET)),)
    assert refused(world.registry, *tries) == ["balance too low"]
    assert world.registry.get("ownerOf", names[1][0]) == bytes(20)
    assert world.tokens("tenant") == RICH - REGISTRATION_FEE
    assert world.registry.get("feesDue") == 2 * REGISTRATION_FEE
