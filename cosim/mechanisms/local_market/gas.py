"""Every method of the local market, in each form of clearing, with open and with sealed orders."""

from __future__ import annotations

import numpy as np

from cosim.evm.abi import pack
from cosim.evm.hashing import keccak
from cosim.gas.bench import Bench, account
from cosim.gas.cases import GasCases, GasSweep
from cosim.mechanisms.local_market.bilateral.gas import bilateral_trades
from cosim.mechanisms.local_market.clearing import clear, ranking
from cosim.mechanisms.local_market.client import pack_ranking
from cosim.mechanisms.local_market.gas_batches import batches
from cosim.mechanisms.local_market.gas_clearing import (
    ClearingBench,
    as_csv,
    as_section,
    book,
    measure_clearing,
    member,
)
from cosim.mechanisms.local_market.gas_community import (
    CHALLENGE_S,
    KEPT_UEUR,
    METERING_S,
    MONEY,
    ORDER_LEAD_S,
    REVEAL_S,
    STEP_S,
    SUPPLIER,
    Community,
)
from cosim.mechanisms.local_market.joined import ENROLLED_AT_ONCE
from cosim.mechanisms.local_market.pricing import ClearingForm
from cosim.mechanisms.local_market.settings import MIN_RING
from cosim.scenario.tariff import Tariffs

N_ORDERS = 100
SALT = keccak(b"gas: salt")
CONTRACT, SETTLEMENT = "LocalMarket", "MarketSettlement"


def local_market(bench: Bench) -> None:
    """Deploy and measure the local market."""
    _accounts_and_settlement(bench)
    _sealed_orders(bench)
    _forms_of_clearing(bench)
    _challenge(bench)
    _prices_and_charges(bench)
    _credit(bench)
    _used_slots(bench)
    bilateral_trades(bench)
    batches(bench)
    _joined(bench)


def _accounts_and_settlement(bench: Bench) -> None:
    community = Community(bench, measured=True)
    market = community.market
    for name in ("exporter", "buyer", "seller", "unfilled", "silent"):
        community.allow(name, market)
        if name != "buyer":
            community.join(name, amount_ueur=0)
    market.measure("buyer", "deposit", MONEY - 1, case="first")
    market.measure("buyer", "deposit", 1)
    market.measure("buyer", "withdraw", 1_234)
    market.measure("buyer", "join", community.register("buyer"))
    for name in ("seller", "unfilled", "silent"):
        market.do(name, "deposit", MONEY)

    # nobody trades, and the supplier has nothing to pay the exporter with
    community.close_gate(0)
    market.do("anyone", "clear", 0)
    community.deliver(0)
    community.settlement.do("meter of exporter", "report", 0, 5_432)
    community.fund(SUPPLIER, market)
    market.measure("exporter", "collectClaim")

    community.open_window(2)
    market.measure("buyer", "placeOrder", 2, False, 1_234, 210_123, case="first of an interval")
    market.measure("seller", "placeOrder", 2, True, 2_345, 123_456)
    market.do("silent", "placeOrder", 2, False, 567, 210_123)
    market.do("unfilled", "placeOrder", 2, False, 1_234, 101_234)
    community.close_gate(2)
    market.do("anyone", "clear", 2)
    community.deliver(2)
    community.settlement.measure("meter of buyer", "report", 2, -1_345)
    community.settlement.measure("meter of seller", "report", 2, 2_456, case="of a seller")
    community.settlement.measure("meter of unfilled", "report", 2, -1_345, case="order not filled")
    community.settlement.measure("meter of exporter", "report", 2, 5_432, case="without an order")
    community.end_metering(2)
    community.settlement.measure("anyone", "settleSilent", 2, account("silent"))


def _credit(bench: Bench) -> None:
    community = Community(bench, name="with credit lines")
    market = community.market
    for name in ("buyer", "seller"):
        community.join(name, amount_ueur=0)
    community.fund(SUPPLIER, market)
    market.measure(SUPPLIER, "grantCredit", account("buyer"), MONEY)
    market.do(SUPPLIER, "grantCredit", account("seller"), MONEY)
    community.open_window(0)
    market.do("seller", "placeOrder", 0, True, 1_234, 123_456)
    market.measure("buyer", "placeOrder", 0, False, 1_234, 210_123, case="on credit")
    community.close_gate(0)
    market.do("anyone", "clear", 0)
    community.deliver(0)
    community.settlement.measure("meter of buyer", "report", 0, -1_345, case="with a debt")
    market.measure(SUPPLIER, "announceWithdrawal", KEPT_UEUR)
    bench.at(bench.now_s + ORDER_LEAD_S + 2 * STEP_S + METERING_S + 1)
    market.measure(SUPPLIER, "withdraw", KEPT_UEUR, case="of the supplier")
    sealed = Community(bench, sealed=True, name="with credit lines, sealed")
    market = sealed.market
    order = (0, False, 23_456, 210_123)
    for name in ("first", "buyer"):
        sealed.join(name, amount_ueur=0)
        market.do(SUPPLIER, "grantCredit", account(name), MONEY)
    sealed.fund(SUPPLIER, market)
    sealed.open_window(0)
    for name, case in (("first", None), ("buyer", "on credit")):
        commitment = keccak(pack(0, account(name), *order[1:], SALT))
        if case is None:
            market.do(name, "commitOrder", 0, commitment)
        else:
            market.measure(name, "commitOrder", 0, commitment, case=case)
    sealed.close_gate(0)
    market.do("first", "revealOrder", *order, SALT)
    market.measure("buyer", "revealOrder", *order, SALT, case="on credit")


def _used_slots(bench: Bench) -> None:
    """Measure orders and a reading in slots that an earlier interval used."""
    community = Community(bench, name="with a ring", ring=MIN_RING)
    market = community.market
    for name in ("buyer", "seller", "exporter"):
        community.join(name)
    community.fund(SUPPLIER, market)
    for interval, case in ((2, None), (2 + MIN_RING, "in a used slot")):
        community.open_window(interval)
        orders = {"buyer": (False, 1_234 + interval, 210_123), "seller": (True, 2_345, 123_456)}
        if case is None:
            for name, order in orders.items():
                community.order(name, interval, *order)
        else:
            first = f"first of an interval, {case}"
            market.measure("buyer", "placeOrder", interval, *orders["buyer"], case=first)
            market.measure("seller", "placeOrder", interval, True, 2_346, 123_457, case=case)
        community.close_gate(interval)
        market.do("anyone", "clear", interval)
        community.deliver(interval)
        for name, net_wh in (("buyer", -1_345), ("seller", 2_456)):
            community.settlement.do(f"meter of {name}", "report", interval, net_wh)
        arguments = ("meter of exporter", "report", interval, 5_432)
        if case is None:
            community.settlement.do(*arguments)
        else:
            community.settlement.measure(*arguments, case=f"without an order, {case}")


def _prices_and_charges(bench: Bench) -> None:
    first, changed = (299_123, 80_123, 90_123, 60_123), (280_123, 70_123, 91_123, 61_123)
    retail, feed_in, network, taxes = np.array([first, changed, changed, first], dtype=np.int64).T
    tariffs = Tariffs(retail, feed_in, network, taxes, 430_000, 1_000_000)
    community = Community(bench, name="with charges", tariffs=tariffs)
    for name in ("buyer", "seller"):
        community.join(name)
    community.fund(SUPPLIER, community.market)
    settlement = community.settlement
    settlement.measure(SUPPLIER, "announcePrices", 1, *changed, case="first")
    settlement.measure(SUPPLIER, "announcePrices", 3, *first)
    for interval, case in ((2, "first with charges"), (4, "with charges")):
        community.open_window(interval)
        community.order("buyer", interval, False, 1_234, 150_123)
        community.order("seller", interval, True, 1_234, 123_456)
        community.close_gate(interval)
        community.market.do("anyone", "clear", interval)
        community.deliver(interval)
        settlement.measure("meter of buyer", "report", interval, -1_345, case=case)
        settlement.measure("anyone", "passOnCharges", case="first" if interval == 2 else "")


def _sealed_orders(bench: Bench) -> None:
    community = Community(bench, sealed=True, name="with sealed orders")
    market = community.market
    names = ("buyer", "seller", "forgetful")
    orders = {"buyer": (0, False, 1_234, 210_123), "seller": (0, True, 2_345, 123_456)}
    for name in names:
        community.join(name)
    community.open_window(0)
    for name, case in zip(names, ("first of an interval", "", None), strict=True):
        interval, *terms = orders.get(name, orders["buyer"])
        commitment = keccak(pack(interval, account(name), *terms, SALT))
        if case is None:
            market.do(name, "commitOrder", 0, commitment)
        else:
            market.measure(name, "commitOrder", 0, commitment, case=case)
    community.close_gate(0)
    market.do("buyer", "revealOrder", *orders["buyer"], SALT)
    market.measure("seller", "revealOrder", *orders["seller"], SALT)
    bench.at(bench.now_s + REVEAL_S)
    market.do("anyone", "clear", 0)
    community.deliver(0)
    community.settlement.measure(
        "meter of forgetful", "report", 0, -1_345, case="deposit forfeited"
    )


def _forms_of_clearing(bench: Bench) -> None:
    """Clearing of 100 orders, about half of them filled, and of 100 that do not cross."""
    methods = {"on chain": "clear", "verified": "clearVerified", "committed": "commitClearing"}
    for form, method in methods.items():
        cleared = ClearingBench(bench, form, N_ORDERS)
        crossing, idle = cleared.clear(N_ORDERS), cleared.clear(N_ORDERS, crossing=False)
        bench.note(CONTRACT, method, crossing.clearing_gas)
        bench.note(CONTRACT, f"{method} (no crossing)", idle.clearing_gas)
        if crossing.claims_gas:
            claims = crossing.claims_gas
            bench.note(SETTLEMENT, "claimFill", sorted(claims)[len(claims) // 2])
            bench.note(SETTLEMENT, "claimFill (first of an interval)", claims[0])
            bench.note(SETTLEMENT, "claimFill (last of an interval)", claims[-1])
            cleared.community.market.measure("anyone", "releaseBond", 0)


def _challenge(bench: Bench) -> None:
    """The largest honest challenge of 100 orders: prices and volume are right, the root is not."""
    community = Community(bench, ClearingForm.COMMITTED, name="with a wrong root")
    market = community.market
    for name in (*map(member, range(N_ORDERS)), "liar"):
        community.join(name)
    orders = book(N_ORDERS)
    community.open_window(0)
    for order in orders:
        community.order(order.account, 0, order.is_sell, order.energy_wh, order.price_ueur_per_kwh)
    community.close_gate(0)
    market.do("liar", "commitClearing", 0, keccak(b"gas: wrong root"), *clear(orders).outcome)
    bench.at(bench.now_s + CHALLENGE_S - 1)
    market.measure(member(0), "challengeClearing", 0, pack_ranking(ranking(orders)))
    community.deliver(0)
    community.settlement.measure(
        f"meter of {member(0)}", "report", 0, -1_345, case="after a challenge"
    )


def _joined(bench: Bench) -> None:
    """Two markets as one, and as many members as a batch of the set-up has."""
    communities = [Community(bench, name=f"joined as {place}") for place in ("first", "second")]
    names = [f"joined {k}" for k in range(ENROLLED_AT_ONCE)]
    for name in names:
        communities[0].join(name)
    markets = [community.market.address for community in communities]
    joined = bench.deploy("JoinedMarkets", markets=markets)
    accounts = [account(name) for name in names]
    joined.measure("anyone", "enrol", 0, accounts[:1])
    joined.measure("anyone", "enrol", 0, accounts[1:], case=f"of {len(accounts) - 1}")


CASES = GasCases(
    local_market,
    place=3,
    sweep=GasSweep(
        csv=lambda engine: as_csv(measure_clearing(engine)),
        section=lambda engine: as_section(measure_clearing(engine)),
    ),
)
