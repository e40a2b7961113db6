# pragma version 0.4.3
"""
@title Order book
@license Apache-2.0
@notice Pure arithmetic of the double auction: packed orders, merit order, clearing, fills, amounts.
@dev Python twin: cosim/market/clearing.py. A packed order is, from the lowest bit,
     owner 160 | energy 32 | arrival index 10 | price 31 | side 1 (1 sells);
     the index is zero in storage, where the position says it. As a number, an ask sorts by price,
     then by arrival, and so does a bid whose price bits are flipped, best first, bids before asks.
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
MASK_10: constant(uint256) = 2**10 - 1
MASK_31: constant(uint256) = 2**31 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_41: constant(uint256) = 2**41 - 1
MASK_160: constant(uint256) = 2**160 - 1
PRICE_BITS: constant(uint256) = MASK_31 << PRICE_AT

# What tells of any order of the interval how much of it was filled. Fits one storage slot, so that
# clearing writes nothing per order. A volume, of at most 512 orders of 32 bits, fits 41 bits.
struct Clearing:
    n_orders: uint256
    cleared: bool
    # the side with more energy at its marginal price than is left to fill: shared pro rata
    sells_long: bool
    price: uint256
    # prices of the last bid and of the last ask that cross
    marginal_bid: uint256
    marginal_ask: uint256
    volume: uint256
    # on the long side, zero when both sides are filled whole
    fill_at_margin: uint256
    offered_at_margin: uint256
    # orders at that margin with an arrival index below this get one Wh left over by rounding
    extra_below: uint256


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


# --- clearing ---------------------------------------------------------------------------------


@internal
@pure
def _sorting_key(order: uint256, index: uint256) -> uint256:
    """
    @dev An order with its arrival index, so that ascending numbers are merit order.
    """
    key: uint256 = order | (index << INDEX_AT)
    return key if self._is_sell(order) else key ^ PRICE_BITS


@internal
@pure
def _order_of_key(key: uint256) -> (uint256, uint256):
    """
    @dev The order, and its arrival index. The order keeps its index bits.
    """
    order: uint256 = key if self._is_sell(key) else key ^ PRICE_BITS
    return order, (key >> INDEX_AT) & MASK_10


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


@internal
@pure
def _cleared(book: uint256[MAX_ORDERS], n_bids: uint256, n: uint256) -> Clearing:
    """
    @dev Clear a sorted book: the largest volume at which bids cross asks, at the midpoint of the
         last crossing pair, rounded down; without a crossing, price and volume are 0.
    """
    clearing: Clearing = empty(Clearing)
    clearing.n_orders = n
    clearing.cleared = True

    # walk down both sides while they cross
    bid_at: uint256 = 0
    ask_at: uint256 = n_bids
    bid_left: uint256 = 0
    ask_left: uint256 = 0
    # where the marginal price of a side begins in the book, and the energy before it; at the start
    # the marginal prices are 0, and a first order of price 0 changes neither
    bid_margin_at: uint256 = 0
    ask_margin_at: uint256 = n_bids
    better_bids: uint256 = 0
    better_asks: uint256 = 0
    for _: uint256 in range(n, bound=MAX_ORDERS):
        if bid_at == n_bids or ask_at == n:
            break
        bid_price: uint256 = MASK_31 - self._price_ueur_per_kwh(book[bid_at])
        ask_price: uint256 = self._price_ueur_per_kwh(book[ask_at])
        if bid_price < ask_price:
            break
        if bid_left == 0:
            bid_left = self._energy_wh(book[bid_at])
            if bid_price != clearing.marginal_bid:
                bid_margin_at = bid_at
                better_bids = clearing.volume
        if ask_left == 0:
            ask_left = self._energy_wh(book[ask_at])
            if ask_price != clearing.marginal_ask:
                ask_margin_at = ask_at
                better_asks = clearing.volume
        clearing.marginal_bid = bid_price
        clearing.marginal_ask = ask_price
        matched: uint256 = min(bid_left, ask_left)
        clearing.volume += matched
        bid_left -= matched
        ask_left -= matched
        if bid_left == 0:
            bid_at += 1
        if ask_left == 0:
            ask_at += 1

    if clearing.volume != 0:
        clearing.price = (clearing.marginal_bid + clearing.marginal_ask) // 2
        # at most one side has energy left at its marginal price, or it would cross
        for is_sell: bool in [False, True]:
            margin_at: uint256 = ask_margin_at if is_sell else bid_margin_at
            fill: uint256 = clearing.volume - (better_asks if is_sell else better_bids)
            offered: uint256 = 0
            margin_end: uint256 = margin_at
            for k: uint256 in range(margin_at, n, bound=MAX_ORDERS):
                if book[k] >> PRICE_AT != book[margin_at] >> PRICE_AT:
                    break
                offered += self._energy_wh(book[k])
                margin_end += 1
            if offered == fill:
                continue
            clearing.sells_long = is_sell
            clearing.fill_at_margin = fill
            clearing.offered_at_margin = offered
            left_over: uint256 = fill
            for k: uint256 in range(margin_at, margin_end, bound=MAX_ORDERS):
                left_over -= self._energy_wh(book[k]) * fill // offered
            if left_over != 0:
                clearing.extra_below = ((book[margin_at + left_over - 1] >> INDEX_AT) & MASK_10) + 1
            break
    return clearing


@internal
@pure
def _filled_wh(order: uint256, index: uint256, clearing: Clearing) -> uint256:
    """
    @dev How much of an order was filled; 0 before clearing, when the volume is still 0.
    """
    if clearing.volume == 0:
        return 0
    is_sell: bool = self._is_sell(order)
    price: uint256 = self._price_ueur_per_kwh(order)
    energy_wh: uint256 = self._energy_wh(order)
    margin: uint256 = clearing.marginal_ask if is_sell else clearing.marginal_bid
    if price != margin:
        return energy_wh if (price < margin) == is_sell else 0
    if is_sell != clearing.sells_long or clearing.offered_at_margin == 0:
        return energy_wh
    filled_wh: uint256 = energy_wh * clearing.fill_at_margin // clearing.offered_at_margin
    return filled_wh + 1 if index < clearing.extra_below else filled_wh


@internal
@pure
def _packed(clearing: Clearing) -> uint256:
    word: uint256 = clearing.n_orders
    word |= convert(clearing.cleared, uint256) << 10
    word |= convert(clearing.sells_long, uint256) << 11
    word |= clearing.price << 12
    word |= clearing.marginal_bid << 43
    word |= clearing.marginal_ask << 74
    word |= clearing.volume << 105
    word |= clearing.fill_at_margin << 146
    word |= clearing.offered_at_margin << 187
    return word | (clearing.extra_below << 228)


@internal
@pure
def _unpacked(word: uint256) -> Clearing:
    return Clearing(
        n_orders=word & MASK_10,
        cleared=(word >> 10) & 1 == 1,
        sells_long=(word >> 11) & 1 == 1,
        price=(word >> 12) & MASK_31,
        marginal_bid=(word >> 43) & MASK_31,
        marginal_ask=(word >> 74) & MASK_31,
        volume=(word >> 105) & MASK_41,
        fill_at_margin=(word >> 146) & MASK_41,
        offered_at_margin=(word >> 187) & MASK_41,
        extra_below=word >> 228,
    )
