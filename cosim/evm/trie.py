"""Storage root of an account: the Merkle-Patricia trie over its slots, built in one pass.

Keys are the Keccak hashes of the 32-byte slot numbers, values the RLP of the integers (Ethereum
Yellow Paper, appendix D). Because all keys are hashed to 64 nibbles, no key ends inside the
trie, so branch nodes never carry a value. Building from sorted items visits every node once,
where inserting one by one into a trie would hash each path again and again.
"""

from __future__ import annotations

from collections.abc import Mapping

from cosim.evm.hashing import keccak

EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")

_NIBBLES = "0123456789abcdef"


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
    items = sorted(
        (keccak(slot.to_bytes(32, "big")).hex(), _rlp_integer(value))
        for slot, value in slots.items()
        if value
    )
    if not items:
        return EMPTY_ROOT
    return keccak(_node(items, 0, len(items), 0))


def _rlp_integer(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes((0x80 + len(raw),)) + raw


def _rlp_string(raw: bytes) -> bytes:
    # what a node holds is at most a 33-byte path or value: the short form
    if len(raw) == 1 and raw[0] < 0x80:
        return raw
    return bytes((0x80 + len(raw),)) + raw


def _rlp_list(payload: bytes) -> bytes:
    size = len(payload)
    if size < 56:
        return bytes((0xC0 + size,)) + payload
    if size < 256:
        return b"\xf8" + bytes((size,)) + payload
    return b"\xf9" + size.to_bytes(2, "big") + payload


def _path(nibbles: str, is_leaf: bool) -> bytes:
    """Hex-prefix encoding of a partial path."""
    if len(nibbles) % 2:
        return bytes.fromhex(("3" if is_leaf else "1") + nibbles)
    return bytes.fromhex(("20" if is_leaf else "00") + nibbles)


def _reference(node: bytes) -> bytes:
    """A node of 32 bytes or more is referred to by its hash, a shorter one stands in place."""
    return node if len(node) < 32 else b"\xa0" + keccak(node)


def _node(items: list[tuple[str, bytes]], low: int, high: int, depth: int) -> bytes:
    """RLP of the node above the sorted ``items[low:high]``, which share ``depth`` nibbles."""
    first = items[low][0]
    if high - low == 1:
        leaf = _rlp_string(_path(first[depth:], True)) + _rlp_string(items[low][1])
        return _rlp_list(leaf)
    last = items[high - 1][0]
    shared = depth
    while first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        branch = _reference(_node(items, low, high, shared))
        return _rlp_list(_rlp_string(_path(first[depth:shared], False)) + branch)
    children = []
    start = low
    for nibble in _NIBBLES:
        end = start
        while end < high and items[end][0][depth] == nibble:
            end += 1
        if end == start:
            children.append(b"\x80")
        else:
            children.append(_reference(_node(items, start, end, depth + 1)))
        start = end
    children.append(b"\x80")
    return _rlp_list(b"".join(children))
