"""Open or sealed, on chain or committed: one market pays everybody the same, to the integer."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Order, Settlement
from cosim.mechanisms.local_market.pricing import (
    AUCTION_FORMS,
    ClearingForm,
    PricingRule,
    taker_price_ueur_per_kwh,
)
from cosim.mechanisms.local_market.terms import MarketTerms

RETAIL, FEED_IN, ESTIMATE_WH = 300_007, 80_001, 700
FUNDS, DEPOSIT, BOND = 3_000_000_000, 11_000, 13_000

ORDER_BOOKS = st.lists(
    st.tuples(st.booleans(), st.integers(1, 3_000), st.integers(90_000, 290_000)),
    min_size=1,
    max_size=9,
)


class Run:
    """One market with the same accounts in every form."""

    def __init__(self, orders: list[Order], rule: PricingRule, form: ClearingForm, sealed: bool):
        self.orders = orders
        self.names = [*(order.account for order in orders), "watcher", "supplier"]
        terms = MarketTerms(
            RETAIL,
            FEED_IN,
            ESTIMATE_WH,
            rule,
            form,
            reveal_s=60 if sealed else 0,
            sealed_deposit_ueur=DEPOSIT,
            clearing_bond_ueur=BOND,
        )
        self.market = LocalMarketModel("supplier", terms)
        for name in self.names:
            self.market.deposit(name, FUNDS)
        for k, order in enumerate(orders):
            if sealed:
                self.market.commit_order(0, order.account, bytes([k]) * 32)
            else:
                self.market.place_order(0, order)
        self.check()
        if sealed:
            for k, order in reversed(list(enumerate(orders))):
                self.market.reveal_order(0, order, bytes([k]) * 32)
        self.check()

    def check(self) -> None:
        """Every token is free, locked, in a pot or a bond."""
        assert self.market.held_total_ueur() == FUNDS * len(self.names)

    def clear(self, claims: list[int]) -> None:
        """Clear; if by commitment, claim in the order given, sellers again when they must wait."""
        market, clearing = self.market, self.market.clear_book(0)
        if market.form is not ClearingForm.COMMITTED:
            assert market.clear(0) == clearing
            return self.check()
        tree = market.fill_tree(0)
        prices = clearing.buy_price_ueur_per_kwh, clearing.sell_price_ueur_per_kwh
        market.commit_clearing(0, "watcher", tree.root, *prices, clearing.volume_wh)
        if market.clearing(0) is not None:  # nothing crosses: final at once, nothing to claim
            return self.check()
        for k in sorted(claims, key=lambda k: self.orders[k].is_sell):
            market.claim_fill(0, self.orders[k].account, clearing.fills_wh[k], tree.proof(k))
            self.check()
        assert market.pot_of(0) == 0
        market.release_bond(0)
        return self.check()

    def settle(self, readings: list[int | None]) -> dict[str, Settlement]:
        """Settle everybody, by estimate where the reading is None."""
        settlements = {}
        for order, net_wh in zip(self.orders, readings, strict=False):
            if net_wh is None:
                settlements[order.account] = self.market.settle_silent(0, order.account)
            else:
                settlements[order.account] = self.market.report(0, order.account, net_wh)
            self.check()
        self.market.forget(0)
        self.check()
        return settlements


@settings(max_examples=150, deadline=None)
@given(
    ORDER_BOOKS,
    st.sampled_from(PricingRule),
    st.sampled_from(AUCTION_FORMS),
    st.booleans(),
    st.lists(st.none() | st.integers(-4_000, 4_000), min_size=9, max_size=9),
    st.data(),
)
def test_every_form_pays_the_same(
    book: list[tuple[bool, int, int]],
    rule: PricingRule,
    form: ClearingForm,
    sealed: bool,
    readings: list[int | None],
    data: st.DataObject,
) -> None:
    orders = [Order(f"a{k}", *fields) for k, fields in enumerate(book)]
    if rule.sets_price:
        prices = [taker_price_ueur_per_kwh(order.is_sell, RETAIL) for order in orders]
        orders = [o._replace(price_ueur_per_kwh=p) for o, p in zip(orders, prices, strict=True)]
    usual = Run(orders, rule, ClearingForm.ON_CHAIN, sealed=False)
    other = Run(orders, rule, form, sealed)
    claims = data.draw(st.permutations(range(len(orders))))
    for run in (usual, other):
        run.clear(claims)
    for order in orders:
        assert other.market.locked_of(0, order.account) == usual.market.locked_of(0, order.account)
    assert other.settle(readings) == usual.settle(readings)
    for name in usual.names:
        assert other.market.balance_of(name) == usual.market.balance_of(name)
        assert other.market.debt_of(name) == usual.market.debt_of(name)
