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

    def recover(self, digest: bytes, signature: Signature) -> bytes:
        """Return the public key that signed a digest; ValueError if no key did."""
        ...


class FastSigner:
    """libsecp256k1 through coincurve."""

    def __init__(self) -> None:
        from coincurve import PrivateKey, PublicKey

        self._key = PrivateKey
        self._public = PublicKey

    def public_key(self, key: bytes) -> bytes:
        """See :class:`Signer`."""
        encoded: bytes = self._key(key).public_key.format(compressed=False)
        return encoded[1:]

    def sign(self, key: bytes, digest: bytes) -> Signature:
        """See :class:`Signer`."""
        signed = self._key(key).sign_recoverable(digest, hasher=None)
        r, s = int.from_bytes(signed[:32], "big"), int.from_bytes(signed[32:64], "big")
        return Signature(r, s, signed[64])

    def recover(self, digest: bytes, signature: Signature) -> bytes:
        """See :class:`Signer`."""
        r, s, parity = signature
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
        try:
            public = self._public.from_signature_and_message(raw, digest, hasher=None)
        except Exception as error:  # it raises bare ones
            raise ValueError(f"nobody signed this: {error}") from error
        encoded: bytes = public.format(compressed=False)
        return encoded[1:]


class PortableSigner:
    """eth-keys, in Python."""

    def __init__(self) -> None:
        from eth_keys.backends.native.main import NativeECCBackend
        from eth_keys.datatypes import PrivateKey
        from eth_keys.datatypes import Signature as EthSignature

        self._backend = NativeECCBackend()
        self._key = PrivateKey
        self._signature = EthSignature

    def public_key(self, key: bytes) -> bytes:
        """See :class:`Signer`."""
        point = self._backend.private_key_to_public_key(self._key(key, self._backend))
        return bytes(point.to_bytes())

    def sign(self, key: bytes, digest: bytes) -> Signature:
        """See :class:`Signer`."""
        signed = self._backend.ecdsa_sign(digest, self._key(key, self._backend))
        return Signature(signed.r, signed.s, signed.v)

    def recover(self, digest: bytes, signature: Signature) -> bytes:
        """See :class:`Signer`."""
        try:
            given = self._signature(vrs=(signature.parity, signature.r, signature.s))
            return bytes(self._backend.ecdsa_recover(digest, given).to_bytes())
        except Exception as error:  # several of its own
            raise ValueError(f"nobody signed this: {error}") from error


def fastest_signer() -> Signer:
    """Return the fastest library that is installed."""
    try:
        return FastSigner()
    except ImportError:
        return PortableSigner()


SIGNER = fastest_signer()
