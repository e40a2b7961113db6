"""Any sequence of calls leaves the certificates and their model with the same books."""

from __future__ import annotations

import functools
from collections.abc import Callable

from certificates_world import (
    FIRST_DELIVERY_S,
    HOUR,
    METERING_S,
    STEP_S,
    CertificatesWorld,
)
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from market_world import ISSUER, OPERATOR, address
from money_told import CertificatesTold
from profiles import machine_settings

from cosim.errors import ContractRevert
from cosim.mechanisms.green_certificates.client import GreenCertificates
from cosim.mechanisms.green_certificates.model import GreenCertificatesModel

ACCOUNTS = ("ann", "bob", "cem")
METERS = tuple(f"meter of {account}" for account in ACCOUNTS)
INTERVALS = range(254, 259)
"""Four of one hour and the first of the next, on both sides of a word of recorded intervals."""
HOURS = (HOUR + 64, HOUR + 65)
START_UEUR = 5_000
MOST_GAS = GreenCertificates.withdraw.gas
"""Of a withdrawal, whatever others did: what the client gives it."""
BY_ADDRESS = {address(name): name for name in ACCOUNTS}

accounts = st.sampled_from(ACCOUNTS)
hours = st.sampled_from(HOURS)
energies = st.integers(0, 600)
readings = st.integers(0, 900)
prices = st.sampled_from([0, 1, 2_001, 9_999])


@functools.cache
def deployed() -> CertificatesWorld:
    """Three accounts with money for a few purchases, and a meter each."""
    world = CertificatesWorld("revm")
    for account in ACCOUNTS:
        world.register(account)
        world.fund(account, START_UEUR)
    return world


class CertificatesMachine(RuleBasedStateMachine):
    """Contract and model side by side; the machine itself knows time, meters and records."""

    def __init__(self) -> None:
        super().__init__()
        self.world = deployed()
        self.snapshot = self.world.engine.snapshot()
        self.model = GreenCertificatesModel(FIRST_DELIVERY_S, STEP_S)
        for account in ACCOUNTS:
            self.model.deposit(account, START_UEUR)
        self.customer_of: dict[str, str] = dict(zip(METERS, ACCOUNTS, strict=True))
        self.since_s = dict.fromkeys(METERS, 0)
        self.records: dict[tuple[str, int], tuple[int, int]] = {}
        self.outside_ueur = dict.fromkeys(ACCOUNTS, 0)
        self.now = FIRST_DELIVERY_S + (INTERVALS[0] + 1) * STEP_S
        self.world.at(self.now)

        self.told = CertificatesTold(self.world.certificates)
        self.n_told = len(self.world.certificates.told)

    def teardown(self) -> None:
        self.world.engine.restore(self.snapshot)
        del self.world.certificates.told[self.n_told :]

    def roots(self) -> tuple[bytes, bytes]:
        return self.world.root(), self.world.engine.storage_root(self.world.token.address)

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
        before = None if refusal is None else self.roots()
        try:
            on_chain()
            said = None
        except ContractRevert as error:
            said = error.text
        assert said == refusal
        assert before is None or before == self.roots()
        return said is None

    # --- time and meters ---

    @rule()
    def wait(self) -> None:
        """Go to the next moment at which a metering window opens or closes."""
        moments = [
            FIRST_DELIVERY_S + (interval + 1) * STEP_S + offset
            for interval in INTERVALS
            for offset in (0, METERING_S, METERING_S + 1)
        ]
        self.now = min((m for m in moments if m > self.now), default=self.now + 1)
        self.world.at(self.now)

    @rule(meter=st.sampled_from(METERS), account=accounts)
    def meter_comes_or_goes(self, meter: str, account: str) -> None:
        if self.customer_of.pop(meter, None):
            self.world.meters.send(OPERATOR, "unregisterMeter", address(meter))
        else:
            self.customer_of[meter], self.since_s[meter] = account, self.now
            self.world.meters.send(OPERATOR, "registerMeter", address(meter), address(account))

    @rule(
        meter=st.sampled_from((*METERS, "ann")),
        interval=st.sampled_from(INTERVALS),
        produced=readings,
        consumed=readings,
    )
    def record(self, meter: str, interval: int, produced: int, consumed: int) -> None:
        end_s = FIRST_DELIVERY_S + (interval + 1) * STEP_S
        refusal = None
        if meter not in self.customer_of:
            refusal = "green certificates: unknown meter"
        elif self.now < end_s:
            refusal = "green certificates: not yet delivered"
        elif self.now > end_s + METERING_S:
            refusal = "green certificates: too late to record"
        elif self.since_s[meter] > end_s - STEP_S:
            refusal = "green certificates: meter changed hands"
        customer = self.customer_of.get(meter, "")
        done = self.both(
            refusal,
            lambda: self.world.send(meter, "record", interval, produced, consumed),
            lambda: self.model.record(interval, meter, customer, produced, consumed),
        )
        if done:
            assert (meter, interval) not in self.records
            self.records[meter, interval] = produced, consumed

    @rule(
        nets=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=3, max_size=3)
    )
    def everybody_records(self, nets: list[tuple[int, int]]) -> None:
        """The usual: all meters record the interval that has just ended."""
        interval = (self.now - FIRST_DELIVERY_S) // STEP_S - 1
        if interval in INTERVALS:
            for meter, energy in zip(METERS, nets, strict=True):
                self.record(meter, interval, *energy)

    # --- money ---

    @rule(account=accounts, amount=st.integers(0, 6_000))
    def withdraw(self, account: str, amount: int) -> None:
        done = self.both(
            None,
            lambda: self.world.send(account, "withdraw", amount),
            lambda: self.model.withdraw(account, amount),
        )
        self.outside_ueur[account] += amount if done else 0

    @rule(account=accounts, amount=st.integers(0, 2_000))
    def deposit(self, account: str, amount: int) -> None:
        lacking = max(0, amount - self.outside_ueur[account])
        if lacking:
            self.world.token.send(ISSUER, "mint", address(account), lacking)
        self.world.token.send(account, "approve", self.world.certificates.address, amount)
        self.world.send(account, "deposit", amount)
        self.model.deposit(account, amount)
        self.outside_ueur[account] += lacking - amount

    # --- trade and retirement ---

    @rule(hour=hours, sender=accounts, to=accounts, energy=energies)
    def transfer(self, hour: int, sender: str, to: str, energy: int) -> None:
        self.both(
            None,
            lambda: self.world.send(sender, "transfer", hour, address(to), energy),
            lambda: self.model.transfer(hour, sender, to, energy),
        )

    @rule(hour=hours, account=accounts, energy=energies, price=prices)
    def offer(self, hour: int, account: str, energy: int, price: int) -> None:
        self.both(
            None,
            lambda: self.world.send(account, "offer", hour, energy, price),
            lambda: self.model.offer(hour, account, energy, price),
        )

    @precondition(lambda self: self.model.offer_count)
    @rule(data=st.data(), buyer=accounts, energy=energies)
    def buy(self, data: st.DataObject, buyer: str, energy: int) -> None:
        number = data.draw(st.integers(1, self.model.offer_count))
        offered = self.model.offer_of(number)
        if offered is not None and data.draw(st.booleans()):
            energy = offered.energy_wh
        paid: list[int] = []

        def on_chain() -> None:
            done = self.world.send(buyer, "buy", number, energy)
            assert [event["amount_ueur"] for _, event in done.events] == paid

        self.both(None, on_chain, lambda: paid.append(self.model.buy(number, buyer, energy)))

    @precondition(lambda self: self.model.offer_count)
    @rule(data=st.data(), account=accounts)
    def cancel(self, data: st.DataObject, account: str) -> None:
        number = data.draw(st.integers(1, self.model.offer_count))
        self.both(
            None,
            lambda: self.world.send(account, "cancelOffer", number),
            lambda: self.model.cancel_offer(number, account),
        )

    @rule(hour=hours, account=accounts, energy=energies, exactly=st.booleans())
    def retire(self, hour: int, account: str, energy: int, exactly: bool) -> None:
        if exactly:
            energy = self.model.holding_of(hour, account).retirable_wh
        self.both(
            None,
            lambda: self.world.send(account, "retire", hour, energy),
            lambda: self.model.retire(hour, account, energy),
        )

    # --- what holds at every moment ---

    @invariant()
    def same_books(self) -> None:
        world = self.world
        for account in ACCOUNTS:
            assert world.free(account) == self.model.balance_of(account)
            for hour in HOURS:
                holding = self.model.holding_of(hour, account)
                consumption = (holding.consumed_wh, holding.retired_wh, holding.residual_wh)
                assert world.held(account, hour) == holding.held_wh
                assert world.consumption(account, hour) == consumption
        for number in range(1, self.model.offer_count + 1):
            seller, hour, energy, price = world.certificates.get("offerOf", number)
            offered = self.model.offer_of(number)
            if offered is None:
                assert (seller, hour, energy, price) == (bytes(20), 0, 0, 0)
            else:
                known = (offered.hour, offered.energy_wh, offered.price_ueur_per_kwh)
                assert (hour, energy, price) == known
                assert BY_ADDRESS[seller] == offered.seller
        assert world.certificates.get("offerCount") == self.model.offer_count

    @invariant()
    def energy_is_certified_once_and_goes_nowhere(self) -> None:
        for hour in HOURS:
            kept = [
                energies
                for (_, interval), energies in self.records.items()
                if self.model.hour_of(interval) == hour
            ]
            totals = self.model.totals_of(hour)
            assert totals.issued_wh == sum(produced for produced, _ in kept)
            assert totals.consumed_wh == sum(consumed for _, consumed in kept)
            on_chain = (totals.issued_wh, totals.consumed_wh, totals.retired_wh)
            assert self.world.totals(hour) == on_chain
            whereabouts = self.model.held_total_wh(hour) + self.model.offered_total_wh(hour)
            assert totals.issued_wh == whereabouts + totals.retired_wh

    @invariant()
    def nobody_retires_more_than_was_consumed(self) -> None:
        for hour in HOURS:
            holdings = [self.model.holding_of(hour, account) for account in ACCOUNTS]
            assert all(0 <= h.retired_wh <= h.consumed_wh for h in holdings)
            assert sum(h.retired_wh for h in holdings) == self.model.totals_of(hour).retired_wh

    @invariant()
    def everybody_can_withdraw_everything(self) -> None:
        """Also shows that every token in the contract is somebody's, and that events tell whose."""
        self.told.read()
        for account in ACCOUNTS:
            assert self.told.free[address(account)] == self.model.balance_of(account)
        n_told = len(self.world.certificates.told)
        held = self.world.token.get("balanceOf", self.world.certificates.address)
        assert held == self.model.free_total_ueur()
        snapshot = self.world.engine.snapshot()
        for account in ACCOUNTS:
            done = self.world.send(account, "withdraw", self.model.balance_of(account))
            assert done.gas_used <= MOST_GAS
            wealth = self.outside_ueur[account] + self.model.balance_of(account)
            assert self.world.token.get("balanceOf", address(account)) == wealth
        assert self.world.token.get("balanceOf", self.world.certificates.address) == 0
        self.world.engine.restore(snapshot)
        del self.world.certificates.told[n_told:]


TestCertificates = CertificatesMachine.TestCase
TestCertificates.settings = machine_settings()
