"""Accounts of a simulated chain: test keys that follow from the scenario's seed.

The keys protect nothing: whoever knows the seed knows them, and that is the purpose. The same
scenario gives the same addresses and, on export, the same signed transactions. Never send real
money to one of these addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cosim.evm.hashing import address_of, keccak
from cosim.evm.secp256k1 import SIGNER

KEY_DOMAIN = "cosim test key, worthless by design"

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True, slots=True)
class Account:
    """An account that can sign.

    Parameters
    ----------
    name : str
        Role or prosumer.
    address : bytes
        20 bytes.
    private_key : bytes
        32 bytes, a test key.
    """

    name: str
    address: bytes
    private_key: bytes = field(repr=False)

    @property
    def hex(self) -> str:
        """Address as 0x and 40 hexadecimal digits."""
        return "0x" + self.address.hex()


def account(seed: int, name: str) -> Account:
    """Return the account of a name under a seed.

    Parameters
    ----------
    seed : int
        Seed of the scenario.
    name : str
        Role or prosumer; other names give unrelated keys.
    """
    key = keccak(f"{KEY_DOMAIN}\n{seed}\n{name}".encode())
    # about one hash in 2**128 is no valid key
    while not 0 < int.from_bytes(key, "big") < CURVE_ORDER:
        key = keccak(key)
    return Account(name, address_of(SIGNER.public_key(key)), key)


def accounts(seed: int, names: Iterable[str]) -> dict[str, Account]:
    """Return accounts by name, in the order of the names.

    Raises
    ------
    ValueError
        If a name occurs twice.
    """
    result: dict[str, Account] = {}
    for name in names:
        if name in result:
            raise ValueError(f"two accounts named {name!r}")
        result[name] = account(seed, name)
    return result
