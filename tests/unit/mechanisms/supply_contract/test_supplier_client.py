"""Client of the supply contract: Python values in and out, and refusals that say what was asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cosim.chain.chain import Chain
from cosim.errors import ContractRevert
from cosim.evm.accounts import account
from cosim.evm.engine import create_engine
from cosim.mechanisms.metering.client import SmartMeters
from cosim.mechanisms.money.client import EuroToken
from cosim.mechanisms.supply_contract.client import Supplier, SupplierAccounts
from cosim.mechanisms.supply_contract.model import Subscription
from cosim.mechanisms.supply_contract.terms import SupplyTerms

ISSUER, OPERATOR, SELLER, CUSTOMER, METER = (
    account(1, name).address for name in ("issuer", "operator", "supplier", "customer", "meter")
)
TERMS = SupplyTerms(
    first_block=30,
    period_blocks=20,
    subscription_blocks=12,
    declaration_blocks=6,
    payment_blocks=7,
    price_ueur_per_kwh=300_000,
    price_cap_ueur_per_kwh=500_000,
    silent_estimate_wh=2_000,
    least_deposit_ueur=1_000_000,
    credit_limit_ueur=50_000,
)


class World:
    """A chain of one-second blocks with a customer, its meter and tokens."""

    def __init__(self) -> None:
        self.chain = Chain(create_engine("revm"), 0, 1, 30_000_000)
        self.token = EuroToken.deploy(self.chain, ISSUER)
        self.meters = SmartMeters.deploy(self.chain, OPERATOR)
        self.client = Supplier.deploy(
            self.chain, SELLER, TERMS, token=self.token.address, meters=self.meters.address
        )
        self.token.mint(ISSUER, CUSTOMER, 10**9)
        self.token.approve(CUSTOMER, self.client.address)
        self.meters.register_meter(OPERATOR, METER, CUSTOMER)
        self.goto(TERMS.opens_at(0))

    def goto(self, block: int) -> None:
        """Transactions sent now are in this block."""
        self.chain.mine_until(block - 1)

    def done(self, handle: int) -> None:
        self.chain.mine_until(self.chain.now_s + 1)
        self.client.check_all([handle])


@pytest.fixture
def world() -> World:
    return World()


def test_terms_are_what_was_deployed(world: World) -> None:
    token, meters, supplier, times, terms = world.client.view("terms")
    assert (token, meters, supplier) == (world.token.address, world.meters.address, SELLER)
    moments = (TERMS.opens_at(0), TERMS.starts_at(0), TERMS.declaration_at(0))
    moments += (TERMS.payment_at(0), TERMS.over_at(0), TERMS.period_blocks)
    assert times == sum(block << (40 * k) for k, block in enumerate(moments))
    estimate, deposit = TERMS.silent_estimate_wh << 32, TERMS.least_deposit_ueur << 128
    limit = TERMS.credit_limit_ueur << 64
    assert terms == TERMS.price_cap_ueur_per_kwh + estimate + limit + deposit
    assert world.client.view("priceOf", 0) == [TERMS.price_ueur_per_kwh]
    again = Supplier.at(world.chain, world.client.address)
    assert again.view("terms") == world.client.view("terms")


def test_a_subscription_from_start_to_end(world: World) -> None:
    client, now = world.client, world.done
    now(client.subscribe_user(CUSTOMER, METER, 0, 2_000_000))
    assert client.subscription_of(CUSTOMER, METER) == Subscription(2_000_000, 0, 0, 2**24 - 1, None)
    now(client.set_price(SELLER, 1, 400_000))
    assert [client.view("priceOf", period)[0] for period in range(3)] == [300_000, 400_000, 400_000]
    world.goto(TERMS.declaration_at(0))
    now(client.declare_period(METER, 0, 7_000))
    assert client.subscription_of(CUSTOMER, METER).declared_wh == 7_000
    world.goto(TERMS.payment_at(0))
    now(client.payment_period(CUSTOMER, 0, CUSTOMER, METER))
    assert client.subscription_of(CUSTOMER, METER).debt_ueur == 100_000
    assert client.accounts_of() == SupplierAccounts(0, 2_000_000, 0)
    now(client.top_up(CUSTOMER, METER, 900_000))
    assert client.subscription_of(CUSTOMER, METER).deposit_ueur == 800_000
    now(client.unsubscribe_user(CUSTOMER, CUSTOMER, METER))
    world.goto(TERMS.over_at(0))
    now(client.finalize(OPERATOR, 0))
    now(client.withdraw_proceeds(OPERATOR))
    assert world.token.balance_of(SELLER) == 2_100_000
    world.goto(TERMS.over_at(1))
    now(client.payment_period(OPERATOR, 1, CUSTOMER, METER))
    now(client.withdraw(CUSTOMER, METER))
    assert world.token.balance_of(CUSTOMER) == 10**9 - 2_900_000
    assert client.subscription_of(CUSTOMER, METER) == Subscription(0, 0, 2, 2, None)


def test_many_periods_behind_fit_the_gas_limit(world: World) -> None:
    client = world.client
    world.done(client.subscribe_user(CUSTOMER, METER, 0, 10**8))
    world.goto(TERMS.declaration_at(64))
    world.done(client.declare_period(METER, 64, 1_000, periods_behind=64))
    assert client.subscription_of(CUSTOMER, METER).next_period == 64


def test_refusal_tells_text_function_and_arguments(world: World) -> None:
    handle = world.client.declare_period(METER, 7, 1_234)
    world.chain.mine_until(world.chain.now_s + 1)
    with pytest.raises(ContractRevert) as refused:
        world.client.check(handle)
    assert refused.value.text == "supplier: not declaration phase"
    assert (refused.value.contract, refused.value.function) == ("Supplier", "declarePeriod")
    assert refused.value.arguments == {"period": 7, "energy_wh": 1_234}


def test_refused_deployment_tells_why(world: World) -> None:
    with pytest.raises(ContractRevert, match="supplier: phases do not fit"):
        Supplier.deploy(
            world.chain,
            SELLER,
            replace(TERMS, first_block=100, payment_blocks=15),
            token=world.token.address,
            meters=world.meters.address,
        )


def test_model_terms_count_blocks() -> None:
    assert [TERMS.opens_at(1), TERMS.starts_at(1)] == [38, 50]
    assert [TERMS.declaration_at(1), TERMS.payment_at(1), TERMS.over_at(1)] == [70, 76, 83]
    assert [TERMS.begun(30, block) for block in (0, 29, 30, 49, 50)] == [0, 0, 1, 1, 2]
    assert TERMS.begun(30, 2**60) == 2**24 - 1
