"""The committed form in the model: claims, pot, bond, challenge, and every refusal."""

import pytest

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.clearing_forms import BURNED
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Order, Settlement
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule
from cosim.mechanisms.local_market.terms import MarketTerms

RETAIL, FEED_IN, BOND = 300_000, 80_000, 50_000
BUYERS = ("b1", "b2")
SELLERS = ("s1", "s2")
ORDERS = (
    Order("b1", False, 3, 200_500),
    Order("s1", True, 2, 100_500),
    Order("b2", False, 2, 150_500),
    Order("s2", True, 2, 120_500),
)


def market_of(form: ClearingForm, rule: PricingRule = PricingRule.MIDPOINT) -> LocalMarketModel:
    """A market with the orders above, gate closed."""
    terms = MarketTerms(RETAIL, FEED_IN, 2_000, rule, form, clearing_bond_ueur=BOND)
    market = LocalMarketModel("supplier", terms)
    for account in (*BUYERS, *SELLERS, "eve"):
        market.deposit(account, 1_000_000)
    for order in ORDERS:
        market.place_order(0, order)
    return market


def commit(market: LocalMarketModel, committer: str = "eve") -> FillTree:
    """Commit to the true clearing."""
    clearing, tree = market.clear_book(0), market.fill_tree(0)
    prices = clearing.buy_price_ueur_per_kwh, clearing.sell_price_ueur_per_kwh
    market.commit_clearing(0, committer, tree.root, *prices, clearing.volume_wh)
    return tree


def commit_to(market: LocalMarketModel, fills: list[int], buy: int, sell: int) -> FillTree:
    """Commit to anything."""
    tree = FillTree(fills)
    market.commit_clearing(0, "eve", tree.root, buy, sell, 4)
    return tree


@pytest.fixture
def market() -> LocalMarketModel:
    return market_of(ClearingForm.COMMITTED)


def claim(market: LocalMarketModel, tree: FillTree, account: str, fill: int) -> Settlement | None:
    index = next(k for k, order in enumerate(ORDERS) if order.account == account)
    return market.claim_fill(0, account, fill, tree.proof(index))


def held(market: LocalMarketModel) -> int:
    return 5 * 1_000_000 - market.held_total_ueur()


def test_claims_move_money_through_the_pot(market: LocalMarketModel) -> None:
    tree = commit(market)  # 4 Wh at 135.5 µEUR/Wh
    assert market.root_of(0) == tree.root
    assert market.balance_of("eve") == 950_000
    assert market.bond_of(0) == BOND
    assert market.filled_wh_of(0, "b1") == 0
    claim(market, tree, "b1", 3)
    assert market.pot_of(0) == 407  # 406.5, rounded up
    assert market.locked_of(0, "b1") == 602 - 407
    assert market.filled_wh_of(0, "b1") == 3
    claim(market, tree, "s2", 2)
    assert market.pot_of(0) == 407 - 271
    assert market.locked_of(0, "s2") == 359 + 271
    claim(market, tree, "b2", 1)
    assert market.balance_of("supplier") == 0
    claim(market, tree, "s1", 2)
    assert market.pot_of(0) == 0
    assert market.balance_of("supplier") == market_of(ClearingForm.ON_CHAIN).clear(0).surplus_ueur
    assert market.balance_of("supplier") == 407 + 136 - 2 * 271
    assert held(market) == 0


def test_sellers_wait_for_buyers(market: LocalMarketModel) -> None:
    tree = commit(market)
    claim(market, tree, "b2", 1)
    with pytest.raises(ContractRevert, match="buyers have not paid in"):
        claim(market, tree, "s1", 2)
    assert market.pot_of(0) == 136
    assert market.report(0, "s1", 2) is None
    assert market.locked_of(0, "s1") == 399
    with pytest.raises(ContractRevert, match="already reported"):
        market.report(0, "s1", 2)
    claim(market, tree, "b1", 3)
    settlement = claim(market, tree, "s1", 2)
    assert (settlement.contracted_wh, settlement.metered_wh) == (2, 2)
    assert (settlement.trade_ueur, settlement.supplier_ueur) == (271, 0)
    assert market.locked_of(0, "s1") == 0


def test_settlement_after_the_claim(market: LocalMarketModel) -> None:
    tree = commit(market)
    claim(market, tree, "b1", 3)
    settlement = market.report(0, "b1", -5)
    assert (settlement.contracted_wh, settlement.residual_wh) == (-3, -2)
    assert (settlement.trade_ueur, settlement.supplier_ueur) == (-407, -600)
    assert market.balance_of("b1") == 1_000_000 - 407 - 600
    no_order = market.report(0, "eve", -1)
    assert no_order.supplier_ueur == -300
    assert held(market) == 0


@pytest.mark.parametrize("rule", [PricingRule.PAY_AS_BID, PricingRule.MCAFEE])
def test_other_rules_pay_the_same_as_on_chain(rule: PricingRule) -> None:
    on_chain, committed = (
        market_of(form, rule) for form in (ClearingForm.ON_CHAIN, ClearingForm.COMMITTED)
    )
    fills = on_chain.clear(0).fills_wh
    tree = commit(committed)
    for side in (False, True):
        for order, fill in zip(ORDERS, fills, strict=True):
            if order.is_sell == side:
                claim(committed, tree, order.account, fill)
    for order in ORDERS:
        assert committed.report(0, order.account, 1) == on_chain.report(0, order.account, 1)
        assert committed.balance_of(order.account) == on_chain.balance_of(order.account)
    assert committed.balance_of("supplier") == on_chain.balance_of("supplier") > 0


@pytest.mark.parametrize(
    ("account", "fill", "proof_of", "text"),
    [
        ("eve", 0, 0, "no order"),
        ("b1", 2, 0, "not in the root"),
        ("b1", 3, 1, "not in the root"),
        ("b2", 2, 0, "not in the root"),
    ],
)
def test_claims_refused(
    market: LocalMarketModel, account: str, fill: int, proof_of: int, text: str
) -> None:
    tree = commit(market)
    with pytest.raises(ContractRevert) as refused:
        market.claim_fill(0, account, fill, tree.proof(proof_of))
    assert refused.value.text == f"local market: {text}"


def test_claiming_twice(market: LocalMarketModel) -> None:
    tree = commit(market)
    claim(market, tree, "b1", 3)
    with pytest.raises(ContractRevert, match="already claimed"):
        claim(market, tree, "b1", 3)


def test_a_wrong_root_cannot_take_more_than_was_offered(market: LocalMarketModel) -> None:
    tree = commit_to(market, [4, 2, 1, 2], buy=200_000, sell=100_500)
    with pytest.raises(ContractRevert, match="fill above the order"):
        claim(market, tree, "b1", 4)
    for account, fill in (("b2", 1), ("s2", 2)):
        with pytest.raises(ContractRevert, match="price beyond the order"):
            claim(market, tree, account, fill)
    with pytest.raises(ContractRevert, match="buyers have not paid in"):
        claim(market, tree, "s1", 2)
    assert held(market) == 0


def test_nothing_filled_at_any_price(market: LocalMarketModel) -> None:
    tree = commit_to(market, [0, 0, 0, 0], buy=RETAIL, sell=0)
    claim(market, tree, "b2", 0)
    claim(market, tree, "s2", 0)
    market.report(0, "b2", 0)
    assert market.balance_of("b2") == 1_000_000


@pytest.mark.parametrize("wrong", ["root", "buy price", "sell price", "volume"])
def test_a_challenge_puts_the_true_clearing_in_place(market: LocalMarketModel, wrong: str) -> None:
    clearing, root = market.clear_book(0), market.fill_tree(0).root
    market.commit_clearing(
        0,
        "eve",
        bytes(32) if wrong == "root" else root,
        clearing.buy_price_ueur_per_kwh + (wrong == "buy price"),
        clearing.sell_price_ueur_per_kwh - (wrong == "sell price"),
        clearing.volume_wh + (wrong == "volume"),
    )
    assert market.clearing(0) is None
    assert market.challenge_clearing(0, "s1") == clearing
    assert market.clearing(0) == clearing
    assert market.committed_clearing(0) is None
    assert (market.root_of(0), market.bond_of(0), market.pot_of(0)) == (bytes(32), 0, 0)
    assert market.balance_of("s1") == 1_000_000 - 399 + BOND // 2
    assert market.balance_of(BURNED) == BOND - BOND // 2
    assert market.balance_of("eve") == 1_000_000 - BOND
    on_chain = market_of(ClearingForm.ON_CHAIN)
    on_chain.clear(0)
    for order in ORDERS:  # no claims: fills follow from the clearing
        assert market.filled_wh_of(0, order.account) == on_chain.filled_wh_of(0, order.account)
        assert market.locked_of(0, order.account) == on_chain.locked_of(0, order.account)
        assert market.report(0, order.account, 0) == on_chain.report(0, order.account, 0)
    assert market.balance_of("supplier") == on_chain.balance_of("supplier")
    with pytest.raises(ContractRevert, match="no committed clearing"):
        market.challenge_clearing(0, "s1")
    with pytest.raises(ContractRevert, match="no committed clearing"):
        market.claim_fill(0, "b1", 3, ())
    with pytest.raises(ContractRevert, match="already cleared"):
        market.commit_clearing(0, "eve", root, 1, 1, 1)
    with pytest.raises(ContractRevert, match="no bond"):
        market.release_bond(0)
    market.forget(0)
    assert held(market) == 0


def test_a_right_clearing_stands(market: LocalMarketModel) -> None:
    commit(market)
    with pytest.raises(ContractRevert, match="clearing is right"):
        market.challenge_clearing(0, "s1")
    with pytest.raises(ContractRevert, match="already cleared"):
        commit(market)
    market.release_bond(0)
    assert market.balance_of("eve") == 1_000_000
    with pytest.raises(ContractRevert, match="no bond"):
        market.release_bond(0)
    assert held(market) == 0


def test_commitments_refused(market: LocalMarketModel) -> None:
    with pytest.raises(ContractRevert, match="balance too low"):
        market.commit_clearing(0, "nobody", bytes(32), 1, 1, 1)
    for prices in ((2**31, 0), (0, 2**31)):
        with pytest.raises(ContractRevert, match="price out of range"):
            market.commit_clearing(0, "eve", bytes(32), *prices, 1)
    with pytest.raises(ContractRevert, match="energy out of range"):
        market.commit_clearing(0, "eve", bytes(32), 1, 1, 2**41)
    market.deposit("supplier", BOND)
    with pytest.raises(ContractRevert, match="supplier cannot commit"):
        market.commit_clearing(0, "supplier", bytes(32), 1, 1, 1)
    with pytest.raises(ContractRevert, match="no committed clearing"):
        market.challenge_clearing(0, "eve")
    with pytest.raises(ContractRevert, match="no committed clearing"):
        market.claim_fill(0, "b1", 0, ())
    assert market.report(0, "b1", 0).contracted_wh == 0  # nothing was traded
    with pytest.raises(ContractRevert, match="clearing is committed"):
        market.clear(0)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (ClearingForm.ON_CHAIN, "clearing is on chain"),
        (ClearingForm.VERIFIED, "clearing is verified"),
    ],
)
def test_other_forms_take_no_commitment(form: ClearingForm, text: str) -> None:
    market = market_of(form)
    for call in (
        lambda: market.commit_clearing(0, "eve", bytes(32), 1, 1, 1),
        lambda: market.challenge_clearing(0, "eve"),
        lambda: market.claim_fill(0, "b1", 0, ()),
        lambda: market.release_bond(0),
    ):
        with pytest.raises(ContractRevert, match=text):
            call()
    assert market.clear(0).volume_wh == 4


def test_orders_that_nobody_claims_are_settled_as_not_filled(market: LocalMarketModel) -> None:
    tree = commit(market)
    claim(market, tree, "b1", 3)
    assert market.report(0, "b2", -1) is None
    settlement = market.settle_silent(0, "b2")
    assert (settlement.contracted_wh, settlement.trade_ueur) == (0, 0)
    assert (settlement.metered_wh, settlement.estimated) == (-1, False)
    assert market.balance_of("b2") == 1_000_000 - 300
    with pytest.raises(ContractRevert, match="already reported"):
        claim(market, tree, "b2", 1)
    market.report(0, "b1", 0)
    with pytest.raises(ContractRevert, match="already claimed"):
        claim(market, tree, "b1", 3)
    claim(market, tree, "s1", 2)
    assert market.pot_of(0) == 407 - 271
    assert market.balance_of("supplier") == 300 - 240  # b1 sold its 3 Wh to the supplier
    market.settle_silent(0, "s2")  # nobody is left to claim: the rest is the supplier's
    assert market.pot_of(0) == 0
    assert market.balance_of("supplier") == 600_300 - 240 + 407 - 271
    assert held(market) == 0


def test_an_interval_with_a_bond_or_a_pot_is_not_forgotten(market: LocalMarketModel) -> None:
    tree = commit_to(market, [3, 0, 1, 0], buy=135_500, sell=135_500)
    for account, fill in (("b1", 3), ("b2", 1)):
        claim(market, tree, account, fill)
        market.report(0, account, 0)
    assert market.pot_of(0) == 407 + 136
    market.settle_silent(0, "s1")
    with pytest.raises(ValueError, match="interval 0 is not settled for s2"):
        market.forget(0)
    market.settle_silent(0, "s2")
    assert market.pot_of(0) == 0
    with pytest.raises(ValueError, match="interval 0 still holds a bond"):
        market.forget(0)
    market.release_bond(0)
    market.forget(0)
    assert held(market) == 0


def test_a_book_that_does_not_cross_is_final_at_once() -> None:
    terms = MarketTerms(RETAIL, FEED_IN, 0, form=ClearingForm.COMMITTED)
    market = LocalMarketModel("supplier", terms)
    market.deposit("ann", 1_000_000)
    for numbers in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        with pytest.raises(ContractRevert, match="not the clearing"):
            market.commit_clearing(0, "anyone", bytes(32), *numbers)
    market.place_order(0, Order("ann", False, 1_000, 200_000))
    market.commit_clearing(0, "anyone", bytes(32), 0, 0, 0)  # without bond
    assert market.clearing(0) == market.clear_book(0)
    with pytest.raises(ContractRevert, match="no committed clearing"):
        market.challenge_clearing(0, "ann")
    assert market.report(0, "ann", -1_000).supplier_ueur == -300_000  # no claim needed
    market.forget(0)
