"""Any sequence of calls leaves the community storage and its model with the same books."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import astuple, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from market_world import (
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    METERING_S,
    OPERATOR,
    STEP_S,
    address,
)
from money_told import StorageTold
from profiles import machine_settings
from storage_world import OWNER, TERMS, StorageWorld

from cosim.errors import ContractRevert
from cosim.mechanisms.community_storage.client import CommunityStorage
from cosim.mechanisms.community_storage.model import CommunityStorageModel, debited_wh

MEMBERS = ("ann", "bob", "cem")
ACCOUNTS = (*MEMBERS, OWNER)
SHARES = {"ann": 3, "bob": 2}
START_UEUR = 9_000
LEAD_S = 2 * STEP_S
MOST_GAS = CommunityStorage.withdraw.gas
"""Of a withdrawal, whatever others did: what the client gives it."""
SMALL = replace(
    TERMS,
    total_shares=7,
    share_price_ueur=501,
    capacity_wh=1_000,
    power_wh=300,
    loss_limit_wh=120,
    retail_price_ueur_per_kwh=300_001,
    feed_in_price_ueur_per_kwh=80_003,
)

accounts = st.sampled_from(ACCOUNTS)
shares = st.integers(0, 4)
prices = st.sampled_from([0, 333, 2_001])


@functools.cache
def deployed() -> StorageWorld:
    """Three members and the battery's account, with money for a few shares and losses."""
    world = StorageWorld(
        "revm",
        total_shares=SMALL.total_shares,
        share_price_ueur=SMALL.share_price_ueur,
        capacity_wh=SMALL.capacity_wh,
        power_wh=SMALL.power_wh,
        loss_limit_wh=SMALL.loss_limit_wh,
        retail=SMALL.retail_price_ueur_per_kwh,
        feed_in=SMALL.feed_in_price_ueur_per_kwh,
        order_lead_s=LEAD_S,
    )
    for account in MEMBERS:
        world.join(account, amount=0)
    for account in ACCOUNTS:
        world.fund(account, world.storage, START_UEUR)
    for account, number in SHARES.items():
        world.storage.send(account, "buyShares", number)
    return world


class StorageMachine(RuleBasedStateMachine):
    """Contract and model side by side; the machine itself knows time and meters."""

    def __init__(self) -> None:
        super().__init__()
        self.world = deployed()
        self.snapshot = self.world.engine.snapshot()
        self.model = CommunityStorageModel(SMALL)
        for account in ACCOUNTS:
            self.model.deposit(account, START_UEUR)
        for account, number in SHARES.items():
            self.model.buy_shares(account, number)
        self.outside_ueur = dict.fromkeys(ACCOUNTS, 0)
        self.valid = set(ACCOUNTS)
        self.seen = 0  # the latest interval that was nominated or reported
        self.now = FIRST_DELIVERY_S - LEAD_S
        self.world.at(self.now)

        self.told = StorageTold(self.world.storage, OWNER, SMALL.feed_in_price_ueur_per_kwh)
        self.n_told = len(self.world.storage.told)

    def teardown(self) -> None:
        self.world.engine.restore(self.snapshot)
        del self.world.storage.told[self.n_told :]

    def roots(self) -> tuple[bytes, bytes]:
        engine = self.world.engine
        return (
            engine.storage_root(self.world.storage.address),
            engine.storage_root(self.world.token.address),
        )

    def both(
        self,
        refusal: str | None,
        on_chain: Callable[[], object],
        off_chain: Callable[[], object],
    ) -> bool:
        """Do a thing on chain and off chain; both do it, or refuse it with one text and change
        nothing. Tells whether it was done."""
        if refusal is None:
            try:
                off_chain()
            except ContractRevert as error:
                refusal = error.text
        else:
            refusal = f"community storage: {refusal}"
        before = self.roots()
        try:
            on_chain()
            said = None
        except ContractRevert as error:
            said = error.text
            assert self.roots() == before
        assert said == refusal
        return said is None

    def start_s(self, interval: int) -> int:
        return FIRST_DELIVERY_S + interval * STEP_S

    def coming(self, offset: int) -> int:
        """An interval near the present one."""
        return max((self.now - FIRST_DELIVERY_S) // STEP_S + offset, 0)

    @rule(to_gate=st.booleans())
    def wait(self, to_gate: bool) -> None:
        """Go to the next gate closure, or the next end of delivery."""
        offset = -GATE_CLOSURE_S if to_gate else 0
        passed = (self.now - FIRST_DELIVERY_S - offset) // STEP_S
        self.now = self.start_s(passed + 1) + offset
        self.world.at(self.now)

    @rule(after=st.sampled_from([METERING_S, METERING_S + 1, 1]))
    def wait_a_little(self, after: int) -> None:
        self.now += after
        self.world.at(self.now)

    @rule(account=accounts, amount=st.integers(0, 5_000))
    def deposit(self, account: str, amount: int) -> None:
        amount = min(amount, self.outside_ueur[account])
        self.world.token.send(account, "approve", self.world.storage.address, amount)
        self.both(
            None,
            lambda: self.world.storage.send(account, "deposit", amount),
            lambda: self.model.deposit(account, amount),
        )
        self.outside_ueur[account] -= amount

    @rule(account=accounts, amount=st.integers(0, 12_000), everything=st.booleans())
    def withdraw(self, account: str, amount: int, everything: bool) -> None:
        if everything:
            amount = self.model.balance_of(account)
        if self.both(
            None,
            lambda: self.world.storage.send(account, "withdraw", amount),
            lambda: self.model.withdraw(account, amount),
        ):
            self.outside_ueur[account] += amount

    @rule(account=accounts, number=shares)
    def buy(self, account: str, number: int) -> None:
        self.both(
            None,
            lambda: self.world.storage.send(account, "buyShares", number),
            lambda: self.model.buy_shares(account, number),
        )

    @rule(account=accounts, to=accounts, number=shares, price=prices)
    def offer(self, account: str, to: str, number: int, price: int) -> None:
        self.both(
            None,
            lambda: self.world.storage.send(account, "offerShares", address(to), number, price),
            lambda: self.model.offer_shares(account, to, number, price),
        )
        on_chain = self.world.storage.get("offerOf", address(account), address(to))
        assert on_chain == self.model.offer_of(account, to)

    @rule(account=accounts, to=accounts, number=shares, price=prices, as_offered=st.booleans())
    def accept(self, account: str, to: str, number: int, price: int, as_offered: bool) -> None:
        if as_offered:
            number, price = self.model.offer_of(account, to)
        last = self.model.account_of(account).next_interval - 1
        pending = last >= 0 and self.now + GATE_CLOSURE_S < self.start_s(last)
        self.both(
            None,
            lambda: self.world.storage.send(to, "acceptShares", address(account), number, price),
            lambda: self.model.accept_shares(account, to, number, price, pending),
        )

    @rule(account=accounts, to=accounts, number=shares, price=prices)
    def trade_shares(self, account: str, to: str, number: int, price: int) -> None:
        """An offer that is accepted at once."""
        self.offer(account, to, number, price)
        self.accept(account, to, number, price, True)

    @rule(
        account=accounts,
        offset=st.integers(0, 3),
        energy=st.integers(-320, 320),
        beyond=st.booleans(),
    )
    def nominate(self, account: str, offset: int, energy: int, beyond: bool) -> None:
        power = self.model.power_of(self.model.account_of(account).shares)
        if not beyond:  # no more than the shares allow
            energy = min(max(energy, -power), power)
        self._nominate(account, self.coming(offset), energy)

    def _nominate(self, account: str, interval: int, energy: int) -> None:
        refusal = None
        if self.now + LEAD_S < self.start_s(interval):
            refusal = "window not open"
        elif self.now + GATE_CLOSURE_S >= self.start_s(interval):
            refusal = "gate closed"
        elif account == OWNER:
            refusal = "owner stores nothing"
        elif account not in self.valid:
            refusal = "not a member"
        if self.both(
            refusal,
            lambda: self.world.nominate(account, energy, interval),
            lambda: self.model.nominate(interval, account, energy),
        ):
            self.seen = max(self.seen, interval)
        storage, nominated = self.world.storage, self.model.nominated_of(interval)
        nomination = storage.get("nominationOf", interval, address(account))
        assert nomination == self.model.nomination_of(interval, account)
        assert storage.get("nominatedOf", interval) == astuple(nominated)

    @rule(back=st.integers(-1, 2), off=st.integers(-150, 150), beyond=st.booleans())
    def report(self, back: int, off: int, beyond: bool) -> None:
        """The meter shows what was nominated, and some loss or its opposite."""
        interval = self.coming(-1 - back)
        net = self.model.nominated_of(interval).loss_wh(0) - off
        if beyond:
            net = 2**32
        refusal = None
        if OWNER not in self.valid:
            refusal = "meter not registered"
        elif self.now < self.start_s(interval + 1):
            refusal = "not yet delivered"
        elif self.now > self.start_s(interval + 1) + METERING_S:
            refusal = "too late to report"
        self.both(
            refusal,
            lambda: self.world.report_storage(net, interval),
            lambda: self.model.report(interval, net),
        )
        reading = self.model.reading_of(interval)
        loss = self.model.nominated_of(interval).loss_wh(reading or 0)
        told = (False, 0, 0) if reading is None else (True, reading, loss)
        assert self.world.storage.get("readingOf", interval) == told

    @rule(batch=st.lists(st.sampled_from([*ACCOUNTS, "stranger"]), max_size=6))
    def settle(self, batch: list[str]) -> None:
        logged: dict[bytes, tuple[int, int]] = {}
        settled: dict[bytes, tuple[int, int]] = {}

        def on_chain() -> None:
            for name, event in self.world.settle_losses(*batch).events:
                if name == "LossesSettled":
                    logged[event["account"]] = (event["billed_ueur"], event["credited_ueur"])

        def off_chain() -> None:
            done: dict[str, tuple[int, int]] = {}
            for account in batch:
                done |= self.model.settle([account])
            settled.update({address(name): amounts for name, amounts in done.items()})

        self.both(None, on_chain, off_chain)
        assert logged == settled

    @rule(
        energies=st.lists(st.integers(-130, 130), min_size=3, max_size=3), loss=st.integers(-9, 9)
    )
    def whole_interval(self, energies: list[int], loss: int) -> None:
        """Nominations of all members, delivery and the battery's reading."""
        interval = self.coming(2)
        self.now = max(self.now, self.start_s(interval) - LEAD_S)
        self.world.at(self.now)
        for account, energy in zip(MEMBERS, energies, strict=True):
            power = self.model.power_of(self.model.account_of(account).shares)
            self._nominate(account, interval, min(max(energy, -power), power))
        self.now = self.start_s(interval + 1)
        self.world.at(self.now)
        self.report(0, loss, False)

    @rule(account=st.sampled_from(["cem", OWNER]), often=st.integers(0, 3))
    def meter_comes_or_goes(self, account: str, often: int) -> None:
        if account in self.valid and often != 0:
            return  # meters that are gone should come back soon
        meter = address(f"meter of {account}")
        if account in self.valid:
            self.world.meters.send(OPERATOR, "unregisterMeter", meter)
        else:
            self.world.meters.send(OPERATOR, "registerMeter", meter, address(account))
        self.valid ^= {account}

    @invariant()
    def same_books(self) -> None:
        storage = self.world.storage
        for name in ACCOUNTS:
            who = address(name)
            account = self.model.account_of(name)
            on_chain = storage.get("accountOf", who)
            assert on_chain == (account.shares, account.energy_wh, account.next_interval)
            assert storage.get("balanceOf", who) == self.model.balance_of(name)
            assert storage.get("debtOf", who) == self.model.debt_of(name)
            assert storage.get("accruedOf", who) == self.model.accrued_of(name)
        assert storage.get("ownerOwes") == self.model.owner_owes_ueur
        assert storage.get("perShare") == (
            self.model.billed_ueur_per_share,
            self.model.credited_ueur_per_share,
        )

    @invariant()
    def every_token_is_owed_to_someone(self) -> None:
        set_aside = self.world.storage.get("setAside")
        assert set_aside == self.model.set_aside_ueur
        held = self.world.held(self.world.storage)
        assert held == self.model.free_total_ueur() + set_aside
        assert held + sum(self.outside_ueur.values()) == START_UEUR * len(ACCOUNTS)
        # what is set aside is the members', but for less than 1 µEUR a share
        credited = sum(self.model.accrued_of(name)[1] for name in ACCOUNTS)
        assert 0 <= set_aside - credited < SMALL.total_shares

    @invariant()
    def events_tell_all_money(self) -> None:
        self.told.read()
        assert self.told.set_aside == self.model.set_aside_ueur
        assert self.told.owes == self.model.owner_owes_ueur  # what it promised and did not pay
        for name in ACCOUNTS:
            assert self.told.free[address(name)] == self.model.balance_of(name)
            assert self.told.debts[address(name)] == self.model.debt_of(name)

    @invariant()
    def shares_and_energy_are_bounded(self) -> None:
        states = [self.model.account_of(name) for name in ACCOUNTS]
        assert sum(state.shares for state in states) == SMALL.total_shares
        assert all(s.energy_wh <= self.model.capacity_of(s.shares) for s in states)
        assert sum(state.energy_wh for state in states) <= SMALL.capacity_wh
        nominated = self.model.nominated_of(self.seen)
        assert max(nominated.charged_wh, nominated.discharged_wh) <= SMALL.power_wh
        assert nominated.credited_wh <= nominated.charged_wh
        assert nominated.debited_wh >= debited_wh(nominated.discharged_wh, 930)

    @invariant()
    def everybody_can_leave(self) -> None:
        """Nobody's withdrawal can be blocked: what is free after one's own bills is paid out."""
        engine, n_told = self.world.engine, len(self.world.storage.told)
        for name in ACCOUNTS:
            billed, credited = self.model.accrued_of(name)
            due = self.model.debt_of(name) + (0 if name == OWNER else billed)
            if name == OWNER:
                due += self.model.owner_owes_ueur
            free = max(self.model.balance_of(name) + credited - due, 0)
            snapshot = engine.snapshot()
            assert self.world.storage.send(name, "withdraw", free).gas_used <= MOST_GAS
            engine.restore(snapshot)
        del self.world.storage.told[n_told:]


TestStorage = StorageMachine.TestCase
TestStorage.settings = machine_settings()
