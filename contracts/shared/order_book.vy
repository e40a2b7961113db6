# pragma version 0.4.3
"""
@title Order book
@license Apache-2.0
@notice Pure arithmetic of orders: packed words, amounts of money, and the merit order.
@dev A packed order is, from the lowest bit,
     owner 160 | energy 32 | arrival index 10 | price 31 | side 1 (1 sells) | 21 unused | sealed 1;
     the index is zero in storage, where the position says it. As a number, an ask sorts by price,
     then by arrival, and so does a bid whose price bits are flipped, best first, bids before asks.
     A sealed order is the hash of its content with the highest bit set.
@custom:units energy in Wh, prices in µEUR/kWh, amounts in µEUR
"""

MAX_ORDERS: constant(uint256) = 512
MERGE_PASSES: constant(uint256) = 9  # 2**9 = MAX_ORDERS
MAX_ENERGY_WH: constant(uint256) = 2**32 - 1
MAX_PRICE_UEUR_PER_KWH: constant(uint256) = 2**31 - 1
WH_PER_KWH: constant(uint256) = 1_000

ENERGY_AT: constant(uint256) = 160
INDEX_AT: constant(uint256) = 192
PRICE_AT: constant(uint256) = 202
SIDE_AT: constant(uint256) = 233
SEALED: constant(uint256) = 1 << 255
MASK_10: constant(uint256) = 2**10 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_31: constant(uint256) = 2**31 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_41: constant(uint256) = 2**41 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_160: constant(uint256) = 2**160 - 1
PRICE_BITS: constant(uint256) = MASK_31 << PRICE_AT


# --- amounts ----------------------------------------------------------------------------------


@internal
@pure
def _due_ueur(energy_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    return (energy_wh * price_ueur_per_kwh + WH_PER_KWH - 1) // WH_PER_KWH


@internal
@pure
def _earned_ueur(energy_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    return energy_wh * price_ueur_per_kwh // WH_PER_KWH


# --- orders -----------------------------------------------------------------------------------


@internal
@pure
def _order(owner: address, is_sell: bool, energy_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    return (
        convert(owner, uint256)
        | (energy_wh << ENERGY_AT)
        | (price_ueur_per_kwh << PRICE_AT)
        | (convert(is_sell, uint256) << SIDE_AT)
    )


@internal
@pure
def _owner(order: uint256) -> address:
    return convert(order & MASK_160, address)


@internal
@pure
def _energy_wh(order: uint256) -> uint256:
    return (order >> ENERGY_AT) & MASK_32


@internal
@pure
def _price_ueur_per_kwh(order: uint256) -> uint256:
    return (order >> PRICE_AT) & MASK_31


@internal
@pure
def _is_sell(order: uint256) -> bool:
    return (order >> SIDE_AT) == 1


@internal
@pure
def _is_sealed(order: uint256) -> bool:
    return order >> 255 == 1


# --- merit order ------------------------------------------------------------------------------


@internal
@pure
def _order_of_key(key: uint256) -> (uint256, uint256):
    """
    @dev The order, and its arrival index. The order keeps its index bits.
    """
    order: uint256 = key if self._is_sell(key) else key ^ PRICE_BITS
    return order, self._index(key)


@internal
@pure
def _index(key: uint256) -> uint256:
    return (key >> INDEX_AT) & MASK_10


@internal
@pure
def _sorted(book: uint256[MAX_ORDERS], n: uint256) -> uint256[MAX_ORDERS]:
    """
    @dev Bottom-up merge sort of the first n words, ascending.
    """
    source: uint256[MAX_ORDERS] = book
    merged: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    width: uint256 = 1
    for _: uint256 in range(MERGE_PASSES):
        if width >= n:
            break
        # merge source[left:left_end] and source[right:right_end], neighbours; positions stay
        # below 3 * MAX_ORDERS, so that unchecked additions are safe
        left: uint256 = 0
        left_end: uint256 = width
        right: uint256 = width
        right_end: uint256 = min(unsafe_mul(2, width), n)
        for k: uint256 in range(n, bound=MAX_ORDERS):
            take_left: bool = left < left_end
            if take_left and right < right_end:
                take_left = source[left] < source[right]
            if take_left:
                merged[k] = source[left]
                left = unsafe_add(left, 1)
            else:
                merged[k] = source[right]
                right = unsafe_add(right, 1)
            if unsafe_add(k, 1) == right_end:
                left = right_end
                left_end = min(unsafe_add(left, width), n)
                right = left_end
                right_end = min(unsafe_add(right, width), n)
        source = merged
        width = unsafe_mul(2, width)
    return source
