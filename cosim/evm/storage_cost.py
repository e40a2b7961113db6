"""Cost of keeping bytes in a contract's storage, as gas and as money.

A storage slot holds 32 bytes. Writing one that was empty is the dearest thing a contract does: the
reason why bulk data stays off chain and only its hash goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from cosim.evm.engine import DEFAULT_BLOCK_GAS_LIMIT
from cosim.units import WEI_PER_ETH, wei_from_gwei

WORD_BYTES = 32

_TX_GAS = 21_000


@dataclass(frozen=True, slots=True)
class StorageRules:
    """Gas that writing new data costs under the rules of a fork.

    Parameters
    ----------
    new_word_gas : int
        Writing a slot that was empty, touched for the first time in its transaction.
    byte_gas, zero_byte_gas : int
        A byte of calldata other than zero, and one that is zero.
    """

    new_word_gas: int
    byte_gas: int
    zero_byte_gas: int


BYZANTIUM = StorageRules(new_word_gas=20_000, byte_gas=68, zero_byte_gas=4)
"""Rules of 2017 to 2019, under which the figures in the literature were found."""

CURRENT = StorageRules(new_word_gas=22_100, byte_gas=16, zero_byte_gas=4)
"""Since Istanbul (EIP-2028) and Berlin (EIP-2929: 2 100 for a cold slot), up to Prague."""


@dataclass(frozen=True, slots=True)
class StorageCost:
    """Gas of storing some bytes.

    Parameters
    ----------
    n_words : int
        Slots written.
    n_transactions : int
        Transactions that it takes below the gas limit of one.
    gas : int
        Of all of them.
    """

    n_words: int
    n_transactions: int
    gas: int


def words_of(n_bytes: int) -> int:
    """Return the number of storage slots that hold some bytes."""
    return -(-n_bytes // WORD_BYTES)


def slot_gas(n_bytes: int, rules: StorageRules = CURRENT) -> int:
    """Return the gas of the storage alone, without the transaction that brings the bytes."""
    return words_of(n_bytes) * rules.new_word_gas


def storage_cost(
    n_bytes: int,
    rules: StorageRules = CURRENT,
    *,
    zero_bytes: int = 0,
    gas_limit: int = DEFAULT_BLOCK_GAS_LIMIT,
) -> StorageCost:
    """Return the least gas of transactions that carry bytes as calldata into empty slots.

    Execution other than writing comes on top: about 50 gas per word in a bare loop.

    Parameters
    ----------
    n_bytes : int
        Bytes to store.
    rules : StorageRules
    zero_bytes : int
        Number of them that are zero; no word may be all zero.
    gas_limit : int
        Most gas of one transaction.

    Returns
    -------
    StorageCost

    Raises
    ------
    ValueError
        If there are more zero bytes than bytes, or one word does not fit a transaction.
    """
    if not 0 <= zero_bytes <= n_bytes:
        raise ValueError(f"{zero_bytes} of {n_bytes} bytes cannot be zero")
    n_words = words_of(n_bytes)
    full_word_gas = rules.new_word_gas + WORD_BYTES * rules.byte_gas
    words_per_transaction = (gas_limit - _TX_GAS) // full_word_gas
    if words_per_transaction < 1:
        raise ValueError(f"a gas limit of {gas_limit} does not allow to store a word")
    n_transactions = -(-n_words // words_per_transaction)
    padding_bytes = n_words * WORD_BYTES - n_bytes
    gas = n_transactions * _TX_GAS + n_words * rules.new_word_gas
    gas += (n_bytes - zero_bytes) * rules.byte_gas
    gas += (zero_bytes + padding_bytes) * rules.zero_byte_gas
    return StorageCost(n_words, n_transactions, gas)


def implied_price_per_eth(amount: float, gas: int, gas_price_gwei: float) -> float:
    """Return the price of native coin at which gas costs an amount, in its currency."""
    return amount / (gas * wei_from_gwei(gas_price_gwei) / WEI_PER_ETH)
