"""The Merkle tree of fills: worked out by hand on Keccak-256, and refusing what is not in it."""

import pytest

from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.fill_tree import FillTree, leaf, parent, root_of_proof


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_root_of_three_fills_by_hand() -> None:
    leaves = [keccak(word(0) + word(k) + word(fill)) for k, fill in enumerate((5, 0, 7))]
    left = keccak(leaves[0] + leaves[1])
    right = keccak(leaves[2] + bytes(32))
    tree = FillTree([5, 0, 7])
    assert tree.root == keccak(left + right)
    assert tree.proof(0) == (leaves[1], right)
    assert tree.proof(1) == (leaves[0], right)
    assert tree.proof(2) == (bytes(32), left)


def test_no_leaf_is_a_node() -> None:
    index, fill = 3, 17
    assert leaf(index, fill) != parent(word(index), word(fill))


def test_small_trees() -> None:
    assert FillTree([]).root == bytes(32)
    assert FillTree([9]).root == leaf(0, 9)
    assert FillTree([9]).proof(0) == ()


@pytest.mark.parametrize("n", [1, 2, 3, 8, 9, 100, 512])
def test_every_proof_leads_to_the_root_and_no_other_fill_does(n: int) -> None:
    fills = [k * k % 11 for k in range(n)]
    tree = FillTree(fills)
    for k, fill in enumerate(fills):
        proof = tree.proof(k)
        assert len(proof) == (n - 1).bit_length()
        assert root_of_proof(k, fill, proof) == tree.root
        assert root_of_proof(k, fill + 1, proof) != tree.root
        assert root_of_proof(k ^ 1, fill, proof) != tree.root


def test_changed_proofs_fail() -> None:
    tree = FillTree([1, 2, 3, 4])
    proof = tree.proof(2)
    assert root_of_proof(2, 3, proof[::-1]) != tree.root
    assert root_of_proof(2, 3, proof[:1]) != tree.root
    assert root_of_proof(2, 3, (*proof, bytes(32))) != tree.root


@pytest.mark.parametrize("index", [-1, 3])
def test_no_proof_of_what_is_not_there(index: int) -> None:
    with pytest.raises(IndexError, match=f"no leaf {index} in a tree of 3 fills"):
        FillTree([1, 2, 3]).proof(index)
