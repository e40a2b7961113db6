"""Any sequence of calls leaves the local market and its twin with the same money, all of it."""

from __future__ import annotations

import functools
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from market_world import (
    FEED_IN,
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    METERING_S,
    OPERATOR,
    ORDER_LEAD_S,
    RETAIL,
    SILENT_ESTIMATE_WH,
    STEP_S,
    SUPPLIER,
    MarketWorld,
    address,
)
from profiles import machine_settings

from cosim.errors import ContractRevert
from cosim.market.orders import Order
from cosim.market.settlement import LocalMarketTwin

MEMBERS = ("ann", "bob", "cem", "dee")
ACCOUNTS = (*MEMBERS, SUPPLIER)
INTERVALS = range(5)
START_UEUR = 500_000


@functools.cache
def deployed() -> MarketWorld:
    """Members with tokens, little of them deposited, so that some cannot pay."""
    world = MarketWorld("revm")
    for account in MEMBERS:
        world.join(account, amount=0)
    world.names[address(SUPPLIER)] = SUPPLIER
    for account in ACCOUNTS:
        world.token.send("issuer", "mint", address(account), 10 * START_UEUR)
        world.token.send(account, "approve", world.market.address, 2**256 - 1)
        world.market.send(account, "deposit", START_UEUR if account != SUPPLIER else 1_000)
    return world


class LocalMarketMachine(RuleBasedStateMachine):
    """Contract and twin side by side; the machine itself knows time and membership."""

    def __init__(self) -> None:
        super().__init__()
        self.world = deployed()
        self.snapshot = self.world.engine.snapshot()
        self.twin = LocalMarketTwin(SUPPLIER, RETAIL, FEED_IN, SILENT_ESTIMATE_WH)
        for account in MEMBERS:
            self.twin.deposit(account, START_UEUR)
        self.twin.deposit(SUPPLIER, 1_000)
        self.valid = set(MEMBERS)
        self.now = FIRST_DELIVERY_S - ORDER_LEAD_S
        self.world.at(self.now)

    def teardown(self) -> None:
        self.world.engine.restore(self.snapshot)

    def both(
        self,
        refusal: str | None,
        on_chain: Callable[[], object],
        off_chain: Callable[[], object],
    ) -> None:
        """Do a thing on chain and off chain; both do it, or refuse it with one text."""
        if refusal is None:
            try:
                off_chain()
            except ContractRevert as error:
                refusal = error.text
        try:
            on_chain()
            said = None
        except ContractRevert as error:
            said = error.text
        assert said == refusal

    def start_s(self, interval: int) -> int:
        return FIRST_DELIVERY_S + interval * STEP_S

    def go(self, time_s: int) -> None:
        self.now = max(self.now, time_s)
        self.world.at(self.now)

    @rule()
    def wait(self) -> None:
        """Go to the next moment at which something opens or closes."""
        moments = [
            self.start_s(interval) + offset
            for interval in range(len(INTERVALS) + 1)
            for offset in (-ORDER_LEAD_S, -GATE_CLOSURE_S, 0, METERING_S, METERING_S + 1)
        ]
        self.go(min((m for m in moments if m > self.now), default=self.now + 1))

    @rule(account=st.sampled_from(ACCOUNTS), amount=st.integers(0, 400_000))
    def deposit(self, account: str, amount: int) -> None:
        if self.world.token.get("balanceOf", address(account)) >= amount:
            self.world.market.send(account, "deposit", amount)
            self.twin.deposit(account, amount)

    @rule(account=st.sampled_from(ACCOUNTS), share=st.sampled_from([0.3, 1.0, 1.1]))
    def withdraw(self, account: str, share: float) -> None:
        amount = int(self.twin.balance_of(account) * share)
        self.both(
            None,
            lambda: self.world.market.send(account, "withdraw", amount),
            lambda: self.twin.withdraw(account, amount),
        )

    @rule(
        account=st.sampled_from(MEMBERS),
        interval=st.sampled_from(INTERVALS),
        is_sell=st.booleans(),
        energy=st.integers(1, 3_000),
        price=st.sampled_from([0, 99_999, 150_001, 200_003, RETAIL, RETAIL + 7]),
    )
    def order(self, account: str, interval: int, is_sell: bool, energy: int, price: int) -> None:
        refusal = None
        if self.now < self.start_s(interval) - ORDER_LEAD_S:
            refusal = "local market: window not open"
        elif self.now >= self.start_s(interval) - GATE_CLOSURE_S:
            refusal = "local market: gate closed"
        elif account not in self.valid:
            refusal = "local market: not a member"
        self.both(
            refusal,
            lambda: self.world.order(account, is_sell, energy, price, interval),
            lambda: self.twin.place_order(interval, Order(account, is_sell, energy, price)),
        )

    @rule(
        orders=st.lists(
            st.tuples(st.booleans(), st.integers(1, 2_000), st.integers(140_000, 160_000)),
            min_size=len(MEMBERS),
            max_size=len(MEMBERS),
        ),
        nets=st.lists(
            st.none() | st.integers(-4_000, 4_000), min_size=len(MEMBERS), max_size=len(MEMBERS)
        ),
    )
    def trading_round(self, orders: list[tuple[bool, int, int]], nets: list[int | None]) -> None:
        """A whole interval: orders, clearing, delivery, and readings but of silent meters."""
        interval = next((k for k in INTERVALS if self.start_s(k) - ORDER_LEAD_S >= self.now), None)
        if interval is None:
            return
        self.go(self.start_s(interval) - ORDER_LEAD_S)
        for account, fields in zip(MEMBERS, orders, strict=True):
            self.order(account, interval, *fields)
        self.go(self.start_s(interval) - GATE_CLOSURE_S)
        self.clear(interval)
        self.go(self.start_s(interval + 1))
        for account, net in zip(MEMBERS, nets, strict=True):
            if net is not None:
                self.report(account, interval, net)

    @rule(interval=st.sampled_from(INTERVALS))
    def clear(self, interval: int) -> None:
        early = self.now < self.start_s(interval) - GATE_CLOSURE_S
        self.both(
            "local market: gate open" if early else None,
            lambda: self.world.market.send("anyone", "clear", interval),
            lambda: self.twin.clear(interval),
        )

    @rule(
        account=st.sampled_from(MEMBERS),
        interval=st.sampled_from(INTERVALS),
        net=st.integers(-6_000, 6_000),
    )
    def report(self, account: str, interval: int, net: int) -> None:
        refusal = None
        if account not in self.valid:
            refusal = "local market: unknown meter"
        elif self.now < self.start_s(interval + 1):
            refusal = "local market: not yet delivered"
        elif self.now > self.start_s(interval + 1) + METERING_S:
            refusal = "local market: too late to report"
        self.both(
            refusal,
            lambda: self.world.report(account, net, interval),
            lambda: self.twin.report(interval, account, net),
        )

    @rule()
    def settle_all_silent(self) -> None:
        """After the deadline of the interval that ended last, whoever did not report."""
        interval = (self.now - FIRST_DELIVERY_S) // STEP_S - 1
        if interval in INTERVALS:
            self.go(self.start_s(interval + 1) + METERING_S + 1)
            for account in MEMBERS:
                self.settle_silent(account, interval)

    @rule(account=st.sampled_from(MEMBERS), interval=st.sampled_from(INTERVALS))
    def settle_silent(self, account: str, interval: int) -> None:
        refusal = None
        ordered = any(order.account == account for order in self.twin.orders(interval))
        if self.now <= self.start_s(interval + 1) + METERING_S:
            refusal = "local market: meter may still report"
        elif not ordered and account not in self.valid:
            refusal = "local market: not a member"
        self.both(
            refusal,
            lambda: self.world.market.send("anyone", "settleSilent", interval, address(account)),
            lambda: self.twin.settle_silent(interval, account),
        )

    @rule(account=st.sampled_from(MEMBERS))
    def collect(self, account: str) -> None:
        self.both(
            None,
            lambda: self.world.market.send(account, "collectClaim"),
            lambda: self.twin.collect_claim(account),
        )

    @rule(account=st.sampled_from(MEMBERS[-1:]))
    def meter_comes_or_goes(self, account: str) -> None:
        meter = address(f"meter of {account}")
        if account in self.valid:
            self.world.meters.send(OPERATOR, "unregisterMeter", meter)
        else:
            self.world.meters.send(OPERATOR, "registerMeter", meter, address(account))
        self.valid ^= {account}

    @invariant()
    def same_balances(self) -> None:
        market = self.world.market
        for account in ACCOUNTS:
            assert self.world.free(account) == self.twin.balance_of(account)
            assert market.get("debtOf", address(account)) == self.twin.debt_of(account)
            assert market.get("claimOf", address(account)) == self.twin.claim_of(account)
        assert market.get("claimsTotal") == self.twin.claims_total_ueur

    @invariant()
    def every_token_is_owed_to_someone(self) -> None:
        locked = self.twin.locked_total_ueur()
        assert self.world.backed(INTERVALS)
        assert self.world.held(self.world.market) == self.twin.free_total_ueur() + locked

    @invariant()
    def who_owes_has_nothing(self) -> None:
        for account in MEMBERS:
            assert self.twin.debt_of(account) == 0 or self.twin.balance_of(account) == 0


TestLocalMarket = LocalMarketMachine.TestCase
TestLocalMarket.settings = machine_settings()
