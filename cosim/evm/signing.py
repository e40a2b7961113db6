"""Signed EIP-1559 transactions, about 0.1 ms each with coincurve, 7 ms without.

``eth_account`` gives the same bytes (the tests hold both equal) and takes ten times as long.
"""

from __future__ import annotations

from typing import Any

from cosim.evm.hashing import keccak
from cosim.evm.secp256k1 import SIGNER

_EIP_1559 = b"\x02"


def sign(
    key: bytes,
    *,
    chain_id: int,
    nonce: int,
    to: bytes | None,
    data: bytes,
    gas_limit: int,
    max_fee_wei: int,
    tip_wei: int = 0,
    value_wei: int = 0,
) -> bytes:
    """Return a raw transaction of type 2, as ``eth_sendRawTransaction`` takes it.

    Parameters
    ----------
    key : bytes
        Private key, 32 bytes.
    chain_id, nonce, gas_limit : int
    to : bytes or None
        20 bytes; None deploys.
    data : bytes
        Calldata or init code.
    max_fee_wei, tip_wei : int
        [wei/gas]
    value_wei : int
        [wei]
    """
    import rlp  # which a run that signs nothing need not load

    fields: list[Any] = [
        chain_id,
        nonce,
        tip_wei,
        max_fee_wei,
        gas_limit,
        to or b"",
        value_wei,
        data,
        [],
    ]
    digest = keccak(_EIP_1559 + rlp.encode(fields))
    r, s, parity = SIGNER.sign(key, digest)
    return _EIP_1559 + bytes(rlp.encode([*fields, parity, r, s]))
