"""Sealed orders and every form of clearing through the client, and whether the gas suffices."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cosim.chain.chain import Chain
from cosim.errors import ContractRevert
from cosim.evm.accounts import accounts
from cosim.evm.engine import Receipt, create_engine
from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.clearing import Clearing, clear, ranking
from cosim.mechanisms.local_market.client import (
    LocalMarket,
    challenge_gas,
    pack_ranking,
    verify_gas,
)
from cosim.mechanisms.local_market.deploying import deploy_market
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.metering.client import SmartMeters
from cosim.mechanisms.money.client import EuroToken

GENESIS_S = 1_700_000_000
FIRST_DELIVERY_S = GENESIS_S + 7_200
RETAIL, FEED_IN, BOND, DEPOSIT, RICH = 300_000, 80_000, 70_000, 40_000, 10**9
REVEAL_S, CHALLENGE_S = 60, 300
ISSUER, OPERATOR, SUPPLIER, WATCHER = (
    known.address for known in accounts(7, ["issuer", "operator", "supplier", "watcher"]).values()
)
SALT = keccak(b"nobody can guess this")


@dataclass
class Play:
    chain: Chain
    local: LocalMarket
    settlement: MarketSettlement
    prosumers: dict[str, bytes]

    def done(self, *handles: int) -> list[Receipt]:
        """Mine blocks that must include them all, and successfully."""
        self.chain.mine_until(self.chain.now_s + 4 * self.chain.block_time_s)
        return [included.receipt for included in self.local.check_all(handles)]

    def refused(self, handle: int) -> ContractRevert:
        """Mine a block that includes a transaction which the contract refuses."""
        self.chain.mine_until(self.chain.now_s + self.chain.block_time_s)
        with pytest.raises(ContractRevert) as caught:
            self.local.check(handle)
        return caught.value


def play(
    form: ClearingForm,
    *,
    n: int = 4,
    rule: PricingRule = PricingRule.MIDPOINT,
    sealed: bool = False,
) -> Play:
    chain = Chain(create_engine("revm"), GENESIS_S, 12, 30_000_000)
    token = EuroToken.deploy(chain, ISSUER)
    meters = SmartMeters.deploy(chain, OPERATOR)
    local, settlement = deploy_market(
        chain,
        OPERATOR,
        MarketTerms(RETAIL, FEED_IN, 2_000),
        token=token.address,
        meters=meters.address,
        supplier=SUPPLIER,
        first_delivery_s=FIRST_DELIVERY_S,
        step_s=900,
        order_lead_s=600,
        gate_closure_s=180,
        metering_s=240,
        rule=rule.number,
        form=form.number,
        reveal_s=REVEAL_S if sealed else 0,
        sealed_deposit_ueur=DEPOSIT,
        challenge_s=CHALLENGE_S,
        clearing_bond_ueur=BOND,
    )
    names = [f"a{k}" for k in range(n)]
    prosumers = {name: known.address for name, known in accounts(7, names).items()}
    built = Play(chain, local, settlement, prosumers)
    everyone = (*prosumers.values(), OPERATOR)
    built.done(*(token.mint(ISSUER, who, RICH) for who in everyone))
    built.done(*(token.approve(who, local.address) for who in everyone))
    built.done(*(local.deposit(who, RICH) for who in everyone))
    meter_of = {who: keccak(who)[:20] for who in prosumers.values()}
    built.done(*(meters.register_meter(OPERATOR, meter, who) for who, meter in meter_of.items()))
    built.done(*(local.join(who, meter) for who, meter in meter_of.items()))
    chain.mine_until(FIRST_DELIVERY_S - 600)
    return built


def book(n: int, rule: PricingRule = PricingRule.MIDPOINT) -> tuple[list[Order], Clearing]:
    """Orders that all cross, and their clearing."""
    orders = []
    for k in range(n):
        price = 250_000 - k if k % 2 == 0 else 100_000 + k
        if rule.sets_price:
            price = RETAIL if k % 2 == 0 else 0
        orders.append(Order(f"a{k}", k % 2 == 1, 1_000 + k, price))
    prices = {"retail_price_ueur_per_kwh": RETAIL, "feed_in_price_ueur_per_kwh": FEED_IN}
    return orders, clear(orders, rule, **prices)


def place(market: Play, orders: list[Order]) -> None:
    market.done(
        *(
            market.local.place_order(
                market.prosumers[o.account], 0, o.is_sell, o.energy_wh, o.price_ueur_per_kwh
            )
            for o in orders
        )
    )
    market.chain.mine_until(FIRST_DELIVERY_S - 180)


def result(clearing: Clearing) -> tuple[int, int, int]:
    prices = clearing.buy_price_ueur_per_kwh, clearing.sell_price_ueur_per_kwh
    return (*prices, clearing.volume_wh)


def test_ranking_packs_sixteen_indexes_a_word() -> None:
    words = pack_ranking([*range(17)])
    assert len(words) == 2
    assert [(words[0] >> 16 * k) & 0xFFFF for k in range(16)] == [*range(16)]
    assert words[0] < 2**256
    assert words[1] == 16
    assert pack_ranking([]) == []


def test_sealed_order_is_shown_and_cleared() -> None:
    market = play(ClearingForm.ON_CHAIN, n=2, sealed=True)
    local, (buyer, seller) = market.local, market.prosumers.values()
    orders = {buyer: (0, False, 1_000, 200_000), seller: (0, True, 1_000, 100_000)}
    seals = {who: local.sealed(who, *order, SALT) for who, order in orders.items()}
    market.done(*(local.commit_order(who, 0, seal) for who, seal in seals.items()))
    assert market.settlement.view("isSealed", 0, buyer) == [True]
    assert market.settlement.view("lockedOf", 0, buyer) == [DEPOSIT]
    market.chain.mine_until(FIRST_DELIVERY_S - 180)
    wrong = market.refused(local.reveal_order(buyer, *orders[buyer], bytes(32)))
    assert (wrong.text, wrong.function) == ("local market: not what was sealed", "revealOrder")
    assert wrong.arguments["salt"] == "0x" + "00" * 32
    assert wrong.arguments["energy_wh"] == 1_000
    for who, order in orders.items():
        local.reveal_order(who, *order, SALT)
    market.chain.mine_until(FIRST_DELIVERY_S - 180 + REVEAL_S)
    assert market.settlement.view("isSealed", 0, buyer) == [False]
    market.done(local.clear(OPERATOR, 0, 2))
    assert local.view("clearingOf", 0) == [True, 150_000, 150_000, 1_000, 2]


@pytest.mark.parametrize("rule", PricingRule)
@pytest.mark.parametrize("n", [2, 65])
def test_verified_clearing_and_its_gas(n: int, rule: PricingRule) -> None:
    market = play(ClearingForm.VERIFIED, n=n, rule=rule)
    orders, clearing = book(n, rule)
    place(market, orders)
    wrong = market.refused(
        market.local.clear_verified(OPERATOR, 0, ranking(orders), 1, 2, clearing.volume_wh)
    )
    crossed = rule is not PricingRule.MCAFEE or n > 2
    assert wrong.text == "local market: not the clearing"
    assert wrong.function == "clearVerified"
    assert wrong.arguments["ranking"] == pack_ranking(ranking(orders))
    (receipt,) = market.done(
        market.local.clear_verified(OPERATOR, 0, ranking(orders), *result(clearing))
    )
    assert market.local.view("clearingOf", 0) == [True, *result(clearing), n]
    assert receipt.gas_used < 0.9 * verify_gas(n)
    assert (clearing.volume_wh > 0) == crossed


@pytest.mark.parametrize("n", [2, 65])
def test_committed_clearing_claims_and_their_gas(n: int) -> None:
    market = play(ClearingForm.COMMITTED, n=n)
    orders, clearing = book(n)
    place(market, orders)
    local, fills = market.local, clearing.fills_wh
    tree = FillTree(fills)
    market.done(local.commit_clearing(OPERATOR, 0, tree.root, *result(clearing)))
    assert local.view("rootOf", 0) == [tree.root]
    committer, committed_at_s = local.view("commitmentOf", 0)
    assert committer == OPERATOR
    assert local.view("bondOf", 0) == [BOND]
    early = market.refused(
        market.settlement.claim_fill(WATCHER, 0, market.prosumers["a0"], fills[0], [])
    )
    assert early.text == "local market: clearing may still be challenged"
    market.chain.mine_until(committed_at_s + CHALLENGE_S + 12)
    supplier = local.balance_of(SUPPLIER)
    gas = 0
    for sells in (False, True):
        handles = [
            market.settlement.claim_fill(
                WATCHER, 0, market.prosumers[o.account], fills[k], tree.proof(k)
            )
            for k, o in enumerate(orders)
            if o.is_sell == sells
        ]
        gas = max(gas, *(receipt.gas_used for receipt in market.done(*handles)))
        assert (market.settlement.pot_of(0) == 0) == sells
    limit = MarketSettlement.claim_fill.gas
    assert isinstance(limit, int)
    assert gas < 0.9 * limit
    assert market.settlement.view("isClaimed", 0, market.prosumers["a1"]) == [True]
    assert market.settlement.order_of(0, market.prosumers["a1"]).filled_wh == fills[1]
    assert local.balance_of(SUPPLIER) - supplier == clearing.surplus_ueur
    market.done(local.release_bond(WATCHER, 0))
    assert local.view("bondOf", 0) == [0]
    assert local.balance_of(OPERATOR) == RICH


@pytest.mark.parametrize("rule", PricingRule)
def test_challenge_and_its_gas(rule: PricingRule) -> None:
    market = play(ClearingForm.COMMITTED, n=65, rule=rule)
    orders, clearing = book(65, rule)
    place(market, orders)
    local = market.local
    market.done(local.commit_clearing(OPERATOR, 0, bytes(32), *result(clearing)))
    (receipt,) = market.done(local.challenge_clearing(WATCHER, 0, ranking(orders)))
    assert receipt.gas_used < 0.9 * challenge_gas(65)
    assert local.view("clearingOf", 0) == [True, *result(clearing), 65]
    assert local.balance_of(WATCHER) == BOND // 2
    assert local.view("rootOf", 0) == [bytes(32)]
    assert local.view("commitmentOf", 0) == [bytes(20), 0]
