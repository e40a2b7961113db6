"""Any sequence of calls leaves the local market and its model with the same money, all of it.

Under every pricing rule, in every form of clearing, with open and with sealed orders.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from local_market_play import (
    ACCOUNTS,
    CHALLENGE_S,
    INTERVALS,
    MEMBERS,
    OWNER,
    PRICES,
    REVEAL_S,
    RING,
    SEALED_DEPOSIT_UEUR,
    STATE,
    TENANT,
    LocalMarketPlay,
)
from market_world import (
    DSO,
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    METERING_S,
    OPERATOR,
    ORDER_LEAD_S,
    STEP_S,
    SUPPLIER,
    address,
)
from profiles import machine_settings

from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.clearing import ranking
from cosim.mechanisms.local_market.client import pack_ranking
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import AUCTION_FORMS, ClearingForm, PricingRule

SETTLING_GAS = 200_000
"""More than settling an account may take, whatever others did before."""

ROUND: dict[str, st.SearchStrategy[Any]] = {
    "orders": st.tuples(
        *(
            st.tuples(sides, st.integers(1, 1_200), st.integers(140_000, 160_000))
            for sides in (st.just(False), st.just(True), st.booleans(), st.booleans())
        )
    ),
    "nets": st.lists(
        st.none() | st.integers(-4_000, 4_000), min_size=len(MEMBERS), max_size=len(MEMBERS)
    ),
    "mistake": st.sampled_from([None, None, None, "price", "volume", "root", "fill"]),
    "unrevealed": st.sampled_from([None, None, *MEMBERS]),
    "challenged": st.booleans(),
    "claimed": st.sampled_from(["before", "before", "after", None]),
    "same_slots": st.booleans(),
}
"""Arguments of a whole interval."""


class LocalMarketMachine(LocalMarketPlay):
    """Every call that anybody can make, at any time, and whole intervals of them."""

    @rule()
    def wait(self) -> None:
        """Go to the next moment at which something opens or closes."""
        offsets = [-ORDER_LEAD_S, -GATE_CLOSURE_S, -GATE_CLOSURE_S + REVEAL_S, 0]
        moments = [
            self.start_s(interval) + offset
            for interval in range(len(INTERVALS) + 1)
            for offset in (*offsets, METERING_S, METERING_S + 1)
        ]
        moments += [self.start_s(k) - CHALLENGE_S for k in range(1, len(INTERVALS) + 1)]
        for time_s in self.committed_at.values():
            moments += [time_s + CHALLENGE_S, time_s + CHALLENGE_S + 1]
        self.go(min((m for m in moments if m > self.now), default=self.now + 1))

    @rule(account=st.sampled_from(ACCOUNTS), amount=st.integers(0, 400_000))
    def deposit(self, account: str, amount: int) -> None:
        if self.world.token.get("balanceOf", address(account)) >= amount:
            self.world.market.send(account, "deposit", amount)
            self.model.deposit(account, amount)

    @rule(account=st.sampled_from(ACCOUNTS), share=st.sampled_from([0.3, 1.0, 1.1]))
    def withdraw(self, account: str, share: float) -> None:
        amount, refusal = int(self.model.balance_of(account) * share), None
        announced, until_s = self.notice
        if account == SUPPLIER and (amount > announced or self.now <= until_s):
            free = self.model.balance_of(SUPPLIER) - self.model.claims_total_ueur
            refusal = "balance too low" if amount > max(free, 0) else "withdrawal not announced"
        before = self.model.balance_of(account)
        self.both(
            refusal,
            lambda: self.world.market.send(account, "withdraw", amount),
            lambda: self.model.withdraw(account, amount),
        )
        if account == SUPPLIER:
            self.notice = (announced - before + self.model.balance_of(account), until_s)

    @rule(amount=st.sampled_from([0, 1_000, 10**12, 2**256 - 1]))
    def announce_withdrawal(self, amount: int) -> None:
        self.world.market.send(SUPPLIER, "announceWithdrawal", amount)
        until_s = self.now + ORDER_LEAD_S + 2 * STEP_S + METERING_S
        self.notice = (min(amount, 2**128 - 1), until_s)
        assert self.world.market.get("withdrawalNotice") == self.notice

    @rule(
        account=st.sampled_from((*MEMBERS, TENANT)),
        interval=st.sampled_from(INTERVALS),
        is_sell=st.booleans(),
        energy=st.integers(1, 3_000),
        price=st.sampled_from(PRICES),
    )
    def order(self, account: str, interval: int, is_sell: bool, energy: int, price: int) -> None:
        order = Order(account, is_sell, energy, self.limit(is_sell, price))
        refusal = self.order_window(interval)
        if self.sealed:
            if refusal is None and account not in self.valid:
                refusal = self.without_money(account) or "not a member"
            seal = self.seal(interval, order)
            if not self.has_place(interval, account):
                self.secrets[interval, account] = order
            self.both(
                refusal,
                lambda: self.world.market.send(account, "commitOrder", interval, seal),
                lambda: self.model.commit_order(interval, account, seal),
            )
            return
        if refusal is None and account not in self.valid:
            wrong = self.pricing.sets_price and order.price_ueur_per_kwh == PRICES[-1]
            refusal = "price is set by the rule" if wrong else "not a member"
        self.both(
            refusal,
            lambda: self.world.order(account, is_sell, energy, order.price_ueur_per_kwh, interval),
            lambda: self.model.place_order(interval, order),
        )

    def without_money(self, account: str) -> str | None:
        """Why an account cannot lock the deposit of a sealed order, if it cannot."""
        lent = SEALED_DEPOSIT_UEUR - self.model.balance_of(account)
        limit = self.model.credit_limit_of(account)
        if lent <= 0:
            return None
        if not limit:
            return "balance too low"
        if self.model.debt_of(account) - self.model.claim_of(account) + lent > limit:
            return "credit limit reached"
        free = self.model.balance_of(SUPPLIER) - self.model.claims_total_ueur
        return "supplier cannot lend" if lent > free else None

    @rule(account=st.sampled_from(MEMBERS), limit=st.sampled_from([0, 80_000, 2**256 - 1]))
    def grant_credit(self, account: str, limit: int) -> None:
        self.world.market.send(SUPPLIER, "grantCredit", address(account), limit)
        from_s = self.now + ORDER_LEAD_S + 2 * STEP_S + METERING_S
        self.model.grant_credit(account, limit, from_s)

    @precondition(lambda self: self.sealed)
    @rule(
        account=st.sampled_from(MEMBERS),
        interval=st.sampled_from(INTERVALS),
        more_wh=st.sampled_from([0, 0, 0, 1]),
    )
    def reveal(self, account: str, interval: int, more_wh: int) -> None:
        sealed = self.secrets.get((interval, account), Order(account, True, 1, 1))
        order = Order(
            account, sealed.is_sell, sealed.energy_wh + more_wh, sealed.price_ueur_per_kwh
        )
        closes = self.start_s(interval) - GATE_CLOSURE_S
        late = not closes <= self.now < closes + REVEAL_S
        fields = (order.is_sell, order.energy_wh, order.price_ueur_per_kwh)
        self.both(
            "not in the reveal window" if late else None,
            lambda: self.world.market.send(
                account, "revealOrder", interval, *fields, keccak(account.encode())
            ),
            lambda: self.model.reveal_order(interval, order, self.seal(interval, order)),
        )

    @initialize(
        pricing=st.sampled_from(PricingRule),
        form=st.sampled_from([*AUCTION_FORMS, ClearingForm.COMMITTED]),
        sealed=st.booleans(),
        charges=st.booleans(),
        lends=st.booleans(),
        ring=st.sampled_from([0, RING]),
        **ROUND,
    )
    def begin(
        self,
        pricing: PricingRule,
        form: ClearingForm,
        sealed: bool,
        charges: bool,
        lends: bool,
        ring: int,
        **first: Any,
    ) -> None:
        """A market of some kind, and its first interval."""
        self.open_market(pricing, form, sealed, charges, lends, ring)
        self.trading_round(**first)

    @rule(**ROUND)
    def trading_round(
        self,
        orders: tuple[tuple[bool, int, int], ...],
        nets: list[int | None],
        mistake: str | None,
        unrevealed: str | None,
        challenged: bool,
        claimed: str | None,
        same_slots: bool,
    ) -> None:
        """A whole interval: orders, clearing, delivery, and readings but of silent meters.

        The next one, or the next whose slots an interval had before it.
        """
        opens_s = self.now
        if same_slots and self.now > FIRST_DELIVERY_S:
            opens_s = max(self.now, self.start_s(RING) - ORDER_LEAD_S)
        interval = next((k for k in INTERVALS if self.start_s(k) - ORDER_LEAD_S >= opens_s), None)
        if interval is None:
            return
        self.go(self.start_s(interval) - ORDER_LEAD_S)
        for account, fields in zip(MEMBERS, orders, strict=True):
            self.order(account, interval, *fields)
        self.go(self.start_s(interval) - GATE_CLOSURE_S)
        if self.sealed:
            for account in MEMBERS[::-1]:
                if account != unrevealed:
                    self.reveal(account, interval, 0)
        self.go(self.known_s(interval))
        self.clear(interval, SUPPLIER if unrevealed else MEMBERS[0], mistake)
        if self.form is ClearingForm.COMMITTED:
            self.go(self.now + CHALLENGE_S)
            if challenged:
                self.challenge(interval, MEMBERS[1])
            self.go(self.now + 1)
            if claimed == "before":
                self.claim_all(interval, orders)
        self.go(self.start_s(interval + 1))
        for account, net in zip(MEMBERS, nets, strict=True):
            if net is not None:
                self.report(account, interval, net)
        if self.form is ClearingForm.COMMITTED and claimed == "after":
            self.claim_all(interval, orders)

    def claim_all(self, interval: int, orders: tuple[tuple[bool, int, int], ...]) -> None:
        """Claim every fill, buyers first."""
        for is_sell in (False, True):
            for account, fields in zip(MEMBERS, orders, strict=True):
                if fields[0] == is_sell:
                    self.claim(account, interval, 0)

    @rule(
        interval=st.sampled_from(INTERVALS),
        sender=st.sampled_from(ACCOUNTS),
        mistake=st.sampled_from([None, None, "price", "volume", "root", "fill", "ranking", "form"]),
    )
    def clear(self, interval: int, sender: str, mistake: str | None) -> None:
        """Clear in the market's form, with a result that is right or wrong."""
        refusal = None
        if self.now < self.start_s(interval) - GATE_CLOSURE_S:
            refusal = "gate open"
        elif self.now < self.known_s(interval):
            refusal = "orders may be revealed"
        elif self.now + self.challenge_s >= self.start_s(interval + 1):
            refusal = "too late to clear"
        send, book = self.world.market.send, self.model.book(interval)
        true = self.model.clear_book(interval)
        buy_price = true.buy_price_ueur_per_kwh + (mistake == "price")
        result = (buy_price, true.sell_price_ueur_per_kwh, true.volume_wh + (mistake == "volume"))
        if mistake == "form":
            text = f"clearing is {self.form.value.replace('_', ' ')}"
            other = "clear" if self.form is not ClearingForm.ON_CHAIN else "commitClearing"
            arguments = (interval,) if other == "clear" else (interval, bytes(32), *result)
            self.both(text, lambda: send(sender, other, *arguments), lambda: None)
        elif self.form is ClearingForm.ON_CHAIN:
            self.both(
                refusal, lambda: send(sender, "clear", interval), lambda: self.model.clear(interval)
            )
        elif self.form is ClearingForm.VERIFIED:
            indexes = ranking(book)
            if refusal is None and self.model.clearing(interval) is None:
                if mistake == "ranking" and self.crosses(interval):
                    indexes.reverse()
                    refusal = "ranking not in merit order"
                elif mistake in ("price", "volume"):
                    refusal = "not the clearing"
            words = pack_ranking(indexes if self.crosses(interval) else [])
            self.both(
                refusal,
                lambda: send(sender, "clearVerified", interval, words, *result),
                lambda: self.model.clear(interval),
            )
        else:
            fills = list(true.fills_wh)
            if mistake == "fill" and fills:
                fills[0] += 1
            tree = FillTree(fills)
            root = tree.root if mistake != "root" else keccak(tree.root)
            before = self.model.committed_clearing(interval)
            self.both(
                refusal,
                lambda: send(sender, "commitClearing", interval, root, *result),
                lambda: self.model.commit_clearing(interval, sender, root, *result),
            )
            if before is None and self.model.committed_clearing(interval) is not None:
                self.committed_at[interval] = self.now
                self.trees[interval] = (tuple(fills), tree)

    @precondition(lambda self: self.form is ClearingForm.COMMITTED)
    @rule(interval=st.sampled_from(INTERVALS), account=st.sampled_from(ACCOUNTS))
    def challenge(self, interval: int, account: str) -> None:
        late = self.model.committed_clearing(interval) is not None and self.is_final(interval)
        words = pack_ranking(ranking(self.model.book(interval)))
        self.both(
            "too late to challenge" if late else None,
            lambda: self.world.market.send(account, "challengeClearing", interval, words),
            lambda: self.model.challenge_clearing(interval, account),
        )

    @precondition(lambda self: self.form is ClearingForm.COMMITTED)
    @rule(
        account=st.sampled_from(MEMBERS),
        interval=st.sampled_from(INTERVALS),
        more_wh=st.sampled_from([0, 0, 1]),
    )
    def claim(self, account: str, interval: int, more_wh: int) -> None:
        fills, tree = self.trees.get(interval, ((), FillTree([])))
        filled_wh, proof = more_wh, ()
        if fills and self.has_place(interval, account):
            index = self.model.arrival_index(interval, account)
            filled_wh, proof = fills[index] + more_wh, tree.proof(index)
        standing = self.model.committed_clearing(interval) is not None
        refusal = None
        if standing and not self.is_final(interval):
            refusal = "clearing may still be challenged"
        elif standing and self.now > self.start_s(interval + 1) + METERING_S:
            refusal = "too late to claim"
        self.both(
            refusal,
            lambda: self.world.market.send(
                "anyone", "claimFill", interval, address(account), filled_wh, list(proof)
            ),
            lambda: self.model.claim_fill(interval, account, filled_wh, proof),
        )

    @precondition(lambda self: self.form is ClearingForm.COMMITTED)
    @rule(interval=st.sampled_from(INTERVALS))
    def release_bond(self, interval: int) -> None:
        held = self.model.bond_of(interval) > 0
        self.both(
            "clearing may still be challenged" if held and not self.is_final(interval) else None,
            lambda: self.world.market.send("anyone", "releaseBond", interval),
            lambda: self.model.release_bond(interval),
        )

    @rule(
        account=st.sampled_from(MEMBERS),
        interval=st.sampled_from(INTERVALS),
        net=st.integers(-6_000, 6_000),
    )
    def report(self, account: str, interval: int, net: int) -> None:
        refusal, meter = None, f"meter of {account}"
        if account == OWNER and TENANT in self.valid:
            account = TENANT
        if account not in self.valid:
            refusal = "unknown meter"
        elif self.now < self.start_s(interval + 1):
            refusal = "not yet delivered"
        elif self.now > self.start_s(interval + 1) + METERING_S:
            refusal = "too late to report"
        elif not self.is_metered(interval, account):
            refusal = "meter changed hands"
        self.both(
            refusal,
            lambda: self.world.market.send(meter, "report", interval, net),
            lambda: self.model.report(interval, account, net),
        )
        # whatever was cleared, committed to or claimed
        in_use = self.model.slot_in_use(interval, account)
        assert refusal or in_use or self.model.reading_of(interval, account) is not None

    @rule()
    def settle_all_silent(self) -> None:
        """After the deadline of the interval that ended last, whoever did not report."""
        interval = (self.now - FIRST_DELIVERY_S) // STEP_S - 1
        if interval in INTERVALS:
            self.go(self.start_s(interval + 1) + METERING_S + 1)
            for account in (*MEMBERS, TENANT):
                self.settle_silent(account, interval)

    @rule(account=st.sampled_from((*MEMBERS, TENANT)), interval=st.sampled_from(INTERVALS))
    def settle_silent(self, account: str, interval: int) -> None:
        refusal = None
        if self.now <= self.start_s(interval + 1) + METERING_S:
            refusal = "meter may still report"
        elif not self.model.slot_in_use(interval, account):
            known = self.model.reading_of(interval, account) is not None
            if not known and not (
                self.has_place(interval, account) or self.is_metered(interval, account)
            ):
                refusal = "not a member"
        self.both(
            refusal,
            lambda: self.world.market.send("anyone", "settleSilent", interval, address(account)),
            lambda: self.model.settle_silent(interval, account, self.is_metered(interval, account)),
        )

    @rule(account=st.sampled_from(MEMBERS))
    def collect(self, account: str) -> None:
        self.both(
            None,
            lambda: self.world.market.send(account, "collectClaim"),
            lambda: self.model.collect_claim(account),
        )

    @rule(sender=st.sampled_from(ACCOUNTS))
    def pass_on(self, sender: str) -> None:
        """DSO and state are paid as far as the supplier can, whoever asks for it."""
        self.both(
            None,
            lambda: self.world.market.send(sender, "passOnCharges"),
            lambda: self.model.pass_on_charges(DSO, STATE),
        )

    @rule(to=st.sampled_from([OWNER, OWNER, TENANT, None]))
    def meter_changes_hands(self, to: str | None) -> None:
        meter = address(f"meter of {OWNER}")
        if self.valid & {OWNER, TENANT}:
            self.world.meters.send(OPERATOR, "unregisterMeter", meter)
        self.valid -= {OWNER, TENANT}
        if to is not None:
            self.world.meters.send(OPERATOR, "registerMeter", meter, address(to))
            self.valid.add(to)
            self.handed_s = self.now

    @rule()
    def everybody_can_withdraw_what_is_free(self) -> None:
        snapshot = self.world.engine.snapshot()
        self.listen(False)
        self.world.market.send(SUPPLIER, "announceWithdrawal", 2**256 - 1)
        self.world.at(self.now + ORDER_LEAD_S + 2 * STEP_S + METERING_S + 1)
        for account in ACCOUNTS:
            held = self.model.claims_total_ueur if account == SUPPLIER else 0
            amount = max(self.model.balance_of(account) - held, 0)
            self.world.market.send(account, "withdraw", amount)
        self.world.engine.restore(snapshot)
        self.world.at(self.now)
        self.listen(True)

    @rule()
    def escrow_comes_back_whatever_was_cleared(self) -> None:
        """Once claims and readings are over, anybody brings all to its end, at bounded gas."""
        snapshot, market = self.world.engine.snapshot(), self.world.market
        self.listen(False)
        self.world.at(max(self.now, self.start_s(len(INTERVALS)) + METERING_S + 1))
        for interval in INTERVALS:
            for order in self.model.orders(interval):
                if self.world.locked(order.account, interval):
                    who = address(order.account)
                    done = market.send("anyone", "settleSilent", interval, who)
                    assert done.gas_used < SETTLING_GAS
                assert self.world.locked(order.account, interval) == 0
            assert market.get("potOf", interval) == 0
        self.world.engine.restore(snapshot)
        self.world.at(self.now)
        self.listen(True)


TestLocalMarket = LocalMarketMachine.TestCase
TestLocalMarket.settings = machine_settings()
