# pragma version 0.4.3
"""
@title Positions in the local market
@license Apache-2.0
@notice Pure arithmetic of what an account has in an interval: its packed position, what was filled
        of its order, and the money that hangs on it.
@dev A position is, from the lowest bit, order index + 1 in 10 bits | reading known | reading
     estimated | net_wh + 2**32 in 33 bits | claimed | claimed fill 32 | settled | the order as
     order_book.vy packs it, without its owner, 96 | in use | 16 unused | interval 64. So what an order
     promises is known when another interval's has taken its place in the order of arrival.
@custom:units energy in Wh, net injection positive; money in µEUR; prices in µEUR/kWh
"""

import clearing_rules
import order_book

MASK_10: constant(uint256) = order_book.MASK_10
MASK_32: constant(uint256) = order_book.MASK_32
MASK_33: constant(uint256) = 2**33 - 1
KNOWN: constant(uint256) = 1 << 10
ESTIMATED_AT: constant(uint256) = 11
NET_AT: constant(uint256) = 12
NET_OFFSET: constant(int256) = 2**32
CLAIMED: constant(uint256) = 1 << 45
CLAIM_AT: constant(uint256) = 46
SETTLED: constant(uint256) = 1 << 78
NOTED: constant(uint256) = 2**79 - 1  # what is noted after delivery
ORDER_AT: constant(uint256) = 79
OWNER_BITS: constant(uint256) = order_book.ENERGY_AT
MASK_96: constant(uint256) = 2**96 - 1
# no position is kept with it: it is read in place of one that is another interval's
IN_USE: constant(uint256) = 1 << 175
INTERVAL_AT: constant(uint256) = 192


# --- readings ---------------------------------------------------------------------------------


@internal
@pure
def _reading(net_wh: int256, estimated: bool) -> uint256:
    """
    @dev What a reading adds to a position.
    """
    return (
        KNOWN
        | (convert(estimated, uint256) << ESTIMATED_AT)
        | (convert(net_wh + NET_OFFSET, uint256) << NET_AT)
    )


@internal
@pure
def _estimated(position: uint256) -> bool:
    return (position >> ESTIMATED_AT) & 1 == 1


@internal
@pure
def _net_wh(position: uint256) -> int256:
    return convert((position >> NET_AT) & MASK_33, int256) - NET_OFFSET


# --- orders -----------------------------------------------------------------------------------


@internal
@pure
def _placed(interval: uint256, place: uint256, order: uint256) -> uint256:
    """
    @dev The position of an order that arrived as number place, counted from 1.
    """
    return place | ((order >> OWNER_BITS) << ORDER_AT) | (interval << INTERVAL_AT)


@internal
@pure
def _order(position: uint256, account: address) -> uint256:
    """
    @dev The order of an account's position; zero if it has none. Of a sealed one it is known that
         it is sealed, and whose.
    """
    if position & MASK_10 == 0:
        return 0
    return convert(account, uint256) | (((position >> ORDER_AT) & MASK_96) << OWNER_BITS)


@internal
@pure
def _seen_at(interval: uint256, position: uint256) -> uint256:
    """
    @dev What a slot says of an interval, which other intervals share it with: its position, nothing, or
         that it is in use: by a later interval, or by an earlier one whose order is not settled.
    """
    kept_of: uint256 = position >> INTERVAL_AT
    if kept_of == interval:
        return position
    if kept_of > interval or (position & MASK_10 != 0 and position & SETTLED == 0):
        return IN_USE
    return 0


@internal
@pure
def _filled_wh(
    order: uint256, position: uint256, clearing: clearing_rules.Clearing, rule: uint256
) -> uint256:
    if clearing.committed:
        return (position >> CLAIM_AT) & MASK_32
    if position & MASK_10 == 0:
        return 0
    return clearing_rules._filled_wh(order, (position & MASK_10) - 1, clearing, rule)


@internal
@pure
def _escrow_ueur(
    is_sell: bool, energy_wh: uint256, price_ueur_per_kwh: uint256, retail_ueur_per_kwh: uint256
) -> uint256:
    """
    @dev What a buyer may have to pay; what the supplier charges above a seller's price for energy
         that it sells and does not deliver.
    """
    if not is_sell:
        return order_book._due_ueur(energy_wh, price_ueur_per_kwh)
    if price_ueur_per_kwh >= retail_ueur_per_kwh:
        return 0
    return order_book._due_ueur(energy_wh, retail_ueur_per_kwh - price_ueur_per_kwh)


@internal
@pure
def _amount_ueur(is_sell: bool, energy_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    """
    @dev What energy earns or costs.
    """
    if is_sell:
        return order_book._earned_ueur(energy_wh, price_ueur_per_kwh)
    return order_book._due_ueur(energy_wh, price_ueur_per_kwh)


@internal
@pure
def _trade_ueur(
    order: uint256, filled_wh: uint256, clearing: clearing_rules.Clearing, rule: uint256
) -> uint256:
    """
    @dev What an order pays or earns.
    """
    return self._amount_ueur(
        order_book._is_sell(order), filled_wh, clearing_rules._price_of(order, clearing, rule)
    )


@internal
@pure
def _released_ueur(order: uint256, trade_ueur: uint256, retail_ueur_per_kwh: uint256) -> uint256:
    """
    @dev Escrow of an order with what it earned, or without what it paid.
    """
    is_sell: bool = order_book._is_sell(order)
    escrow: uint256 = self._escrow_ueur(
        is_sell,
        order_book._energy_wh(order),
        order_book._price_ueur_per_kwh(order),
        retail_ueur_per_kwh,
    )
    return escrow + trade_ueur if is_sell else escrow - trade_ueur
