# pragma version 0.4.3
"""
@title Batches of orders and readings
@license Apache-2.0
@notice Why an entry of a batch is passed over, as the numbers that events give, and the word of a
        reading. What refuses a single order or reading with a text passes over an entry of a
        batch, so that nobody can stop the entries of others.
@dev A reading is, from the lowest bit, meter 160 | net_wh + 2**32 in 33 bits.
@custom:units energy in Wh, net injection positive
"""

import order_book
import positions

READING_AT: constant(uint256) = 160

NOT_AUTHORISED: constant(uint256) = 1  # neither a role nor a signature
NOT_A_MEMBER: constant(uint256) = 2
ORDER_EXISTS: constant(uint256) = 3
BOOK_FULL: constant(uint256) = 4
ENERGY_OUT_OF_RANGE: constant(uint256) = 5
PRICE_OUT_OF_RANGE: constant(uint256) = 6
PRICE_IS_SET: constant(uint256) = 7
BALANCE_TOO_LOW: constant(uint256) = 8
CREDIT_LIMIT_REACHED: constant(uint256) = 9
SUPPLIER_CANNOT_LEND: constant(uint256) = 10
UNKNOWN_METER: constant(uint256) = 11
METER_CHANGED_HANDS: constant(uint256) = 12
ALREADY_REPORTED: constant(uint256) = 13
SLOT_IN_USE: constant(uint256) = 14
BEYOND_APPOINTMENT: constant(uint256) = 15

MAX_BATCH: constant(uint256) = 128


@internal
@pure
def _meter(reading: uint256) -> address:
    return convert(reading & order_book.MASK_160, address)


@internal
@pure
def _net_wh(reading: uint256) -> int256:
    return convert((reading >> READING_AT) & positions.MASK_33, int256) - positions.NET_OFFSET
