"""Names of the name registry, made of the names of connection points."""

from __future__ import annotations

import re

from cosim.errors import UserError
from cosim.evm.abi import pack
from cosim.evm.engine import CHAIN_ID
from cosim.evm.hashing import keccak

NAME_BYTES = 32
"""Longest name."""

_CANONICAL = re.compile(rb"[a-z0-9]+(?:[-.][a-z0-9]+)*")


def is_canonical(word: bytes) -> bool:
    """Tell if a 32-byte word is a name: model of ``isCanonical`` in ``contracts/NameRegistry.vy``.

    Small letters, digits, and single hyphens and dots between them; zeros behind.
    """
    return len(word) == NAME_BYTES and _CANONICAL.fullmatch(word.rstrip(b"\0")) is not None


def canonical_name(text: str) -> str:
    """Name under which something is registered.

    Parameters
    ----------
    text : str
        Any text, e.g. a connection point's name: ``LV1.101 Bus 4``.

    Returns
    -------
    str
        In small letters, with hyphens for spaces and underscores: ``lv1.101-bus-4``.

    Raises
    ------
    UserError
        If the text holds other letters, doubled separators, or more than 32 letters: two different
        texts could become one name if such were changed or left out.
    """
    name = text.lower().replace(" ", "-").replace("_", "-")
    # the text itself must be ASCII: the Kelvin sign, for one, becomes a plain k
    fits = text.isascii() and len(name) <= NAME_BYTES
    if not fits or _CANONICAL.fullmatch(name.encode()) is None:
        raise UserError(
            f"the name {text!r} cannot be registered",
            remedy=f"use up to {NAME_BYTES} letters a-z, digits, and single hyphens, dots or "
            "spaces between them",
        )
    return name


def name_word(name: str) -> bytes:
    """A name as the registry keeps it: 32 bytes, zeros behind.

    Raises
    ------
    ValueError
        If it has more than 32 bytes.
    """
    word = name.encode()
    if len(word) > NAME_BYTES:
        raise ValueError(f"{name!r} has more than {NAME_BYTES} bytes")
    return word.ljust(NAME_BYTES, b"\0")


def word_name(word: bytes) -> str:
    """The name in a word, as text.

    Raises
    ------
    ValueError
        If the word holds none.
    """
    if not is_canonical(word):
        raise ValueError(f"0x{word.hex()} is not a name")
    return word.rstrip(b"\0").decode()


def commitment_of(
    registry: bytes, account: bytes, name: bytes, value: bytes, secret: bytes
) -> bytes:
    """Commitment to a name: model of ``commitmentOf`` in ``contracts/NameRegistry.vy``.

    As ``makeCommitment`` of ENS' ETHRegistrarController, it hides the name until it is revealed;
    it holds for one chain, one registry and one account.

    Parameters
    ----------
    registry, account : bytes
        Addresses of the contract and of who commits, 20 bytes.
    name, value : bytes
        32 bytes each.
    secret : bytes
        32 bytes that nobody else can guess, for names can be guessed.

    Returns
    -------
    bytes
        32 bytes.
    """
    return keccak(pack(CHAIN_ID, registry, account, name, value, secret))
