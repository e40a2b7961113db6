"""Two intervals of the real contracts through the clients, the same on both engines."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pytest
from receipts import receipts_of

from cosim.chain.chain import Chain
from cosim.errors import ContractRevert, EngineError
from cosim.evm.accounts import accounts
from cosim.evm.engine import Receipt, create_engine
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
from cosim.mechanisms.flexibility_market.calling import CallingTerms
from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
from cosim.mechanisms.local_market.client import LocalMarket, Reading, clear_gas
from cosim.mechanisms.local_market.deploying import deploy_market
from cosim.mechanisms.local_market.settlement_client import MarketSettlement, OrderState
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.metering.client import SmartMeters
from cosim.mechanisms.money.client import EuroToken

GENESIS_S = 1_700_000_000
FIRST_DELIVERY_S = GENESIS_S + 3_600
EUR = 10**6
NAMES = ("issuer", "operator", "supplier", "dso", "buyer", "seller", "idler")
ADDRESSES = {name: known.address for name, known in accounts(3, NAMES).items()}
METERS = {
    name: known.address for name, known in accounts(3, ("buyer m", "seller m", "idler m")).items()
}
ISSUER, OPERATOR, SUPPLIER, DSO, BUYER, SELLER, IDLER = ADDRESSES.values()
MEMBERS = dict(zip(METERS.values(), (BUYER, SELLER, IDLER), strict=True))


OPEN_ON_CHAIN = dict.fromkeys(
    ("rule", "form", "reveal_s", "sealed_deposit_ueur", "challenge_s", "clearing_bond_ueur"), 0
)
"""Terms of a market whose orders are open and whose contract clears, at midpoint."""


@dataclass
class Market:
    chain: Chain
    token: EuroToken
    meters: SmartMeters
    local: LocalMarket
    settlement: MarketSettlement
    flexibility: FlexibilityMarket
    receipts: list[Receipt]

    def done(self, *handles: int) -> None:
        """Mine a block that must include them all, and successfully."""
        self.receipts += receipts_of(self.local, handles)


def market(engine: str) -> Market:
    chain = Chain(create_engine(engine), GENESIS_S, 12, 30_000_000)
    token = EuroToken.deploy(chain, ISSUER)
    meters = SmartMeters.deploy(chain, OPERATOR)
    local, settlement = deploy_market(
        chain,
        OPERATOR,
        MarketTerms(300_000, 80_000, 2_000),
        token=token.address,
        meters=meters.address,
        supplier=SUPPLIER,
        first_delivery_s=FIRST_DELIVERY_S,
        step_s=900,
        order_lead_s=600,
        gate_closure_s=180,
        metering_s=240,
        **OPEN_ON_CHAIN,
    )
    flexibility = FlexibilityMarket.deploy(
        chain,
        OPERATOR,
        BaselineTerms(),
        CallingTerms(),
        token=token.address,
        local_market=local.address,
        dso=DSO,
        penalty_ueur_per_kwh=600_000,
        is_uncapped=False,
    )
    built = Market(chain, token, meters, local, settlement, flexibility, [])
    everyone = (SUPPLIER, DSO, BUYER, SELLER, IDLER)
    built.done(*(token.mint(ISSUER, who, 100 * EUR) for who in everyone))
    built.done(
        *(token.approve(who, local.address) for who in everyone),
        *(token.approve(who, flexibility.address) for who in everyone),
    )
    built.done(
        *(local.deposit(who, 50 * EUR) for who in everyone),
        *(flexibility.deposit(who, 30 * EUR) for who in everyone),
    )
    built.done(*(meters.register_meter(OPERATOR, meter, who) for meter, who in MEMBERS.items()))
    built.done(*(local.join(who, meter) for meter, who in MEMBERS.items()))
    return built


@functools.cache
def played(engine: str) -> Market:
    """Interval 0: traded, supported by flexibility, metered but for the idler, settled."""
    play = market(engine)
    local, flexibility, chain = play.local, play.flexibility, play.chain
    chain.mine_until(FIRST_DELIVERY_S - 600)
    play.done(
        local.place_order(BUYER, 0, False, 3_000, 250_000),
        local.place_order(SELLER, 0, True, 2_000, 150_000),
    )
    chain.mine_until(FIRST_DELIVERY_S - 180)
    play.done(local.clear(OPERATOR, 0, 2))
    opened = flexibility.open_request(DSO, 0, True, 4_000, 500_000)
    play.done(opened)
    included = flexibility.check(opened)
    assert included is not None
    request = int.from_bytes(included.receipt.output, "big")
    assert request == 1
    play.done(
        flexibility.offer(BUYER, request, -3_000, [1_000], [400_000], interval=0),
        flexibility.offer(SELLER, request, 2_000, [500, 1_000], [300_000, 300_000], interval=0),
    )
    play.done(flexibility.award(DSO, request, [BUYER, SELLER], [500, 1_000], interval=0))
    chain.mine_until(FIRST_DELIVERY_S + 900)
    buyer_meter, seller_meter, _ = METERS.values()
    settlement = play.settlement
    play.done(settlement.report(buyer_meter, 0, -2_600), settlement.report(seller_meter, 0, 3_000))
    chain.mine_until(FIRST_DELIVERY_S + 900 + 240)
    play.done(settlement.settle_silent(OPERATOR, 0, IDLER))
    play.done(
        flexibility.settle(OPERATOR, request, [BUYER, SELLER, IDLER], interval=0),
        flexibility.close_request(OPERATOR, request, interval=0),
        local.withdraw(SELLER, EUR),
        flexibility.withdraw(SELLER, EUR),
    )
    return play


@pytest.fixture(params=["revm", "py-evm"])
def play(request: pytest.FixtureRequest) -> Market:
    return played(request.param)


def test_both_engines_give_the_same_receipts_and_storage() -> None:
    revm, py_evm = played("revm"), played("py-evm")
    assert revm.receipts == py_evm.receipts
    assert len(revm.receipts) > 40
    for name in ("token", "meters", "local", "flexibility"):
        address = getattr(revm, name).address
        assert address == getattr(py_evm, name).address
        assert revm.chain.engine.code(address) == py_evm.chain.engine.code(address)
        root = revm.chain.engine.storage_root(address)
        assert root == py_evm.chain.engine.storage_root(address)


def test_views(play: Market) -> None:
    local, flexibility = play.local, play.flexibility
    assert local.view("clearingOf", 0) == [True, 200_000, 200_000, 2_000, 2]
    assert local.view("clearingOf", 1) == [False, 0, 0, 0, 0]
    assert play.settlement.order_of(0, BUYER) == OrderState(False, 250_000, 3_000, 2_000)
    assert play.settlement.order_of(0, IDLER) == OrderState(False, 0, 0, 0)
    assert local.reading_of(0, BUYER) == Reading(True, False, -2_600)
    assert local.reading_of(0, IDLER) == Reading(True, True, -2_000)
    assert local.view("isMember", SELLER) == [True]
    assert local.view("isMember", SUPPLIER) == [False]
    assert flexibility.view("requestOf", 1) == [0, True, 4_000, 500_000, 1_500, True]
    assert flexibility.view("offerOf", 1, SELLER) == [1_500, 300_000, 2_000, 1_000, 0, True]
    assert flexibility.view("requestCount") == [1]
    assert play.meters.is_valid(METERS["buyer m"])
    assert play.meters.view("customerOf", METERS["buyer m"]) == [BUYER]


def test_money(play: Market) -> None:
    local, flexibility, token = play.local, play.flexibility, play.token
    # bought 2 kWh at 0.20, 0.6 kWh beyond at the retail price of 0.30
    assert local.balance_of(BUYER) == 50 * EUR - 400_000 - 180_000
    # sold 2 kWh at 0.20, 1 kWh beyond at the feed-in price of 0.08, and withdrew
    assert local.balance_of(SELLER) == 50 * EUR + 400_000 + 80_000 - EUR
    # the agreed estimate of 2 kWh at 0.30
    assert local.balance_of(IDLER) == 50 * EUR - 600_000
    # delivered 0.4 of 0.5 kWh at 0.40, and the penalty of 0.60 for the rest
    assert flexibility.balance_of(BUYER) == 30 * EUR + 160_000 - 60_000
    assert flexibility.balance_of(SELLER) == 30 * EUR + 300_000 - EUR
    assert flexibility.balance_of(DSO) == 30 * EUR - 160_000 - 300_000 + 60_000
    assert local.view("debtOf", IDLER) == local.view("claimOf", SELLER) == [0]
    assert (
        play.settlement.view("lockedOf", 0, BUYER) == flexibility.view("lockedOf", 1, BUYER) == [0]
    )
    assert flexibility.view("escrowOf", 1) == [0]
    assert token.balance_of(SELLER) == 20 * EUR + 2 * EUR
    assert token.total_supply() == 500 * EUR
    assert token.view("allowance", BUYER, local.address)[0] > 0


def test_refusals_name_function_and_arguments(play: Market) -> None:
    handle = play.local.place_order(IDLER, 0, True, 500, 90_000)
    play.chain.mine_until(play.chain.now_s + 12)
    with pytest.raises(ContractRevert) as caught:
        play.local.check(handle)
    assert caught.value.text == "local market: gate closed"
    assert (caught.value.contract, caught.value.function) == ("LocalMarket", "placeOrder")
    assert caught.value.arguments == {
        "interval": 0,
        "is_sell": True,
        "energy_wh": 500,
        "price_ueur_per_kwh": 90_000,
    }
    handle = play.flexibility.award(BUYER, 1, [SELLER], [5])
    play.chain.mine_until(play.chain.now_s + 12)
    with pytest.raises(ContractRevert, match="not the DSO") as caught:
        play.flexibility.check(handle)
    assert caught.value.arguments["accounts"] == [SELLER]
    assert caught.value.arguments["energies_wh"] == [5]


def test_pending_is_not_a_refusal(play: Market) -> None:
    handle = play.token.transfer(BUYER, SELLER, 1, sent_at_s=play.chain.now_s + 10_000)
    assert play.token.check(handle) is None
    with pytest.raises(EngineError, match="in no block"):
        play.token.check_all([handle])
    play.chain.drop([handle])


def test_a_view_of_nothing(play: Market) -> None:
    with pytest.raises(EngineError, match="no EuroToken at 0x"):
        EuroToken.at(play.chain, b"\x07" * 20).balance_of(BUYER)


def test_events_of_a_transaction() -> None:
    play = market("revm")
    handle = play.token.transfer(BUYER, SELLER, 77)
    play.done(handle)
    included = play.token.check(handle)
    assert included is not None
    transfer = ("Transfer", {"sender": BUYER, "receiver": SELLER, "value": 77})
    assert play.token.events(included) == [transfer]
    assert play.token.events(included, ("Approval", "Transfer")) == [transfer]
    assert play.token.events(included, ("Approval",)) == []
    assert play.local.events(included) == []


@pytest.mark.parametrize("side", ["all cross", "one price", "none cross"])
def test_gas_limit_of_clearing_suffices(side: str) -> None:
    n = 128  # just beyond a power of two, the merge sort needs a pass more
    names = [f"p{i}" for i in range(n + 1)]
    holders = [known.address for known in accounts(5, names).values()]
    play = market("revm")
    token, meters, local, chain = play.token, play.meters, play.local, play.chain
    steps = [
        lambda i, who: token.mint(ISSUER, who, EUR),
        lambda i, who: token.approve(who, local.address),
        lambda i, who: local.deposit(who, EUR),
        lambda i, who: meters.register_meter(OPERATOR, bytes(19) + bytes([i + 1]), who),
        lambda i, who: local.join(who, bytes(19) + bytes([i + 1])),
    ]
    for step in steps:
        handles = [step(i, who) for i, who in enumerate(holders)]
        chain.mine_until(chain.now_s + 36)
        local.check_all(handles)
    chain.mine_until(FIRST_DELIVERY_S - 600)
    handles = []
    for i, who in enumerate(holders):
        sells = i % 2 == 0
        price = {"all cross": 100_000 + i if sells else 290_000 - i, "one price": 200_000}.get(
            side, 200_001 + i if sells else 200_000 - i
        )
        handles.append(local.place_order(who, 0, sells, 1_000 + i, price))
    chain.mine_until(chain.now_s + 36)
    local.check_all(handles)
    chain.mine_until(FIRST_DELIVERY_S - 180)
    handle = local.clear(OPERATOR, 0, n + 1)
    chain.mine_until(chain.now_s + 12)
    included = local.check(handle)
    assert included is not None
    assert local.view("clearingOf", 0)[-1] == n + 1
    assert included.receipt.gas_used < 0.9 * clear_gas(n + 1)
    # an order is read only if any cross
    assert included.receipt.gas_used > 0.25 * clear_gas(n + 1 if side != "none cross" else 0)
