"""Any sequence of calls leaves the flexibility market and its model with the same money."""

from __future__ import annotations

import functools
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from market_world import (
    DSO,
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    METERING_S,
    OPERATOR,
    PENALTY,
    SILENT_ESTIMATE_WH,
    STEP_S,
    MarketWorld,
    address,
)
from money_told import FlexibilityTold
from profiles import machine_settings

from cosim.errors import ContractRevert
from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
from cosim.mechanisms.flexibility_market.curves import Block
from cosim.mechanisms.flexibility_market.model import FlexibilityMarketModel
from cosim.mechanisms.local_market.orders import Reading

MEMBERS = ("ann", "bob", "cem")
ACCOUNTS = (*MEMBERS, DSO)
INTERVALS = range(3)
START_UEUR = 3_000_000
MOST_GAS = FlexibilityMarket.withdraw.gas
"""Of a withdrawal, whatever others did: what the client gives it."""


@functools.cache
def deployed(is_uncapped: bool) -> MarketWorld:
    """Three members and a DSO with money for a few promises; the DSO is a member too."""
    world = MarketWorld("revm", is_uncapped=is_uncapped)
    for account in ACCOUNTS:
        world.join(account, amount=0)
        world.fund(account, world.flexibility, START_UEUR)
    return world


class FlexibilityMachine(RuleBasedStateMachine):
    """Contract and model side by side; the machine itself knows time and readings."""

    is_uncapped = False

    def __init__(self) -> None:
        super().__init__()
        self.world = deployed(self.is_uncapped)
        self.snapshot = self.world.engine.snapshot()
        self.model = FlexibilityMarketModel(DSO, PENALTY, self.is_uncapped)
        for account in ACCOUNTS:
            self.model.deposit(account, START_UEUR)
        self.readings: dict[int, dict[str, Reading]] = {k: {} for k in INTERVALS}
        self.interval_of: dict[int, int] = {}
        self.valid = set(ACCOUNTS)
        self.since_s = dict.fromkeys(ACCOUNTS, 0)  # when a meter was registered last
        self.now = FIRST_DELIVERY_S - STEP_S
        self.world.at(self.now)
        self.cleared: set[int] = set()
        self.looked_at: dict[int, list[object]] = {}
        self.deposited = 0

        contract = self.world.flexibility
        self.told = FlexibilityTold(contract, DSO, PENALTY, self.is_uncapped)
        self.n_told = len(contract.told)

    def teardown(self) -> None:
        # every step reads what it should have changed; what it should not have, once, here
        for request in self.interval_of:
            assert self.read(request) == self.view_of(request)
        self.everybody_gets_out()
        self.world.engine.restore(self.snapshot)
        del self.world.flexibility.told[self.n_told :]

    def view_of(self, request: int) -> list[object]:
        """What the model has of a request: its escrow; blocks and escrow of every account."""
        found: list[object] = [self.model.escrow_of(request)]
        for account in ACCOUNTS:
            offer = self.model.offer_of(request, account)
            own = list(offer.blocks) if offer else []
            found.append((own + [(0, 0)] * (4 - len(own)), self.model.locked_of(request, account)))
        return found

    def read(self, request: int) -> list[object]:
        """The same, from the contract."""
        market = self.world.flexibility
        found: list[object] = [market.get("escrowOf", request)]
        for account in ACCOUNTS:
            own = address(account)
            blocks = [market.get("blockOf", request, own, k) for k in range(4)]
            found.append((blocks, market.get("lockedOf", request, own)))
        return found

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

    def everybody_gets_out(self) -> None:
        """Whatever others did: anybody settles, everybody withdraws, and nothing is left."""
        contract = self.world.flexibility
        self.go(self.start_s(len(INTERVALS)) + METERING_S + 1)
        for request in self.interval_of:
            contract.send("anyone", "settle", request, [address(name) for name in ACCOUNTS])
            if not self.model.request(request).closed:
                contract.send("anyone", "closeRequest", request)
        for account in ACCOUNTS:
            free = contract.get("balanceOf", address(account))
            assert contract.send(account, "withdraw", free).gas_used <= MOST_GAS
        assert self.world.held(contract) == 0

    def start_s(self, interval: int) -> int:
        return FIRST_DELIVERY_S + interval * STEP_S

    def started(self, request: int) -> bool:
        return self.now >= self.start_s(self.interval_of[request])

    def go(self, time_s: int) -> None:
        for interval in INTERVALS:  # the local market clears in time
            gate_s = self.start_s(interval) - GATE_CLOSURE_S
            if interval not in self.cleared and time_s >= gate_s:
                self.world.at(max(self.now, gate_s))
                self.world.market.send("anyone", "clear", interval)
                self.cleared.add(interval)
        self.now = max(self.now, time_s)
        self.world.at(self.now)

    @rule()
    def wait(self) -> None:
        """Go to the next moment at which something opens or closes."""
        moments = [
            self.start_s(interval) + offset
            for interval in range(len(INTERVALS) + 1)
            for offset in (-GATE_CLOSURE_S, 0, METERING_S, METERING_S + 1)
        ]
        self.go(min((m for m in moments if m > self.now), default=self.now + 1))

    @rule(
        interval=st.sampled_from(INTERVALS),
        is_up=st.booleans(),
        quantity=st.integers(1, 1_500),
        cap=st.sampled_from([333_333, 400_001]),
    )
    def open_request(self, interval: int, is_up: bool, quantity: int, cap: int) -> None:
        late = self.now >= self.start_s(interval)

        def off_chain() -> None:
            number = self.model.open_request(interval, is_up, quantity, cap)
            self.interval_of[number] = interval

        self.both(
            "flexibility market: delivery has started" if late else None,
            lambda: self.world.flexibility.send(DSO, "openRequest", interval, is_up, quantity, cap),
            off_chain,
        )

    @precondition(lambda self: self.interval_of)
    @rule(
        data=st.data(),
        account=st.sampled_from(ACCOUNTS),
        blocks=st.lists(
            st.builds(Block, st.integers(0, 500), st.sampled_from([0, 123_457, 333_333, 400_001])),
            max_size=4,
        ),
        in_order=st.sampled_from([True, True, True, False]),
        baseline=st.sampled_from([0, 0, 0, 500]),
    )
    def offer(
        self,
        data: st.DataObject,
        account: str,
        blocks: list[Block],
        in_order: bool,
        baseline: int,
    ) -> None:
        request = data.draw(st.sampled_from(sorted(self.interval_of)))
        if in_order:
            blocks = sorted(blocks, key=lambda block: block.price_ueur_per_kwh)
        self._offer(account, request, baseline, blocks)

    def _offer(self, account: str, request: int, baseline: int, blocks: list[Block]) -> None:
        refusal = None
        if self.started(request):
            refusal = "flexibility market: delivery has started"
        elif account not in self.valid:
            refusal = "flexibility market: not a member"
        energies, prices = [b.energy_wh for b in blocks], [b.price_ueur_per_kwh for b in blocks]
        self.both(
            refusal,
            lambda: self.world.flexibility.send(
                account, "offer", request, baseline, energies, prices
            ),
            lambda: self.model.offer(request, account, baseline, blocks),
        )

    @precondition(lambda self: self.interval_of)
    @rule(
        data=st.data(),
        shares=st.lists(
            st.tuples(st.sampled_from(ACCOUNTS), st.integers(0, 400)), min_size=1, max_size=4
        ),
    )
    def award(self, data: st.DataObject, shares: list[tuple[str, int]]) -> None:
        request = data.draw(st.sampled_from(sorted(self.interval_of)))
        self._award(request, [account for account, _ in shares], [energy for _, energy in shares])

    def _award(self, request: int, accounts: list[str], energies: list[int]) -> None:
        late = self.started(request)
        self.both(
            "flexibility market: delivery has started" if late else None,
            lambda: self.world.flexibility.send(
                DSO, "award", request, [address(account) for account in accounts], energies
            ),
            lambda: self.model.award(request, accounts, energies),
        )

    @rule(
        is_up=st.booleans(),
        energies=st.lists(
            st.lists(st.integers(50, 300), min_size=3, max_size=3), min_size=1, max_size=3
        ),
        nets=st.lists(st.none() | st.integers(-700, 700), min_size=3, max_size=3),
        do_settle=st.booleans(),
    )
    def whole_story(
        self, is_up: bool, energies: list[list[int]], nets: list[int | None], do_settle: bool
    ) -> None:
        """Requests one after another for the next interval, delivery, readings, settlement."""
        interval = next((k for k in INTERVALS if self.now < self.start_s(k)), None)
        if interval is None:
            return
        for offered in energies:
            before = len(self.interval_of)
            self.open_request(interval, is_up, 800, 333_333)
            if len(self.interval_of) == before:
                return
            for account, energy in zip(MEMBERS, offered, strict=True):
                blocks = [Block(40, 111_111), Block(energy - 40, 300_001)]
                self._offer(account, before + 1, 0, blocks)
                self._award(before + 1, [account], [energy - 7])
        self.go(self.start_s(interval + 1))
        for account, net in zip(MEMBERS, nets, strict=True):
            if net is not None:
                self.report(interval, account, net)
        for request, requested in self.interval_of.items():
            if do_settle and requested == interval:
                self._settle(request, [*MEMBERS, "stranger"])

    @rule(
        interval=st.sampled_from(INTERVALS),
        account=st.sampled_from(ACCOUNTS),
        net=st.integers(-700, 700),
    )
    def report(self, interval: int, account: str, net: int) -> None:
        ended = self.start_s(interval + 1)
        in_time = ended <= self.now <= ended + METERING_S
        if in_time and self.is_metered(account, interval):
            self.world.report(account, net, interval)
            self.readings[interval][account] = Reading(net)

    def is_metered(self, account: str, interval: int) -> bool:
        """Whether the market can still take a reading: of a meter that was here at delivery."""
        here = account in self.valid and self.since_s[account] <= self.start_s(interval)
        return here and account not in self.readings[interval]

    @rule(interval=st.sampled_from(INTERVALS), account=st.sampled_from(ACCOUNTS))
    def settle_silent(self, interval: int, account: str) -> None:
        late = self.now > self.start_s(interval + 1) + METERING_S
        if late and self.is_metered(account, interval):
            self.world.market.send("anyone", "settleSilent", interval, address(account))
            self.readings[interval][account] = Reading(-SILENT_ESTIMATE_WH, estimated=True)

    @rule(account=st.sampled_from(MEMBERS[-1:]))
    def meter_comes_or_goes(self, account: str) -> None:
        meter = address(f"meter of {account}")
        if account in self.valid:
            self.world.meters.send(OPERATOR, "unregisterMeter", meter)
        else:
            self.world.meters.send(OPERATOR, "registerMeter", meter, address(account))
            self.since_s[account] = self.now
        self.valid ^= {account}

    @precondition(lambda self: self.interval_of)
    @rule(data=st.data(), batch=st.lists(st.sampled_from([*ACCOUNTS, "stranger"]), max_size=6))
    def settle(self, data: st.DataObject, batch: list[str]) -> None:
        self._settle(data.draw(st.sampled_from(sorted(self.interval_of))), batch)

    def _settle(self, request: int, batch: list[str]) -> None:
        interval = self.interval_of[request]
        settled: dict[bytes, tuple[int, int, int]] = {}
        logged: dict[bytes, tuple[int, int, int]] = {}

        def off_chain() -> None:
            final = self.now > self.start_s(interval + 1) + METERING_S
            done = self.model.settle(request, batch, self.readings[interval], final)
            for account, result in done.items():
                fields = (result.delivered_wh, result.paid_ueur, result.penalty_ueur)
                settled[address(account)] = fields

        def on_chain() -> None:
            names = [address(account) for account in batch]
            done = self.world.flexibility.send("anyone", "settle", request, names)
            for event in (said for name, said in done.events if name == "OfferSettled"):
                logged[event["account"]] = (
                    event["delivered_wh"],
                    event["paid_ueur"],
                    event["penalty_ueur"],
                )

        early = not self.started(request)
        self.both(
            "flexibility market: delivery has not started" if early else None, on_chain, off_chain
        )
        assert logged == settled

    @precondition(lambda self: self.interval_of)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(sorted(self.interval_of)))
        early = not self.started(request)
        self.both(
            "flexibility market: delivery has not started" if early else None,
            lambda: self.world.flexibility.send("anyone", "closeRequest", request),
            lambda: self.model.close_request(request),
        )

    @invariant()
    def same_balances(self) -> None:
        market = self.world.flexibility
        for account in ACCOUNTS:
            assert market.get("balanceOf", address(account)) == self.model.balance_of(account)
            debt = market.get("debtOf", address(account))
            assert debt == self.model.debts.get(account, 0)
            assert debt == 0 or self.is_uncapped
        for request in self.interval_of:
            if self.looked_at.get(request) != (view := self.view_of(request)):
                self.looked_at[request] = view
                assert self.read(request) == view

    @invariant()
    def every_token_is_owed_to_someone(self) -> None:
        total = self.model.free_total_ueur() + self.model.locked_total_ueur()
        assert self.world.held(self.world.flexibility) == total
        assert total == START_UEUR * len(ACCOUNTS) + self.deposited
        assert self.world.flexibility_backed()

    @invariant()
    def events_tell_all_money(self) -> None:
        self.told.read()
        assert self.told.held == self.world.held(self.world.flexibility)
        for account in ACCOUNTS:
            assert self.told.free[address(account)] == self.model.balance_of(account)
            assert self.told.debts[address(account)] == self.model.debts.get(account, 0)

    @invariant()
    def awards_hold_no_more_than_the_escrow(self) -> None:
        for request in self.interval_of:
            assert self.model.request(request).unawarded_ueur >= 0


class UncappedMachine(FlexibilityMachine):
    """The same with USEF's settlement: debts beyond bond, payment and balance."""

    is_uncapped = True

    @rule(account=st.sampled_from(ACCOUNTS), amount=st.integers(1, 400_000))
    def deposit(self, account: str, amount: int) -> None:
        self.deposited += amount
        self.world.fund(account, self.world.flexibility, amount)
        self.model.deposit(account, amount)

    @rule(account=st.sampled_from(ACCOUNTS))
    def withdraw_all(self, account: str) -> None:
        """Leave nothing that a later penalty could be paid of."""
        amount = self.model.balance_of(account)
        self.deposited -= amount
        self.world.flexibility.send(account, "withdraw", amount)
        self.model.withdraw(account, amount)

    @invariant()
    def who_owes_has_nothing(self) -> None:
        for account, debt in self.model.debts.items():
            if debt and account != DSO:
                assert self.model.balance_of(account) == 0


TestFlexibility = FlexibilityMachine.TestCase
TestFlexibility.settings = machine_settings()
TestUncappedFlexibility = UncappedMachine.TestCase
TestUncappedFlexibility.settings = machine_settings()
