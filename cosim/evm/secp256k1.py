"""Public keys and signatures on the curve secp256k1, by the fastest library that is installed.

libsecp256k1 through coincurve takes 50 and 90 µs, but lacks wheels for the newest Python;
eth-keys, which py-evm brings along, takes 2 and 3 to 7 ms in Python alone. Signatures are
deterministic (RFC 6979) with the lower of both s, so both give the same bytes.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Signature(NamedTuple):
    """A signature from which the public key can be recovered."""

    r: int
    s: int
    parity: int


class Signer(Protocol):
    """Library of the curve. Keys and digests have 32 bytes."""

    def public_key(self, key: bytes) -> bytes:
        """Return both coordinates of the public key, 64 bytes."""
        ...

    def sign(self, key: bytes, digest: bytes) -> Signature:
        """Sign a digest."""
        ...


class FastSigner:
    """libsecp256k1 through coincurve."""

    def __init__(self) -> None:
        from coincurve import PrivateKey

        self._key = PrivateKey

    def public_key(self, key: bytes) -> bytes:
        """See :class:`Signer`."""
        encoded: bytes = self._key(key).public_key.format(compressed=False)
        return encoded[1:]

    def sign(self, key: bytes, digest: bytes) -> Signature:
        """See :class:`Signer`."""
        signed = self._key(key).sign_recoverable(digest, hasher=None)
        r, s = int.from_bytes(signed[:32], "big"), int.from_bytes(signed[32:64], "big")
        return Signature(r, s, signed[64])


class PortableSigner:
    """eth-keys, in Python."""

    def __init__(self) -> None:
        from eth_keys.backends.native.main import NativeECCBackend
        from eth_keys.datatypes import PrivateKey

        self._backend = NativeECCBackend()
        self._key = PrivateKey

    def public_key(self, key: bytes) -> bytes:
        """See :class:`Signer`."""
        point = self._backend.private_key_to_public_key(self._key(key, self._backend))
        return bytes(point.to_bytes())

    def sign(self, key: bytes, digest: bytes) -> Signature:
        """See :class:`Signer`."""
        signed = self._backend.ecdsa_sign(digest, self._key(key, self._backend))
        return Signature(signed.r, signed.s, signed.v)


def fastest_signer() -> Signer:
    """Return the fastest library that is installed."""
    try:
        return FastSigner()
    except ImportError:
        return PortableSigner()


SIGNER = fastest_signer()
