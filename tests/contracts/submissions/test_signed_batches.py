"""Batches that anybody sends, of what accounts and meters signed (EIP-712, EIP-2098)."""

from __future__ import annotations

import pytest
from eth_account import Account as Signer
from eth_account.messages import encode_typed_data
from market_world import address
from submissions_world import Signing, passed_over

from cosim.errors import ContractRevert
from cosim.evm.accounts import CURVE_ORDER
from cosim.evm.engine import CHAIN_ID
from cosim.mechanisms.local_market.submission.client import (
    PARITY,
    domain_separator,
    order_word,
    reading_word,
)

BID, ASK = (False, 1_000, 200_001), (True, 1_500, 100_000)
FOREIGN_CHAIN = 1
DOMAIN = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


@pytest.fixture
def signing() -> Signing:
    made = Signing.of("buyer", "seller")
    made.world.open_window(0)
    return made


def test_anybody_sends_what_the_accounts_signed(signing: Signing) -> None:
    orders = [("buyer", BID), ("seller", ASK)]
    done = signing.send(orders, [signing.order(*each) for each in orders])
    assert [name for name, _ in done.events] == ["OrderPlaced", "OrderPlaced"]
    assert (signing.ordered("buyer"), signing.ordered("seller")) == (BID[1], ASK[1])


def test_anybody_sends_what_the_meters_signed(signing: Signing) -> None:
    world = signing.world
    world.deliver(0)
    readings = [("seller", 70), ("buyer", -(2**32) + 1)]
    done = signing.read(readings, [signing.reading(*each) for each in readings])
    reported = {e["account"]: e["net_wh"] for n, e in done.events if n == "MeterReported"}
    assert reported == {signing.keyed[name].address: net for name, net in readings}


def test_wallets_sign_the_same(signing: Signing) -> None:
    """Typed data as eth_account, which shares no line with us, hashes and signs it."""
    own, submissions = signing.keyed["buyer"], signing.world.submissions
    fields = [
        {"name": name, "type": kind}
        for name, kind in (
            ("interval", "uint256"),
            ("account", "address"),
            ("is_sell", "bool"),
            ("energy_wh", "uint256"),
            ("price_ueur_per_kwh", "uint256"),
        )
    ]
    said = {
        "interval": 0,
        "account": own.address,
        "is_sell": BID[0],
        "energy_wh": BID[1],
        "price_ueur_per_kwh": BID[2],
    }
    domain = {
        "name": "Local market",
        "version": "1",
        "chainId": CHAIN_ID,
        "verifyingContract": submissions.address,
    }
    message = encode_typed_data(domain, {"Order": fields}, said)
    assert message.header == domain_separator(submissions.address)
    assert submissions.get("domainSeparator") == message.header
    signed = Signer.sign_message(message, own.private_key)
    parity_and_s = signed.s | (PARITY * (signed.v - 27))
    theirs = (signed.r.to_bytes(32, "big"), parity_and_s.to_bytes(32, "big"))
    assert theirs == signing.order("buyer", BID)
    meter = signing.meters["buyer"]
    fields = [
        {"name": "interval", "type": "uint256"},
        {"name": "meter", "type": "address"},
        {"name": "net_wh", "type": "int256"},
    ]
    said = {"interval": 3, "meter": meter.address, "net_wh": -5}
    signed = Signer.sign_message(
        encode_typed_data(domain, {"Reading": fields}, said), meter.private_key
    )
    assert signing.reading("buyer", -5, 3)[0] == signed.r.to_bytes(32, "big")
    signing.send([("buyer", BID)], [theirs])
    assert signing.ordered("buyer") == BID[1]


def test_a_signature_is_used_once(signing: Signing) -> None:
    signature = signing.order("buyer", BID)
    signing.send([("buyer", BID)], [signature])
    done = signing.send([("buyer", BID)] * 2, [signature] * 2)
    assert passed_over(done) == [(signing.keyed["buyer"].address, 3)] * 2
    signing.world.deliver(0)
    read = signing.reading("buyer", -5)
    signing.read([("buyer", -5)], [read])
    done = signing.read([("buyer", -5)], [read])
    assert passed_over(done) == [(signing.meters["buyer"].address, 13)]


@pytest.mark.parametrize("what", ["interval", "chain", "contract", "terms", "signer", "nothing"])
def test_a_signature_of_something_else_is_none(signing: Signing, what: str) -> None:
    """The entry is passed over as not authorised, and the honest one next to it stands."""
    own = signing.world.submissions.address
    signature = {
        "interval": lambda: signing.order("buyer", BID, interval=1),
        "chain": lambda: signing.order("buyer", BID, domain=domain_separator(own, FOREIGN_CHAIN)),
        "contract": lambda: signing.order("buyer", BID, domain=domain_separator(address("else"))),
        "terms": lambda: signing.order("buyer", (BID[0], BID[1], BID[2] - 1)),
        "signer": lambda: signing.order("seller", BID),
        "nothing": lambda: (bytes(32), bytes(32)),
    }[what]()
    orders = [("buyer", BID), ("seller", ASK)]
    done = signing.send(orders, [signature, signing.order("seller", ASK)])
    assert passed_over(done) == [(signing.keyed["buyer"].address, 1)]
    assert (signing.ordered("buyer"), signing.ordered("seller")) == (0, ASK[1])


@pytest.mark.parametrize("what", ["interval", "chain", "contract", "net_wh", "signer", "order"])
def test_a_reading_that_the_meter_did_not_sign_is_none(signing: Signing, what: str) -> None:
    signing.world.deliver(0)
    own = signing.world.submissions.address
    signature = {
        "interval": lambda: signing.reading("buyer", -5, interval=1),
        "chain": lambda: signing.reading("buyer", -5, domain=domain_separator(own, FOREIGN_CHAIN)),
        "contract": lambda: signing.reading("buyer", -5, domain=domain_separator(address("x"))),
        "net_wh": lambda: signing.reading("buyer", -4),
        "signer": lambda: signing.reading("seller", -5),
        "order": lambda: signing.order("buyer", BID),
    }[what]()
    readings = [("buyer", -5), ("seller", 5)]
    done = signing.read(readings, [signature, signing.reading("seller", 5)])
    assert passed_over(done) == [(signing.meters["buyer"].address, 1)]
    settled = [e["account"] for n, e in done.events if n == "IntervalSettled"]
    assert settled == [signing.keyed["seller"].address]


def test_a_signature_has_no_second_form(signing: Signing) -> None:
    """With n - s and the other parity the curve recovers the same key: it does not fit, or counts
    for nothing."""
    r, low = signing.order("buyer", BID)
    parity, s = divmod(int.from_bytes(low, "big"), PARITY)
    others = [CURVE_ORDER - s, s | (PARITY * (1 - parity)), (CURVE_ORDER - s) ^ PARITY]
    others += [CURVE_ORDER // 2 + 1 + k * PARITY for k in (0, 1)]
    for other in others:
        done = signing.send([("buyer", BID)], [(r, other.to_bytes(32, "big"))])
        assert passed_over(done) == [(signing.keyed["buyer"].address, 1)]
    signing.send([("buyer", BID)], [(r, low)])
    assert signing.ordered("buyer") == BID[1]


def test_nobody_signs_for_the_zero_address(signing: Signing) -> None:
    """ecrecover answers zero to a signature that nobody made."""
    submissions, nobody = signing.world.submissions, bytes(20)
    rubbish = [b"\xff" * 32, b"\x7f" + b"\xff" * 31] * 2
    words = [order_word(nobody, *BID)]
    for signature in (rubbish[:2], [bytes(32), bytes(32)]):
        done = submissions.send("anybody", "sendSignedOrders", 0, words, signature)
        assert passed_over(done) == [(nobody, 1)]
    signing.world.deliver(0)
    words = [reading_word(nobody, 5)]
    done = submissions.send("anybody", "sendSignedReadings", 0, words, [bytes(32), bytes(32)])
    assert passed_over(done) == [(nobody, 1)]


@pytest.mark.parametrize("n", [0, 1, 3, 4])
def test_every_entry_has_its_signature(signing: Signing, n: int) -> None:
    submissions = signing.world.submissions
    word = order_word(signing.keyed["buyer"].address, *BID)
    with pytest.raises(ContractRevert, match="submissions: signatures missing"):
        submissions.send("anybody", "sendSignedOrders", 0, [word], [bytes(32)] * n)
    signing.world.deliver(0)
    word = reading_word(signing.meters["buyer"].address, 5)
    with pytest.raises(ContractRevert, match="submissions: signatures missing"):
        submissions.send("anybody", "sendSignedReadings", 0, [word], [bytes(32)] * n)


def test_who_holds_two_signatures_chooses(signing: Signing) -> None:
    """A signature that was given away holds until the gate closes, or until another is used."""
    first, second = BID, (False, 10, 5)
    signatures = [signing.order("buyer", first), signing.order("buyer", second)]
    done = signing.send([("buyer", second), ("buyer", first)], signatures[::-1])
    assert passed_over(done) == [(signing.keyed["buyer"].address, 3)]
    assert signing.ordered("buyer") == second[1]


def test_a_signature_of_a_past_interval_is_too_late(signing: Signing) -> None:
    signature = signing.order("buyer", BID)
    signing.world.close_gate(0)
    with pytest.raises(ContractRevert, match="local market: gate closed"):
        signing.send([("buyer", BID)], [signature])
