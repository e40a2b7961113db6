"""Storage root of an account: the Merkle-Patricia trie over its slots, built in one pass.

Keys are the Keccak hashes of the 32-byte slot numbers, values the RLP of the integers (Ethereum
Yellow Paper, appendix D). Because all keys are hashed to 64 nibbles, no key ends inside the
trie, so branch nodes never carry a value. Building from sorted items visits every node once,
where inserting one by one into a trie would hash each path again and again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from cosim.evm.hashing import keccak

EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")

_NIBBLES = "0123456789abcdef"
_BYTE = [bytes((value,)) for value in range(256)]
_FEW = 64
"""Items from which on the limits between children are found by bisection."""


def storage_root(slots: Mapping[int, int]) -> bytes:
    """Return the root hash of a storage trie.

    Parameters
    ----------
    slots : mapping
        Value by slot; zeros count as absent.

    Returns
    -------
    bytes
        32 bytes, ``EMPTY_ROOT`` if nothing is stored.
    """
    values = {
        keccak(slot.to_bytes(32, "big")).hex(): value for slot, value in slots.items() if value
    }
    if not values:
        return EMPTY_ROOT
    keys = sorted(values)
    return keccak(_node(keys, values, 0, len(keys), 0))


def _rlp_value(value: int) -> bytes:
    """RLP of the RLP of an integer: the string that a leaf holds."""
    if value < 0x80:
        return _BYTE[value]
    size = (value.bit_length() + 7) // 8
    return _BYTE[0x81 + size] + _BYTE[0x80 + size] + value.to_bytes(size, "big")


def _rlp_list(payload: bytes) -> bytes:
    size = len(payload)
    if size < 56:
        return _BYTE[0xC0 + size] + payload
    if size < 256:
        return b"\xf8" + _BYTE[size] + payload
    return b"\xf9" + size.to_bytes(2, "big") + payload


def _rlp_path(nibbles: str, odd: str, even: str) -> bytes:
    """RLP of the hex-prefix encoding of a partial path."""
    path = bytes.fromhex((odd if len(nibbles) % 2 else even) + nibbles)
    return path if len(path) == 1 else _BYTE[0x80 + len(path)] + path  # below 0x80 by its prefix


def _reference(node: bytes) -> bytes:
    """A node of 32 bytes or more is referred to by its hash, a shorter one stands in place."""
    return node if len(node) < 32 else b"\xa0" + keccak(node)


def _node(keys: list[str], values: Mapping[str, int], low: int, high: int, depth: int) -> bytes:
    """RLP of the node above the sorted ``keys[low:high]``, which share ``depth`` nibbles."""
    first = keys[low]
    if high - low == 1:
        return _rlp_list(_rlp_path(first[depth:], "3", "20") + _rlp_value(values[first]))
    last = keys[high - 1]
    shared = depth
    while first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        branch = _reference(_node(keys, values, low, high, shared))
        return _rlp_list(_rlp_path(first[depth:shared], "1", "00") + branch)
    children = [b"\x80"] * 17
    start = low
    while start < high:
        nibble = _NIBBLES.index(keys[start][depth])
        if nibble == 15:
            end = high
        elif high - start < _FEW:
            end = start + 1
            while end < high and keys[end][depth] == keys[start][depth]:
                end += 1
        else:
            end = bisect_left(keys, first[:depth] + _NIBBLES[nibble + 1], start, high)
        children[nibble] = _reference(_node(keys, values, start, end, depth + 1))
        start = end
    return _rlp_list(b"".join(children))
