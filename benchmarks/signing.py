"""What signatures cost. A run makes none: they are made on export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any
from unittest import mock

import coincurve
from eth_account import Account as Signer

from cosim.evm.accounts import account
from cosim.evm.engine import CHAIN_ID
from cosim.evm.hashing import keccak

_METHODS = ("sign", "sign_recoverable", "sign_schnorr")


def measure_signing(n: int = 500) -> dict[str, float]:
    """Microseconds of a signature alone, and of a whole signed transaction.

    Parameters
    ----------
    n : int
        Signatures of each kind.

    Returns
    -------
    dict
        ``coincurve_us``: of one signature of a hash; ``transaction_us``: of one EIP-1559
        transaction, encoded, hashed and signed by eth-account, which uses coincurve.
    """
    key = account(1, "signer").private_key
    hashes = [keccak(i.to_bytes(32, "big")) for i in range(n)]
    transactions = [_transaction(i) for i in range(n)]
    private = coincurve.PrivateKey(key)
    begin = perf_counter()
    for digest in hashes:
        private.sign_recoverable(digest, hasher=None)
    signed = perf_counter()
    for transaction in transactions:
        Signer.sign_transaction(transaction, key)
    return {
        "coincurve_us": 1e6 * (signed - begin) / n,
        "transaction_us": 1e6 * (perf_counter() - signed) / n,
    }


@contextmanager
def counted_signatures() -> Iterator[Counter[str]]:
    """Count the signatures that are made meanwhile in this process, by method of coincurve."""
    calls: Counter[str] = Counter()

    def counted(name: str) -> Any:
        plain = getattr(coincurve.PrivateKey, name)

        def sign(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return plain(*args, **kwargs)

        return sign

    with mock.patch.multiple(coincurve.PrivateKey, **{name: counted(name) for name in _METHODS}):
        yield calls


def _transaction(nonce: int) -> dict[str, Any]:
    return {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": nonce,
        "to": bytes(19) + b"\1",
        "data": bytes(range(1, 133)),
        "value": 0,
        "gas": 125_000,
        "maxFeePerGas": 2 * 10**9,
        "maxPriorityFeePerGas": 10**9,
    }
