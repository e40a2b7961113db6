"""One hour of certificates through the client, the same on both engines."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pytest
from receipts import receipts_of

from cosim.chain.chain import Chain
from cosim.errors import ContractRevert
from cosim.evm.accounts import accounts
from cosim.evm.engine import Receipt, create_engine
from cosim.mechanisms.green_certificates.client import ConsumptionState, GreenCertificates
from cosim.mechanisms.green_certificates.model import HourTotals
from cosim.mechanisms.metering.client import SmartMeters
from cosim.mechanisms.money.client import EuroToken

GENESIS_S = 1_700_000_000
FIRST_DELIVERY_S = (GENESIS_S // 3_600 + 1) * 3_600
HOUR = FIRST_DELIVERY_S // 3_600
ISSUER, OPERATOR, PRODUCER, BUYER, PRODUCER_METER, BUYER_METER = (
    known.address
    for known in accounts(3, ("issuer", "operator", "producer", "buyer", "pm", "bm")).values()
)


@dataclass
class Hour:
    chain: Chain
    certificates: GreenCertificates
    receipts: list[Receipt]

    def done(self, *handles: int) -> None:
        """Mine a block that must include them all, and successfully."""
        self.receipts += receipts_of(self.certificates, handles)


@functools.cache
def played(engine: str) -> Hour:
    """The producer keeps 300 of 1 000 Wh, sells 400 of the rest at 2 EUR/MWh, cancels, gives."""
    chain = Chain(create_engine(engine), GENESIS_S, 12, 30_000_000)
    token = EuroToken.deploy(chain, ISSUER)
    meters = SmartMeters.deploy(chain, OPERATOR)
    certificates = GreenCertificates.deploy(
        chain,
        OPERATOR,
        token=token.address,
        meters=meters.address,
        first_delivery_s=FIRST_DELIVERY_S,
        step_s=900,
        metering_s=240,
    )
    hour = Hour(chain, certificates, [])
    hour.done(
        token.mint(ISSUER, BUYER, 10_000),
        token.approve(BUYER, certificates.address),
        meters.register_meter(OPERATOR, PRODUCER_METER, PRODUCER),
        meters.register_meter(OPERATOR, BUYER_METER, BUYER),
    )
    hour.done(certificates.deposit(BUYER, 10_000))
    chain.mine_until(FIRST_DELIVERY_S + 900)
    hour.done(
        certificates.record(PRODUCER_METER, 0, 1_000, 300),
        certificates.record(BUYER_METER, 0, 0, 700),
    )
    offered = certificates.offer(PRODUCER, HOUR, 700, 2_000, interval=0)
    hour.done(offered)
    number = int.from_bytes(hour.receipts[-1].output, "big")
    assert number == 1
    hour.done(
        certificates.retire(PRODUCER, HOUR, 300, interval=0),
        certificates.buy(BUYER, number, 400, interval=0),
    )
    hour.done(certificates.cancel_offer(PRODUCER, number, interval=0))
    hour.done(certificates.transfer(PRODUCER, HOUR, BUYER, 50, interval=0))
    hour.done(certificates.retire(BUYER, HOUR, 420), certificates.withdraw(PRODUCER, 500))
    return hour


@pytest.fixture(params=["revm", "py-evm"])
def hour(request: pytest.FixtureRequest) -> Hour:
    return played(request.param)


def test_both_engines_give_the_same_receipts() -> None:
    assert played("revm").receipts == played("py-evm").receipts
    assert len(played("revm").receipts) == 14


def test_views(hour: Hour) -> None:
    certificates = hour.certificates
    assert certificates.totals_of(HOUR) == HourTotals(1_000, 1_000, 720)
    assert certificates.consumption_of(HOUR, PRODUCER) == ConsumptionState(300, 300, 0)
    assert certificates.consumption_of(HOUR, BUYER) == ConsumptionState(700, 420, 280)
    assert certificates.held_of(HOUR, PRODUCER) == 250
    assert certificates.held_of(HOUR, BUYER) == 30
    assert certificates.balance_of(BUYER) == 10_000 - 800
    assert certificates.balance_of(PRODUCER) == 300
    assert certificates.view("offerCount") == [1]
    assert certificates.view("offerOf", 1) == [bytes(20), 0, 0, 0]
    assert certificates.view("isRecorded", 0, BUYER_METER) == [True]
    assert certificates.view("isRecorded", 1, BUYER_METER) == [False]
    hours = [certificates.view("hourOf", interval) for interval in (0, 3, 4)]
    assert hours == [[HOUR], [HOUR], [HOUR + 1]]
    assert certificates.view("recordDeadlineOf", 1) == [FIRST_DELIVERY_S + 1_800 + 240]


def test_refusal_names_function_and_arguments(hour: Hour) -> None:
    certificates = hour.certificates
    handle = certificates.record(PRODUCER_METER, 0, 1, 2)
    hour.chain.mine_until(hour.chain.now_s + 12)
    with pytest.raises(ContractRevert) as caught:
        certificates.check(handle)
    assert caught.value.text == "green certificates: already recorded"
    assert caught.value.function == "record"
    assert caught.value.arguments == {"interval": 0, "produced_wh": 1, "consumed_wh": 2}
    handle = certificates.offer(PRODUCER, HOUR, 251, 0)
    hour.chain.mine_until(hour.chain.now_s + 12)
    with pytest.raises(ContractRevert, match="green certificates: too few certificates"):
        certificates.check(handle)
