"""Merkle tree of the fills of one clearing: what the *committed* form puts on chain is its root.

Leaf k is the hash of zero, the arrival index k and the fill of that order, all as 32-byte numbers,
for every index, also where nothing was filled. The leaves are followed by zeros up to a power of
two; a parent is the hash of its two children. Leaves of 96 and nodes of 64 bytes are different
domains, as RFC 6962, section 2.1, asks for (https://www.rfc-editor.org/rfc/rfc6962). The hash is
Keccak-256.
"""

from __future__ import annotations

from collections.abc import Sequence

from cosim.evm.hashing import keccak

_NO_LEAF = bytes(32)
_LEAF = bytes(32)


def leaf(index: int, filled_wh: int) -> bytes:
    """Leaf of an arrival index and its fill [Wh]."""
    return keccak(_LEAF + index.to_bytes(32, "big") + filled_wh.to_bytes(32, "big"))


def parent(left: bytes, right: bytes) -> bytes:
    """Node above two nodes of 32 bytes."""
    return keccak(left + right)


def root_of_proof(index: int, filled_wh: int, proof: Sequence[bytes]) -> bytes:
    """Root that a fill and its proof lead to.

    Parameters
    ----------
    index : int
        Arrival index of the order; its bits say on which side each neighbour stands.
    filled_wh : int
        Its fill. [Wh]
    proof : sequence of bytes
        Neighbours from the leaf up, 32 bytes each.
    """
    node = leaf(index, filled_wh)
    for neighbour in proof:
        node = parent(neighbour, node) if index & 1 else parent(node, neighbour)
        index >>= 1
    return node


class FillTree:
    """Merkle tree of the fills of one clearing.

    Parameters
    ----------
    fills_wh : sequence of int
        Fill of every order by arrival index. [Wh]
    """

    def __init__(self, fills_wh: Sequence[int]) -> None:
        level = [leaf(k, filled_wh) for k, filled_wh in enumerate(fills_wh)]
        size = 1 << max(len(level) - 1, 0).bit_length()
        level += [_NO_LEAF] * (size - len(level))
        self._n_leaves = len(fills_wh)
        self._levels = [level]
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [parent(left, right) for left, right in pairs]
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        """Root, 32 bytes; zero for a tree without fills."""
        return self._levels[-1][0]

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Neighbours on the way from a leaf to the root, bottom up.

        Raises
        ------
        IndexError
            If there is no such leaf.
        """
        if not 0 <= index < self._n_leaves:
            raise IndexError(f"no leaf {index} in a tree of {self._n_leaves} fills")
        levels = enumerate(self._levels[:-1])
        return tuple(level[(index >> height) ^ 1] for height, level in levels)
