# pragma version 0.4.3
"""
@title Books of the intervals
@license Apache-2.0
@notice What the local market keeps of each interval: its orders, its clearing, its readings.
@dev Fills follow from the one word of the clearing, or, of a committed clearing, from what each
     order's claim proved; see clearing_rules.vy. Intervals RING apart share the slots of their
     orders and positions. Those in the order of arrival are read until delivery ends and by their
     index, which is below the interval's number of orders, so that what is left of an earlier
     interval is never read; a position says whose it is.
@custom:units energy in Wh, net injection positive; money in µEUR; prices in µEUR/kWh
"""

import ISupplierPrices
import clearing_rules
import market_clock as clock
import order_book
import positions

uses: clock

MAX_ORDERS: public(constant(uint256)) = order_book.MAX_ORDERS
MAX_ENERGY_WH: public(constant(uint256)) = order_book.MAX_ENERGY_WH
MAX_PRICE_UEUR_PER_KWH: public(constant(uint256)) = order_book.MAX_PRICE_UEUR_PER_KWH
MASK_10: constant(uint256) = order_book.MASK_10
MASK_32: constant(uint256) = order_book.MASK_32

# clearing forms
ON_CHAIN: constant(uint256) = 0
VERIFIED: constant(uint256) = 1
COMMITTED: constant(uint256) = 2
BILATERAL: constant(uint256) = 3  # by pairs, in BilateralTrades.vy

# an interval before clearing: arrivals 10 | 4 unused | known orders 10 | best bid + 1 in 32 bits |
# 2**31 less the best ask in 32 bits, both zero without one | whether they cross
REVEALED_AT: constant(uint256) = 14
BEST_BID_AT: constant(uint256) = 24
BEST_ASK_AT: constant(uint256) = 56
CROSSED: constant(uint256) = 1 << 88

SETTLEMENT: public(immutable(address))
SUBMISSIONS: public(immutable(address))
RETAIL_PRICE_UEUR_PER_KWH: public(immutable(uint256))
SEALED_DEPOSIT_UEUR: public(immutable(uint256))
RULE: public(immutable(uint256))
FORM: public(immutable(uint256))

_orders: HashMap[uint256, uint256[MAX_ORDERS]]
_position_of: HashMap[uint256, HashMap[address, uint256]]
_clearing_of: HashMap[uint256, uint256]


@deploy
def __init__(
    settlement: address,
    submissions: address,
    retail_price_ueur_per_kwh: uint256,
    sealed_deposit_ueur: uint256,
    rule: uint256,
    form: uint256,
):
    assert retail_price_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH, "local market: price out of range"
    assert rule <= clearing_rules.BILL_SHARING, "local market: no such rule"
    assert form <= BILATERAL, "local market: no such form"
    SETTLEMENT = settlement
    SUBMISSIONS = submissions
    RETAIL_PRICE_UEUR_PER_KWH = retail_price_ueur_per_kwh
    SEALED_DEPOSIT_UEUR = sealed_deposit_ueur
    RULE = rule
    FORM = form


# --- views ------------------------------------------------------------------------------------


@external
@view
def ownerAt(interval: uint256, index: uint256) -> address:
    """
    @return Who placed the order that arrived as number index, counted from 0; zero beyond the last
            and while it is sealed
    """
    if index >= MAX_ORDERS:
        return empty(address)
    order: uint256 = self._orders[interval % clock.RING][index]
    owner: address = order_book._owner(order)
    # what is left of an earlier interval is not this one's
    if (
        order_book._is_sealed(order)
        or self._position(interval, owner) & MASK_10 != unsafe_add(index, 1)
    ):
        return empty(address)
    return owner


@external
@view
def clearingOf(interval: uint256) -> (bool, uint256, uint256, uint256, uint256):
    """
    @return Whether it is cleared, what buyers pay, what sellers get, the volume, and the number of
            orders; by the rule pay-as-bid, the lowest price paid and the highest earned
    @custom:units prices in µEUR/kWh, volume in Wh
    """
    clearing: clearing_rules.Clearing = self._clearing(interval)
    if not clearing.cleared:
        return False, 0, 0, 0, clearing.n_orders
    buy_price: uint256 = 0
    sell_price: uint256 = 0
    buy_price, sell_price = clearing_rules._prices(clearing)
    return True, buy_price, sell_price, clearing.volume, clearing.n_orders


@external
@view
def readingOf(interval: uint256, account: address) -> (bool, bool, int256):
    """
    @return Whether the interval is metered and settled; whether by estimate; net injection
    @custom:units net injection in Wh
    """
    position: uint256 = self._position(interval, account)
    if position & positions.KNOWN == 0:
        return False, False, 0
    return True, positions._estimated(position), positions._net_wh(position)


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _terms(interval: uint256) -> clearing_rules.Terms:
    """
    @dev The settlement is asked only where a rule makes its price of the supplier's.
    """
    retail: uint256 = 0
    feed_in: uint256 = 0
    if RULE == clearing_rules.MID_MARKET_RATE or RULE == clearing_rules.SUPPLY_DEMAND_RATIO:
        retail, feed_in = staticcall ISupplierPrices(SETTLEMENT).localLimitsAt(interval)
    return clearing_rules.Terms(rule=RULE, retail=retail, feed_in=feed_in)


@internal
@view
def _clearing(interval: uint256) -> clearing_rules.Clearing:
    return clearing_rules._unpacked(self._clearing_of[interval])


@internal
@view
def _position(interval: uint256, account: address) -> uint256:
    """
    @dev An account's position; positions.IN_USE if another interval needs its slot.
    """
    return positions._seen_at(interval, self._position_of[interval % clock.RING][account])


@internal
@pure
def _revealed(word: uint256) -> uint256:
    """
    @dev How many orders of an interval that is not cleared are known.
    """
    return (word >> REVEALED_AT) & MASK_10


@internal
@pure
def _with_order(word: uint256, is_sell: bool, price_ueur_per_kwh: uint256) -> uint256:
    """
    @dev The word of an interval that is not cleared, with one more order known.
    """
    at: uint256 = BEST_ASK_AT if is_sell else BEST_BID_AT
    best: uint256 = MAX_PRICE_UEUR_PER_KWH - price_ueur_per_kwh if is_sell else price_ueur_per_kwh
    best = max((word >> at) & MASK_32, unsafe_add(best, 1))
    with_best: uint256 = (word & ~(MASK_32 << at)) | (best << at)
    # the best bid reaches the best ask; one of them alone is at most 2**31
    if ((with_best >> BEST_BID_AT) & MASK_32) + ((with_best >> BEST_ASK_AT) & MASK_32) > 2**31:
        with_best |= CROSSED
    return unsafe_add(with_best, 1 << REVEALED_AT)
