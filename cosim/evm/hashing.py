"""Keccak-256, and the two addresses and slots that follow from it.

pycryptodome has wheels for every Python and takes 6 to 12 µs. pyrevm, where it is installed,
hashes any bytes it is given as code in 1 µs; a run hashes up to a quarter of a million times. The
unit tests hold both equal to ``eth-hash``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

EMPTY_HASH = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")


def portable_keccak() -> Callable[[bytes], bytes]:
    """Return Keccak-256 by pycryptodome."""
    from Crypto.Hash.keccak import new

    def keccak(data: bytes) -> bytes:
        return new(digest_bits=256, data=data).digest()

    return keccak


def fastest_keccak() -> Callable[[bytes], bytes]:
    """Return Keccak-256 by the fastest library that is installed."""
    try:
        import pyrevm
    except ImportError:
        return portable_keccak()
    info: Any = pyrevm.AccountInfo  # its type stub is wrong

    def keccak(data: bytes) -> bytes:
        digest: bytes = info(code=data).code_hash
        return digest

    return keccak


keccak = fastest_keccak()
"""Keccak-256 of some bytes, 32 bytes long."""


def address_of(public_key: bytes) -> bytes:
    """Return the address of an account from the 64 bytes of its public key."""
    return keccak(public_key)[12:]


def create_address(sender: bytes, nonce: int) -> bytes:
    """Return the address of the contract that an account creates with a nonce (CREATE)."""
    if nonce < 0x80:
        number = bytes((nonce or 0x80,))
    else:
        size = (nonce.bit_length() + 7) // 8
        number = bytes((0x80 + size,)) + nonce.to_bytes(size, "big")
    # RLP by hand: importing the library takes longer than all that a run encodes
    fields = bytes((0x80 + len(sender),)) + sender + number
    return keccak(bytes((0xC0 + len(fields),)) + fields)[12:]


def selector(signature: str) -> bytes:
    """Return four bytes of the hash of a signature, e.g. ``transfer(address,uint256)``."""
    return keccak(signature.encode())[:4]
