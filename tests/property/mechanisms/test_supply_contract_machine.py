"""Any sequence of calls leaves the supply contract and its model with the same money, all of it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from market_world import OPERATOR, address
from money_told import SupplyTold
from profiles import machine_settings
from supply_world import SUPPLIER, TERMS, SupplyWorld, meter_of

from cosim.errors import ContractRevert
from cosim.mechanisms.supply_contract.model import Subscription, SupplyContractModel

CUSTOMERS = ("ann", "bob", "cem")
SENDERS = (*CUSTOMERS, SUPPLIER, "anyone")
DEPOSIT = 1_000_000
START_UEUR = 12 * DEPOSIT
SHORT = replace(
    TERMS, period_blocks=6, subscription_blocks=4, declaration_blocks=2, payment_blocks=2
)
AMOUNTS = (0, 1, 299_999, DEPOSIT - 1, DEPOSIT, 3 * DEPOSIT, 2**64, 2**256 - 1)
ENERGIES = (0, 1, 999, 2_345, 7_000, 2**32 - 2, 2**32 - 1, 2**256 - 1)


@functools.cache
def deployed() -> SupplyWorld:
    """Customers with meters, and tokens for a few deposits."""
    world = SupplyWorld("revm", SHORT)
    for account in CUSTOMERS:
        world.settle_in(account, START_UEUR)
    return world


class SupplyContractMachine(RuleBasedStateMachine):
    """Contract and model side by side; the machine itself knows who holds how many tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.world = deployed()
        self.snapshot = self.world.engine.snapshot()
        self.model = SupplyContractModel(SHORT)
        self.registered = set(CUSTOMERS)
        self.tokens = dict.fromkeys(CUSTOMERS, START_UEUR) | {SUPPLIER: 0}
        for account in CUSTOMERS:
            self.model.bind(meter_of(account), account)
        self.told = SupplyTold(self.world.contract)
        self.n_told = len(self.world.contract.told)
        self.go(SHORT.opens_at(0) - 1)

    def teardown(self) -> None:
        self.everybody_gets_out()
        self.world.engine.restore(self.snapshot)
        del self.world.contract.told[self.n_told :]

    def everybody_gets_out(self) -> None:
        """Whatever others did: some transactions of bounded gas, and all money is out."""
        world, model = self.world, self.model
        for account, whose in itertools.product(CUSTOMERS, CUSTOMERS):
            meter = meter_of(whose)
            subscription = model.subscription_of(account, meter)
            if subscription.end_period > SHORT.begun(SHORT.starts_at(0), self.block):
                done = world.send(account, "unsubscribeUser", address(account), address(meter))
                assert done.gas_used <= 60_000
                model.unsubscribe(self.block, account, meter)
        self.go(max(self.block, SHORT.first_block) + 2 * SHORT.period_blocks)
        for account, whose in itertools.product(CUSTOMERS, CUSTOMERS):
            meter = meter_of(whose)
            subscription = model.subscription_of(account, meter)
            for period in range(subscription.next_period, subscription.end_period):
                arguments = (period, address(account), address(meter))
                assert world.send("anyone", "paymentPeriod", *arguments).gas_used <= 80_000
                model.pay(self.block, "anyone", period, account, meter)
            assert world.send(account, "withdraw", address(meter)).gas_used <= 110_000
            self.tokens[account] += model.withdraw(account, meter)
        period = SHORT.begun(SHORT.over_at(0), self.block) - 1
        if period >= model.open_period:
            assert world.finalize(period).gas_used <= 60_000
        assert world.send("anyone", "withdrawProceeds").gas_used <= 110_000
        assert world.held() == 0
        assert all(world.tokens(account) == self.tokens[account] for account in CUSTOMERS)

    def go(self, block: int) -> None:
        self.block = block
        self.world.goto(block)

    def period(self, back: int) -> int:
        """A period around the one that ended last; also the one before the first of all."""
        return (self.block - SHORT.first_block) // SHORT.period_blocks - back

    def root(self) -> bytes:
        engine = self.world.engine
        return engine.storage_root(self.world.contract.address) + engine.storage_root(
            self.world.token.address
        )

    def both(self, on_chain: Callable[[], object], off_chain: Callable[[], object]) -> bool:
        """Do a thing on chain and off chain; both do it, or refuse it with one text."""
        refusal = said = None
        try:
            off_chain()
        except ContractRevert as error:
            refusal = error.text
        before = self.root() if refusal is not None else b""
        try:
            on_chain()
        except ContractRevert as error:
            said = error.text
        assert said == refusal
        assert refusal is None or self.root() == before
        return refusal is None

    def pay_in(
        self, account: str, amount: int, function: str, on_model: Callable[[], object], *args: Any
    ) -> None:
        """Subscribe or top up; who has too few tokens is refused by the token, after the rest."""
        if amount <= self.tokens[account]:
            if self.both(lambda: self.world.send(account, function, *args, amount), on_model):
                self.tokens[account] -= amount
            return
        before = self.root()
        try:
            self.world.send(account, function, *args, amount)
            said = ""
        except ContractRevert as error:
            said = error.text
        assert said.startswith(("supplier: ", "euro token: balance too low"))
        assert self.root() == before

    # --- time -----------------------------------------------------------------------------

    @rule(blocks=st.integers(1, 3))
    def wait(self, blocks: int) -> None:
        self.go(self.block + blocks)

    @rule(periods=st.sampled_from((1, 1, 2, 70)))
    def sleep(self, periods: int) -> None:
        self.go(self.block + periods * SHORT.period_blocks)

    @initialize(n_periods=st.sampled_from((0, 1, 4)))
    def first_customer(self, n_periods: int) -> None:
        self.go(SHORT.opens_at(0))
        self.subscribe("ann", "ann", n_periods, DEPOSIT)

    # --- customers ------------------------------------------------------------------------

    @rule(
        account=st.sampled_from(CUSTOMERS),
        whose=st.sampled_from(CUSTOMERS),
        n_periods=st.sampled_from((0, 1, 2, 3, 2**24, 2**256 - 1)),
        amount=st.sampled_from(AMOUNTS),
    )
    def subscribe(self, account: str, whose: str, n_periods: int, amount: int) -> None:
        meter = meter_of(whose)
        self.pay_in(
            account,
            amount,
            "subscribeUser",
            lambda: self.model.subscribe(self.block, account, meter, n_periods, amount),
            address(meter),
            n_periods,
        )

    @rule(account=st.sampled_from(CUSTOMERS))
    def subscribe_properly(self, account: str) -> None:
        self.subscribe(account, account, 2, DEPOSIT)

    @rule(account=st.sampled_from(CUSTOMERS), amount=st.sampled_from(AMOUNTS))
    def top_up(self, account: str, amount: int) -> None:
        meter = meter_of(account)
        self.pay_in(
            account,
            amount,
            "topUp",
            lambda: self.model.top_up(account, meter, amount),
            address(meter),
        )

    @rule(
        sender=st.sampled_from(SENDERS),
        account=st.sampled_from(CUSTOMERS),
        whose=st.sampled_from(CUSTOMERS),
    )
    def unsubscribe(self, sender: str, account: str, whose: str) -> None:
        meter = meter_of(whose)
        self.both(
            lambda: self.world.send(sender, "unsubscribeUser", address(account), address(meter)),
            lambda: self.model.unsubscribe(
                self.block, account, meter, sender, supplier=sender == SUPPLIER
            ),
        )

    @rule(account=st.sampled_from(CUSTOMERS))
    def leave(self, account: str) -> None:
        self.unsubscribe(account, account, account)

    @rule(account=st.sampled_from(CUSTOMERS), whose=st.sampled_from(CUSTOMERS))
    def withdraw(self, account: str, whose: str) -> None:
        meter = meter_of(whose)

        def on_model() -> None:
            self.tokens[account] += self.model.withdraw(account, meter)

        self.both(lambda: self.world.send(account, "withdraw", address(meter)), on_model)

    # --- periods --------------------------------------------------------------------------

    @rule(
        account=st.sampled_from(CUSTOMERS),
        back=st.sampled_from((1, 1, 1, 0, 2)),
        energy=st.sampled_from(ENERGIES),
    )
    def declare(self, account: str, back: int, energy: int) -> None:
        period = max(self.period(back), 0)
        self.both(
            lambda: self.world.declare(account, period, energy),
            lambda: self.model.declare(self.block, meter_of(account), period, energy),
        )

    @rule(
        sender=st.sampled_from(SENDERS),
        account=st.sampled_from(CUSTOMERS),
        back=st.sampled_from((1, 1, 0, 2, 3)),
    )
    def pay(self, sender: str, account: str, back: int) -> None:
        period = max(self.period(back), 0)
        self.pay_for(sender, account, period)

    @rule(account=st.sampled_from(CUSTOMERS))
    def pay_what_is_due(self, account: str) -> None:
        self.pay_for(
            account, account, self.model.subscription_of(account, meter_of(account)).next_period
        )

    def pay_for(self, sender: str, account: str, period: int) -> None:
        self.both(
            lambda: self.world.pay(account, period, sender),
            lambda: self.model.pay(self.block, sender, period, account, meter_of(account)),
        )

    @rule(
        energies=st.lists(st.sampled_from((None, 500, 2_345, 7_000)), min_size=3, max_size=3),
        payers=st.lists(st.booleans(), min_size=3, max_size=3),
    )
    def whole_period(self, energies: list[int | None], payers: list[bool]) -> None:
        """Supply, declarations but of silent meters, payments but of who forgets, finalisation."""
        period = max(self.period(0), 0)
        for account in CUSTOMERS:
            self.subscribe(account, account, 2, DEPOSIT)
        self.go(max(self.block, SHORT.declaration_at(period)))
        for account, energy in zip(CUSTOMERS, energies, strict=True):
            if energy is not None:
                self.declare(account, 1, energy)
        self.go(max(self.block, SHORT.payment_at(period)))
        for account, pays in zip(CUSTOMERS, payers, strict=True):
            if pays:
                self.pay_what_is_due(account)
        self.go(max(self.block, SHORT.over_at(period)))
        self.finalize(1)

    @rule(back=st.sampled_from((1, 0, 2, 5)))
    def finalize(self, back: int) -> None:
        period = max(self.period(back), 0)
        self.both(
            lambda: self.world.finalize(period), lambda: self.model.finalize(self.block, period)
        )

    # --- supplier, registry ---------------------------------------------------------------

    @rule(
        sender=st.sampled_from((SUPPLIER, SUPPLIER, SUPPLIER, "ann")),
        ahead=st.integers(0, 3),
        price=st.sampled_from((0, 1, 123_457, 500_000, 500_001)),
    )
    def set_price(self, sender: str, ahead: int, price: int) -> None:
        period = max(self.period(-ahead), 0)
        self.both(
            lambda: self.world.send(sender, "setPrice", period, price),
            lambda: self.model.set_price(self.block, sender == SUPPLIER, period, price),
        )

    @rule(sender=st.sampled_from(SENDERS))
    def withdraw_proceeds(self, sender: str) -> None:
        def on_model() -> None:
            self.tokens[SUPPLIER] += self.model.withdraw_proceeds()

        self.both(lambda: self.world.send(sender, "withdrawProceeds"), on_model)

    @rule(account=st.sampled_from(CUSTOMERS[1:]))
    def meter_comes_or_goes(self, account: str) -> None:
        meter = meter_of(account)
        if account in self.registered:
            self.world.unregister(account)
            self.model.bind(meter, None)
        else:
            self.world.register(account)
            self.model.bind(meter, account)
        self.registered ^= {account}

    @rule(new=st.sampled_from(CUSTOMERS), account=st.sampled_from(CUSTOMERS[1:]))
    def meter_changes_hands(self, account: str, new: str) -> None:
        meter = meter_of(account)
        if account in self.registered:
            self.world.unregister(account)
        else:
            self.registered.add(account)
        self.world.meters.send(OPERATOR, "registerMeter", address(meter), address(new))
        self.model.bind(meter, new)

    # --- always ---------------------------------------------------------------------------

    @invariant()
    def same_subscriptions(self) -> None:
        for account, whose in itertools.product(CUSTOMERS, CUSTOMERS):
            meter = meter_of(whose)
            word = self.world.contract.get("subscriptionOf", address(account), address(meter))
            state, model = Subscription.unpacked(word), self.model.subscription_of(account, meter)
            assert (
                state.deposit_ueur,
                state.debt_ueur,
                state.next_period,
                state.end_period,
                state.declared_wh,
            ) == (
                model.deposit_ueur,
                model.debt_ueur,
                model.next_period,
                model.end_period,
                model.declared_wh,
            )
            # who owes has nothing
            assert state.debt_ueur == 0 or state.deposit_ueur == 0

    @invariant()
    def no_period_of_a_meter_is_for_two(self) -> None:
        for whose in CUSTOMERS:
            spans = sorted(
                (one.next_period, one.end_period)
                for account in CUSTOMERS
                if (one := self.model.subscription_of(account, meter_of(whose))).next_period
                < one.end_period
            )
            assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))

    @invariant()
    def same_books(self) -> None:
        model = self.model
        assert self.world.contract.get("accountsOf") == (
            model.proceeds_ueur,
            model.takings_ueur,
            model.open_period,
        )
        period = max(self.period(2), 0)
        assert self.world.contract.get("priceOf", period) == model.price_of(period)

    @invariant()
    def events_tell_all_money(self) -> None:
        self.told.read()
        assert self.told.held == self.world.held()
        for account, whose in itertools.product(CUSTOMERS, CUSTOMERS):
            model = self.model.subscription_of(account, meter_of(whose))
            key = address(account), address(meter_of(whose))
            assert (self.told.deposits[key], self.told.debts[key]) == (
                model.deposit_ueur,
                model.debt_ueur,
            )

    @invariant()
    def every_token_is_somebodys(self) -> None:
        assert self.world.held() == self.model.held_ueur()
        for account, tokens in self.tokens.items():
            assert self.world.tokens(account) == tokens
        assert sum(self.tokens.values()) + self.model.held_ueur() == 3 * START_UEUR


TestSupplyContract = SupplyContractMachine.TestCase
TestSupplyContract.settings = machine_settings()
