"""The local market and its model side by side, and what a player must know of time and seals."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from hypothesis.stateful import RuleBasedStateMachine, invariant
from market_world import (
    DSO,
    FEED_IN,
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    OPERATOR,
    ORDER_LEAD_S,
    RETAIL,
    SILENT_ESTIMATE_WH,
    STEP_S,
    SUPPLIER,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert
from cosim.evm.abi import pack
from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.clearing_forms import BURNED
from cosim.mechanisms.local_market.event_money import Event, EventMoney
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Order, Reading
from cosim.mechanisms.local_market.pricing import (
    ClearingForm,
    PricingRule,
    taker_price_ueur_per_kwh,
)
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.scenario.tariff import Tariffs
from cosim.units import IntArray

MEMBERS = ("ann", "bob", "cem", "dee")
TENANT, OWNER = "eve", MEMBERS[-1]
"""Who joined with the owner's meter before it was the owner's, and may have it again."""
ACCOUNTS = (*MEMBERS, TENANT, SUPPLIER)
STATE = "state"
INTERVALS = range(5)
RING = 3
"""The shortest ring of these times, so that the last two intervals use slots again."""
START_UEUR = 500_000
CREDIT_UEUR = {"ann": 400_000, "bob": 150_000, "cem": 30_000}
"""Debts up to which the supplier lends, where it does; to one member it does not."""
REVEAL_S, CHALLENGE_S = 60, 300
SEALED_DEPOSIT_UEUR, CLEARING_BOND_UEUR = 30_000, 20_000
PRICES = (0, 99_999, 150_001, 200_003, RETAIL, RETAIL + 7)


LOCAL_NETWORK_PPM, LOCAL_TAXES_PPM = 430_000, 999_999


def series(*values: int) -> IntArray:
    return np.array(values, dtype=np.int64)


CHANGING = Tariffs(
    retail=series(250_001, 250_001, RETAIL, RETAIL, 287_654),
    feed_in=series(FEED_IN, FEED_IN, 70_007, 0, 81_234),
    network=series(90_001, 90_001, 300_007, 60_007, 120_003),
    taxes=series(41_003, 41_003, 41_003, 0, 50_001),
    local_network_ppm=LOCAL_NETWORK_PPM,
    local_taxes_ppm=LOCAL_TAXES_PPM,
)
"""Prices that change in intervals 2, 3 and 4, with charges of which local trades pay a share.

In interval 2 the charges on what the supplier sells are above its retail price.
"""


def charging() -> dict[str, Any]:
    """Terms of a settlement whose prices change."""
    base = CHANGING.base
    return {
        "base_retail": base.retail_price_ueur_per_kwh,
        "feed_in": base.feed_in_price_ueur_per_kwh,
        "network": base.network_ueur_per_kwh,
        "taxes": base.taxes_ueur_per_kwh,
        "local_network_ppm": LOCAL_NETWORK_PPM,
        "local_taxes_ppm": LOCAL_TAXES_PPM,
        "prices_change": True,
        "dso": address(DSO),
        "state": address(STATE),
    }


@functools.cache
def deployed(
    pricing: PricingRule,
    form: ClearingForm,
    sealed: bool,
    charges: bool = False,
    lends: bool = False,
    ring: int = 0,
) -> MarketWorld:
    """Members with tokens, little of them deposited, so that some cannot pay."""
    world = MarketWorld(
        "revm",
        rule=pricing.number,
        form=form.number,
        reveal_s=REVEAL_S if sealed else 0,
        sealed_deposit=SEALED_DEPOSIT_UEUR,
        challenge_s=CHALLENGE_S,
        clearing_bond=CLEARING_BOND_UEUR,
        ring=ring,
        notice=False,
        **(charging() if charges else {}),
    )
    for k in CHANGING.changes if charges else ():
        prices = CHANGING.at(k)
        world.market.send(
            SUPPLIER,
            "announcePrices",
            k,
            prices.retail_price_ueur_per_kwh,
            prices.feed_in_price_ueur_per_kwh,
            prices.network_ueur_per_kwh,
            prices.taxes_ueur_per_kwh,
        )
    meter = address(f"meter of {OWNER}")
    world.meters.send(OPERATOR, "registerMeter", meter, address(TENANT))
    world.market.send(TENANT, "join", meter)
    world.meters.send(OPERATOR, "unregisterMeter", meter)
    for account in MEMBERS:
        world.join(account, amount=0)
    world.names |= {address(name): name for name in (SUPPLIER, STATE, TENANT)}
    for account in ACCOUNTS:
        world.token.send("issuer", "mint", address(account), 10 * START_UEUR)
        world.token.send(account, "approve", world.market.address, 2**256 - 1)
        world.market.send(account, "deposit", first_deposit_ueur(account, lends))
    for account, limit in CREDIT_UEUR.items() if lends else ():
        world.market.send(SUPPLIER, "grantCredit", address(account), limit)
    return world


def first_deposit_ueur(account: str, lends: bool) -> int:
    """What an account deposits: so little of the supplier's that it owes; with credit, more."""
    if account == SUPPLIER:
        return 2 * START_UEUR if lends else 1_000
    return START_UEUR // 10 if lends else START_UEUR


class LocalMarketPlay(RuleBasedStateMachine):
    """Contract and model side by side; the machine itself knows time and membership."""

    def open_market(
        self,
        pricing: PricingRule,
        form: ClearingForm,
        sealed: bool,
        charges: bool = False,
        lends: bool = False,
        ring: int = 0,
    ) -> None:
        self.pricing, self.form, self.sealed = pricing, form, sealed
        self.challenge_s = CHALLENGE_S if form is ClearingForm.COMMITTED else 0
        self.world = deployed(pricing, form, sealed, charges, lends, ring)
        self.snapshot = self.world.engine.snapshot()
        terms = MarketTerms(
            RETAIL,
            FEED_IN,
            SILENT_ESTIMATE_WH,
            pricing,
            form,
            reveal_s=60 if sealed else 0,
            sealed_deposit_ueur=SEALED_DEPOSIT_UEUR,
            clearing_bond_ueur=CLEARING_BOND_UEUR,
            tariffs=CHANGING if charges else None,
            ring=ring,
        )
        self.model = LocalMarketModel(SUPPLIER, terms)
        for account in ACCOUNTS:
            self.model.deposit(account, first_deposit_ueur(account, lends))
        for account, limit in CREDIT_UEUR.items() if lends else ():
            self.model.grant_credit(account, limit)
        retail, named = RETAIL, (SUPPLIER, DSO, STATE)
        self.money = EventMoney(*map(address, named), bytes(20), retail, SEALED_DEPOSIT_UEUR)
        for account in ACCOUNTS:
            self.money.free_ueur[address(account)] = self.model.balance_of(account)
        self.listen(True)
        self.billed_ueur = self.passed_on_ueur = 0
        self.valid = set(MEMBERS)
        self.handed_s = 0
        self.notice = (0, 0)
        self.secrets: dict[tuple[int, str], Order] = {}
        self.committed_at: dict[int, int] = {}
        self.trees: dict[int, tuple[tuple[int, ...], FillTree]] = {}
        self.now = 0
        self.go(FIRST_DELIVERY_S - ORDER_LEAD_S)

    def listen(self, on: bool) -> None:
        """Follow the money by events from now on, or no longer."""
        hears = self.take if on else None
        self.world.market.hears = self.world.market.settlement.hears = hears

    def take(self, events: Iterable[Event]) -> None:
        """Follow the money of one transaction, and count what was billed and passed on of it."""
        told = list(events)
        self.money.take(told)
        for name, said in told:
            if name == "IntervalSettled":
                self.billed_ueur += max(-said["supplier_ueur"], 0)
            elif name == "ChargesSettled":
                self.billed_ueur += said["local_ueur"]
            elif name == "ChargesPassedOn":
                self.passed_on_ueur += said["network_ueur"] + said["taxes_ueur"]

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.listen(False)
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
        else:
            refusal = f"local market: {refusal}"
        engine, market = self.world.engine, self.world.market.address
        before = engine.storage_root(market) if refusal else b""
        try:
            on_chain()
            said = None
        except ContractRevert as error:
            said = error.text
        assert said == refusal
        assert refusal is None or engine.storage_root(market) == before

    def start_s(self, interval: int) -> int:
        return FIRST_DELIVERY_S + interval * STEP_S

    def known_s(self, interval: int) -> int:
        """From when all orders of an interval are known."""
        return self.start_s(interval) - GATE_CLOSURE_S + (REVEAL_S if self.sealed else 0)

    def go(self, time_s: int) -> None:
        self.now = self.model.now_s = max(self.now, time_s)
        self.world.at(self.now)

    def order_window(self, interval: int) -> str | None:
        if self.now < self.start_s(interval) - ORDER_LEAD_S:
            return "window not open"
        return "gate closed" if self.now >= self.start_s(interval) - GATE_CLOSURE_S else None

    def limit(self, is_sell: bool, price: int) -> int:
        """A limit price that the market takes; under rules that set the price, not any other."""
        if self.pricing.sets_price and price != PRICES[-1]:
            return taker_price_ueur_per_kwh(is_sell, RETAIL)
        return price

    def seal(self, interval: int, order: Order) -> bytes:
        salt = keccak(order.account.encode())
        return keccak(
            pack(
                interval,
                address(order.account),
                order.is_sell,
                order.energy_wh,
                order.price_ueur_per_kwh,
                salt,
            )
        )

    def crosses(self, interval: int) -> bool:
        orders = self.model.orders(interval)
        bids = [o.price_ueur_per_kwh for o in orders if not o.is_sell]
        asks = [o.price_ueur_per_kwh for o in orders if o.is_sell]
        return bool(bids and asks) and max(bids) >= min(asks)

    def is_final(self, interval: int) -> bool:
        return self.now > self.committed_at.get(interval, 0) + CHALLENGE_S

    def is_metered(self, interval: int, account: str) -> bool:
        """Tell if an account has had its meter since before an interval began."""
        if account in (OWNER, TENANT) and self.handed_s > self.start_s(interval):
            return False
        return account in self.valid

    def has_place(self, interval: int, account: str) -> bool:
        try:
            self.model.arrival_index(interval, account)
        except KeyError:
            return False
        return True

    @invariant()
    def same_balances(self) -> None:
        market = self.world.market
        for account in (DSO, STATE):
            assert self.world.free(account) == self.model.balance_of(account)
        owed = (self.model.owed_network_ueur, self.model.owed_taxes_ueur)
        assert market.get("owedCharges") == (*owed, self.model.covered_ueur)
        for account in ACCOUNTS:
            assert self.world.free(account) == self.model.balance_of(account)
            assert market.get("debtOf", address(account)) == self.model.debt_of(account)
            assert market.get("claimOf", address(account)) == self.model.claim_of(account)
            assert market.get("creditLimitOf", address(account)) == (
                self.model.credit_limit_of(account)
            )
        assert market.get("claimsTotal") == self.model.claims_total_ueur
        assert market.get("balanceOf", bytes(20)) == self.model.balance_of(BURNED)
        for interval in self.committed_at:
            assert market.get("potOf", interval) == self.model.pot_of(interval)
            assert market.get("bondOf", interval) == self.model.bond_of(interval)
            assert market.get("rootOf", interval) == self.model.root_of(interval)

    @invariant()
    def events_tell_every_movement_of_money(self) -> None:
        for account in (*ACCOUNTS, DSO, STATE):
            assert self.money.free_ueur[address(account)] == self.world.free(account)
        assert self.money.free_ueur[bytes(20)] == self.world.market.get("balanceOf", bytes(20))

    @invariant()
    def no_more_is_passed_on_than_was_billed(self) -> None:
        *_, covered_ueur = self.world.market.get("owedCharges")
        assert self.passed_on_ueur + covered_ueur <= self.billed_ueur

    @invariant()
    def every_token_is_owed_to_someone(self) -> None:
        # where nobody ordered, nothing can be held
        assert self.world.backed([k for k in INTERVALS if self.model.book(k)])
        assert self.world.held(self.world.market) == self.model.held_total_ueur()

    @invariant()
    def one_meter_settles_an_interval_for_one_customer(self) -> None:
        for interval in INTERVALS:
            readings = [self.model.reading_of(interval, name) for name in (OWNER, TENANT)]
            assert (
                sum(one is not None and one != Reading(0, estimated=True) for one in readings) < 2
            )

    @invariant()
    def who_owes_has_nothing(self) -> None:
        for account in MEMBERS:
            assert self.model.debt_of(account) == 0 or self.model.balance_of(account) == 0
