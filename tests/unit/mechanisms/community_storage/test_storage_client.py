"""Two intervals of a shared battery through the client, the same on both engines."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pytest
from receipts import receipts_of

from cosim.chain.chain import Chain
from cosim.errors import ContractRevert
from cosim.evm.accounts import accounts
from cosim.evm.engine import ZERO_ADDRESS, Receipt, create_engine
from cosim.mechanisms.community_storage.accounts import StorageAccount
from cosim.mechanisms.community_storage.client import CommunityStorage, StorageReading
from cosim.mechanisms.community_storage.model import Nominated
from cosim.mechanisms.local_market.deploying import deploy_market
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.metering.client import SmartMeters
from cosim.mechanisms.money.client import EuroToken

GENESIS_S = 1_700_000_000
FIRST_DELIVERY_S = GENESIS_S + 6_000
STEP_S, LEAD_S, GATE_S, METERING_S = 900, 600, 180, 240
ISSUER, OPERATOR, SUPPLIER, OWNER, ANN, BOB, OWNER_METER, ANN_METER, BOB_METER = (
    known.address for known in accounts(5, tuple("iosnabxyz")).values()
)


OPEN_ON_CHAIN = dict.fromkeys(
    ("rule", "form", "reveal_s", "sealed_deposit_ueur", "challenge_s", "clearing_bond_ueur"), 0
)
"""Terms of a market whose orders are open and whose contract clears, at midpoint."""


@dataclass
class Story:
    chain: Chain
    storage: CommunityStorage
    receipts: list[Receipt]

    def done(self, *handles: int) -> None:
        """Mine a block that must include them all, and successfully."""
        self.receipts += receipts_of(self.storage, handles)


@functools.cache
def played(engine: str) -> Story:
    """Ann stores 1 000 Wh, sells a share to Bob and takes 500 Wh out; 21 Wh are lost."""
    chain = Chain(create_engine(engine), GENESIS_S, 12, 30_000_000)
    token = EuroToken.deploy(chain, ISSUER)
    meters = SmartMeters.deploy(chain, OPERATOR)
    market, _ = deploy_market(
        chain,
        OPERATOR,
        MarketTerms(300_000, 80_000, 0),
        token=token.address,
        meters=meters.address,
        supplier=SUPPLIER,
        first_delivery_s=FIRST_DELIVERY_S,
        step_s=STEP_S,
        order_lead_s=LEAD_S,
        gate_closure_s=GATE_S,
        metering_s=METERING_S,
        **OPEN_ON_CHAIN,
    )
    storage = CommunityStorage.deploy(
        chain,
        OPERATOR,
        token=token.address,
        local_market=market.address,
        meters=meters.address,
        owner=OWNER,
        meter=OWNER_METER,
        total_shares=10,
        share_price_ueur=1_000,
        capacity_wh=10_000,
        power_wh=5_000,
        charge_permille=950,
        discharge_permille=950,
        loss_limit_wh=100,
        retail_price_ueur_per_kwh=300_000,
        feed_in_price_ueur_per_kwh=80_000,
        prices=ZERO_ADDRESS,
        order_lead_s=LEAD_S,
        gate_closure_s=GATE_S,
    )
    story = Story(chain, storage, [])
    members = ((ANN, ANN_METER), (BOB, BOB_METER), (OWNER, OWNER_METER))
    story.done(
        *(token.mint(ISSUER, account, 50_000) for account, _ in members),
        *(token.approve(account, storage.address) for account, _ in members),
        *(meters.register_meter(OPERATOR, meter, account) for account, meter in members),
    )
    story.done(
        *(market.join(account, meter) for account, meter in members),
        *(storage.deposit(account, 50_000) for account, _ in members),
    )
    story.done(storage.buy_shares(ANN, 6), storage.offer_shares(ANN, BOB, 2, 700))
    chain.mine_until(FIRST_DELIVERY_S - LEAD_S)
    story.done(storage.nominate(ANN, 0, 1_000))
    chain.mine_until(FIRST_DELIVERY_S + STEP_S)
    story.done(storage.report_storage(OWNER_METER, 0, -1_021))
    story.done(storage.accept_shares(BOB, ANN, 2, 700))
    chain.mine_until(FIRST_DELIVERY_S + 2 * STEP_S - LEAD_S)
    story.done(storage.nominate(ANN, 2, -500))
    chain.mine_until(FIRST_DELIVERY_S + 3 * STEP_S)
    story.done(storage.report_storage(OWNER_METER, 2, 600), storage.offer_shares(ANN, BOB, 1, 9))
    story.done(storage.settle(ANN, [ANN, BOB, OWNER], interval=2), storage.withdraw(BOB, 300))
    return story


@pytest.fixture(params=["revm", "py-evm"])
def story(request: pytest.FixtureRequest) -> Story:
    return played(request.param)


def test_both_engines_give_the_same_receipts() -> None:
    assert played("revm").receipts == played("py-evm").receipts
    assert len(played("revm").receipts) == 25


def test_views(story: Story) -> None:
    storage = story.storage
    assert storage.account_of(ANN) == StorageAccount(4, 950 - 527, 3)
    assert storage.account_of(BOB) == StorageAccount(2, 0, 0)
    assert storage.view("limitsOf", ANN) == [4_000, 2_000]
    assert storage.view("nominationOf", 2, ANN) == [-500]
    assert storage.nominated_of(0) == Nominated(1_000, 0, 950, 0)
    assert storage.nominated_of(2) == Nominated(0, 500, 0, 527)
    assert storage.reading_of(0) == StorageReading(True, -1_021, 21)
    assert storage.reading_of(1) == StorageReading(False, 0, 0)
    assert storage.reading_of(2) == StorageReading(True, 600, -100)
    # 21 Wh at 0.30: 6 300 µEUR, 630 a share; 100 Wh at 0.08: 8 000 µEUR, 800 a share
    assert storage.view("perShare") == [630, 800]
    assert storage.balance_of(ANN) == 50_000 - 6_000 - 6 * 630 + 700 + 4 * 800
    assert storage.balance_of(BOB) == 50_000 - 700 + 2 * 800 - 300
    assert storage.balance_of(OWNER) == 50_000 + 6_000 + 6 * 630 - 8_000 + 4 * 800
    assert storage.view("offerOf", ANN, BOB) == [1, 9]
    assert storage.accrued_of(ANN) == (0, 0)
    assert storage.view("setAside") == storage.view("ownerOwes") == [storage.debt_of(ANN)] == [0]


def test_refusal_names_function_and_arguments(story: Story) -> None:
    handle = story.storage.nominate(BOB, 0, 1)
    story.chain.mine_until(story.chain.now_s + 12)
    with pytest.raises(ContractRevert) as caught:
        story.storage.check(handle)
    assert caught.value.text == "community storage: gate closed"
    assert caught.value.function == "nominate"
    assert caught.value.arguments == {"interval": 0, "energy_wh": 1}
