# pragma version 0.4.3
"""
@title Clearing on chain, and verified
@license Apache-2.0
@notice Clears an interval: the contract sorts the orders itself, or checks in one pass a merit order
        and a result that somebody computed. Both end in the same storage and the same events.
@dev A book that does not cross clears without reading an order.
"""

import clearing_rules
import escrow_accounts as accounts
import interval_books as books
import market_clock as clock
import order_book
import refusals
import supplier_dues as dues

uses: accounts
uses: books
uses: clock
uses: dues

MAX_ORDERS: constant(uint256) = order_book.MAX_ORDERS
MASK_10: constant(uint256) = order_book.MASK_10
MASK_16: constant(uint256) = order_book.MASK_16
MASK_31: constant(uint256) = order_book.MASK_31
RANKED_PER_WORD: constant(uint256) = 16
MAX_WORDS: constant(uint256) = 32  # * RANKED_PER_WORD = MAX_ORDERS

event OrderFilled:
    interval: indexed(uint256)
    account: indexed(address)
    is_sell: bool
    energy_wh: uint256

event SurplusPaid:
    interval: indexed(uint256)
    amount_ueur: uint256

event IntervalCleared:
    interval: indexed(uint256)
    buy_price_ueur_per_kwh: uint256
    sell_price_ueur_per_kwh: uint256
    volume_wh: uint256
    n_orders: uint256


@external
@nonreentrant
def clear(interval: uint256):
    """
    @notice Clear an interval, once, when its orders are known and until delivery ends. Anyone may
            call; an interval that nobody clears is settled as one without trades.
    """
    self._require_clearable(interval, books.ON_CHAIN)
    # in a variable of this function the answer would lie behind the books in memory, at 10 000 gas
    if books._clearing_of[interval] & books.CROSSED != 0:
        self._clear(interval)
    else:
        self._conclude_uncrossed(interval, 0)


@external
@nonreentrant
def clearVerified(
    interval: uint256,
    ranking: DynArray[uint256, MAX_WORDS],
    buy_price_ueur_per_kwh: uint256,
    sell_price_ueur_per_kwh: uint256,
    volume_wh: uint256,
):
    """
    @notice Clear an interval, once, when its orders are known and until delivery ends, with a merit
            order and a result that the contract checks. Anyone may call.
    @param interval The interval
    @param ranking Arrival indexes of all known orders, bids by falling, then asks by rising price,
           ties by arrival; 16 indexes of 16 bits a word, lowest bits first. Empty for a book that
           does not cross
    @param buy_price_ueur_per_kwh The clearing's price of buyers
    @param sell_price_ueur_per_kwh The clearing's price of sellers
    @param volume_wh The clearing's volume
    """
    self._require_clearable(interval, books.VERIFIED)
    if books._clearing_of[interval] & books.CROSSED != 0:
        self._verify(
            interval, ranking, buy_price_ueur_per_kwh, sell_price_ueur_per_kwh, volume_wh
        )
    else:
        self._conclude_uncrossed(
            interval, buy_price_ueur_per_kwh | sell_price_ueur_per_kwh | volume_wh
        )


@internal
def _clear(interval: uint256):
    word: uint256 = self._open_word(interval)
    slot: uint256 = interval % clock.RING
    book: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    n: uint256 = 0
    n_bids: uint256 = 0
    for index: uint256 in range(word & MASK_10, bound=MAX_ORDERS):
        key: uint256 = books._orders[slot][index] | (index << order_book.INDEX_AT)
        side: uint256 = key >> order_book.SIDE_AT
        if side == 0:
            key ^= order_book.PRICE_BITS
            n_bids = unsafe_add(n_bids, 1)
        elif side != 1:
            continue  # sealed
        book[n] = key
        n = unsafe_add(n, 1)
    book = order_book._sorted(book, n)
    self._conclude(
        interval, book, n, clearing_rules._cleared(book, n_bids, n, word & MASK_10, books._terms(interval))
    )


@internal
def _verify(
    interval: uint256,
    ranking: DynArray[uint256, MAX_WORDS],
    buy_price_ueur_per_kwh: uint256,
    sell_price_ueur_per_kwh: uint256,
    volume_wh: uint256,
):
    word: uint256 = self._open_word(interval)
    n: uint256 = books._revealed(word)
    book: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    n_bids: uint256 = 0
    book, n_bids = self._ranked(interval, word & MASK_10, n, ranking)
    clearing: clearing_rules.Clearing = clearing_rules._cleared(
        book, n_bids, n, word & MASK_10, books._terms(interval)
    )
    refusals._require(
        self._is_clearing(
            clearing, buy_price_ueur_per_kwh, sell_price_ueur_per_kwh, volume_wh
        ),
        "not the clearing",
    )
    self._conclude(interval, book, n, clearing)


@internal
@view
def _require_clearable(interval: uint256, form: uint256):
    """
    @dev This is the market's form, all orders of the interval are known, and there is time to clear.
    """
    if books.FORM != form:
        refusals._require(books.FORM != books.ON_CHAIN, "clearing is on chain")
        refusals._require(books.FORM != books.VERIFIED, "clearing is verified")
        refusals._require(books.FORM != books.COMMITTED, "clearing is committed")
        refusals._require(False, "clearing is bilateral")
    clock._require_clearing_window(
        interval, clock.CHALLENGE_S if form == books.COMMITTED else 0
    )


@internal
@view
def _open_word(interval: uint256) -> uint256:
    """
    @dev The word of an interval that is not cleared yet.
    """
    word: uint256 = books._clearing_of[interval]
    refusals._require(not clearing_rules._is_cleared(word), "already cleared")
    return word


@internal
@view
def _ranked(
    interval: uint256, n_orders: uint256, n: uint256, ranking: DynArray[uint256, MAX_WORDS]
) -> (uint256[MAX_ORDERS], uint256):
    """
    @dev The book of the n known orders by a ranking, and the number of bids. Keys that strictly
         ascend are all different, so n of them are all orders.
    """
    refusals._require(
        len(ranking) == unsafe_div(unsafe_add(n, RANKED_PER_WORD - 1), RANKED_PER_WORD),
        "ranking incomplete",
    )
    slot: uint256 = interval % clock.RING
    book: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    n_bids: uint256 = 0
    ranked: uint256 = 0
    last: uint256 = 0
    ascending: bool = True
    for k: uint256 in range(n, bound=MAX_ORDERS):
        if k & (RANKED_PER_WORD - 1) == 0:
            ranked = ranking[unsafe_div(k, RANKED_PER_WORD)]
        index: uint256 = ranked & MASK_16
        ranked >>= 16
        key: uint256 = order_book.SEALED
        if index < n_orders:
            key = books._orders[slot][index] | (index << order_book.INDEX_AT)
        side: uint256 = key >> order_book.SIDE_AT
        if side == 0:
            key ^= order_book.PRICE_BITS
            n_bids = unsafe_add(n_bids, 1)
        ascending = ascending and last < key and side < 2
        last = key
        book[k] = key
    refusals._require(ascending, "ranking not in merit order")
    return book, n_bids


@internal
@pure
def _is_clearing(
    clearing: clearing_rules.Clearing,
    buy_price_ueur_per_kwh: uint256,
    sell_price_ueur_per_kwh: uint256,
    volume_wh: uint256,
) -> bool:
    buy_price: uint256 = 0
    sell_price: uint256 = 0
    buy_price, sell_price = clearing_rules._prices(clearing)
    return (
        buy_price == buy_price_ueur_per_kwh
        and sell_price == sell_price_ueur_per_kwh
        and clearing.volume == volume_wh
    )


@internal
def _conclude_uncrossed(interval: uint256, claimed: uint256):
    """
    @dev Clear without a trade, if somebody who claims a result claims that.
    @param claimed Zero if all prices and volumes claimed are
    """
    word: uint256 = self._open_word(interval)
    refusals._require(claimed == 0, "not the clearing")
    clearing: clearing_rules.Clearing = clearing_rules._uncrossed(word & MASK_10)
    books._clearing_of[interval] = clearing_rules._packed(clearing)
    self._log_cleared(interval, clearing)


@internal
def _conclude(
    interval: uint256,
    book: uint256[MAX_ORDERS],
    n: uint256,
    clearing: clearing_rules.Clearing,
):
    """
    @dev Keep a clearing, tell what was filled, and give the supplier what buyers pay beyond what
         sellers earn: by rounding, or between two prices.
    """
    books._clearing_of[interval] = clearing_rules._packed(clearing)
    buy_price: uint256 = 0
    sell_price: uint256 = 0
    buy_price, sell_price = clearing_rules._prices(clearing)
    surplus_ueur: uint256 = 0
    # side and price of the worst orders that trade; greater numbers come behind them in the book
    last_bid: uint256 = MASK_31 ^ clearing.marginal_bid
    last_ask: uint256 = (1 << 31) | clearing.marginal_ask
    for k: uint256 in range(n if clearing.volume != 0 else 0, bound=MAX_ORDERS):
        key: uint256 = book[k]
        rank: uint256 = key >> order_book.PRICE_AT
        is_sell: bool = rank > MASK_31
        last: uint256 = last_ask if is_sell else last_bid
        if rank > last:
            continue
        filled_wh: uint256 = order_book._energy_wh(key)
        price: uint256 = sell_price if is_sell else buy_price
        shared: bool = is_sell == clearing.sells_long
        if (shared and rank == last) or (
            books.RULE == clearing_rules.MCAFEE and (shared or rank == last)
        ):
            filled_wh = clearing_rules._filled_wh_of_key(key, clearing, books.RULE)
            if filled_wh == 0:
                continue
        elif books.RULE == clearing_rules.PAY_AS_BID:
            price = rank & MASK_31 if is_sell else rank ^ MASK_31
        # bids come first in the book
        if is_sell:
            surplus_ueur -= order_book._earned_ueur(filled_wh, price)
        else:
            surplus_ueur += order_book._due_ueur(filled_wh, price)
        log OrderFilled(
            interval=interval,
            account=order_book._owner(key),
            is_sell=is_sell,
            energy_wh=filled_wh,
        )
    if surplus_ueur != 0:
        accounts._credit(dues.SUPPLIER, surplus_ueur)
        log SurplusPaid(interval=interval, amount_ueur=surplus_ueur)
    self._log_cleared(interval, clearing)


@internal
def _log_cleared(interval: uint256, clearing: clearing_rules.Clearing):
    buy_price: uint256 = 0
    sell_price: uint256 = 0
    buy_price, sell_price = clearing_rules._prices(clearing)
    log IntervalCleared(
        interval=interval,
        buy_price_ueur_per_kwh=buy_price,
        sell_price_ueur_per_kwh=sell_price,
        volume_wh=clearing.volume,
        n_orders=clearing.n_orders,
    )
