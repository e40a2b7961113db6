"""Signed transactions are those of eth_account, whatever library signs."""

from __future__ import annotations

import sys
import time

import pytest
from eth_account import Account as EthAccount
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.evm import signing
from cosim.evm.accounts import CURVE_ORDER, account
from cosim.evm.secp256k1 import FastSigner, PortableSigner, Signer, fastest_signer
from cosim.evm.signing import sign


@pytest.mark.parametrize("signer", [FastSigner(), PortableSigner()], ids=["coincurve", "eth-keys"])
@pytest.mark.parametrize("nonce", range(8))
@pytest.mark.parametrize("to", [None, bytes(19) + b"\x07"])
def test_the_bytes_are_those_of_eth_account(
    nonce: int, to: bytes | None, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "SIGNER", signer)
    key = account(nonce, "signer").private_key
    data = bytes(range(nonce * 30))
    fields = {
        "type": 2,
        "chainId": 31_337,
        "nonce": nonce,
        "gas": 21_000 + nonce,
        "maxFeePerGas": 10**9 - nonce,
        "maxPriorityFeePerGas": nonce,
        "value": 5 * nonce,
        "data": data,
    }
    if to is not None:
        fields["to"] = to
    expected = bytes(EthAccount.sign_transaction(fields, key).raw_transaction)
    assert expected == sign(
        key,
        chain_id=31_337,
        nonce=nonce,
        to=to,
        data=data,
        gas_limit=21_000 + nonce,
        max_fee_wei=10**9 - nonce,
        tip_wei=nonce,
        value_wei=5 * nonce,
    )


@given(st.integers(1, CURVE_ORDER - 1), st.binary(min_size=32, max_size=32))
@settings(max_examples=60, deadline=None)
def test_both_libraries_give_the_same_keys_and_signatures(number: int, digest: bytes) -> None:
    key = number.to_bytes(32, "big")
    fast, portable = FastSigner(), PortableSigner()
    assert fast.public_key(key) == portable.public_key(key)
    signature = fast.sign(key, digest)
    assert signature == portable.sign(key, digest)
    assert signature.s <= CURVE_ORDER // 2


def test_signing_without_coincurve(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(fastest_signer(), FastSigner)
    monkeypatch.setitem(sys.modules, "coincurve", None)
    assert isinstance(fastest_signer(), PortableSigner)


def test_keys_of_a_run_take_a_second_at_most_without_coincurve() -> None:
    portable = PortableSigner()
    keys = [account(1, f"prosumer {i}").private_key for i in range(50)]
    begin = time.process_time()
    for key in keys:
        portable.public_key(key)
    assert time.process_time() - begin < 1.0  # 250 keys: five times as many, 2 ms each here
