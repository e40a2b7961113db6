# pragma version 0.4.3
"""
@title Order window
@license Apache-2.0
@notice Orders for an interval until its gate closes, open or sealed, and the reveal of sealed ones.
@dev A sealed order is the hash of (interval, account, is_sell, energy_wh, price_ueur_per_kwh, salt),
     as abi_encode gives them. It holds its place in the order of arrival; whoever does not reveal
     it in time loses the deposit to the supplier.
"""

import clearing_rules
import community
import credit_lines as credit
import escrow_accounts as accounts
import interval_books as books
import market_clock as clock
import order_book
import positions
import refusals
import supplier_dues as dues

uses: accounts
uses: books
uses: clock
uses: community
uses: credit
uses: dues

MASK_10: constant(uint256) = order_book.MASK_10
MAX_ORDERS: constant(uint256) = order_book.MAX_ORDERS

event OrderPlaced:
    interval: indexed(uint256)
    account: indexed(address)
    is_sell: bool
    energy_wh: uint256
    price_ueur_per_kwh: uint256

event OrderCommitted:
    interval: indexed(uint256)
    account: indexed(address)
    commitment: bytes32


@external
@nonreentrant
def placeOrder(interval: uint256, is_sell: bool, energy_wh: uint256, price_ueur_per_kwh: uint256):
    """
    @notice Offer or ask for energy of an interval. Locks the escrow until the interval is settled.
    @dev A buyer locks what it may have to pay; a seller what the supplier charges above its price
         for energy that it sells and does not deliver.
    """
    refusals._require(clock.REVEAL_S == 0, "orders are sealed")
    clock._require_order_window(interval)
    self._require_in_range(is_sell, energy_wh, price_ueur_per_kwh)
    word: uint256 = self._arrive(interval)
    self._record(interval, word, (word & MASK_10) - 1, is_sell, energy_wh, price_ueur_per_kwh)


@external
@nonreentrant
def commitOrder(interval: uint256, commitment: bytes32):
    """
    @notice Commit to an order without showing it. Locks the deposit until it is revealed.
    """
    refusals._require(clock.REVEAL_S != 0, "orders are open")
    clock._require_order_window(interval)
    credit._lock(msg.sender, books.SEALED_DEPOSIT_UEUR)
    word: uint256 = self._arrive(interval)
    books._clearing_of[interval] = word
    books._orders[interval][(word & MASK_10) - 1] = convert(commitment, uint256) | order_book.SEALED
    log OrderCommitted(interval=interval, account=msg.sender, commitment=commitment)


@external
@nonreentrant
def revealOrder(
    interval: uint256,
    is_sell: bool,
    energy_wh: uint256,
    price_ueur_per_kwh: uint256,
    salt: bytes32,
):
    """
    @notice Show the order that one committed to. Gives the deposit back and locks the escrow.
    """
    clock._require_reveal_window(interval)
    position: uint256 = books._position_of[interval][msg.sender]
    refusals._require(position != 0, "no sealed order")
    kept: uint256 = books._order_at(interval, position)
    refusals._require(order_book._is_sealed(kept), "already revealed")
    commitment: bytes32 = keccak256(
        abi_encode(interval, msg.sender, is_sell, energy_wh, price_ueur_per_kwh, salt)
    )
    refusals._require(kept == convert(commitment, uint256) | order_book.SEALED, "not what was sealed")
    self._require_in_range(is_sell, energy_wh, price_ueur_per_kwh)
    accounts._credit(msg.sender, books.SEALED_DEPOSIT_UEUR)
    self._record(
        interval, books._clearing_of[interval], position - 1, is_sell, energy_wh, price_ueur_per_kwh
    )
    dues._settle(msg.sender, 0)


@internal
@view
def _require_in_range(is_sell: bool, energy_wh: uint256, price_ueur_per_kwh: uint256):
    refusals._require(0 < energy_wh and energy_wh <= books.MAX_ENERGY_WH, "energy out of range")
    refusals._require(price_ueur_per_kwh <= books.MAX_PRICE_UEUR_PER_KWH, "price out of range")
    if books.RULE >= clearing_rules.MID_MARKET_RATE:
        # whoever trades by these rules takes the price, and says so by the limit that never binds
        taken: uint256 = 0 if is_sell else books.RETAIL_PRICE_UEUR_PER_KWH
        refusals._require(price_ueur_per_kwh == taken, "price is set by the rule")


@internal
def _arrive(interval: uint256) -> uint256:
    """
    @dev Give the caller the next place in the order of arrival.
    @return The interval's word with one more arrival, not yet stored
    """
    refusals._require(community._is_member(msg.sender), "not a member")
    refusals._require(books._position_of[interval][msg.sender] == 0, "order exists")
    word: uint256 = books._clearing_of[interval] + 1
    refusals._require(word & MASK_10 <= MAX_ORDERS, "book full")
    books._position_of[interval][msg.sender] = word & MASK_10
    return word


@internal
def _record(
    interval: uint256,
    word: uint256,
    index: uint256,
    is_sell: bool,
    energy_wh: uint256,
    price_ueur_per_kwh: uint256,
):
    """
    @dev Lock the escrow of the caller's order and keep it under its arrival index.
    """
    credit._lock(
        msg.sender,
        positions._escrow_ueur(
            is_sell, energy_wh, price_ueur_per_kwh, books.RETAIL_PRICE_UEUR_PER_KWH
        ),
    )
    books._clearing_of[interval] = books._with_order(word, is_sell, price_ueur_per_kwh)
    books._orders[interval][index] = order_book._order(
        msg.sender, is_sell, energy_wh, price_ueur_per_kwh
    )
    log OrderPlaced(
        interval=interval,
        account=msg.sender,
        is_sell=is_sell,
        energy_wh=energy_wh,
        price_ueur_per_kwh=price_ueur_per_kwh,
    )
