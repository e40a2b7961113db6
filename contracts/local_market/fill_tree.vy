# pragma version 0.4.3
"""
@title Tree of fills
@license Apache-2.0
@notice Merkle tree over what was filled of each order of an interval.
@dev Leaf k is the hash of three words, zero, the arrival index k and the fill in Wh, also of orders
     that were not filled; a node is the hash of two, its children. So neither passes for the other
     (RFC 6962, section 2.1, has a byte before each, which Vyper copies at 120 gas a hash). Leaves
     of zero fill the tree up to a power of two.
     Neither names contract or interval: a proof is checked against the one root that was committed
     to for this interval here, and challenged by what this contract computes of its own orders.
     Python model: cosim/mechanisms/local_market/fill_tree.py.
"""

import order_book

MAX_ORDERS: constant(uint256) = order_book.MAX_ORDERS
MAX_DEPTH: constant(uint256) = 9  # 2**9 = MAX_ORDERS


@internal
@pure
def _leaf(index: uint256, filled_wh: uint256) -> bytes32:
    return keccak256(abi_encode(empty(uint256), index, filled_wh))


@internal
@pure
def _parent(left: bytes32, right: bytes32) -> bytes32:
    return keccak256(concat(left, right))


@internal
@pure
def _root(fills_wh: uint256[MAX_ORDERS], n: uint256) -> bytes32:
    """
    @dev Root over the fills of n orders by arrival; without an order it is zero.
    """
    nodes: bytes32[MAX_ORDERS] = empty(bytes32[MAX_ORDERS])
    for k: uint256 in range(n, bound=MAX_ORDERS):
        nodes[k] = self._leaf(k, fills_wh[k])
    width: uint256 = 1
    for _: uint256 in range(MAX_DEPTH):
        if width >= n:
            break
        width = unsafe_mul(width, 2)
    for _: uint256 in range(MAX_DEPTH):
        if width == 1:
            break
        width = unsafe_div(width, 2)
        for k: uint256 in range(width, bound=MAX_ORDERS):
            nodes[k] = self._parent(nodes[unsafe_mul(2, k)], nodes[unsafe_add(unsafe_mul(2, k), 1)])
    return nodes[0]


@internal
@pure
def _root_of_proof(
    index: uint256, filled_wh: uint256, proof: DynArray[bytes32, MAX_DEPTH]
) -> bytes32:
    """
    @dev Root that a leaf and the nodes beside its way up, from the bottom, lead to.
    """
    node: bytes32 = self._leaf(index, filled_wh)
    at: uint256 = index
    for beside: bytes32 in proof:
        node = self._parent(beside, node) if at & 1 == 1 else self._parent(node, beside)
        at >>= 1
    return node
