"""Storage roots against the trie package, and known values."""

from __future__ import annotations

import random
import sys

import pytest
import rlp
from eth_hash.auto import keccak as eth_keccak
from trie import HexaryTrie

from cosim.evm.hashing import (
    EMPTY_HASH,
    create_address,
    fastest_keccak,
    keccak,
    portable_keccak,
    selector,
)
from cosim.evm.trie import EMPTY_ROOT, storage_root


@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 100, 1500])
def test_root_equals_the_inserting_trie(count: int) -> None:
    generator = random.Random(count)
    slots = {}
    for i in range(count):
        slot = i if i % 2 else generator.randrange(2**256)
        slots[slot] = generator.choice([1, 127, 128, 255, 2**64, 2**256 - 1])
    trie = HexaryTrie({})
    for slot, value in slots.items():
        trie[eth_keccak(slot.to_bytes(32, "big"))] = rlp.encode(value)
    assert storage_root(slots) == trie.root_hash


def test_zeros_are_absent() -> None:
    assert storage_root({}) == EMPTY_ROOT
    assert storage_root({5: 0}) == EMPTY_ROOT
    assert storage_root({5: 0, 1: 7}) == storage_root({1: 7})


@pytest.mark.parametrize("size", [0, 1, 31, 32, 135, 136, 137, 1000])
def test_keccak(size: int) -> None:
    data = bytes(i % 256 for i in range(size))
    assert keccak(data) == portable_keccak()(data) == eth_keccak(data)


def test_hashing_without_pyrevm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fastest_keccak().__qualname__.startswith("fastest_keccak")
    monkeypatch.setitem(sys.modules, "pyrevm", None)
    assert fastest_keccak().__qualname__.startswith("portable_keccak")


def test_known_hashes() -> None:
    assert keccak(b"") == EMPTY_HASH
    assert selector("transfer(address,uint256)").hex() == "a9059cbb"


@pytest.mark.parametrize("nonce", [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**64 - 2])
def test_address_of_a_created_contract(nonce: int) -> None:
    sender = bytes(range(20))
    assert create_address(sender, nonce) == eth_keccak(rlp.encode([sender, nonce]))[12:]
