# pragma version 0.4.3
"""
@title Memberships of the energy community
@license Apache-2.0
@notice Pure arithmetic of the word that is kept of a member.
@dev From the lowest bit, meter 160 | first interval.
"""

import order_book

MASK_160: constant(uint256) = order_book.MASK_160
FROM_AT: constant(uint256) = 160


@internal
@pure
def _membership(meter: address, from_interval: uint256) -> uint256:
    return convert(meter, uint256) | (from_interval << FROM_AT)


@internal
@pure
def _meter(membership: uint256) -> address:
    return convert(membership & MASK_160, address)


@internal
@pure
def _from_interval(membership: uint256) -> uint256:
    return membership >> FROM_AT
