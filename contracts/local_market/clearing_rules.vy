# pragma version 0.4.3
"""
@title Clearing and pricing rules
@license Apache-2.0
@notice Pure arithmetic of the double auction: volume, prices and fills by six rules.
@dev Python models: clearing.py and pricing.py in cosim/mechanisms/local_market. All rules but
     McAfee's trade the largest volume at which bids cross asks; at the margin of the long side the
     rest is shared pro rata, and Wh left over by rounding go to the earliest orders. McAfee's rule
     (1992, for quantities) gives up the last crossing orders where no price between them serves
     all the others.
@custom:units energy in Wh, prices in µEUR/kWh
"""

import order_book

MAX_ORDERS: constant(uint256) = order_book.MAX_ORDERS
MASK_10: constant(uint256) = order_book.MASK_10
MASK_31: constant(uint256) = order_book.MASK_31
MASK_41: constant(uint256) = order_book.MASK_41
PRICE_AT: constant(uint256) = order_book.PRICE_AT

# rules
MIDPOINT: constant(uint256) = 0
PAY_AS_BID: constant(uint256) = 1
MCAFEE: constant(uint256) = 2
MID_MARKET_RATE: constant(uint256) = 3
SUPPLY_DEMAND_RATIO: constant(uint256) = 4
BILL_SHARING: constant(uint256) = 5

# What prices are made of, beside the orders: the rule, the price above which buying locally costs
# more than retail, and the feed-in price.
struct Terms:
    rule: uint256
    retail: uint256
    feed_in: uint256

# What tells of any order of the interval how much of it was filled, and at what price. Fits one
# storage slot, so that clearing writes nothing per order: the cuts share the bits of the fill at
# the margin. A volume, of at most 512 orders of 32 bits, fits 41 bits.
struct Clearing:
    n_orders: uint256
    cleared: bool
    # fills and prices were committed to by a root: the orders' own claims say what was filled
    committed: bool
    # the side with more energy than is left to fill: shared pro rata
    sells_long: bool
    # buyers pay and sellers get the marginal prices, else both the one price
    two_priced: bool
    price: uint256
    # prices of the last bid and of the last ask that cross; of a committed clearing, its prices
    marginal_bid: uint256
    marginal_ask: uint256
    volume: uint256
    # on the long side, at its marginal price; zero when both sides are filled whole
    fill_at_margin: uint256
    # what the shared fill is shared among
    offered: uint256
    # sharing orders with an arrival index below this get one Wh left over by rounding
    extra_below: uint256
    # McAfee: orders at the marginal price with an arrival index below this trade
    bid_cut: uint256
    ask_cut: uint256

# Where the walk down both sides of a sorted book ended.
struct Walk:
    # last bid and last ask that cross, in the book
    bid_at: uint256
    ask_at: uint256
    # the ones behind them, or the same where energy of theirs is left
    next_bid_at: uint256
    next_ask_at: uint256
    # energy of each side up to and with them
    bids_wh: uint256
    asks_wh: uint256
    # where the marginal price of each side begins in the book, and the volume before it
    bid_margin_at: uint256
    ask_margin_at: uint256
    better_bids: uint256
    better_asks: uint256


# --- clearing ---------------------------------------------------------------------------------


@internal
@pure
def _uncrossed(n_orders: uint256) -> Clearing:
    """
    @dev The clearing without a trade: prices and volume 0.
    """
    clearing: Clearing = empty(Clearing)
    clearing.n_orders = n_orders
    clearing.cleared = True
    return clearing


@internal
@pure
def _cleared(
    book: uint256[MAX_ORDERS], n_bids: uint256, n: uint256, n_orders: uint256, terms: Terms
) -> Clearing:
    """
    @dev Clear a sorted book of n orders, out of n_orders that arrived.
    """
    clearing: Clearing = self._uncrossed(n_orders)
    walk: Walk = empty(Walk)
    bid_at: uint256 = 0
    ask_at: uint256 = n_bids
    bid_left: uint256 = 0
    ask_left: uint256 = 0
    # at the start the marginal prices are 0, and a first order of price 0 changes neither; sums of
    # at most 512 orders of 32 bits need no checks
    walk.ask_margin_at = n_bids
    for _: uint256 in range(n, bound=MAX_ORDERS):
        if bid_at == n_bids or ask_at == n:
            break
        bid_price: uint256 = MASK_31 ^ order_book._price_ueur_per_kwh(book[bid_at])
        ask_price: uint256 = order_book._price_ueur_per_kwh(book[ask_at])
        if bid_price < ask_price:
            break
        if bid_left == 0:
            bid_left = order_book._energy_wh(book[bid_at])
            walk.bid_at = bid_at
            walk.bids_wh = unsafe_add(walk.bids_wh, bid_left)
            if bid_price != clearing.marginal_bid:
                walk.bid_margin_at = bid_at
                walk.better_bids = clearing.volume
        if ask_left == 0:
            ask_left = order_book._energy_wh(book[ask_at])
            walk.ask_at = ask_at
            walk.asks_wh = unsafe_add(walk.asks_wh, ask_left)
            if ask_price != clearing.marginal_ask:
                walk.ask_margin_at = ask_at
                walk.better_asks = clearing.volume
        clearing.marginal_bid = bid_price
        clearing.marginal_ask = ask_price
        matched: uint256 = min(bid_left, ask_left)
        clearing.volume = unsafe_add(clearing.volume, matched)
        bid_left = unsafe_sub(bid_left, matched)
        ask_left = unsafe_sub(ask_left, matched)
        if bid_left == 0:
            bid_at = unsafe_add(bid_at, 1)
        if ask_left == 0:
            ask_at = unsafe_add(ask_at, 1)

    if clearing.volume == 0:
        return clearing
    if terms.rule == MCAFEE:
        return self._truthful(book, n_bids, n, clearing, walk)
    walk.next_bid_at = bid_at
    walk.next_ask_at = ask_at
    return self._priced(self._rationed(book, n, clearing, walk), terms)


@internal
@pure
def _rationed(book: uint256[MAX_ORDERS], n: uint256, clearing: Clearing, walk: Walk) -> Clearing:
    """
    @dev Share what is left at the margin of the long side.
    """
    # at most one side has energy left at its marginal price, or it would cross
    margin_at: uint256 = walk.bid_margin_at
    fill: uint256 = unsafe_sub(clearing.volume, walk.better_bids)
    at: uint256 = walk.next_bid_at
    sells_long: bool = book[at] >> PRICE_AT != book[margin_at] >> PRICE_AT
    if sells_long:
        margin_at = walk.ask_margin_at
        fill = unsafe_sub(clearing.volume, walk.better_asks)
        at = walk.next_ask_at
        if at == n or book[at] >> PRICE_AT != book[margin_at] >> PRICE_AT:
            return clearing
    offered: uint256 = 0
    for k: uint256 in range(margin_at, n, bound=MAX_ORDERS):
        if book[k] >> PRICE_AT != book[margin_at] >> PRICE_AT:
            break
        offered = unsafe_add(offered, order_book._energy_wh(book[k]))
        at = k
    left_over: uint256 = fill
    for k: uint256 in range(margin_at, unsafe_add(at, 1), bound=MAX_ORDERS):
        left_over = unsafe_sub(left_over, self._share_wh(book[k], fill, offered))
    rationed: Clearing = clearing
    rationed.sells_long = sells_long
    rationed.fill_at_margin = fill
    rationed.offered = offered
    if left_over != 0:
        # orders of one price stand in the order of their arrival
        rationed.extra_below = order_book._index(book[unsafe_sub(unsafe_add(margin_at, left_over), 1)]) + 1
    return rationed


@internal
@pure
def _priced(clearing: Clearing, terms: Terms) -> Clearing:
    """
    @dev The price by every rule but McAfee's. A price above the feed-in and below the retail price
         shares the community's gain (Long 2017, Liu 2017); bill sharing trades inside for nothing.
    """
    priced: Clearing = clearing
    if terms.rule == MIDPOINT:
        priced.price = unsafe_div(unsafe_add(clearing.marginal_bid, clearing.marginal_ask), 2)
    elif terms.rule == PAY_AS_BID:
        priced.two_priced = True
    elif terms.rule == MID_MARKET_RATE:
        priced.price = unsafe_div(unsafe_add(terms.retail, terms.feed_in), 2)
    elif terms.rule == SUPPLY_DEMAND_RATIO:
        # price takers all cross: the short side is the volume, the long side what is shared
        asked: uint256 = clearing.volume
        wanted: uint256 = clearing.volume
        if clearing.sells_long:
            asked = clearing.offered
        elif clearing.offered != 0:
            wanted = clearing.offered
        if asked >= wanted:
            priced.price = terms.feed_in
        else:
            # prices of 31 bits, volumes of 41; the feed-in price is not above the retail price
            divisor: uint256 = unsafe_add(
                unsafe_mul(unsafe_sub(terms.retail, terms.feed_in), asked),
                unsafe_mul(terms.feed_in, wanted),
            )
            # a division by zero gives zero
            priced.price = unsafe_div(
                unsafe_mul(unsafe_mul(terms.feed_in, terms.retail), wanted), divisor
            )
    return priced


@internal
@pure
def _truthful(
    book: uint256[MAX_ORDERS], n_bids: uint256, n: uint256, clearing: Clearing, walk: Walk
) -> Clearing:
    """
    @dev McAfee's rule: the first orders that do not cross set the price where that suits everyone
         who trades; else the last orders that cross set the prices and do not trade. The long
         side is rationed over all who trade, so that nobody's price changes its own share.
    """
    # positions and sums stay within the bounds that the walk kept
    next_bid_at: uint256 = unsafe_add(walk.bid_at, 1)
    next_ask_at: uint256 = unsafe_add(walk.ask_at, 1)
    result: Clearing = clearing
    result.bid_cut = order_book._index(book[walk.bid_at])
    result.ask_cut = order_book._index(book[walk.ask_at])
    if walk.bids_wh == walk.asks_wh and next_bid_at < n_bids and next_ask_at < n:
        price: uint256 = unsafe_div(
            unsafe_add(
                MASK_31 ^ order_book._price_ueur_per_kwh(book[next_bid_at]),
                order_book._price_ueur_per_kwh(book[next_ask_at]),
            ),
            2,
        )
        if clearing.marginal_ask <= price and price <= clearing.marginal_bid:
            result.price = price
            result.bid_cut = unsafe_add(result.bid_cut, 1)
            result.ask_cut = unsafe_add(result.ask_cut, 1)
            return result

    bids_wh: uint256 = unsafe_sub(walk.bids_wh, order_book._energy_wh(book[walk.bid_at]))
    asks_wh: uint256 = unsafe_sub(walk.asks_wh, order_book._energy_wh(book[walk.ask_at]))
    result.two_priced = True
    result.volume = min(bids_wh, asks_wh)
    if result.volume == 0:
        return self._uncrossed(clearing.n_orders)
    result.sells_long = asks_wh > bids_wh
    result.offered = max(bids_wh, asks_wh)
    end: uint256 = walk.ask_at if result.sells_long else walk.bid_at
    left_over: uint256 = result.volume
    # whose indexes share, a bit each
    sharing: uint256[2] = empty(uint256[2])
    for k: uint256 in range(n_bids if result.sells_long else 0, end, bound=MAX_ORDERS):
        left_over = unsafe_sub(left_over, self._share_wh(book[k], result.volume, result.offered))
        index: uint256 = order_book._index(book[k])
        sharing[index >> 8] |= 1 << (index & 255)
    for index: uint256 in range(MAX_ORDERS):
        if left_over == 0:
            break
        if (sharing[index >> 8] >> (index & 255)) & 1 == 1:
            left_over = unsafe_sub(left_over, 1)
            result.extra_below = unsafe_add(index, 1)
    return result


@internal
@pure
def _share_wh(order: uint256, fill_wh: uint256, offered_wh: uint256) -> uint256:
    """
    @dev An order's part of a fill, by its energy, rounded down.
    """
    return unsafe_div(unsafe_mul(order_book._energy_wh(order), fill_wh), offered_wh)


# --- fills and prices -------------------------------------------------------------------------


@internal
@pure
def _filled_wh(order: uint256, index: uint256, clearing: Clearing, rule: uint256) -> uint256:
    """
    @dev How much of an order was filled; 0 before clearing, when the volume is still 0.
    """
    if clearing.volume == 0 or order_book._is_sealed(order):
        return 0
    is_sell: bool = order_book._is_sell(order)
    price: uint256 = order_book._price_ueur_per_kwh(order)
    energy_wh: uint256 = order_book._energy_wh(order)
    margin: uint256 = clearing.marginal_ask if is_sell else clearing.marginal_bid
    if price != margin and (price < margin) != is_sell:
        return 0
    shared: uint256 = clearing.fill_at_margin
    if rule == MCAFEE:
        if price == margin and index >= (clearing.ask_cut if is_sell else clearing.bid_cut):
            return 0
        shared = clearing.volume
    elif price != margin:
        return energy_wh
    if is_sell != clearing.sells_long or clearing.offered == 0:
        return energy_wh
    filled_wh: uint256 = self._share_wh(order, shared, clearing.offered)
    return unsafe_add(filled_wh, 1) if index < clearing.extra_below else filled_wh


@internal
@pure
def _filled_wh_of_key(key: uint256, clearing: Clearing, rule: uint256) -> uint256:
    """
    @dev The same of an order as it stands in a sorted book.
    """
    order: uint256 = 0
    index: uint256 = 0
    order, index = order_book._order_of_key(key)
    return self._filled_wh(order, index, clearing, rule)


@internal
@pure
def _prices(clearing: Clearing) -> (uint256, uint256):
    """
    @dev What buyers pay and sellers get; of pay-as-bid, the lowest and the highest price traded.
    """
    if clearing.two_priced:
        return clearing.marginal_bid, clearing.marginal_ask
    return clearing.price, clearing.price


@internal
@pure
def _price_of(order: uint256, clearing: Clearing, rule: uint256) -> uint256:
    """
    @dev The price at which an order trades.
    """
    if rule == PAY_AS_BID:
        return order_book._price_ueur_per_kwh(order)
    if not clearing.two_priced:
        return clearing.price
    return clearing.marginal_ask if order_book._is_sell(order) else clearing.marginal_bid


# --- storage ----------------------------------------------------------------------------------


@internal
@pure
def _packed(clearing: Clearing) -> uint256:
    word: uint256 = clearing.n_orders
    word |= convert(clearing.cleared, uint256) << 10
    word |= convert(clearing.committed, uint256) << 11
    word |= convert(clearing.sells_long, uint256) << 12
    word |= convert(clearing.two_priced, uint256) << 13
    word |= clearing.price << 14
    word |= clearing.marginal_bid << 45
    word |= clearing.marginal_ask << 76
    word |= clearing.volume << 107
    word |= (clearing.fill_at_margin | clearing.bid_cut | (clearing.ask_cut << 10)) << 148
    word |= clearing.offered << 189
    return word | (clearing.extra_below << 230)


@internal
@pure
def _is_cleared(word: uint256) -> bool:
    return (word >> 10) & 1 == 1


@internal
@pure
def _unpacked(word: uint256) -> Clearing:
    shared: uint256 = (word >> 148) & MASK_41
    return Clearing(
        n_orders=word & MASK_10,
        cleared=self._is_cleared(word),
        committed=(word >> 11) & 1 == 1,
        sells_long=(word >> 12) & 1 == 1,
        two_priced=(word >> 13) & 1 == 1,
        price=(word >> 14) & MASK_31,
        marginal_bid=(word >> 45) & MASK_31,
        marginal_ask=(word >> 76) & MASK_31,
        volume=(word >> 107) & MASK_41,
        fill_at_margin=shared,
        offered=(word >> 189) & MASK_41,
        extra_below=word >> 230,
        bid_cut=shared & MASK_10,
        ask_cut=(shared >> 10) & MASK_10,
    )
