# pragma version 0.4.3
"""
@title Commitments to a clearing
@license Apache-2.0
@notice Pure arithmetic of the word that is kept of who committed to an interval's clearing.
@dev From the lowest bit, committer 160 | time 64 | bond held | known orders 10.
@custom:units time in s
"""

import order_book

MASK_64: constant(uint256) = order_book.MASK_64
TIME_AT: constant(uint256) = 160
BOND_HELD: constant(uint256) = 1 << 224
KNOWN_AT: constant(uint256) = 225


@internal
@pure
def _time_s(commitment: uint256) -> uint256:
    return (commitment >> TIME_AT) & MASK_64


@internal
@view
def _is_final(commitment: uint256, challenge_s: uint256) -> bool:
    """
    @dev Its challenge window is over.
    """
    return block.timestamp > self._time_s(commitment) + challenge_s
