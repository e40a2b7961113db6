"""Signed transactions are those of eth_account."""

from __future__ import annotations

import pytest
from eth_account import Account as Signer

from cosim.evm.accounts import account
from cosim.evm.signing import sign


@pytest.mark.parametrize("nonce", range(8))
@pytest.mark.parametrize("to", [None, bytes(19) + b"\x07"])
def test_the_bytes_are_those_of_eth_account(nonce: int, to: bytes | None) -> None:
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
    expected = bytes(Signer.sign_transaction(fields, key).raw_transaction)
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
